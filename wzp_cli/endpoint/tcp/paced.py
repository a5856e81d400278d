"""What every TCP connection that carries datagrams does, whatever a datagram is on it.

Sound must not wait in line behind sound. So as little as possible is handed down
(unsent.py), and what does not go out at once waits here, in a short queue whose oldest
is dropped and counted. What arrives is read in slices, so that nobody's flood keeps the
others waiting, and no faster than a peer has reason to send: TCP then holds it back.
"""

import abc
import asyncio
import collections
from collections.abc import Callable

from wzp_cli.defaults.endpoint import (
    TUNNEL_BURST_S,
    TUNNEL_MAX_FRAMES_PER_S,
    TUNNEL_QUEUE_DATAGRAMS,
    TUNNEL_READ_BYTES,
)
from wzp_cli.endpoint.tunnels import TakeDatagram

__all__ = ["PacedStream"]


class PacedStream(asyncio.Protocol, abc.ABC):
    """One connection, from its (TLS) handshake to the end; fits `TunnelEnd`.

    Attributes:
        on_end: Called once when it is over, whoever ended it.
        dropped: Datagrams that waited too long to be sent.
    """

    def __init__(self, sink: TakeDatagram) -> None:
        self.on_end: Callable[[], None] = _nothing
        self.dropped = 0
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._unread = bytearray()
        self._reading: asyncio.TimerHandle | None = None
        self._read_until_s = self._loop.time()
        self._blocked = self._over = False
        self._queue: collections.deque[bytes] = collections.deque(
            maxlen=TUNNEL_QUEUE_DATAGRAMS
        )

    # -- what differs

    @property
    def is_open(self) -> bool:
        """Whether datagrams pass."""
        return not self._over and self._transport is not None

    def _begin(self) -> None:
        """Say what is said first."""

    @abc.abstractmethod
    def _take(self, piece: bytes) -> int:
        """Take what has come; return of how many frames that was the end."""

    @abc.abstractmethod
    def _write(self, datagram: bytes) -> None:
        """Hand one datagram down."""

    # -- what its users call

    def start(self, transport: asyncio.Transport) -> None:
        """Take the connection, TLS's handshake over where there is one."""
        if self._over:
            transport.abort()
            return
        self._transport = transport
        transport.set_write_buffer_limits(high=1, low=0)
        self._begin()
        self._read()

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
        """End it at once."""
        if self._over:
            return
        self._over = True
        self._queue.clear()
        self._unread.clear()
        if self._reading is not None:
            self._reading.cancel()
        # The transport points back at us, and so does who is told: circles, with TLS's
        # buffers of 256 KiB, which would wait for Python's collector.
        transport, self._transport = self._transport, None
        on_end, self.on_end = self.on_end, _nothing
        if transport is not None:
            transport.abort()
        on_end()

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
        spent_s = self._take(piece) / TUNNEL_MAX_FRAMES_PER_S
        now = self._loop.time()
        self._read_until_s = max(self._read_until_s, now) + spent_s
        return max(0.0, self._read_until_s - now - TUNNEL_BURST_S)


def _nothing() -> None:
    """Stand in for what nobody wants to be told."""
