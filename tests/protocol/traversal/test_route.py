from wzp_cli.address import Address
from wzp_cli.protocol.traversal.route import ChannelRoute, DirectRoute, TurnRoute

AT = Address("192.0.2.1", 4433)


def test_a_route_is_what_it_leads_to() -> None:
    assert DirectRoute(AT) == DirectRoute(Address.parse("192.0.2.1:4433"))
    assert DirectRoute(AT) != DirectRoute(Address("192.0.2.1", 4434))
    one, other = b"1" * 8, b"2" * 8
    assert ChannelRoute(AT, one, other) == ChannelRoute(AT, one, other)
    assert ChannelRoute(AT, one, other) != ChannelRoute(AT, other, one)
    assert len({DirectRoute(AT), DirectRoute(AT), ChannelRoute(AT, one, other)}) == 2


def test_a_route_as_text_tells_no_channel_id() -> None:
    assert str(DirectRoute(AT)) == "192.0.2.1:4433"
    assert str(DirectRoute(Address("2001:db8::1", 1))) == "[2001:db8::1]:1"
    assert str(ChannelRoute(AT, b"1" * 8, b"2" * 8)) == "relay 192.0.2.1:4433"


def test_a_route_through_turn_is_known_by_both_ends_of_it() -> None:
    peer, other = Address("192.0.2.1", 50000), Address("192.0.2.1", 50001)
    assert TurnRoute(AT, peer) == TurnRoute(AT, peer) != TurnRoute(AT, other)
    assert str(TurnRoute(AT, peer)) == "turn 192.0.2.1:4433"


def test_packets_go_to_the_next_machine_first() -> None:
    routes = (DirectRoute(AT), ChannelRoute(AT, b"1" * 8, b"2" * 8), TurnRoute(AT, AT))
    assert {route.remote for route in routes} == {AT}
