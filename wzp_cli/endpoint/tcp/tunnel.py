"""One WebSocket that carries datagrams: websockets' sans-IO core on an asyncio stream.

One binary message is one datagram, either way:

    TCP | TLS | WebSocket frame, binary | QUIC, STUN or a relayed frame

Sound must not wait in line behind sound. So as little as possible is handed down: the
kernel is asked to keep next to nothing unsent (TCP_NOTSENT_LOWAT), both layers of
asyncio's buffers are set to nothing, and what does not go out at once waits here, in a
short queue whose oldest is dropped and counted. What arrives is read in slices, so that
nobody's flood keeps the others waiting, and no faster than a client has reason to send:
TCP then holds the sender back.
"""

import asyncio
import collections
from collections.abc import Callable
from typing import Any

from websockets.client import ClientProtocol
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import SEND_EOF, State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from wzp_cli.defaults.endpoint import (
    TUNNEL_BURST_S,
    TUNNEL_MAX_DATAGRAM_BYTES,
    TUNNEL_MAX_FRAMES_PER_S,
    TUNNEL_MAX_UNSENT_BYTES,
    TUNNEL_QUEUE_DATAGRAMS,
    TUNNEL_READ_BYTES,
)
from wzp_cli.endpoint.tunnels import TakeDatagram
from wzp_cli.errors import ConnectionLost

__all__ = ["SUBPROTOCOLS", "TUNNEL_PATH", "Tunnel"]

TUNNEL_PATH = "/wzp"
SUBPROTOCOLS = [Subprotocol("wzp.1")]
_NOT_FOUND = 404


class Tunnel(asyncio.Protocol):
    """One side of one WebSocket, from the TLS handshake to the end.

    Attributes:
        on_end: Called once when it is over, whoever ended it.
        dropped: Datagrams that waited too long to be sent.
    """

    def __init__(
        self, websocket: ClientProtocol | ServerProtocol, sink: TakeDatagram
    ) -> None:
        self.on_end: Callable[[], None] = lambda: None
        self.dropped = 0
        self._websocket = websocket
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._handshake_over = asyncio.Event()
        self._ended_because: str | None = None
        self._unread = bytearray()
        self._reading: asyncio.TimerHandle | None = None
        self._frames_done_s = self._loop.time()
        self._message = bytearray()
        self._fragmented = False
        self._blocked = False
        self._queue: collections.deque[bytes] = collections.deque(
            maxlen=TUNNEL_QUEUE_DATAGRAMS
        )

    # -- what its users call

    @property
    def is_open(self) -> bool:
        """Whether datagrams pass."""
        return self._ended_because is None and self._websocket.state is State.OPEN

    def start(self, transport: asyncio.Transport) -> None:
        """Take the stream, its TLS handshake over; a dialler speaks first."""
        self._transport = transport
        transport.set_write_buffer_limits(high=1, low=0)
        if self._ended_because is not None:
            transport.abort()
            return
        if isinstance(self._websocket, ClientProtocol):
            self._websocket.send_request(self._websocket.connect())
            self._flush()
        self._read()

    async def opened(self) -> None:
        """Wait for the WebSocket's handshake.

        Raises:
            ConnectionLost: It failed.
        """
        await self._handshake_over.wait()
        if not self.is_open:
            raise ConnectionLost(self._ended_because or "no WebSocket")

    def send(self, datagram: bytes) -> None:
        """Send now; or keep it a while, at the price of what has waited longest."""
        if not self.is_open:
            return
        if not self._blocked:
            self._write(datagram)
            return
        if len(self._queue) == self._queue.maxlen:
            self.dropped += 1
        self._queue.append(datagram)

    def close(self) -> None:
        """Say so, and end it at once."""
        if self.is_open:
            self._websocket.send_close(CloseCode.NORMAL_CLOSURE)
            self._flush()  # which ends it
        self._end("closed")

    # -- what asyncio calls

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol; some may come before `start`."""
        self._unread += data
        if self._transport is not None and self._reading is None:
            self._read()

    def pause_writing(self) -> None:
        """See asyncio.BaseProtocol."""
        self._blocked = True

    def resume_writing(self) -> None:
        """See asyncio.BaseProtocol."""
        self._blocked = False
        while self._queue and self.is_open and not self._blocked:
            self._write(self._queue.popleft())

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.BaseProtocol."""
        self._end("the TCP connection is lost")

    # -- inside

    def _read(self) -> None:
        """Take one slice of what has come; the rest when it is due."""
        self._reading = None
        if self._ended_because is not None or self._transport is None:
            return
        due_s = self._take_slice() if self._unread else 0.0
        if self._ended_because is not None:
            return
        if self._unread or due_s:
            self._transport.pause_reading()
            self._reading = self._loop.call_later(due_s, self._read)
        else:
            self._transport.resume_reading()

    def _take_slice(self) -> float:
        """Take it; return how long the next one has to wait."""
        piece = bytes(self._unread[:TUNNEL_READ_BYTES])
        del self._unread[:TUNNEL_READ_BYTES]
        self._websocket.receive_data(piece)
        events = self._websocket.events_received()
        for event in events:
            self._take(event)
        self._flush()
        now = self._loop.time()
        spent_s = len(events) / TUNNEL_MAX_FRAMES_PER_S
        self._frames_done_s = max(self._frames_done_s, now) + spent_s
        return max(0.0, self._frames_done_s - now - TUNNEL_BURST_S)

    def _take(self, event: Any) -> None:
        match event:
            case Request():
                self._answer(event)
            case Response():
                self._handshake_over.set()
            case Frame(opcode=Opcode.BINARY | Opcode.CONT):
                self._take_data(event)
            case Frame(opcode=Opcode.TEXT):
                self._websocket.fail(CloseCode.UNSUPPORTED_DATA, "binary only")

    def _answer(self, request: Request) -> None:
        websocket = self._websocket
        assert isinstance(websocket, ServerProtocol)
        if websocket.parser_exc is not None:
            return  # what came right behind it was no frame: the core has given up
        if request.path == TUNNEL_PATH:
            websocket.send_response(websocket.accept(request))
        else:
            websocket.send_response(websocket.reject(_NOT_FOUND, "Nothing here.\n"))
        self._handshake_over.set()

    def _take_data(self, frame: Frame) -> None:
        """Put a message together (the core bounds its size), and pass it on."""
        if not frame.fin or self._fragmented:
            self._message += frame.data
            self._fragmented = not frame.fin
            if self._fragmented:
                return
            datagram = bytes(self._message)
            self._message.clear()
        else:
            datagram = bytes(frame.data)
        if self.is_open:
            self._sink(datagram)

    def _write(self, datagram: bytes) -> None:
        if len(datagram) <= TUNNEL_MAX_DATAGRAM_BYTES:
            self._websocket.send_binary(datagram)
            self._flush()

    def _flush(self) -> None:
        """Hand down what the core wants sent; end where it does, or nobody reads."""
        transport = self._transport
        if transport is None:
            return
        over = False
        for data in self._websocket.data_to_send():
            if data == SEND_EOF:
                over = True
            else:
                transport.write(data)
        if over or self._websocket.state in (State.CLOSING, State.CLOSED):
            self._end(self._why_over())
        elif transport.get_write_buffer_size() > TUNNEL_MAX_UNSENT_BYTES:
            self._end("the other side does not read")

    def _why_over(self) -> str:
        failed = self._websocket.handshake_exc or self._websocket.parser_exc
        return f"no WebSocket: {failed}" if failed else "closed"

    def _end(self, why: str) -> None:
        if self._ended_because is not None:
            return
        self._ended_because = why
        self._handshake_over.set()
        self._queue.clear()
        self._unread.clear()
        if self._reading is not None:
            self._reading.cancel()
        if self._transport is not None:
            self._transport.abort()
        self.on_end()
