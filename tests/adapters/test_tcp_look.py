import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from wzp_cli.adapters.tcp_look import TcpLook
from wzp_cli.address import Address


@contextlib.asynccontextmanager
async def web(answer: bytes) -> AsyncIterator[Address]:
    """Serve one answer to whatever is asked."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield Address(*server.sockets[0].getsockname())


@pytest.mark.parametrize(
    ("answer", "portal"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\n\r\nlog in", True),
        (b"HTTP/1.1 302 Found\r\nLocation: http://portal/\r\n\r\n", True),
        (b"HTTP/1.1 511 Network Authentication Required\r\n\r\n", True),
        (b"nonsense\r\n", None),
        (b"HTTP/1.1 none\r\n", None),
        (b"x" * 100_000, None),
        (b"", None),
    ],
)
def test_a_page_that_should_be_empty(answer: bytes, portal: bool | None) -> None:
    async def play() -> None:
        async with web(answer) as at:
            assert await TcpLook((at.host, at.port)).captive_portal() is portal
            assert await TcpLook().captive_portal() is None

    asyncio.run(play())


def test_a_host_that_refuses_is_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = Address(*taken.getsockname())

        async def play() -> None:
            async with web(b"") as at:
                assert await TcpLook().reaches(at)
            assert await TcpLook().reaches(nobody)
            assert await TcpLook((nobody.host, nobody.port)).captive_portal() is None

        asyncio.run(play())
