"""What both kinds have in common, with the plainest kind: each byte is a frame.

Over TCP, with WebSockets and TURN on it: test_tunnel.py, test_turn_stream.py.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from wzp_cli.defaults.endpoint import TUNNEL_QUEUE_DATAGRAMS
from wzp_cli.endpoint.tcp import paced
from wzp_cli.endpoint.tcp.paced import PacedStream


class Plain(PacedStream):
    def __init__(self) -> None:
        self.got = bytearray()
        self.ends = 0
        super().__init__(self.got.extend)
        self.on_end = self._count_end

    def _count_end(self) -> None:
        self.ends += 1

    def _take(self, piece: bytes) -> int:
        self._sink(piece)
        return len(piece)

    def _write(self, datagram: bytes) -> None:
        assert self._transport is not None
        self._transport.write(datagram)


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Plain, socket.socket]]:
    """Yield a stream, and the other end of its connection."""
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    with theirs:
        theirs.setblocking(False)
        transport, stream = await loop.create_connection(Plain, sock=ours)
        stream.start(transport)
        try:
            yield stream, theirs
        finally:
            stream.close()


async def until_read(stream: Plain, size: int) -> None:
    async with asyncio.timeout(20):
        while len(stream.got) < size:  # noqa: ASYNC110 - bytes tell nobody
            await asyncio.sleep(0.001)


def test_what_comes_is_read_in_slices_and_no_faster_than_frames_may_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(paced, "TUNNEL_MAX_FRAMES_PER_S", 10)
    monkeypatch.setattr(paced, "TUNNEL_READ_BYTES", 256)

    async def scenario() -> None:
        async with connected() as (stream, theirs):
            theirs.send(bytes(1000))
            await until_read(stream, 256)
            await asyncio.sleep(0)
            assert len(stream.got) == 256, "the rest has to wait"
            assert stream._transport is not None
            assert not stream._transport.is_reading()

    asyncio.run(scenario())


def test_what_does_not_go_out_waits_and_the_oldest_is_dropped_and_counted() -> None:
    async def scenario() -> None:
        async with connected() as (stream, _):
            stream.pause_writing()
            sent = [bytes([number]) for number in range(TUNNEL_QUEUE_DATAGRAMS + 2)]
            for datagram in sent:
                stream.send(datagram)
            assert stream.dropped == 2
            assert list(stream._queue) == sent[2:]

    asyncio.run(scenario())


def test_it_ends_once_and_forgets_what_waited() -> None:
    async def scenario() -> None:
        async with connected() as (stream, _):
            stream.pause_writing()
            stream.send(b"x")
            stream.close()
            stream.close()
            stream.send(b"y")
            assert (stream.ends, len(stream._queue), stream.is_open) == (1, 0, False)

    asyncio.run(scenario())


def test_a_connection_that_is_lost_ends_it() -> None:
    async def scenario() -> None:
        async with connected() as (stream, theirs):
            theirs.close()
            async with asyncio.timeout(20):
                while not stream.ends:  # noqa: ASYNC110 - asyncio tells it alone
                    await asyncio.sleep(0.001)
            assert stream.ends == 1

    asyncio.run(scenario())
