"""The client's way in: to relays, to what is none, and through a proxy."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.support.websockets import LOOPBACK, tcp_relay, until
from wzp_cli.address import Address
from wzp_cli.concurrency import task_group
from wzp_cli.endpoint.tcp import dialler as module
from wzp_cli.endpoint.tcp.dialler import dial_tunnel
from wzp_cli.endpoint.tcp.outer_tls import acceptor_context
from wzp_cli.errors import ConnectionLost

_Serve = Callable[
    [asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]
]


def play(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await scenario()

    asyncio.run(bounded())


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@asynccontextmanager
async def server(serve: _Serve, **how: Any) -> AsyncIterator[Address]:
    """Serve on loopback; each client in a task that ends with the server."""
    async with task_group() as group:
        tasks: list[asyncio.Task[None]] = []
        writers: list[asyncio.StreamWriter] = []

        def come(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            tasks.append(group.create_task(serve(reader, writer)))

        listening = await asyncio.start_server(come, LOOPBACK, 0, **how)
        try:
            port = listening.sockets[0].getsockname()[1]
            yield Address(LOOPBACK, port, tunnel=1)
        finally:
            listening.close()
            for task in tasks:
                task.cancel()
            for writer in writers:
                writer.transport.abort()
            await asyncio.sleep(0)


async def dial(to: Address, name: str = LOOPBACK) -> None:
    tunnel = await dial_tunnel(to, name, lambda datagram: None)
    assert tunnel.is_open
    tunnel.close()


def test_a_relay_is_reached() -> None:
    async def scenario() -> None:
        async with tcp_relay() as relay:
            await dial(Address(LOOPBACK, relay.listener.port, tunnel=1))

    play(scenario)


def test_nobody_listens() -> None:
    async def scenario() -> None:
        with socket.socket() as unused:
            unused.bind((LOOPBACK, 0))
            where = Address(LOOPBACK, unused.getsockname()[1], tunnel=1)
            with pytest.raises(ConnectionLost, match=str(where)):
                await dial(where)

    play(scenario)


async def _web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()


def test_a_web_server_answers_there() -> None:
    async def scenario() -> None:
        async with server(_web, ssl=acceptor_context()) as where:
            with pytest.raises(ConnectionLost, match="404"):
                await dial(where)

    play(scenario)


async def _mail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example ESMTP\r\n")
    await writer.drain()


def test_something_without_tls_answers_there() -> None:
    async def scenario() -> None:
        async with server(_mail) as where:
            with pytest.raises(ConnectionLost):
                await dial(where)

    play(scenario)


async def _silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


def test_who_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HANDSHAKE_TIMEOUT_S", 0.2)

    async def scenario() -> None:
        async with server(_silent) as where:
            with pytest.raises(ConnectionLost):
                await dial(where)

    play(scenario)


def test_a_dial_that_is_not_wanted_any_more_leaves_nothing() -> None:
    async def scenario() -> None:
        async with server(_silent) as where, task_group() as group:
            dialling = group.create_task(dial(where))
            await until(lambda: len(asyncio.all_tasks()) == 3)  # the server's is there
            dialling.cancel()

    play(scenario)


# --- Through a proxy ------------------------------------------------------------


class Proxy:
    """An HTTP proxy that knows CONNECT; `asked` keeps what for."""

    def __init__(self, to_port: int, answer: bytes = b"200 OK") -> None:
        self.asked: list[str] = []
        self._to_port, self._answer = to_port, answer

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(request.split(b"\r\n")[0].decode())
        writer.write(b"HTTP/1.1 " + self._answer + b"\r\n\r\n")
        await writer.drain()
        there, back = await asyncio.open_connection(LOOPBACK, self._to_port)
        try:
            async with task_group() as group:
                group.create_task(_pass_on(reader, back))
                group.create_task(_pass_on(there, writer))
        finally:
            back.transport.abort()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(4096):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        return
    finally:
        writer.close()


def test_a_proxy_of_the_environment_is_asked_for_the_relay_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        async with tcp_relay() as relay:
            proxy = Proxy(relay.listener.port)
            async with server(proxy.serve) as where:
                monkeypatch.setenv("HTTPS_PROXY", f"http://{LOOPBACK}:{where.port}")
                await dial(Address("192.0.2.1", 443, tunnel=1), "relay.example")
                assert proxy.asked == ["CONNECT relay.example:443 HTTP/1.1"]

                monkeypatch.setenv("NO_PROXY", LOOPBACK)
                await dial(Address(LOOPBACK, relay.listener.port, tunnel=1))
                assert len(proxy.asked) == 1

    play(scenario)


def test_a_proxy_that_refuses_or_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        proxy = Proxy(1, b"407 Proxy Authentication Required")
        async with server(proxy.serve) as where:
            for url, says in (
                (f"http://{LOOPBACK}:{where.port}", "407"),
                (f"socks5://{LOOPBACK}:{where.port}", "not HTTP"),
                ("nonsense", "nonsense"),
                ("http://proxy.example:port", "integer"),
                ("http://[::1", "Invalid IPv6"),
            ):
                monkeypatch.setenv("HTTPS_PROXY", url)
                with pytest.raises(ConnectionLost, match=says):
                    await dial(Address("192.0.2.1", 443, tunnel=1), "relay.example")

    play(scenario)
