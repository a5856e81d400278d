"""The door through which a user's other commands reach a running wzp.

    control/        0700, in the state directory
      lock          held by the process whose door it is
      socket        a Unix socket, 0600: who connects must be the same user
      port          or, where there are none, a TCP port of loopback: "PORT TOKEN", 0600

Whoever connects is bounded in number and in time; who does not read is cut off. What is
left of a process that was killed is replaced.
"""

import asyncio
import contextlib
import errno
import os
import secrets
import socket
import struct
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wzp_cli.adapters.disk.private_files import (
    make_private_directory,
    read_private,
    replace_file,
    translated,
    try_exclusive,
)
from wzp_cli.address import Address
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.program import (
    CONTROL_MAX_CLIENTS,
    CONTROL_MAX_REPLY_BYTES,
    CONTROL_MAX_REQUEST_BYTES,
    CONTROL_REPLY_S,
    CONTROL_REQUEST_S,
)
from wzp_cli.errors import ConnectionLost, RemoteProtocolError, WzpError
from wzp_cli.ports import ControlChannel

__all__ = ["LineChannel", "Transport", "connect_control", "open_control", "transport"]

Converse = Callable[[ControlChannel], Awaitable[None]]
"""Serves one client, from its request to its last reply."""

_LOOPBACK: Final = "127.0.0.1"
_LONGEST_PATH_BYTES: Final = 100  # sun_path: 108 on Linux, 104 on BSDs and macOS
_UCRED: Final = struct.Struct("3i")  # pid, uid, gid: unix(7)
_XUCRED: Final = struct.Struct("II")  # version, uid: macOS's and FreeBSD's sys/ucred.h
_LOCAL_PEERCRED: Final = 1
_NEVER_TOLD: Final = frozenset({errno.EOPNOTSUPP, errno.ENOPROTOOPT})
_NOBODY: Final = -1


@dataclass(frozen=True, slots=True)
class Transport:
    """How a process on this state directory is reached: by Unix socket, or by TCP."""

    directory: Path
    unix: bool

    @property
    def socket(self) -> Path:
        """The Unix socket."""
        return self.directory / "socket"

    @property
    def port(self) -> Path:
        """The file that names the TCP port and the token."""
        return self.directory / "port"


def transport(state: Path) -> Transport:
    """Return what this system offers for a state directory."""
    directory = state.absolute() / "control"
    fits = len(os.fsencode(directory / "socket")) <= _LONGEST_PATH_BYTES
    return Transport(directory, unix=fits and hasattr(socket, "AF_UNIX"))


class LineChannel:
    """Lines over one connection; fits `ports.ControlChannel`."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader = reader
        self._writer = writer

    async def receive(self) -> bytes | None:
        """Return the next line without its end; None: the other side has left."""
        try:
            line = await self._reader.readuntil(b"\n")
        except asyncio.LimitOverrunError as error:
            raise RemoteProtocolError("a line is too long") from error
        except (asyncio.IncompleteReadError, OSError):
            return None
        return line.removesuffix(b"\n")

    async def send(self, line: bytes) -> None:
        """Send one line. Raises ConnectionLost where nobody takes it in time."""
        try:
            async with asyncio.timeout(CONTROL_REPLY_S):
                self._writer.write(line)
                await self._writer.drain()
        except (TimeoutError, OSError) as error:
            self._writer.transport.abort()
            raise ConnectionLost("nobody reads the answer") from error

    async def left(self) -> None:
        """Return when the other side has left; what it says until then is dropped."""
        with contextlib.suppress(OSError):
            while await self._reader.read(CONTROL_MAX_REQUEST_BYTES):
                pass

    async def close(self) -> None:
        """Let the last line out, and close."""
        try:
            async with asyncio.timeout(CONTROL_REPLY_S):
                self._writer.close()
                await self._writer.wait_closed()
        except (TimeoutError, OSError):
            self._writer.transport.abort()


# --- The running process --------------------------------------------------------


@contextlib.asynccontextmanager
async def open_control(way: Transport, converse: Converse) -> AsyncIterator[bool]:
    """Take clients while the block runs; yield whether the door is ours.

    False: another process on this state directory has it.

    Raises:
        StateUnusable: The folder can't be made or is somebody else's.
    """
    _make_folder(way.directory)
    with try_exclusive(way.directory / "lock") as ours:
        if not ours:
            yield False
            return
        async with task_group() as group:
            door = _Door(way, converse, group)
            await door.open()
            try:
                yield True
            finally:
                door.close()


def _make_folder(directory: Path) -> None:
    make_private_directory(directory)
    with translated(directory):
        directory.chmod(0o700)


@dataclass
class _Door:
    way: Transport
    converse: Converse
    group: asyncio.TaskGroup

    def __post_init__(self) -> None:
        self._token = secrets.token_urlsafe(32)
        self._clients: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        self._sweep()
        with translated(self.way.directory):
            if self.way.unix:
                self._server = await asyncio.start_unix_server(
                    self._enter, sock=_bound(self.way.socket), limit=_LIMIT
                )
                return
            self._server = await asyncio.start_server(
                self._enter, _LOOPBACK, 0, limit=_LIMIT
            )
        port = self._server.sockets[0].getsockname()[1]
        replace_file(self.way.port, f"{port} {self._token}\n".encode())

    def close(self) -> None:
        self._server.close()
        self._sweep()
        for client in self._clients:
            client.cancel()

    def _sweep(self) -> None:
        """Take away what leads to nobody."""
        with translated(self.way.directory):
            self.way.socket.unlink(missing_ok=True)
            self.way.port.unlink(missing_ok=True)

    def _enter(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        refused = len(self._clients) >= CONTROL_MAX_CLIENTS
        if refused or (self.way.unix and not _is_same_user(writer)):
            writer.transport.abort()
            return
        client = self.group.create_task(self._serve(LineChannel(reader, writer)))
        self._clients.add(client)
        client.add_done_callback(self._clients.discard)

    async def _serve(self, channel: LineChannel) -> None:
        try:
            if self.way.unix or await self._has_token(channel):
                await self.converse(channel)
        except (WzpError, OSError):  # who breaks the rules, or leaves, ends nobody else
            return
        finally:
            await channel.close()

    async def _has_token(self, channel: LineChannel) -> bool:
        try:
            async with asyncio.timeout(CONTROL_REQUEST_S):
                said = await channel.receive()
        except TimeoutError:
            return False
        return said is not None and secrets.compare_digest(said, self._token.encode())


_LIMIT: Final = CONTROL_MAX_REQUEST_BYTES


def _bound(path: Path) -> socket.socket:
    unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        unix.bind(str(path))
        path.chmod(0o600)
    except BaseException:
        unix.close()
        raise
    return unix


def _is_same_user(writer: asyncio.StreamWriter) -> bool:
    return _peer_uid(writer.get_extra_info("socket")) in (None, os.geteuid())


def _peer_uid(connected: socket.socket) -> int | None:
    """Return whose process is at the other end; None where the system does not tell.

    Where it would tell and can't, as of one that has left already: nobody's.
    """
    try:
        return _told_uid(connected)
    except OSError as error:
        return None if error.errno in _NEVER_TOLD else _NOBODY


def _told_uid(connected: socket.socket) -> int | None:
    if sys.platform == "linux":
        raw = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        return int(_UCRED.unpack(raw)[1])
    if sys.platform == "darwin" or "bsd" in sys.platform:
        raw = connected.getsockopt(0, _LOCAL_PEERCRED, 128)
        return int(_XUCRED.unpack_from(raw)[1])
    return None


# --- Who asks it ----------------------------------------------------------------


@contextlib.asynccontextmanager
async def connect_control(way: Transport) -> AsyncIterator[LineChannel | None]:
    """Connect to the process whose state directory this is; yield None without one.

    Raises:
        StateUnusable: The file with the token can be read by others.
    """
    try:
        streams = await _dial(way)
    except OSError:  # nobody is there, or what is there leads to nobody
        streams = None
    if streams is None:
        yield None
        return
    channel = LineChannel(*streams)
    try:
        yield channel
    finally:
        await channel.close()


async def _dial(
    way: Transport,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
    if way.unix:
        reader, writer = await asyncio.open_unix_connection(
            way.socket, limit=CONTROL_MAX_REPLY_BYTES
        )
        if not _is_same_user(writer):
            writer.transport.abort()
            return None
        return reader, writer
    said = read_private(way.port)
    if said is None:
        return None
    where, _, token = said.decode("ascii", "replace").strip().partition(" ")
    try:
        address = Address.parse(f"{_LOOPBACK}:{where}")
    except ValueError:
        return None
    reader, writer = await asyncio.open_connection(
        address.host, address.port, limit=CONTROL_MAX_REPLY_BYTES
    )
    writer.write(f"{token}\n".encode())
    return reader, writer
