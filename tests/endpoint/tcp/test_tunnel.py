"""One WebSocket, both sides real, on loopback without TLS; rude clients, too."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Opcode
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from tests.support.websockets import LOOPBACK, until
from wzp_cli.defaults.endpoint import (
    TUNNEL_MAX_DATAGRAM_BYTES,
    TUNNEL_QUEUE_DATAGRAMS,
    TUNNEL_UNSENT_BYTES,
)
from wzp_cli.endpoint.tcp import paced
from wzp_cli.endpoint.tcp.tunnel import (
    SUBPROTOCOLS,
    TUNNEL_PATH,
    Tunnel,
)
from wzp_cli.endpoint.tcp.unsent import keep_little_unsent
from wzp_cli.errors import ConnectionLost
from wzp_cli.protocol.demux import encode_frame


@dataclass
class Side:
    """One side, and what it got."""

    tunnel: Tunnel
    got: list[bytes]
    news: asyncio.Event = field(default_factory=asyncio.Event)
    transport: asyncio.Transport | None = None

    async def has(self, count: int) -> list[bytes]:
        """Wait for so many datagrams."""
        while len(self.got) < count:
            self.news.clear()
            await self.news.wait()
        return self.got

    async def end(self) -> str:
        """Wait for the end; return why."""
        while self.tunnel._ended_because is None:
            self.news.clear()
            await self.news.wait()
        return self.tunnel._ended_because


class _Plain(asyncio.Protocol):
    """Passes a plain TCP stream on to a tunnel, as TLS would."""

    def __init__(self, side: Side) -> None:
        self._side = side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        keep_little_unsent(transport)
        self._side.transport = transport
        transport.set_protocol(self._side.tunnel)
        self._side.tunnel.start(transport)
        self._side.news.set()


def side(websocket: ClientProtocol | ServerProtocol) -> Side:
    got: list[bytes] = []
    made = Side(Tunnel(websocket, lambda datagram: None), got)

    def take(datagram: bytes) -> None:
        got.append(datagram)
        made.news.set()

    made.tunnel._sink = take
    made.tunnel.on_end = made.news.set
    return made


def acceptor() -> Side:
    return side(
        ServerProtocol(subprotocols=SUBPROTOCOLS, max_size=TUNNEL_MAX_DATAGRAM_BYTES)
    )


def dialler(path: str = TUNNEL_PATH) -> Side:
    uri = parse_uri(f"ws://{LOOPBACK}{path}")
    return side(
        ClientProtocol(
            uri, subprotocols=SUBPROTOCOLS, max_size=TUNNEL_MAX_DATAGRAM_BYTES
        )
    )


@asynccontextmanager
async def serving(server: Side) -> AsyncIterator[int]:
    """Let one client come to `server`; give the port."""
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: _Plain(server), LOOPBACK, 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        server.tunnel.close()
        listening.close()
        await asyncio.sleep(0)


@asynccontextmanager
async def pair(path: str = TUNNEL_PATH) -> AsyncIterator[tuple[Side, Side]]:
    """Give client and server, connected; handshakes may still be under way."""
    client, server = dialler(path), acceptor()
    async with serving(server) as port:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: _Plain(client), LOOPBACK, port)
        try:
            yield client, server
        finally:
            client.tunnel.close()
            await asyncio.sleep(0)


@dataclass
class Rude:
    """A client made of bytes: websockets' own core says how, the test says what."""

    sock: socket.socket
    core: ClientProtocol

    async def say(self) -> None:
        """Send what the core has ready."""
        loop = asyncio.get_running_loop()
        for data in self.core.data_to_send():
            await loop.sock_sendall(self.sock, data)

    async def hear(self) -> bytes:
        """Return the next bytes; b"" at the end."""
        with contextlib.suppress(ConnectionResetError):
            return await asyncio.get_running_loop().sock_recv(self.sock, 65536)
        return b""


@asynccontextmanager
async def rude() -> AsyncIterator[tuple[Rude, Side]]:
    """Give a rude client past its handshake, and the server."""
    server = acceptor()
    async with serving(server) as port:
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, (LOOPBACK, port))
            core = ClientProtocol(
                parse_uri(f"ws://{LOOPBACK}{TUNNEL_PATH}"), subprotocols=SUBPROTOCOLS
            )
            client = Rude(sock, core)
            core.send_request(core.connect())
            await client.say()
            core.receive_data(await client.hear())
            assert core.handshake_exc is None
            core.events_received()
            yield client, server


def play(scenario: object) -> None:
    """Run a scenario; it may take long on a busy machine, but not for ever."""

    async def bounded() -> None:
        async with asyncio.timeout(60):
            await scenario()  # type: ignore[operator]

    asyncio.run(bounded())


def test_what_follows_a_bad_request_ends_the_connection_and_breaks_nothing() -> None:
    async def scenario() -> None:
        server = acceptor()
        async with serving(server) as port:
            with socket.socket() as sock:
                sock.setblocking(False)
                loop = asyncio.get_running_loop()
                await loop.sock_connect(sock, (LOOPBACK, port))
                request = f"GET {TUNNEL_PATH} HTTP/1.1\r\nHost: r\r\n\r\n".encode()
                await loop.sock_sendall(sock, request + b"neither HTTP nor a frame")
                assert "no WebSocket" in await server.end()

    play(scenario)


def test_datagrams_pass_both_ways_one_for_each_message() -> None:
    async def scenario() -> None:
        async with pair() as (client, server):
            await client.tunnel.opened()
            await server.tunnel.opened()
            said = [os.urandom(size) for size in (1, 60, 1209, 1500)]
            for datagram in said:
                client.tunnel.send(datagram)
                server.tunnel.send(datagram)
            assert await server.has(4) == said
            assert await client.has(4) == said
            assert client.tunnel.dropped == server.tunnel.dropped == 0

    play(scenario)


def test_nothing_waits_in_nagles_algorithm_or_the_kernels_buffer() -> None:
    async def scenario() -> None:
        async with pair() as (client, server):
            await server.tunnel.opened()
            for each in (client, server):
                assert each.transport is not None
                sock = each.transport.get_extra_info("socket")
                level = socket.IPPROTO_TCP
                assert sock.getsockopt(level, socket.TCP_NODELAY)
                assert sock.getsockopt(level, 25) == TUNNEL_UNSENT_BYTES

    if hasattr(socket, "TCP_QUICKACK"):  # Linux
        play(scenario)


def test_an_end_is_noticed_at_the_other_side() -> None:
    async def scenario() -> None:
        async with pair() as (client, server):
            await client.tunnel.opened()
            await server.tunnel.opened()
            client.tunnel.close()
            assert await server.end() == "closed"
            server.tunnel.send(b"too late")
            client.tunnel.send(b"too late")
            assert not client.tunnel.is_open

    play(scenario)


def test_a_path_that_is_not_ours_is_not_found() -> None:
    async def scenario() -> None:
        async with pair("/index.html") as (client, server):
            with pytest.raises(ConnectionLost, match="404"):
                await client.tunnel.opened()
            await server.end()
            assert not server.tunnel.is_open

    play(scenario)


def test_who_does_not_read_gets_the_newest_and_the_rest_is_counted() -> None:
    """The oldest sound is worth least."""

    async def scenario() -> None:
        async with pair() as (client, server):
            await client.tunnel.opened()
            await server.tunnel.opened()
            assert client.transport is not None
            client.transport.pause_reading()
            sent = 0
            while not server.tunnel._blocked:
                server.tunnel.send(sent.to_bytes(4, "big") + bytes(1000))
                sent += 1
                await asyncio.sleep(0)
            for _ in range(100):
                server.tunnel.send(sent.to_bytes(4, "big") + bytes(1000))
                sent += 1
            assert server.tunnel.dropped == 100 - TUNNEL_QUEUE_DATAGRAMS
            client.transport.resume_reading()
            await client.has(sent - server.tunnel.dropped)
            numbers = [int.from_bytes(each[:4], "big") for each in client.got]
            assert numbers == sorted(numbers)
            newest = list(range(sent - TUNNEL_QUEUE_DATAGRAMS, sent))
            assert numbers[-TUNNEL_QUEUE_DATAGRAMS:] == newest

    play(scenario)


def test_who_pings_without_reading_the_pongs_is_let_go() -> None:
    async def scenario() -> None:
        async with rude() as (client, server):
            with contextlib.suppress(ConnectionError):
                while server.tunnel.is_open:
                    client.core.send_ping(bytes(125))
                    await client.say()
            assert await server.end() == "the other side does not read"

    play(scenario)


def test_huge_messages_and_text_end_it() -> None:
    async def huge() -> None:
        async with rude() as (client, server):
            client.core.send_binary(bytes(TUNNEL_MAX_DATAGRAM_BYTES + 1))
            await client.say()
            await server.end()
            assert server.got == []

    async def claimed() -> None:
        """A header that promises 2^62 bytes is enough: none of them is awaited."""
        async with rude() as (client, server):
            header = bytes([0x82, 0xFF]) + (1 << 62).to_bytes(8, "big") + bytes(4)
            await asyncio.get_running_loop().sock_sendall(client.sock, header)
            await server.end()

    async def in_pieces() -> None:
        async with rude() as (client, server):
            client.core.send_binary(bytes(1000), fin=False)
            client.core.send_continuation(bytes(1000), fin=True)
            await client.say()
            await server.end()
            assert server.got == []

    async def text() -> None:
        async with rude() as (client, server):
            client.core.send_text(b"hello")
            client.core.send_binary(b"and a datagram")
            await client.say()
            await server.end()
            assert server.got == []
            client.core.receive_data(await client.hear())
            (close,) = client.core.events_received()
            assert close.opcode is Opcode.CLOSE  # type: ignore[union-attr]
            assert client.core.close_rcvd is not None
            assert client.core.close_rcvd.code == 1003

    async def junk() -> None:
        async with rude() as (client, server):
            await asyncio.get_running_loop().sock_sendall(client.sock, b"\xff" * 64)
            await server.end()

    for scenario in (huge, claimed, in_pieces, text, junk):
        play(scenario)


def test_a_message_that_a_proxy_cut_in_pieces_is_put_together() -> None:
    async def scenario() -> None:
        async with rude() as (client, server):
            client.core.send_binary(b"ab", fin=False)
            client.core.send_ping(b"")
            client.core.send_continuation(b"cd", fin=False)
            client.core.send_continuation(b"", fin=True)
            client.core.send_binary(b"whole")
            await client.say()
            assert await server.has(2) == [b"abcd", b"whole"]

    play(scenario)


def test_a_flood_is_read_no_faster_than_calls_need_and_others_get_their_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(paced, "TUNNEL_MAX_FRAMES_PER_S", 10)
    monkeypatch.setattr(paced, "TUNNEL_READ_BYTES", 256)

    async def scenario() -> None:
        async with rude() as (client, server):
            for _ in range(500):
                client.core.send_binary(b"x")
            await client.say()
            await until(lambda: server.tunnel._reading is not None)
            assert len(server.got) < 100, "the rest has to wait"
            assert server.transport is not None
            assert not server.transport.is_reading(), "TCP holds the sender back"

    play(scenario)


def test_what_came_before_the_start_is_not_lost() -> None:
    async def scenario() -> None:
        client, server = dialler(), acceptor()
        loop = asyncio.get_running_loop()
        one, two = socket.socketpair()
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=one)
        request = client.tunnel._websocket
        assert isinstance(request, ClientProtocol)
        request.send_request(request.connect())
        for data in request.data_to_send():
            server.tunnel.data_received(data)
        assert server.tunnel._websocket.state.name == "CONNECTING"
        transport.set_protocol(server.tunnel)
        server.tunnel.start(transport)
        assert server.tunnel.is_open
        server.tunnel.close()
        two.close()
        await asyncio.sleep(0)

    play(scenario)


def test_the_bytes_are_those_of_the_protocol_page() -> None:
    """A frame for channel 0001020304050607 that holds `c0 "hello"`, to a client."""

    async def scenario() -> None:
        async with rude() as (client, server):
            server.tunnel.send(encode_frame(bytes(range(8)), b"\xc0hello"))
            assert (await client.hear()).hex(" ", -1) == (
                "82 0f 08 00 01 02 03 04 05 06 07 c0 68 65 6c 6c 6f"
            )

    play(scenario)
