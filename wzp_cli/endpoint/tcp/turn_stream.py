"""A TURN server through TCP or TLS, where a network blocks UDP.

It carries the datagrams of one allocation as a WebSocket carries a relay's (tunnel.py),
under the same rules: next to nothing is handed down unsent, what waits is a short queue
whose oldest is dropped, and what comes is read in slices, no faster than a call sends.

The server's certificate has to be valid for its name: its key is pinned nowhere else.
It could only drop, delay and count; what is inside is encrypted from end to end.
"""

import asyncio
import collections
import ssl
from collections.abc import Callable
from pathlib import Path

from wzp_cli.address import Address
from wzp_cli.defaults.endpoint import (
    HANDSHAKE_TIMEOUT_S,
    TUNNEL_BURST_S,
    TUNNEL_MAX_FRAMES_PER_S,
    TUNNEL_MAX_UNSENT_BYTES,
    TUNNEL_QUEUE_DATAGRAMS,
    TUNNEL_READ_BYTES,
)
from wzp_cli.endpoint.tcp.unsent import keep_little_unsent
from wzp_cli.endpoint.tunnels import TakeDatagram
from wzp_cli.errors import RemoteProtocolError, TurnUnavailable
from wzp_cli.protocol.turn_stream import StreamCutter, pad

__all__ = ["TurnStream", "dial_turn", "verifying_context"]


def verifying_context(ca: Path | None) -> ssl.SSLContext:
    """Return what trusts these certificates in PEM; None: those of the system.

    Raises:
        TurnUnavailable: They can't be read.
    """
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise TurnUnavailable(f"turn-ca {ca}: {error.strerror or error}") from error


async def dial_turn(
    server: Address, name: str, context: ssl.SSLContext | None, sink: TakeDatagram
) -> "TurnStream":
    """Connect to a TURN server.

    Args:
        server: Its TCP address.
        name: The name or number that its certificate has to be for.
        context: Whom to trust; None speaks TCP without TLS.
        sink: Takes the messages that come.

    Raises:
        TurnUnavailable: Nobody is there, or somebody else.
    """
    stream = TurnStream(sink)
    try:
        async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
            await _connect(server, name, context, stream)
    except ssl.SSLCertVerificationError as error:
        stream.close()
        why = f"its certificate is not right: {error.verify_message}"
        raise TurnUnavailable(f"{server}: {why}") from error
    except OSError as error:  # TimeoutError and SSLError are OSErrors
        stream.close()
        raise TurnUnavailable(f"{server}: {str(error) or 'no answer'}") from error
    except BaseException:
        stream.close()
        raise
    return stream


async def _connect(
    server: Address, name: str, context: ssl.SSLContext | None, stream: "TurnStream"
) -> None:
    loop = asyncio.get_running_loop()
    tcp, _ = await loop.create_connection(asyncio.Protocol, server.host, server.port)
    try:
        keep_little_unsent(tcp)
        if context is None:
            tcp.set_protocol(stream)
            stream.start(tcp)
        else:
            over = await loop.start_tls(tcp, stream, context, server_hostname=name)
            assert over is not None
            stream.start(over)
    except BaseException:
        tcp.abort()
        raise


class TurnStream(asyncio.Protocol):
    """One connection; fits `TunnelEnd`.

    Attributes:
        on_end: Called once when it is over, whoever ended it.
        dropped: Datagrams that waited too long to be sent.
    """

    def __init__(self, sink: TakeDatagram) -> None:
        self.on_end: Callable[[], None] = lambda: None
        self.dropped = 0
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._cutter = StreamCutter()
        self._unread = bytearray()
        self._reading: asyncio.TimerHandle | None = None
        self._read_until_s = self._loop.time()
        self._blocked = self._over = False
        self._queue: collections.deque[bytes] = collections.deque(
            maxlen=TUNNEL_QUEUE_DATAGRAMS
        )

    # -- what its users call

    def start(self, transport: asyncio.Transport) -> None:
        """Take the connection, TLS's handshake over where there is one."""
        self._transport = transport
        transport.set_write_buffer_limits(high=1, low=0)
        if self._over:
            transport.abort()
        else:
            self._read()

    def send(self, datagram: bytes) -> None:
        """Send now; or keep it a while, at the price of what has waited longest."""
        if self._over or self._transport is None:
            return
        if not self._blocked:
            self._write(datagram)
            return
        if len(self._queue) == self._queue.maxlen:
            self.dropped += 1
        self._queue.append(datagram)

    def close(self) -> None:
        """End it at once."""
        if self._over:
            return
        self._over = True
        self._queue.clear()
        self._unread.clear()
        if self._reading is not None:
            self._reading.cancel()
        if self._transport is not None:
            self._transport.abort()
        self.on_end()

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
        while self._queue and not self._blocked and not self._over:
            self._write(self._queue.popleft())

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.BaseProtocol."""
        self.close()

    # -- inside

    def _read(self) -> None:
        """Take one slice of what has come; the rest when it is due."""
        self._reading = None
        if self._over or self._transport is None:
            return
        due_s = self._take_slice() if self._unread else 0.0
        if self._over:
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
        try:
            messages = self._cutter.take(piece)
        except RemoteProtocolError:
            self.close()
            return 0.0
        for message in messages:
            if not self._over:
                self._sink(message)
        now = self._loop.time()
        spent_s = len(messages) / TUNNEL_MAX_FRAMES_PER_S
        self._read_until_s = max(self._read_until_s, now) + spent_s
        return max(0.0, self._read_until_s - now - TUNNEL_BURST_S)

    def _write(self, datagram: bytes) -> None:
        assert self._transport is not None
        self._transport.write(pad(datagram))
        if self._transport.get_write_buffer_size() > TUNNEL_MAX_UNSENT_BYTES:
            self.close()  # the other side does not read
