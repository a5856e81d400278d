"""What comes on a relay's TCP port inside TLS: HTTP, WebSocket frames, or neither.

The input is cut into pieces as the script says. Datagrams come out whole and of bounded
size; whatever breaks the rules ends this connection, and nothing is kept for it.
"""

import asyncio
from typing import Any

from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from fuzz._script import Script
from tests.support.virtual_time import VirtualLoop
from wzp_cli.defaults.endpoint import TUNNEL_MAX_DATAGRAM_BYTES
from wzp_cli.endpoint.tcp.tunnel import SUBPROTOCOLS, TUNNEL_PATH, Tunnel

__all__ = ["MAX_BYTES", "SEEDS", "one"]

MAX_BYTES = 600
_LOOP = VirtualLoop()
_MOST_WRITTEN_BYTES = 4096

_REQUEST = (
    f"GET {TUNNEL_PATH} HTTP/1.1\r\nHost: r\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: wzp.1\r\n\r\n"
).encode()


def _frame(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


SEEDS = (
    b"\1\xff" + _frame(Opcode.BINARY, b"\x40" * 30),
    b"\1\2" + _frame(Opcode.BINARY, b"ab", fin=False) + _frame(Opcode.CONT, b"cd"),
    b"\1\7" + _frame(Opcode.TEXT, b"x") + _frame(Opcode.PING, b"y"),
    b"\1\7" + _frame(Opcode.CLOSE, b"\x03\xe8"),
    b"\0\x20" + _REQUEST,
    b"\0\xff" + _REQUEST.replace(b"/wzp", b"/"),
    b"\0\3GET / HTTP/1.1\r\n\r\n",
    b"\1\xff\x82\xff\0\0\0\0\0\1\0\0" + bytes(4),
)


class _Transport(asyncio.Transport):
    """A TCP connection with somebody who reads all that is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.aborted = False

    def write(self, data: Any) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(
        self, high: int | None = None, low: int | None = None
    ) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def abort(self) -> None:
        self.aborted = True


def one(data: bytes) -> None:
    """Bring one stream to a relay."""
    _LOOP.accidents.clear()
    _LOOP.run_until_complete(_bring(Script(data)))
    assert not _LOOP.accidents, _LOOP.accidents


async def _bring(script: Script) -> None:
    came: list[bytes] = []
    websocket = ServerProtocol(
        subprotocols=SUBPROTOCOLS, max_size=TUNNEL_MAX_DATAGRAM_BYTES
    )
    tunnel, transport = Tunnel(websocket, came.append), _Transport()
    tunnel.start(transport)
    greeted, size = script.byte() % 2, script.byte() + 1
    if greeted:
        tunnel.data_received(_REQUEST)
        assert tunnel.is_open
    while script.goes_on and not transport.aborted:
        tunnel.data_received(script.take(size))
        await asyncio.sleep(0.001)
        assert len(tunnel._message) <= TUNNEL_MAX_DATAGRAM_BYTES
    await asyncio.sleep(1.0)
    assert not tunnel._unread
    assert all(len(each) <= TUNNEL_MAX_DATAGRAM_BYTES for each in came)
    assert len(transport.written) <= _MOST_WRITTEN_BYTES
    tunnel.send(b"\x40" * 60)
    tunnel.connection_lost(None)
    assert transport.aborted
    assert not tunnel.is_open
    assert tunnel._reading is None or tunnel._reading.cancelled()
