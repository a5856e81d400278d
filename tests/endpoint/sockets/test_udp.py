"""On real sockets: the loopback of this machine."""

import asyncio
import errno
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from wzp_cli.address import Address
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.endpoint import RECEIVE_BATCH_DATAGRAMS, RECEIVE_BUFFER_BYTES
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.links.admission import Strangers
from wzp_cli.endpoint.sockets import udp
from wzp_cli.endpoint.sockets.udp import UdpWire, open_udp_wire
from wzp_cli.protocol.names.identity import Keypair
from wzp_cli.protocol.traversal.route import DirectRoute

_IP_RECVTTL = 12  # Linux; Python has no name for it
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone does it")


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario; what a callback raises fails it."""
    accidents: list[object] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: accidents.append(context))
        async with asyncio.timeout(30):
            await scenario()

    asyncio.run(main())
    assert accidents == []


class Inbox:
    """A wire that keeps what comes."""

    def __init__(self, wire: UdpWire) -> None:
        self.wire = wire
        self.port = wire.local.port
        self._came: asyncio.Queue[tuple[bytes, Address, str]] = asyncio.Queue()
        wire.start(lambda *came: self._came.put_nowait(came))

    async def next(self) -> tuple[bytes, Address, str]:
        return await self._came.get()

    def at(self, host: str) -> Address:
        return Address(host, self.port)


@asynccontextmanager
async def inboxes(*wires: UdpWire) -> AsyncIterator[list[Inbox]]:
    try:
        yield [Inbox(wire) for wire in wires]
    finally:
        for wire in wires:
            wire.close()


def has_v6() -> bool:
    if not socket.has_dualstack_ipv6():
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


V6 = pytest.mark.skipif(not has_v6(), reason="no IPv6 here")


# --- one port


@asynccontextmanager
async def endpoint(
    host: str = "", *, multihomed: bool = False
) -> AsyncIterator[Endpoint]:
    one = Endpoint(
        open_udp_wire(0, host=host, multihomed=multihomed), Keypair.generate()
    )
    try:
        yield one
    finally:
        one.close()


@pytest.mark.parametrize(
    ("bound", "loopback"),
    [
        ("127.0.0.1", "127.0.0.1"),
        pytest.param("", "127.0.0.1", marks=V6),
        pytest.param("", "::1", marks=V6),
        pytest.param("::1", "::1", marks=V6),
    ],
)
def test_one_port_dials_accepts_and_reflects_at_once(bound: str, loopback: str) -> None:
    async def scenario() -> None:
        async with endpoint(bound) as alice, endpoint(bound) as bob:
            at_alice = Address(loopback, alice.local.port)
            at_bob = Address(loopback, bob.local.port)
            alice.accept_peers(Strangers.PROVEN)
            bob.accept_peers(Strangers.PROVEN)
            bob.answer_binding = lambda request, source: True
            async with task_group() as group:
                dial, expect = alice.dial_peer, bob.identity
                dialling = group.create_task(dial(DirectRoute(at_bob), expect))
                dialled = group.create_task(bob.dial_peer(DirectRoute(at_alice), None))
                at = group.create_task(alice.accept())
                accepting = group.create_task(bob.accept())
                reflecting = group.create_task(alice.reflect(at_bob))
            assert reflecting.result().reflexive == at_alice
            here, there = dialling.result(), accepting.result()
            here.send(b"hello")
            assert await there.read() == b"hello"
            dialled.result().send(b"hello too")
            assert await at.result().read() == b"hello too"
            (route,) = there.routes
            assert route == DirectRoute(at_alice)
            heard: asyncio.Queue[bytes] = asyncio.Queue()
            here.receive_datagrams(heard.put_nowait)
            there.send_datagram(b"sound")
            assert await heard.get() == b"sound"

    run(scenario)


@V6
def test_a_dual_stack_port_speaks_to_both_families() -> None:
    async def scenario() -> None:
        wires = open_udp_wire(0), open_udp_wire(0, host="127.0.0.1")
        async with inboxes(*wires, open_udp_wire(0, host="::1")) as (both, v4, v6):
            assert both.wire.local.host == "::"
            for inbox, host in ((v4, "127.0.0.1"), (v6, "::1")):
                both.wire.send(b"out", inbox.at(host))
                datagram, source, _ = await inbox.next()
                assert (datagram, source) == (b"out", both.at(host))
                inbox.wire.send(b"back", source)
                assert (await both.next())[:2] == (b"back", inbox.at(host))

    run(scenario)


@pytest.mark.parametrize("missing", [errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT])
def test_without_ipv6_the_port_is_ipv4_alone(
    missing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoV6(socket.socket):
        def bind(self, address: object) -> None:
            if self.family == socket.AF_INET6:
                raise OSError(missing, "no IPv6 here")
            super().bind(address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "socket", NoV6)
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: True)

    async def scenario() -> None:
        async with inboxes(open_udp_wire(0), open_udp_wire(0)) as (one, other):
            assert one.wire.local.host == "0.0.0.0"
            one.wire.send(b"dropped", Address("::1", other.port))
            one.wire.send(b"hello", other.at("127.0.0.1"))
            assert (await other.next())[0] == b"hello"
        with pytest.raises(OSError, match="no IPv6"):
            open_udp_wire(0, host="::1")  # asked for: no silent fallback

    run(scenario)


def test_a_kernel_without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)

    async def scenario() -> None:
        async with inboxes(open_udp_wire(0)) as (one,):
            assert one.wire.local.host == "0.0.0.0"

    run(scenario)


@pytest.mark.parametrize("host", ["", "127.0.0.1"])
def test_a_port_in_use(host: str) -> None:
    async def scenario() -> None:
        async with inboxes(open_udp_wire(0, host=host)) as (one,):
            with pytest.raises(OSError, match="in use") as caught:
                open_udp_wire(one.port, host=host)
            assert caught.value.errno == errno.EADDRINUSE
        open_udp_wire(one.port, host=host).close()

    run(scenario)


# --- sending


@LINUX
@pytest.mark.parametrize(
    ("bound", "loopback"),
    [
        ("127.0.0.1", "127.0.0.1"),
        pytest.param("", "127.0.0.1", marks=V6),
        pytest.param("", "::1", marks=V6),
    ],
)
def test_a_ttl_is_for_one_datagram(bound: str, loopback: str) -> None:
    async def scenario() -> None:
        family = socket.AF_INET6 if ":" in loopback else socket.AF_INET
        wire = open_udp_wire(0, host=bound)
        with socket.socket(family, socket.SOCK_DGRAM) as ear:
            ear.setblocking(False)
            ear.bind((loopback, 0))
            if family == socket.AF_INET6:
                ear.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
            else:
                ear.setsockopt(socket.IPPROTO_IP, _IP_RECVTTL, 1)
            to = Address(loopback, ear.getsockname()[1])
            for ttl in (None, 3, None, 1, None):
                wire.send(b"x", to, ttl=ttl)
            seen = []
            for _ in range(5):
                _, ((_, _, packed),), _, _ = ear.recvmsg(100, 100)
                seen.append(int.from_bytes(packed, sys.byteorder))
            normal = seen[0]
            assert normal >= 32
            assert seen == [normal, 3, normal, 1, normal]
        wire.close()

    run(scenario)


def test_an_error_about_one_destination_loses_nothing_to_another() -> None:
    async def scenario() -> None:
        wires = [open_udp_wire(0, host="127.0.0.1") for _ in range(3)]
        nobody = Address("127.0.0.1", wires[2].local.port)
        wires.pop().close()
        async with inboxes(*wires) as (one, other):
            for number in range(50):
                one.wire.send(b"to nobody", nobody)  # ICMP: port unreachable
                one.wire.send(bytes([number]), other.at("127.0.0.1"))
                other.wire.send(bytes([number]), one.at("127.0.0.1"))
            assert [(await other.next())[0][0] for _ in range(50)] == list(range(50))
            assert [(await one.next())[0][0] for _ in range(50)] == list(range(50))

    run(scenario)


def test_a_failed_send_is_made_once_more() -> None:
    class Hurt:
        """A socket whose first send reports an error about some other packet."""

        def __init__(self, sock: socket.socket) -> None:
            self.sock, self.tries = sock, 0

        def __getattr__(self, name: str) -> object:
            return getattr(self.sock, name)

        def sendto(self, datagram: bytes, to: tuple[str, int]) -> int:
            self.tries += 1
            if self.tries % 2:
                raise ConnectionRefusedError
            return self.sock.sendto(datagram, to)

    async def scenario() -> None:
        wires = [open_udp_wire(0, host="127.0.0.1") for _ in range(2)]
        async with inboxes(*wires) as (one, other):
            hurt = Hurt(one.wire._sock)
            one.wire._sock = hurt  # type: ignore[assignment]
            for number in range(3):
                one.wire.send(bytes([number]), other.at("127.0.0.1"))
            assert [(await other.next())[0][0] for _ in range(3)] == [0, 1, 2]
            assert hurt.tries == 6

    run(scenario)


@pytest.mark.parametrize(
    "to",
    [
        Address("127.0.0.1", 0),
        Address("255.255.255.255", 9),
        Address("fe80::1%nowhere", 9),
        Address("ff02::1", 9),
        Address("2001:db8::1", 9),
    ],
)
def test_what_cannot_leave_is_dropped(to: Address) -> None:
    async def scenario() -> None:
        for host in ("", "127.0.0.1"):
            wire = open_udp_wire(0, host=host)
            wire.send(b"x", to)
            wire.send(b"x", to, ttl=2)
            wire.send(bytes(65_508), Address("127.0.0.1", 9))
            wire.close()

    run(scenario)


# --- several own addresses


@LINUX
@pytest.mark.parametrize("v6", [False, pytest.param(True, marks=V6)])
def test_an_answer_leaves_from_the_address_that_was_asked(v6: bool) -> None:
    async def scenario() -> None:
        server = open_udp_wire(0, host="" if v6 else "0.0.0.0", multihomed=True)
        client = open_udp_wire(0, host="127.0.0.1")
        async with inboxes(server, client) as (relay, friend):
            for own in ("127.0.0.2", "127.0.0.1", "127.0.0.3"):
                friend.wire.send(b"hello", relay.at(own))
                datagram, source, came_to = await relay.next()
                assert (datagram, source) == (b"hello", friend.at("127.0.0.1"))
                assert came_to == own
                relay.wire.send(b"back", source, source=came_to)
                assert await friend.next() == (b"back", relay.at(own), "")
                relay.wire.send(b"again", source, source=came_to, ttl=9)
                assert (await friend.next())[1] == relay.at(own)

    run(scenario)


@LINUX
@V6
def test_a_multihomed_port_tells_ipv6_addresses_too() -> None:
    async def scenario() -> None:
        server = open_udp_wire(0, multihomed=True)
        async with inboxes(server, open_udp_wire(0, host="::1")) as (relay, friend):
            friend.wire.send(b"hello", relay.at("::1"))
            _, source, own = await relay.next()
            assert (source, own) == (friend.at("::1"), "::1")
            relay.wire.send(b"back", source, source=own)
            assert (await friend.next())[1] == relay.at("::1")

    run(scenario)


@LINUX
def test_a_relay_with_two_addresses_is_one_relay_at_each() -> None:
    async def scenario() -> None:
        async with endpoint(multihomed=True) as relay, endpoint() as client:
            relay.accept_relay_clients()
            relay.answer_binding = lambda request, source: True
            for own in ("127.0.0.2", "127.0.0.1"):
                at = Address(own, relay.local.port)
                link = await client.dial_relay(at, relay.identity)
                accepted = await relay.accept()
                assert accepted.own_host == own
                assert accepted.address is not None
                assert accepted.address.port == client.local.port
                assert await link.ping(1)
                assert await accepted.ping(1)
                assert (await client.reflect(at)).server == at

    run(scenario)


# --- receiving


def test_closing_while_datagrams_wait_brings_no_more() -> None:
    async def scenario() -> None:
        one = open_udp_wire(0, host="127.0.0.1")
        other = open_udp_wire(0, host="127.0.0.1")
        got: list[bytes] = []

        def close_at_once(datagram: bytes, source: Address, own: str) -> None:
            got.append(datagram)
            other.close()

        for number in range(10):
            one.send(bytes([number]), other.local)
        other.start(close_at_once)
        one.start(lambda datagram, source, own: None)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert got == [b"\0"]
        other.send(b"closed", one.local)
        one.close()

    run(scenario)


def test_a_flood_leaves_turns_to_others() -> None:
    async def scenario() -> None:
        one = open_udp_wire(0, host="127.0.0.1")
        other = open_udp_wire(0, host="127.0.0.1")
        got: list[bytes] = []
        all_came = asyncio.Event()

        def take(datagram: bytes, source: Address, own: str) -> None:
            got.append(datagram)
            if len(got) == 200:
                all_came.set()

        for _ in range(200):
            one.send(b"x", other.local)
        other.start(take)
        other._read()
        assert len(got) == RECEIVE_BATCH_DATAGRAMS
        await all_came.wait()
        one.close()
        other.close()

    run(scenario)


def test_sources_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "_MAX_CACHED_ADDRESSES", 4)

    async def scenario() -> None:
        wire = open_udp_wire(0)
        for port in range(1, 20):
            assert wire._address((f"::ffff:192.0.2.{port}", port, 0, 0)) == Address(
                f"192.0.2.{port}", port
            )
            assert len(wire._addresses) <= 4
        wire.close()

    run(scenario)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
def test_what_comes_too_fast_to_be_read_is_counted() -> None:
    async def scenario() -> None:
        wire = open_udp_wire(0, host="127.0.0.1")
        assert wire.losses == (0, 0)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sent = 2 * RECEIVE_BUFFER_BYTES // 1000
            for _ in range(sent):
                sender.sendto(bytes(1000), wire.local[:2])
        assert 0 < wire.losses.received < sent
        wire.close()
        assert wire.losses == (0, 0)

    asyncio.run(scenario())


def test_what_the_system_refuses_to_send_is_counted() -> None:
    async def scenario() -> None:
        wire = open_udp_wire(0, host="127.0.0.1")
        wire.send(bytes(65508), Address("127.0.0.1", 9))  # one more than UDP carries
        assert wire.losses.sent == 1
        wire.close()

    asyncio.run(scenario())
