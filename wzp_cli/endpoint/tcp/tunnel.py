"""One WebSocket that carries datagrams: websockets' sans-IO core on an asyncio stream.

One binary message is one datagram, either way:

    TCP | TLS | WebSocket frame, binary | QUIC, STUN or a relayed frame

How little waits, and how slowly is read, is in paced.py.
"""

import asyncio
from typing import Any

from websockets.client import ClientProtocol
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import SEND_EOF, State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from wzp_cli.defaults.endpoint import (
    TUNNEL_MAX_DATAGRAM_BYTES,
    TUNNEL_MAX_UNSENT_BYTES,
)
from wzp_cli.endpoint.tcp.paced import PacedStream
from wzp_cli.endpoint.tunnels import TakeDatagram
from wzp_cli.errors import ConnectionLost

__all__ = ["SUBPROTOCOLS", "TUNNEL_PATH", "Tunnel"]

TUNNEL_PATH = "/wzp"
SUBPROTOCOLS = [Subprotocol("wzp.1")]
_NOT_FOUND = 404


class Tunnel(PacedStream):
    """One side of one WebSocket, from the TLS handshake to the end."""

    def __init__(
        self, websocket: ClientProtocol | ServerProtocol, sink: TakeDatagram
    ) -> None:
        super().__init__(sink)
        self._websocket = websocket
        self._handshake_over = asyncio.Event()
        self._ended_because: str | None = None
        self._message = bytearray()
        self._fragmented = False

    # -- what its users call

    @property
    def is_open(self) -> bool:
        """Whether datagrams pass."""
        return not self._over and self._websocket.state is State.OPEN

    async def opened(self) -> None:
        """Wait for the WebSocket's handshake.

        Raises:
            ConnectionLost: It failed.
        """
        await self._handshake_over.wait()
        if not self.is_open:
            raise ConnectionLost(self._ended_because or "no WebSocket")

    def close(self) -> None:
        """Say so, and end it at once."""
        if self.is_open:
            self._websocket.send_close(CloseCode.NORMAL_CLOSURE)
            self._flush()  # which ends it
        self._end("closed")

    # -- what asyncio calls

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.BaseProtocol."""
        self._end("the TCP connection is lost")

    # -- inside

    def _begin(self) -> None:
        """Speak first, as a dialler does."""
        if isinstance(self._websocket, ClientProtocol):
            self._websocket.send_request(self._websocket.connect())
            self._flush()

    def _take(self, piece: bytes) -> int:
        self._websocket.receive_data(piece)
        events = self._websocket.events_received()
        for event in events:
            self._take_event(event)
        self._flush()
        return len(events)

    def _take_event(self, event: Any) -> None:
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
        if self._over:
            return
        self._ended_because = why
        self._handshake_over.set()
        self._websocket.parser.close()  # a generator, which points at its owner
        super().close()
