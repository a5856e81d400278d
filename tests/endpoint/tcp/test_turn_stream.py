"""A TURN server by TCP and TLS: the real coturn, and servers as bad as can be."""

import asyncio
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.turn_server import SECRET, turn_command
from wzp_cli.address import Address
from wzp_cli.defaults.endpoint import (
    TUNNEL_BURST_S,
    TUNNEL_MAX_FRAMES_PER_S,
    TUNNEL_QUEUE_DATAGRAMS,
)
from wzp_cli.endpoint.factory import Bind, open_endpoint
from wzp_cli.endpoint.tcp.turn_stream import TurnStream, dial_turn, verifying_context
from wzp_cli.endpoint.tunnels import TakeDatagram, TunnelEnd
from wzp_cli.errors import TurnUnavailable
from wzp_cli.protocol.names.identity import Keypair
from wzp_cli.protocol.turn import encode_channel_data, issue_grant
from wzp_cli.protocol.turn_stream import pad

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
FRAME = encode_channel_data(0x4000, b"sound" * 12)


@asynccontextmanager
async def serving(
    serve: Serve, context: ssl.SSLContext | None = None
) -> AsyncIterator[Address]:
    """A server on loopback that does what the test wants."""
    tasks: list[asyncio.Task[None]] = []

    async def until_over(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        try:
            await serve(reader, writer)
            await asyncio.Event().wait()
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(until_over, "127.0.0.1", 0, ssl=context)
    try:
        yield Address(*server.sockets[0].getsockname())
    finally:
        for _ in range(5):  # who connected last may not have been greeted yet
            await asyncio.sleep(0)
        server.close()
        for task in tasks:
            task.cancel()
        for _ in range(5):  # sockets are closed a turn after their transports
            await asyncio.sleep(0)


async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read all that comes, say nothing."""
    while await reader.read(65536):
        pass


def saying(data: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await hold(reader, writer)

    return serve


class Client:
    """What came through one connection, and whether it is over."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.news = asyncio.Event()
        self.ended = asyncio.Event()
        self.stream: TurnStream

    async def dial(self, server: Address, ca: Path | None = None) -> "Client":
        context = None if ca is None else verifying_context(ca)
        self.stream = await dial_turn(server, "127.0.0.1", context, self.take)
        self.stream.on_end = self.ended.set
        return self

    def take(self, message: bytes) -> None:
        self.got.append(message)
        self.news.set()

    async def has(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.got) < count:
                self.news.clear()
                await self.news.wait()


# --- the real server ------------------------------------------------------------


@pytest.mark.parametrize("tls", [False, True])
def test_an_allocation_at_coturn(tmp_path: Path, tls: bool) -> None:
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.issue("127.0.0.1")

    async def scenario(port: int) -> None:
        async def dial(
            server: Address, name: str, tls: bool, sink: TakeDatagram
        ) -> TunnelEnd:
            context = verifying_context(authority.path) if tls else None
            return await dial_turn(server, name, context, sink)

        at, name = Address("127.0.0.1", port), "127.0.0.1"
        grant = issue_grant(name, SECRET, "somebody", 2e9)
        async with open_endpoint(
            *(Keypair.generate(), Bind(host=name), lambda event: None), dial_turn=dial
        ) as endpoint:
            turn = endpoint.turn
            async with turn.open_by_tcp(at, name, grant, tls=tls) as ours:
                assert ours.relayed.host == "127.0.0.1"
                assert ours.server.is_tcp
                await ours.refresh()
                # One socket has one allocation; by TCP each has its own connection.
                async with turn.open_by_tcp(at, name, grant, tls=tls) as more:
                    assert more.relayed != ours.relayed
                    assert len(endpoint.tunnels) == len(turn) == 2
                # Loopback is a peer that the shipped configuration denies.
                with pytest.raises(TurnUnavailable, match="403"):
                    await ours.bind(more.relayed if more.is_live else ours.relayed)
            assert len(endpoint.tunnels) == len(turn) == 0
            wrong = issue_grant(name, "wrong", "somebody", 2e9)
            with pytest.raises(TurnUnavailable, match="401 Unauthorized"):
                async with turn.open_by_tcp(at, name, wrong, tls=tls):
                    pass

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [f"--cert={certificate}", f"--pkey={key}"]
    words += [f"--{'tls-' if tls else ''}listening-port={port}"]
    argv = turn_command(tmp_path / "turn", ["127.0.0.1"], *words, by_tcp=True)
    with subprocess.Popen(
        argv, cwd=tmp_path / "turn", stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    ) as process:
        try:
            asyncio.run(listening(port))
            asyncio.run(scenario(port))
        finally:
            process.terminate()


async def listening(port: int) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                await writer.wait_closed()
                return


# --- who is there ---------------------------------------------------------------


def test_only_a_certificate_for_that_name_by_that_authority_will_do(
    tmp_path: Path,
) -> None:
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")

    async def scenario(issued: tuple[Path, Path], ca: Path) -> bool:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*issued)
        async with serving(hold, context) as server:
            try:
                client = await Client().dial(server, ca)
            except TurnUnavailable as error:
                return "certificate" not in str(error)
            client.stream.close()
            return True

    good = ours.issue("127.0.0.1")
    assert asyncio.run(scenario(good, ours.path))
    assert not asyncio.run(scenario(good, theirs.path))
    assert not asyncio.run(scenario(ours.issue("turn.example"), ours.path))
    late = ours.issue("127.0.0.1", valid_days=-1)
    assert not asyncio.run(scenario(late, ours.path))


def test_an_authority_that_can_not_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(TurnUnavailable, match=r"turn-ca .*nowhere: No such file"):
        verifying_context(tmp_path / "nowhere")
    (tmp_path / "empty").write_text("hello")
    with pytest.raises(TurnUnavailable, match="turn-ca"):
        verifying_context(tmp_path / "empty")
    assert verifying_context(None).verify_mode is ssl.CERT_REQUIRED


def test_nobody_or_no_tls_is_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(saying(b"hello")) as server:
            with pytest.raises(TurnUnavailable, match=str(server)):
                await Client().dial(server, Authority(tmp_path / "ca").path)
        with pytest.raises(TurnUnavailable, match=str(server)):
            await Client().dial(server)

    asyncio.run(scenario())


# --- what it says ---------------------------------------------------------------


def test_messages_in_pieces_come_whole() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in pad(FRAME) * 3:
            writer.write(bytes([byte]))
            await writer.drain()
        await hold(reader, writer)

    async def scenario() -> None:
        async with serving(serve) as server:
            client = await Client().dial(server)
            await client.has(3)
            assert client.got == [FRAME] * 3
            client.stream.close()
            assert client.ended.is_set()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "data", [b"HTTP/1.1 200\r\n\r\n", b"\x40\x00\xff\xff" + bytes(1000), b"\xff" * 9]
)
def test_a_server_out_of_step_is_left(data: bytes) -> None:
    async def scenario() -> None:
        async with serving(saying(pad(FRAME) + data)) as server:
            client = await Client().dial(server)
            async with asyncio.timeout(20):
                await client.ended.wait()
            assert client.got in ([FRAME], [])
            client.stream.send(FRAME)  # into nothing

    asyncio.run(scenario())


def test_a_flood_is_read_no_faster_than_a_call_sends() -> None:
    flood = 20 * int(TUNNEL_MAX_FRAMES_PER_S)

    async def scenario() -> None:
        async with serving(saying(pad(FRAME) * flood)) as server:
            loop = asyncio.get_running_loop()
            client = await Client().dial(server)
            began = loop.time()
            burst = int(TUNNEL_MAX_FRAMES_PER_S * TUNNEL_BURST_S)
            await client.has(burst + 100)
            allowed = (loop.time() - began + TUNNEL_BURST_S) * TUNNEL_MAX_FRAMES_PER_S
            slice_frames = 65536 // len(FRAME)
            assert len(client.got) <= allowed + slice_frames
            assert len(client.stream._unread) < 1 << 20
            client.stream.close()

    asyncio.run(scenario())


def test_a_server_that_does_not_read_costs_the_oldest_then_the_connection() -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        transport = writer.transport
        assert isinstance(transport, asyncio.ReadTransport)
        transport.pause_reading()
        await asyncio.Event().wait()

    async def scenario() -> None:
        async with serving(deaf) as server:
            client = await Client().dial(server)
            for _ in range(20_000):
                client.stream.send(FRAME)
                await asyncio.sleep(0)
                if client.stream.dropped > 10:
                    break
            assert client.stream.dropped > 10
            assert len(client.stream._queue) == TUNNEL_QUEUE_DATAGRAMS
            client.stream.close()

    asyncio.run(scenario())


def test_a_connection_that_is_lost_ends_once() -> None:
    async def gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async def scenario() -> None:
        async with serving(gone) as server:
            client = await Client().dial(server)
            async with asyncio.timeout(20):
                await client.ended.wait()
            client.ended.clear()
            client.stream.close()
            assert not client.ended.is_set()

    asyncio.run(scenario())
