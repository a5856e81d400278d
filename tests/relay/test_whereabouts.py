"""Where clients are; what is told of it over links, test_server.py tries."""

from tests.support.world import World, scenario
from wzp_cli.address import Address
from wzp_cli.relay.whereabouts import as_told

HERE, THERE = Address("198.51.100.7", 5000), Address("198.51.100.8", 5001)


def test_who_came_by_tcp_is_told_an_address_like_any_other() -> None:
    assert as_told(HERE) == as_told(HERE._replace(tunnel=1)) == "198.51.100.7:5000"


@scenario
async def test_own_hosts_are_kept_as_long_as_somebody_is_there(world: World) -> None:
    await world.people("alice", "bob")
    (relay,) = world.relays
    where, own = relay.server.whereabouts, relay.server.endpoint.own_hosts
    links = sorted(relay.server.endpoint.links, key=lambda link: str(link.identity))
    known = dict(own)
    assert set(known) == {link.address for link in links}
    for link in links:  # both behind one address, as far as QUIC knows
        where.locate(link, HERE)
    assert set(own) == {HERE}
    where.locate(links[0], THERE)
    assert set(own) == {HERE, THERE}
    where.locate(links[1], None)
    assert set(own) == {THERE}
    where.locate(links[0], None)
    where.locate(links[0], None)
    assert own == {}
