import asyncio
import errno
import os
import socket
import stat
import struct
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.requirements import require
from wzp_cli.adapters import control_socket
from wzp_cli.adapters.control_socket import (
    LineChannel,
    Transport,
    connect_control,
    open_control,
    transport,
)
from wzp_cli.defaults.program import CONTROL_MAX_CLIENTS, CONTROL_MAX_REQUEST_BYTES
from wzp_cli.errors import RemoteProtocolError, StateUnusable
from wzp_cli.ports import ControlChannel

Scenario = Callable[[], Awaitable[None]]


@pytest.fixture(params=["unix", "tcp"])
def way(request: pytest.FixtureRequest, tmp_path: Path) -> Transport:
    """Both ways in, wherever the test runs."""
    return Transport(tmp_path / "control", unix=request.param == "unix")


async def echo(channel: ControlChannel) -> None:
    """Say every line again."""
    while (line := await channel.receive()) is not None:
        await channel.send(b"again " + line + b"\n")


async def said(channel: LineChannel | None, line: bytes) -> bytes | None:
    assert channel is not None
    await channel.send(line)
    return await channel.receive()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def token(way: Transport) -> bytes:
    return way.port.read_bytes().split()[1]


async def raw(way: Transport) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect as anybody could, without saying the token."""
    if way.unix:
        return await asyncio.open_unix_connection(way.socket)
    port = int(way.port.read_bytes().split()[0])
    return await asyncio.open_connection("127.0.0.1", port)


async def admitted(way: Transport) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect as the user's own program may."""
    reader, writer = await raw(way)
    if not way.unix:
        writer.write(await token(way) + b"\n")
    return reader, writer


async def at_end(reader: asyncio.StreamReader) -> bool:
    """Wait until the other side has closed."""
    with suppress(ConnectionResetError):
        while await reader.read(4096):
            pass
    return True


def test_lines_go_both_ways(way: Transport) -> None:
    async def scenario() -> None:
        async with open_control(way, echo) as ours, connect_control(way) as channel:
            assert ours
            assert await said(channel, b"hello\n") == b"again hello"
            assert await said(channel, b"\n") == b"again "

    asyncio.run(scenario())


def test_nobody_else_may_look_in(way: Transport) -> None:
    async def scenario() -> None:
        way.directory.mkdir(0o755)
        async with open_control(way, echo):
            assert mode(way.directory) == 0o700
            assert mode(way.socket if way.unix else way.port) == 0o600

    asyncio.run(scenario())


def test_nothing_is_left_when_it_ends(way: Transport) -> None:
    async def scenario() -> None:
        async with open_control(way, echo):
            pass
        assert [path.name for path in way.directory.iterdir()] == ["lock"]
        async with connect_control(way) as channel:
            assert channel is None

    asyncio.run(scenario())


def test_nobody_is_there(way: Transport) -> None:
    async def scenario() -> None:
        async with connect_control(way) as channel:
            assert channel is None

    asyncio.run(scenario())


def test_the_first_process_keeps_the_door(way: Transport) -> None:
    async def nobody(channel: ControlChannel) -> None:
        raise AssertionError

    async def scenario() -> None:
        async with open_control(way, echo):
            async with open_control(way, nobody) as ours:
                assert not ours
            async with connect_control(way) as channel:
                assert await said(channel, b"x\n") == b"again x"

    asyncio.run(scenario())


def test_what_a_killed_process_left_is_replaced(way: Transport) -> None:
    program = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from wzp_cli.adapters.control_socket import Transport, open_control\n"
        "async def main():\n"
        "    way = Transport(Path(sys.argv[1]), unix=sys.argv[2] == 'True')\n"
        "    async with open_control(way, None):\n"
        "        print('open', flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    words = [sys.executable, "-c", program, str(way.directory), str(way.unix)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == b"open\n"
        killed.kill()
    left = way.socket if way.unix else way.port
    assert left.exists()

    async def scenario() -> None:
        async with connect_control(way) as channel:
            assert channel is None  # what is left leads to nobody
        async with open_control(way, echo) as ours, connect_control(way) as channel:
            assert ours
            assert await said(channel, b"x\n") == b"again x"

    asyncio.run(scenario())


def test_a_process_that_finds_the_other_kind_takes_it_away(tmp_path: Path) -> None:
    unix, tcp = (Transport(tmp_path / "control", unix=kind) for kind in (True, False))
    tcp.directory.mkdir(0o700)
    tcp.port.write_text("1 token")

    async def scenario() -> None:
        async with open_control(unix, echo):
            assert not tcp.port.exists()

    asyncio.run(scenario())


def test_who_is_slow_to_read_is_cut_off(
    way: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wzp_cli.adapters.control_socket.CONTROL_REPLY_S", 0.05)

    async def talk_on(channel: ControlChannel) -> None:
        try:
            while True:
                await channel.send(b"x" * 65536 + b"\n")
        finally:
            cut.set()

    cut = asyncio.Event()

    async def scenario() -> None:
        async with open_control(way, talk_on):
            _, writer = await admitted(way)
            await cut.wait()
            writer.close()

    asyncio.run(scenario())


def test_a_line_without_end_is_refused(way: Transport) -> None:
    refused = asyncio.Event()

    async def hear(channel: ControlChannel) -> None:
        with pytest.raises(RemoteProtocolError):
            await channel.receive()
        refused.set()

    async def scenario() -> None:
        async with open_control(way, hear):
            reader, writer = await admitted(way)
            writer.write(b"x" * (2 * CONTROL_MAX_REQUEST_BYTES))
            assert await at_end(reader)
            writer.close()
        assert refused.is_set()

    asyncio.run(scenario())


def test_clients_are_few(way: Transport) -> None:
    async def scenario() -> None:
        async with open_control(way, echo):
            held = []
            for _ in range(CONTROL_MAX_CLIENTS):
                reader, writer = await admitted(way)
                writer.write(b"x\n")
                assert await reader.readline() == b"again x\n"
                held.append(writer)
            reader, late = await raw(way)
            with suppress(OSError):
                late.write(b"late\n")
                assert await reader.readline() == b"", "it is not served"
            late.close()
            held.pop().close()
            while True:  # once it is noticed that one has left, there is room
                reader, writer = await admitted(way)
                held.append(writer)
                with suppress(OSError):
                    writer.write(b"y\n")
                    if await reader.readline() == b"again y\n":
                        break
            for writer in held:
                writer.close()

    asyncio.run(scenario())


def test_leaving_is_noticed(way: Transport) -> None:
    gone = asyncio.Event()

    async def watch(channel: ControlChannel) -> None:
        await channel.left()
        gone.set()

    async def scenario() -> None:
        async with open_control(way, watch):
            _, writer = await admitted(way)
            writer.write(b"something\nelse")
            writer.close()
            await gone.wait()

    asyncio.run(scenario())


def test_clients_are_sent_away_when_it_ends(way: Transport) -> None:
    async def scenario() -> None:
        async with open_control(way, echo):
            reader, writer = await admitted(way)
            writer.write(b"x\n")
            await reader.readline()
        assert await at_end(reader)
        writer.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "first",
    [b"wrong\n", b"\n", b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"x" * 40000],
)
def test_without_the_token_there_is_no_way_in(tmp_path: Path, first: bytes) -> None:
    tcp = Transport(tmp_path / "control", unix=False)

    async def nobody(channel: ControlChannel) -> None:
        raise AssertionError

    async def scenario() -> None:
        async with open_control(tcp, nobody):
            reader, writer = await raw(tcp)
            writer.write(first)
            assert await at_end(reader)
            writer.close()

    asyncio.run(scenario())


def test_who_says_no_token_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wzp_cli.adapters.control_socket.CONTROL_REQUEST_S", 0.01)
    tcp = Transport(tmp_path / "control", unix=False)

    async def scenario() -> None:
        async with open_control(tcp, echo):
            reader, writer = await raw(tcp)
            assert await at_end(reader)
            writer.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("content", [b"", b"x y", b"1", b"\xff", b"99999 x"])
def test_a_damaged_port_file_leads_to_nobody(tmp_path: Path, content: bytes) -> None:
    tcp = Transport(tmp_path / "control", unix=False)
    tcp.directory.mkdir(0o700)
    tcp.port.write_bytes(content)
    tcp.port.chmod(0o600)

    async def scenario() -> None:
        async with connect_control(tcp) as channel:
            assert channel is None

    asyncio.run(scenario())


def test_a_token_that_others_can_read_is_refused(tmp_path: Path) -> None:
    tcp = Transport(tmp_path / "control", unix=False)
    tcp.directory.mkdir(0o700)
    tcp.port.write_bytes(b"1 token")
    tcp.port.chmod(0o644)

    async def scenario() -> None:
        async with connect_control(tcp):
            raise AssertionError

    with pytest.raises(StateUnusable, match="chmod 600"):
        asyncio.run(scenario())


def test_another_user_is_turned_away(tmp_path: Path) -> None:
    """Even where the folder's mode was opened by hand."""
    if os.geteuid() != 0:
        require("root", "only root can become another user")
    unix = Transport(tmp_path / "control", unix=True)

    async def heard_by(user: int) -> str:
        child = os.fork()
        if child == 0:
            os.setuid(user)
            os._exit(_say_x(unix.socket))
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        return _OUTCOMES[os.waitstatus_to_exitcode(status)]

    async def scenario() -> None:
        async with open_control(unix, echo):
            assert await heard_by(65534) == "no permission"
            for folder in [unix.socket, *unix.socket.parents]:
                if folder.is_relative_to(tmp_path.parent.parent):
                    folder.chmod(0o777)
            assert await heard_by(os.geteuid()) == "an answer"
            assert await heard_by(65534) == "turned away"

    asyncio.run(scenario())


_OUTCOMES = ["an answer", "turned away", "no permission"]


def _say_x(path: Path) -> int:
    """Ask as another process; return which of the outcomes it was."""
    with socket.socket(socket.AF_UNIX) as asking:
        try:
            asking.connect(str(path))
            asking.sendall(b"x\n")
            return 0 if asking.recv(100) == b"again x\n" else 1
        except PermissionError:
            return 2
        except OSError:
            return 1


def test_a_path_too_long_for_unix_goes_by_tcp(tmp_path: Path) -> None:
    assert transport(Path("/s")) == Transport(Path("/s/control"), unix=True)
    assert not transport(tmp_path / ("d" * 100)).unix


def test_systems_without_unix_sockets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(socket, "AF_UNIX")
    assert not transport(Path("/s")).unix


class Told:
    """A connection of which the system says this."""

    def __init__(self, answer: bytes | int) -> None:
        self._answer = answer

    def getsockopt(self, *asked: int) -> bytes:
        if isinstance(self._answer, int):
            raise OSError(self._answer, "x")
        return self._answer


@pytest.mark.parametrize("system", ["linux", "darwin", "freebsd14"])
def test_whose_process_asks_where_the_system_can_or_can_not_tell(
    system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", system)
    whole = struct.pack("3i", 7, 501, 20) if system == "linux" else b""
    for answer, uid in (
        (whole or struct.pack("II", 0, 501) + bytes(68), 501),
        (errno.EOPNOTSUPP, None),
        (errno.ENOPROTOOPT, None),
        (errno.ENOTCONN, -1),  # it has left, and may have asked before
    ):
        told: Any = Told(answer)
        assert control_socket._peer_uid(told) == uid
