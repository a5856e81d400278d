"""A relay's TCP port: who comes properly, who does not, and how many."""

import asyncio
import gc
import socket
import ssl
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.support.websockets import LOOPBACK, TcpRelay, tcp_relay, until
from wzp_cli.address import Address
from wzp_cli.defaults.endpoint import MAX_HALF_OPEN_TUNNELS_PER_SOURCE
from wzp_cli.endpoint.factory import Bind, open_endpoint
from wzp_cli.endpoint.links.admission import Strangers
from wzp_cli.endpoint.tcp import listener as module
from wzp_cli.endpoint.tcp.dialler import dial_tunnel
from wzp_cli.endpoint.tcp.listener import open_tunnel_listener
from wzp_cli.endpoint.tcp.outer_tls import acceptor_context, dialler_context
from wzp_cli.errors import EnvironmentFault, PortInUse
from wzp_cli.events import Registered
from wzp_cli.protocol.names.identity import Keypair
from wzp_cli.protocol.traversal.route import ChannelRoute


def play(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await scenario()

    asyncio.run(bounded())


@asynccontextmanager
async def connected(relay: TcpRelay) -> AsyncIterator[socket.socket]:
    """Connect by TCP, and say nothing."""
    loop = asyncio.get_running_loop()
    with socket.socket() as sock:
        sock.setblocking(False)
        await loop.sock_connect(sock, (LOOPBACK, relay.listener.port))
        yield sock


async def hear_end(sock: socket.socket) -> None:
    try:
        while await asyncio.get_running_loop().sock_recv(sock, 65536):
            pass
    except ConnectionResetError:
        return


# --- Those who come properly ----------------------------------------------------


def test_two_people_who_have_only_tcp_reach_each_other() -> None:
    async def scenario() -> None:
        async with tcp_relay() as relay:
            alice, bob = await relay.client(), await relay.client()
            for each in (alice, bob):
                (registered,) = [e for e in each.events if isinstance(e, Registered)]
                assert registered.transport == "tcp"
                assert registered.relay_id == str(relay.endpoint.identity)
            bob.endpoint.accept_peers(Strangers.REFUSED)
            (route,) = await alice.registration.connect(bob.endpoint.identity)
            here = await alice.endpoint.dial_peer(route, bob.endpoint.identity)
            there = await bob.endpoint.accept()
            assert isinstance(there.routes[0], ChannelRoute)
            heard: asyncio.Queue[bytes] = asyncio.Queue()
            there.receive_datagrams(heard.put_nowait)
            here.send_datagram(b"sound")
            assert await heard.get() == b"sound"
            assert len(relay.listener) == 2
        assert len(relay.listener) == 0

    play(scenario)


def test_who_leaves_is_forgotten_at_once() -> None:
    async def scenario() -> None:
        async with tcp_relay() as relay:
            alice = await relay.client()
            alice.endpoint.tunnels.close_all()
            await until(lambda: len(relay.listener) == 0)
            assert relay.endpoint.links == set()
            assert relay.listener._sources == {}

    play(scenario)


def test_who_leaves_waits_for_no_garbage_collection() -> None:
    """Else TLS's buffers, a quarter of a MiB for each, do."""

    async def scenario() -> None:
        async with tcp_relay() as relay:
            address = Address(LOOPBACK, relay.listener.port, tunnel=1)
            tunnel = await dial_tunnel(address, LOOPBACK, lambda datagram: None)
            await until(lambda: len(relay.listener._open) == 1)
            ((other, _),) = relay.listener._open.values()
            left: list[weakref.ref[object]] = [
                weakref.ref(each) for each in (tunnel, other)
            ]
            left += [weakref.ref(each._websocket) for each in (tunnel, other)]
            tunnel.close()
            del tunnel, other
            await until(lambda: not any(ref() for ref in left))

    gc.disable()
    try:
        play(scenario)
    finally:
        gc.enable()


def test_a_websocket_that_is_lost_ends_its_own_link_and_no_other() -> None:
    async def scenario() -> None:
        async with tcp_relay() as relay:
            alice, bob = await relay.client(), await relay.client()
            places = {link.address: link for link in relay.endpoint.links}
            for place, link in places.items():
                assert place is not None
                assert relay.endpoint.tunnels.links_of(place) == {link}
            alice.endpoint.tunnels.close_all()
            await until(lambda: len(relay.endpoint.links) == 1)
            assert bob.registration.is_up
            relay.endpoint.links.pop().abort()
            assert not any(map(relay.endpoint.tunnels.links_of, filter(None, places)))

    play(scenario)


def test_another_certificate_is_shown_to_whoever_comes_then() -> None:
    async def shown(relay: TcpRelay) -> bytes:
        context = dialler_context()
        port = relay.listener.port
        _, writer = await asyncio.open_connection(LOOPBACK, port, ssl=context)
        der: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.transport.abort()
        return der

    async def scenario() -> None:
        async with tcp_relay() as relay:
            alice = await relay.client()
            before = await shown(relay)
            assert await shown(relay) == before
            relay.listener.show(acceptor_context())
            assert await shown(relay) != before
            assert alice.registration.is_up

    play(scenario)


# --- Those who do not -----------------------------------------------------------


def test_slow_handshakes_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HANDSHAKE_TIMEOUT_S", 0.3)

    async def scenario() -> None:
        async with tcp_relay() as relay, connected(relay) as silent:
            await hear_end(silent)
            async with connected(relay) as half:
                hello = ssl.MemoryBIO()
                tls = dialler_context().wrap_bio(ssl.MemoryBIO(), hello)
                with pytest.raises(ssl.SSLWantReadError):
                    tls.do_handshake()
                await asyncio.get_running_loop().sock_sendall(half, hello.read()[:100])
                await hear_end(half)
            reader, writer = await asyncio.open_connection(
                LOOPBACK, relay.listener.port, ssl=dialler_context()
            )
            writer.write(b"GET /wzp HTTP/1.1\r\n")
            assert await reader.read() == b""
            writer.transport.abort()
            await until(lambda: len(relay.listener) == 0)
            assert relay.listener._sources == {}
            await relay.client()

    play(scenario)


def test_a_relay_that_stops_leaves_those_in_their_handshakes() -> None:
    async def scenario() -> None:
        async with tcp_relay() as relay, connected(relay):
            await until(lambda: len(relay.listener) == 1)

    play(scenario)


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /wzp HTTP/1.1\r\n\r\n",
        b"GET /wzp HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"\x00" * 100 + b"\r\n\r\n",
        b"GET /wzp HTTP/1.1\r\n" + 200 * b"X: y\r\n" + b"\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
    ],
)
def test_junk_in_place_of_a_websocket(request_head: bytes) -> None:
    async def scenario() -> None:
        async with tcp_relay() as relay:
            reader, writer = await asyncio.open_connection(
                LOOPBACK, relay.listener.port, ssl=dialler_context()
            )
            writer.write(request_head)
            try:
                answer = await reader.read()
            except ConnectionResetError:
                answer = b""
            assert not answer.startswith(b"HTTP/1.1 101")
            writer.transport.abort()
            await until(lambda: len(relay.listener) == 0)

    play(scenario)


def test_junk_in_place_of_tls() -> None:
    async def scenario() -> None:
        async with tcp_relay() as relay, connected(relay) as sock:
            await asyncio.get_running_loop().sock_sendall(sock, bytes(2000))
            await hear_end(sock)
            await until(lambda: len(relay.listener) == 0)

    play(scenario)


def test_a_websocket_through_which_no_link_comes_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "TUNNEL_PROOF_S", 0.2)
    monkeypatch.setattr(module, "TUNNEL_SWEEP_S", 0.1)

    async def scenario() -> None:
        async with tcp_relay() as relay:
            alice = await relay.client()
            where = Address(LOOPBACK, relay.listener.port, tunnel=1)
            idle = await dial_tunnel(where, LOOPBACK, lambda datagram: None)
            idle.send(b"\xff no QUIC")
            await until(lambda: not idle.is_open)
            await asyncio.sleep(0.3)
            assert relay.listener.refused == {"no_link": 1}
            assert alice.registration.is_up

    play(scenario)


def test_there_is_a_limit_in_all_of_one_source_and_of_handshakes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refused_by(limit: str) -> None:
        async with tcp_relay() as relay:
            first = await relay.client()
            async with connected(relay), connected(relay) as second:
                await hear_end(second)
                assert relay.listener.refused == {limit: 1}
                assert first.registration.is_up

    for name, value, limit in (
        ("RELAY_MAX_TUNNELS", 2, "connections"),
        ("RELAY_MAX_TUNNELS_PER_SOURCE", 2, "source"),
        ("MAX_HALF_OPEN_TUNNELS", 1, "half_open"),
        ("MAX_HALF_OPEN_TUNNELS_PER_SOURCE", 1, "source_half_open"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, value)
            play(lambda limit=limit: refused_by(limit))  # type: ignore[misc]


def test_connections_that_say_nothing_fill_one_sources_share_and_no_more() -> None:
    async def scenario() -> None:
        async with tcp_relay() as relay:
            alice = await relay.client()
            loop = asyncio.get_running_loop()
            socks = []
            try:
                for _ in range(400):
                    sock = socket.socket()
                    sock.setblocking(False)
                    socks.append(sock)
                    await loop.sock_connect(sock, (LOOPBACK, relay.listener.port))
                share = MAX_HALF_OPEN_TUNNELS_PER_SOURCE
                refused = relay.listener.refused
                await until(lambda: refused["source_half_open"] == 400 - share)
                assert len(relay.listener) == 1 + share
                assert alice.registration._session is not None
                assert await alice.registration._session.link.ping(30)
            finally:
                for sock in socks:
                    sock.close()
            await until(lambda: len(relay.listener) == 1)
            await relay.client()

    play(scenario)


# --- The port -------------------------------------------------------------------


def test_a_port_in_use_and_one_that_may_not_be_bound() -> None:
    async def scenario() -> None:
        async with open_endpoint(Keypair.generate(), Bind(), print) as endpoint:
            context = acceptor_context()
            with socket.create_server((LOOPBACK, 0)) as used:
                port = used.getsockname()[1]
                with pytest.raises(PortInUse, match=str(port)):
                    async with open_tunnel_listener(
                        endpoint, port, context, host=LOOPBACK
                    ):
                        pass
            with pytest.raises(EnvironmentFault, match="can't bind TCP"):
                async with open_tunnel_listener(
                    endpoint, 0, context, host="192.0.2.77"
                ):
                    pass

    play(scenario)


def test_both_families_share_the_port() -> None:
    async def scenario() -> None:
        async with (
            open_endpoint(Keypair.generate(), Bind(), print) as endpoint,
            open_tunnel_listener(endpoint, 0, acceptor_context()) as listener,
        ):
            hosts = [LOOPBACK] + (["::1"] if socket.has_dualstack_ipv6() else [])
            for host in hosts:
                where = Address(host, listener.port, tunnel=1)
                tunnel = await dial_tunnel(where, host, lambda datagram: None)
                assert tunnel.is_open
                tunnel.close()
            await until(lambda: len(listener) == 0)

    play(scenario)
