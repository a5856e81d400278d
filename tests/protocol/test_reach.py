import ipaddress

import pytest

from wzp_cli.address import Address
from wzp_cli.protocol.reach import (
    Surroundings,
    may_be_relay,
    may_be_service,
    may_check,
    unmap,
)

HOME = Surroundings(
    hosts=frozenset({"192.168.1.10", "fd12::10", "2a00:1:2:3::10"}),
    networks=(
        ipaddress.ip_network("192.168.1.0/24"),
        ipaddress.ip_network("fd12::/64"),
        ipaddress.ip_network("2a00:1:2:3::/64"),
    ),
    reflexive="5.6.7.8",
)
ELSEWHERE = "9.9.9.9"


def judged(
    host: str,
    peer: str | None = ELSEWHERE,
    where: Surroundings = HOME,
    port: int = 40000,
) -> str | None:
    return may_check(Address(host, port), where, peer)


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::ffff:c000:201", "192.0.2.1"),
        ("0:0:0:0:0:FFFF:192.0.2.1", "192.0.2.1"),
        ("64:ff9b::192.0.2.1", "192.0.2.1"),
        ("64:ff9b::c000:201%eth0", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("64:ff9b:1::1", "64:ff9b:1::1"),
    ],
)
def test_what_a_packet_would_reach(host: str, reached: str) -> None:
    assert unmap(host) == ipaddress.ip_address(reached)


@pytest.mark.parametrize("host", ["8.8.8.8", "2a00:1450::1", "64:ff9b::8.8.8.8"])
@pytest.mark.parametrize("peer", [None, ELSEWHERE])
def test_public_addresses_may_be_checked(host: str, peer: str | None) -> None:
    assert judged(host, peer) is None


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"),
        ("::", "unspecified"),
        ("169.254.169.254", "link-local"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("224.0.0.251", "multicast"),
        ("239.255.255.250", "multicast"),
        ("ff02::fb", "multicast"),
        ("255.255.255.255", "broadcast"),
        ("192.168.1.255", "broadcast"),
        ("240.0.0.1", "reserved"),
        ("254.1.2.3", "reserved"),
        ("192.0.0.9", "reserved"),
        ("192.88.99.1", "reserved"),
        ("2001::1", "reserved"),
        ("2002:c0a8:101::1", "reserved"),
        ("64:ff9b:1::1", "reserved"),
        ("::192.168.1.1", "reserved"),
        ("::2", "reserved"),
        ("100::1", "reserved"),
        ("fec0::1", "reserved"),
        ("192.0.2.1", "documentation"),
        ("198.51.100.1", "documentation"),
        ("203.0.113.1", "documentation"),
        ("198.19.0.1", "documentation"),
        ("2001:db8::1", "documentation"),
        ("127.0.0.1", "loopback"),
        ("127.255.0.1", "loopback"),
        ("::1", "loopback"),
        ("10.0.0.1", "private"),
        ("172.31.0.1", "private"),
        ("192.168.2.1", "private"),
        ("100.127.0.1", "private"),
        ("fd00::1", "private"),
        ("fc00::1", "private"),
        # However it is written.
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:7f00:1", "loopback"),
        ("::ffff:169.254.169.254", "link-local"),
        ("64:ff9b::10.0.0.1", "private"),
        ("64:ff9b::7f00:1", "loopback"),
        ("r1.example", "not a numeric"),
        ("", "not a numeric"),
        ("c000:201", "not a numeric"),
    ],
)
@pytest.mark.parametrize("peer", [None, ELSEWHERE])
def test_a_stranger_elsewhere_can_not_point_us_at(
    host: str, reason: str, peer: str | None
) -> None:
    found = judged(host, peer)
    assert found is not None
    assert reason in found


@pytest.mark.parametrize("port", [0, 1, 22, 53, 443, 1023])
@pytest.mark.parametrize("host", ["8.8.8.8", "192.168.1.11", "127.0.0.1"])
def test_ports_of_servers_are_refused_everywhere(port: int, host: str) -> None:
    assert judged(host, "5.6.7.8", port=port) == "port below 1024"
    assert judged("8.8.8.8", port=1024) is None


@pytest.mark.parametrize("host", ["192.168.1.11", "fd12::11", "192.168.1.10"])
def test_our_own_networks_may_be_checked(host: str) -> None:
    assert judged(host) is None
    assert judged(host, None) is None


@pytest.mark.parametrize("host", ["10.0.0.1", "192.168.2.1", "100.64.0.1", "fd00::1"])
def test_private_ones_may_where_the_peer_shares_our_public_address(host: str) -> None:
    assert judged(host, "5.6.7.8") is None
    assert judged(host, "::ffff:5.6.7.8") is None
    assert judged("127.0.0.1", "5.6.7.8") == "loopback of another machine"


def test_or_our_site_where_the_relay_sees_ipv6() -> None:
    seen_v6 = Surroundings(reflexive="2a00:1:2:3::10")
    assert judged("192.168.2.1", "2a00:1:2:3:ffff::1", seen_v6) is None
    assert judged("192.168.2.1", "2a00:1:2:4::1", seen_v6) is not None
    assert judged("192.168.2.1", "5.6.7.8", seen_v6) is not None


@pytest.mark.parametrize("seen", ["127.0.0.1", "::1", "192.168.1.10", None])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "127.0.0.2"])
def test_loopback_may_where_the_peer_is_on_this_machine(
    seen: str | None, host: str
) -> None:
    here = Surroundings(HOME.hosts, HOME.networks, seen)
    assert judged(host, "127.0.0.1", here) is None
    assert judged(host, "192.168.1.10", here) is None
    assert judged(host, "192.168.1.11", here) is not None


def test_a_relay_that_calls_the_peer_local_does_not_open_our_loopback() -> None:
    # The relay and the peer are on one machine, we are on another.
    assert judged("127.0.0.1", "127.0.0.1") == "loopback of another machine"
    assert judged("10.0.0.1", "127.0.0.1") == "private address of another network"


def test_a_relay_inside_a_private_network_vouches_for_the_one_address_it_sees() -> None:
    office = Surroundings(frozenset({"10.1.0.5"}), (), "10.1.0.5")
    assert judged("10.2.0.7", "10.2.0.7", office) is None
    assert judged("10.2.0.8", "10.2.0.7", office) is not None
    outside = Surroundings(frozenset({"10.1.0.5"}), (), "5.6.7.8")
    assert judged("10.2.0.7", "10.2.0.7", outside) is not None


def test_without_a_relay_the_address_that_we_see_is_the_peer() -> None:
    unseen = Surroundings(frozenset({"10.1.0.5"}), (), None)
    assert judged("10.2.0.7", "10.2.0.7", unseen) is None
    assert judged("10.2.0.8", "10.2.0.7", unseen) is not None


def test_a_laboratory_numbers_its_networks_out_of_documentation() -> None:
    for laboratory in (
        Surroundings(frozenset({"203.0.113.5"})),
        Surroundings(frozenset({"192.168.1.2"}), (), "198.51.100.7"),
    ):
        assert judged("203.0.113.9", "203.0.113.9", laboratory) is None
        assert judged("127.0.0.1", "203.0.113.9", laboratory) is not None


def test_point_to_point_networks_have_no_broadcast() -> None:
    link = Surroundings(networks=(ipaddress.ip_network("10.9.0.0/31"),))
    assert judged("10.9.0.1", None, link) is None
    assert judged("10.9.0.1", "not numeric", link) == "not a numeric address"


@pytest.mark.parametrize(
    ("address", "home", "may"),
    [
        ("198.41.0.4:4433", "9.9.9.9:4433", True),
        ("198.41.0.4:443", "9.9.9.9:4433", True),
        ("198.41.0.4:53", "9.9.9.9:4433", False),
        ("198.41.0.4:53", "9.9.9.9:53", True),
        ("[2a00::1]:4433", "9.9.9.9:4433", True),
        ("10.0.0.1:4433", "9.9.9.9:4433", False),
        ("[::ffff:10.0.0.1]:4433", "9.9.9.9:4433", False),
        ("127.0.0.1:4433", "9.9.9.9:4433", False),
        ("127.0.0.1:4433", "127.0.0.1:5000", True),
        ("10.0.0.2:4433", "192.168.1.1:4433", True),
        ("9.9.9.9:4433", "127.0.0.1:4433", False),
        ("224.0.0.1:4433", "9.9.9.9:4433", False),
        ("255.255.255.255:4433", "9.9.9.9:4433", False),
        ("0.0.0.0:4433", "9.9.9.9:4433", False),
    ],
)
def test_where_another_relay_of_the_fleet_may_be(
    address: str, home: str, may: bool
) -> None:
    assert may_be_relay(Address.parse(address), Address.parse(home)) is may


@pytest.mark.parametrize(
    ("address", "may"),
    [
        ("198.41.0.4:4433", True),
        ("198.41.0.4:443", True),
        ("10.0.0.1:4433", True),
        ("127.0.0.1:4433", True),
        ("[2a00::1]:1024", True),
        ("198.41.0.4:1023", False),
        ("192.168.1.1:53", False),
        ("224.0.0.1:4433", False),
        ("255.255.255.255:4433", False),
        ("0.0.0.0:4433", False),
        ("[fe80::1]:4433", False),
    ],
)
def test_where_records_may_lead(address: str, may: bool) -> None:
    assert may_be_service(Address.parse(address)) is may
