import asyncio
import errno
import itertools
from collections.abc import Awaitable, Callable, Iterable

import pytest

from tests.support.fakenet import (
    ADDRESS_RESTRICTED,
    FULL_CONE,
    MASQUERADE,
    POISONABLE,
    RANDOM,
    SEQUENTIAL,
    FakeNet,
    FakeWire,
    NatKind,
    Packet,
)
from wzp_cli.address import Address
from wzp_cli.endpoint.sockets.wire import Wire
from wzp_cli.protocol.nat import Mapping

HOME, AWAY = "198.51.100.7", "203.0.113.9"
SERVER, SERVER2 = Address("192.0.2.1", 4433), Address("192.0.2.2", 4433)


class Box:
    """A wire that keeps what comes."""

    def __init__(self, wire: FakeWire) -> None:
        self.wire: Wire = wire
        self.got: list[tuple[bytes, Address, str]] = []
        self.arrived = asyncio.Event()
        wire.start(self._take)

    def _take(self, datagram: bytes, source: Address, own: str) -> None:
        self.got.append((datagram, source, own))
        self.arrived.set()

    @property
    def sources(self) -> list[Address]:
        return [source for _, source, _ in self.got]

    def send(self, to: Address, *, ttl: int | None = None, source: str = "") -> None:
        self.wire.send(b"hello", to, ttl=ttl, source=source)


async def turn() -> None:
    """Let the loop bring what is under way."""
    await asyncio.sleep(0)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await scenario()

    asyncio.run(main())


class Lab:
    """A client behind a NAT, and two servers with two ports each."""

    def __init__(self, kind: NatKind) -> None:
        self.net = FakeNet()
        self.nat = self.net.nat(HOME, kind)
        self.client = Box(self.net.host("192.168.1.2", nat=self.nat).wire(5000))
        self.servers = {
            Address(host, port): Box(machine.wire(port))
            for host in (SERVER.host, SERVER2.host)
            for machine in (self.net.host(host),)
            for port in (4433, 4434)
        }

    async def seen(self, to: Iterable[Address]) -> list[Address]:
        """Return what each server sees when the client writes to it."""
        found = []
        for server in to:
            self.client.send(server)
            await turn()
            found.append(self.servers[server].sources[-1])
        return found

    async def reaches(self, server: Address, to: Address) -> bool:
        before = len(self.client.got)
        self.servers[server].send(to)
        await turn()
        return len(self.client.got) > before


def test_two_public_hosts() -> None:
    async def scenario() -> None:
        net = FakeNet()
        a, b = Box(net.host("192.0.2.1").wire(1)), Box(net.host("192.0.2.2").wire(2))
        a.send(Address("192.0.2.2", 2))
        await turn()
        assert b.got == [(b"hello", Address("192.0.2.1", 1), "192.0.2.2")]

    run(scenario)


def test_a_port_is_bound_once() -> None:
    host = FakeNet().host("192.0.2.1")
    wire = host.wire(7)
    with pytest.raises(OSError, match="in use") as caught:
        host.wire(7)
    assert caught.value.errno == errno.EADDRINUSE
    wire.close()
    wire.close()
    again = host.wire(7)
    wire.close()  # must not take the port from its successor
    assert host.wires[7] is again
    assert host.wire().local.port != host.wire().local.port


def test_the_bound_address_says_which_families_there_are() -> None:
    net = FakeNet()
    assert net.host("192.0.2.1").wire(7).local == Address("0.0.0.0", 7)
    assert net.host("192.0.2.1", "2001:db8::1").wire(7).local == Address("::", 7)


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [
        (Mapping.ENDPOINT_INDEPENDENT, 1),
        (Mapping.ADDRESS_DEPENDENT, 2),
        (Mapping.ADDRESS_AND_PORT_DEPENDENT, 4),
    ],
)
def test_mapping(mapping: Mapping, expected: int) -> None:
    async def scenario() -> None:
        lab = Lab(NatKind(mapping=mapping))
        seen = await lab.seen([*lab.servers, *lab.servers])
        assert len(set(seen)) == expected
        assert seen[:4] == seen[4:]
        assert seen[0] == Address(HOME, 5000)

    run(scenario)


@pytest.mark.parametrize(
    ("kind", "admitted"),
    [
        (FULL_CONE, (True, True, True)),
        (ADDRESS_RESTRICTED, (True, True, False)),
        (MASQUERADE, (True, False, False)),
    ],
)
def test_filtering(kind: NatKind, admitted: tuple[bool, bool, bool]) -> None:
    async def scenario() -> None:
        lab = Lab(kind)
        assert not await lab.reaches(SERVER, Address(HOME, 5000))
        (outside,) = await lab.seen([SERVER])
        other_port, other_host = Address(SERVER.host, 4434), SERVER2
        assert admitted == (
            await lab.reaches(SERVER, outside),
            await lab.reaches(other_port, outside),
            await lab.reaches(other_host, outside),
        )

    run(scenario)


def test_allocation() -> None:
    async def ports(kind: NatKind) -> list[int]:
        lab = Lab(kind)
        return [address.port for address in await lab.seen(lab.servers)]

    async def scenario() -> None:
        steps = itertools.pairwise(await ports(SEQUENTIAL))
        assert [after - before for before, after in steps] == [1, 1, 1]
        assert len(set(await ports(RANDOM))) == 4
        assert await ports(RANDOM) == await ports(RANDOM)  # the same on each run

    run(scenario)


def test_the_second_host_with_a_port_gets_another_one() -> None:
    async def scenario() -> None:
        lab = Lab(MASQUERADE)
        await lab.seen([SERVER])
        lab.client = Box(lab.net.host("192.168.1.3", nat=lab.nat).wire(5000))
        first, second = await lab.seen([SERVER, SERVER2])
        assert first == second != Address(HOME, 5000)
        assert await lab.reaches(SERVER, first)

    run(scenario)


def test_one_socket_measures_what_a_socket_for_each_probe_gets_wrong() -> None:
    """The founding fact: this NAT is endpoint-independent and preserves ports."""

    async def scenario() -> None:
        lab = Lab(MASQUERADE)
        assert len(set(await lab.seen(lab.servers))) == 1
        fresh = set()
        for server in lab.servers:
            lab.client = Box(lab.net.host("192.168.1.9", nat=lab.nat).wire())
            fresh |= set(await lab.seen([server]))
        assert len(fresh) == 4

    run(scenario)


@pytest.mark.parametrize("hairpinning", [True, False])
def test_hairpinning(hairpinning: bool) -> None:
    async def scenario() -> None:
        lab = Lab(NatKind(filtering=FULL_CONE.filtering, hairpinning=hairpinning))
        (outside,) = await lab.seen([SERVER])
        neighbour = Box(lab.net.host("192.168.1.3", nat=lab.nat).wire(6000))
        neighbour.send(outside)
        await turn()
        expected = [Address(HOME, 6000)] if hairpinning else []
        assert lab.client.sources == expected

    run(scenario)


async def _meet(left: Box, right: Box) -> bool:
    """Both write to the other's external address, twice; did both hear it?"""
    for _ in range(2):
        left.send(Address(AWAY, 6000))
        right.send(Address(HOME, 5000))
        await turn()
    return bool(left.got) and bool(right.got)


def _homes(left: NatKind, right: NatKind) -> tuple[FakeNet, Box, Box]:
    net = FakeNet()
    home, away = net.nat(HOME, left), net.nat(AWAY, right)
    a = Box(net.host("192.168.1.2", nat=home).wire(5000))
    return net, a, Box(net.host("192.168.1.2", nat=away).wire(6000))


def test_plain_punching_fails_at_an_accepting_router() -> None:
    async def scenario() -> None:
        _, a, b = _homes(MASQUERADE, MASQUERADE)
        assert await _meet(a, b)
        _, a, b = _homes(MASQUERADE, POISONABLE)
        assert not await _meet(a, b)

    run(scenario)


def test_opening_with_a_low_ttl_first_does_not_poison() -> None:
    async def scenario() -> None:
        net, a, b = _homes(POISONABLE, POISONABLE)
        for ttl in (2, 3):  # leave our NAT, end in the core
            a.send(Address(AWAY, 6000), ttl=ttl)
            b.send(Address(HOME, 5000), ttl=ttl)
        assert net.drops["ttl"] == 4
        assert await _meet(a, b)

    run(scenario)


def test_a_poisoned_entry_moves_only_that_peer_to_another_port() -> None:
    async def scenario() -> None:
        lab = Lab(POISONABLE)
        (outside,) = await lab.seen([SERVER])
        assert not await lab.reaches(SERVER2, outside)
        poisoned, clean = await lab.seen([SERVER2, SERVER])
        assert (poisoned.host, clean) == (HOME, outside)
        assert poisoned != outside
        assert await lab.reaches(SERVER2, poisoned)
        assert not await lab.reaches(SERVER2, outside)

    run(scenario)


def test_a_ttl_must_pass_the_carrier_too() -> None:
    async def scenario() -> None:
        net = FakeNet()
        carrier = net.nat(HOME, MASQUERADE)
        home = net.nat("100.64.0.5", MASQUERADE, behind=carrier)
        client = Box(net.host("192.168.1.2", nat=home).wire(5000))
        server = Box(net.host(SERVER.host).wire(SERVER.port))
        client.send(SERVER, ttl=2)
        server.send(Address(HOME, 5000))
        await turn()
        assert not client.got
        client.send(SERVER, ttl=3)
        server.send(Address(HOME, 5000))
        await turn()
        assert client.sources == [SERVER]
        assert not server.got
        client.send(SERVER)
        await turn()
        assert server.sources == [Address(HOME, 5000)]

    run(scenario)


def test_hosts_on_one_lan_meet_without_their_nat() -> None:
    async def scenario() -> None:
        net = FakeNet(loss=1)
        home = net.nat(HOME)
        a = Box(net.host("192.168.1.2", nat=home).wire(5000))
        b = Box(net.host("192.168.1.3", nat=home).wire(5000))
        a.send(Address("192.168.1.3", 5000), ttl=1)
        await turn()
        assert b.sources == [Address("192.168.1.2", 5000)]

    run(scenario)


def test_ipv6_is_filtered_but_not_translated() -> None:
    async def scenario() -> None:
        net = FakeNet()
        home = net.nat("100.64.0.5", MASQUERADE, behind=net.nat(HOME))
        client = Box(net.host("192.168.1.2", "2001:db8:1::2", nat=home).wire(5000))
        machine = net.host("192.0.2.1", "2001:db8:2::1")
        server, inside = Box(machine.wire(4433)), Address("2001:db8:1::2", 5000)
        server.send(inside)
        await turn()
        assert not client.got
        client.send(Address("2001:db8:2::1", 4433))
        server.send(inside)
        await turn()
        assert server.sources == [inside]
        assert client.got[0][1:] == (Address("2001:db8:2::1", 4433), inside.host)

    run(scenario)


def test_a_firewall_without_translation() -> None:
    async def scenario() -> None:
        net = FakeNet()
        client = Box(net.host(HOME, nat=net.nat("")).wire(5000))
        server = Box(net.host(SERVER.host).wire(SERVER.port))
        server.send(Address(HOME, 5000))
        await turn()
        assert not client.got
        client.send(SERVER)
        server.send(Address(HOME, 5000))
        await turn()
        assert server.sources == [Address(HOME, 5000)]
        assert client.sources == [SERVER]

    run(scenario)


def test_a_host_with_several_addresses_chooses_its_source() -> None:
    async def scenario() -> None:
        net = FakeNet()
        client = Box(net.host(HOME).wire(5000))
        server = Box(net.host("192.0.2.1", "192.0.2.2").wire(4433))
        for source in ("", "192.0.2.2", "192.0.2.3"):
            server.send(Address(HOME, 5000), source=source)
        client.send(SERVER2)
        await turn()
        assert client.sources == [SERVER, SERVER2]
        assert server.got[0][2] == SERVER2.host

    run(scenario)


def test_a_host_changes_its_network() -> None:
    async def scenario() -> None:
        net = FakeNet()
        machine = net.host("192.168.1.2", nat=net.nat(HOME))
        client, server = Box(machine.wire(5000)), Box(net.host("192.0.2.1").wire(4433))
        client.send(SERVER)
        machine.detach("192.168.1.2")
        client.send(SERVER)
        server.send(Address(HOME, 5000))
        machine.attach("10.0.0.2", net.nat(AWAY))
        client.send(SERVER)
        await turn()
        assert server.sources == [Address(HOME, 5000), Address(AWAY, 5000)]
        assert not client.got
        assert net.drops["no route"] == 1

    run(scenario)


def test_loopback() -> None:
    async def scenario() -> None:
        machine = FakeNet().host("192.0.2.1")
        a, b = Box(machine.wire(1)), Box(machine.wire(2))
        a.send(Address("127.0.0.1", 2))
        a.send(Address("192.0.2.1", 2))
        await turn()
        assert b.sources == [Address("127.0.0.1", 1), Address("192.0.2.1", 1)]

    run(scenario)


def test_rebinding_forgets_mappings_and_may_change_the_address() -> None:
    async def scenario() -> None:
        lab = Lab(RANDOM)
        (before,) = await lab.seen([SERVER])
        lab.nat.rebind()
        assert not await lab.reaches(SERVER, before)
        (after,) = await lab.seen([SERVER])
        assert after != before
        lab.nat.rebind(AWAY)
        assert not await lab.reaches(SERVER, after)
        (moved,) = await lab.seen([SERVER])
        assert moved.host == AWAY
        assert await lab.reaches(SERVER, moved)

    run(scenario)


def test_port_mapping_and_blocked_udp() -> None:
    async def scenario() -> None:
        lab = Lab(MASQUERADE)
        lab.nat.forward(7000, Address("192.168.1.2", 5000))
        assert await lab.reaches(SERVER, Address(HOME, 7000))
        lab.nat.blocked = True
        assert not await lab.reaches(SERVER, Address(HOME, 7000))
        lab.client.send(SERVER)
        await turn()
        assert not lab.servers[SERVER].got

    run(scenario)


def test_a_cut_is_between_two_addresses() -> None:
    async def scenario() -> None:
        lab = Lab(MASQUERADE)
        await lab.seen([SERVER, SERVER2])
        lab.net.cut(SERVER.host, HOME)
        assert not await lab.reaches(SERVER, Address(HOME, 5000))
        assert await lab.reaches(SERVER2, Address(HOME, 5000))
        lab.net.mend(HOME, SERVER.host)
        assert await lab.reaches(SERVER, Address(HOME, 5000))

    run(scenario)


def test_loss_is_a_share_and_the_same_each_time() -> None:
    async def arrived() -> int:
        net = FakeNet(seed=7, loss=0.2)
        a, b = Box(net.host(HOME).wire(5000)), Box(net.host("192.0.2.1").wire(4433))
        for _ in range(1000):
            a.send(SERVER)
        await turn()
        assert len(b.got) + net.drops["loss"] == 1000
        return len(b.got)

    first, second = asyncio.run(arrived()), asyncio.run(arrived())
    assert first == second
    assert 750 < first < 850


def test_delay_keeps_the_order_and_is_set_for_a_pair() -> None:
    async def scenario() -> None:
        net = FakeNet(delay_s=0.001)
        net.delay(HOME, SERVER2.host, 0)
        a, b = Box(net.host(HOME).wire(5000)), Box(net.host(SERVER.host).wire(4433))
        near = Box(net.host(SERVER2.host).wire(4433))
        for number in range(50):
            a.wire.send(bytes([number]), SERVER)
        a.send(SERVER2)
        await turn()
        assert near.got
        assert not b.got
        async with asyncio.timeout(5):
            while len(b.got) < 50:
                b.arrived.clear()
                await b.arrived.wait()
        assert [datagram[0] for datagram, _, _ in b.got] == list(range(50))

    run(scenario)


def test_a_tap_sees_each_segment_even_what_is_lost_there() -> None:
    async def scenario() -> None:
        lab = Lab(MASQUERADE)
        seen: list[Packet] = []
        lab.net.on_packet(seen.append)
        lab.net.loss = 1
        lab.client.send(SERVER, ttl=9)
        inner, outer = Address("192.168.1.2", 5000), Address(HOME, 5000)
        assert seen == [
            Packet(b"hello", inner, SERVER, 9, HOME),
            Packet(b"hello", outer, SERVER, 8, "public"),
        ]

    run(scenario)


def test_what_comes_before_the_start_or_after_the_end_is_lost() -> None:
    async def scenario() -> None:
        net = FakeNet()
        a, wire = Box(net.host(HOME).wire(5000)), net.host(SERVER.host).wire(4433)
        a.send(SERVER)
        await turn()
        b = Box(wire)
        a.send(SERVER)
        wire.close()
        await turn()
        b.send(Address(HOME, 5000))
        a.send(SERVER)
        await turn()
        assert (a.got, b.got) == ([], [])
        assert net.drops["no port"] == 1

    run(scenario)
