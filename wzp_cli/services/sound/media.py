"""Sound both ways over one link: what a call is, once it is answered.

    source -> codec -> packet -> link ))))  (((( link -> packet -> jitter buffer
                                                              |
                                    sink, at its own beat  <- codec

The sink's clock pulls: each time it wants 20 ms, `playback.py` asks the jitter buffer
for as much, mostly for one frame. When the source has ended for good, the sink's beat
sends silence in its place until the stop, so that the peer neither conceals nor takes
the silence for a dead line.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from wzp_cli.defaults.control import (
    LATENESS_MEMORY_S,
    QUEUE_EMPTY_MS,
)
from wzp_cli.defaults.media import (
    MEDIA_DRAIN_MAX_S,
    MEDIA_FRAME_BYTES,
    MEDIA_FRAME_MS,
    QUALITY_MAX_QUEUE_MS,
    REPORT_FLOW_ID,
)
from wzp_cli.errors import RemoteProtocolError
from wzp_cli.events import Frames
from wzp_cli.ports import Codec, FrameSink, FrameSource
from wzp_cli.protocol.media.adaptation.reception import Reception, StandingDelay
from wzp_cli.protocol.media.adaptation.report import Report, ReportWriter
from wzp_cli.protocol.media.adaptation.report import decode as decode_report
from wzp_cli.protocol.media.adaptation.report import encode as encode_report
from wzp_cli.protocol.media.adaptation.sending import Sending
from wzp_cli.protocol.media.packetizer import Packetizer
from wzp_cli.protocol.media.playout.jitter import JitterBuffer, Playout
from wzp_cli.protocol.media.quality import (
    InterarrivalJitter,
    estimate_mos,
    loss_pct,
    mouth_to_ear_ms,
)
from wzp_cli.protocol.media.redundancy import Unpacked, unpack
from wzp_cli.protocol.media.rtp import HEADER_BYTES, clock_hz, decode, encode
from wzp_cli.protocol.messages.peer import Quality
from wzp_cli.services.sound.playback import Playback

__all__ = ["MediaLink", "MediaSnapshot", "MediaStream"]

_SILENCE: Final = bytes(MEDIA_FRAME_BYTES)
_REPORT: Final = bytes([REPORT_FLOW_ID])


class MediaLink(Protocol):
    """What sound needs of a link."""

    def send_datagram(self, payload: bytes, *beside: bytes) -> None:
        """Send `payload` unreliably, and what goes `beside` it. Never blocks.

        Raises:
            ConnectionLost: The link is over.
        """
        ...

    def let_acks_wait(self, seconds: float) -> None:
        """Let acknowledgements wait for the next payload, which goes so often."""
        ...

    def receive_datagrams(self, sink: Callable[[bytes], None]) -> None:
        """Bring each arriving payload to `sink`, on the event loop."""
        ...


@dataclass(frozen=True, slots=True)
class MediaSnapshot:
    """How the sound does: `Stats` without path and round trip.

    Attributes:
        frames: Totals since the start.
        loss_pct: Packets of the peer that did not come, in this interval.
        jitter_ms: Interarrival jitter, smoothed (RFC 3550).
        buffer_ms: What the jitter buffer adds now.
        concealed_ms: Sound concealed in this interval.
        recovered_ms: Sound in this interval that came from copies.
        concealed_pct: The share concealed of what was heard, None for nothing.
        delay_ms: From mouth to ear, as far as it is known.
        tx_bps: Bits a second of DATAGRAM payloads sent, without QUIC, UDP and IP.
        rx_bps: The same for those received.
        mos_est: Estimate for this interval; None when nothing was heard in it.
    """

    frames: Frames
    loss_pct: float
    jitter_ms: float
    buffer_ms: float
    concealed_ms: float
    tx_bps: int
    rx_bps: int
    mos_est: float | None
    recovered_ms: float = 0.0
    concealed_pct: float | None = None
    delay_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class _Mark:
    """The counters at one moment; an interval is the difference of two."""

    at_s: float
    expected: int = 0
    received: int = 0
    played: int = 0
    concealed: int = 0
    recovered: int = 0
    tx_bytes: int = 0
    rx_bytes: int = 0


class MediaStream:
    """The sound of one call. `run` it once, from the answer on.

    Attributes:
        source_ended: Set when the source has ended for good (the end of a file).
        unreadable: Datagrams dropped because they were neither media nor reports.
        foreign: Packets dropped because they were not of this call's codec.
        news: Set when the peer should be told how it arrives before its time.
        reports: Whether the peer understands reports in datagrams: send them.
        on_report: Called with each one of the peer's.
    """

    def __init__(
        self,
        link: MediaLink,
        source: FrameSource,
        sink: FrameSink,
        codec: Codec,
        *,
        on_first_sound: Callable[[], None] = lambda: None,
    ) -> None:
        """Take what a call needs; `on_first_sound` is called once, as it is played."""
        self.source_ended = asyncio.Event()
        self.news = asyncio.Event()
        self.reports = False
        self.on_report: Callable[[Report], None] = lambda report: None
        self.unreadable = 0
        self.foreign = 0
        self._link = link
        self._source = source
        self._sink = sink
        self._codec = codec
        self._on_first_sound = on_first_sound
        self._jitter = JitterBuffer()
        self._playback = Playback(self._jitter, codec)
        self._arrival = InterarrivalJitter()
        self._reception = Reception()
        self._reporter = ReportWriter(self._reception)
        self._lateness = StandingDelay(LATENESS_MEMORY_S)
        self._open = True
        self._sent = 0
        self._tx_bytes = 0
        self._rx_bytes = 0
        # RFC 3550 section 5.1: all three begin at random.
        self._packetizer = Packetizer(
            codec.payload_type,
            sequence=secrets.randbits(16),
            timestamp=secrets.randbits(32),
            ssrc=secrets.randbits(32),
        )
        self._expected = 0, 0  # frames before the newest, reach of copies
        self._began = self._marked = self._told = _Mark(
            asyncio.get_running_loop().time()
        )

    async def run(self, stop: asyncio.Event) -> Frames:
        """Carry sound until `stop` is set, play what is stored, return the totals.

        What is stored is played for `MEDIA_DRAIN_MAX_S` at most; what arrives after
        the stop is ignored.

        Raises:
            ConnectionLost: The link ended before `stop`.
            SoundError: The source or the sink failed.
        """
        self._link.receive_datagrams(self._arrived)
        try:
            async with asyncio.TaskGroup() as group:
                speaking = group.create_task(self._speak())
                playing = group.create_task(self._play(stop))
                await stop.wait()
                self._open = False
                speaking.cancel()
                await asyncio.wait([playing], timeout=MEDIA_DRAIN_MAX_S)
                playing.cancel()
        except ExceptionGroup as failures:
            # One pump broke and the group ended the other: tell the cause itself.
            raise failures.exceptions[0] from None
        finally:
            self._open = False
            self._jitter.end()
        return self.frames

    @property
    def playout(self) -> Playout:
        """What the jitter buffer does at present."""
        return self._jitter.state

    @property
    def frames(self) -> Frames:
        """The totals so far."""
        return Frames(
            sent=self._sent,
            received=self._jitter.arrivals.received,
            recovered=self._jitter.recovered,
            concealed=self._jitter.concealed,
            late=self._jitter.late,
        )

    def send_as(self, sending: Sending) -> None:
        """Send so from the next frame on. The peer must know payload type 112."""
        if sending.bitrate_bps != self._packetizer.sending.bitrate_bps:
            self._codec.bitrate_bps = sending.bitrate_bps
        if sending.frames != self._packetizer.sending.frames:
            self._link.let_acks_wait(sending.frames * MEDIA_FRAME_MS / 1000)
        self._packetizer.sending = sending

    def snapshot(self, rtt_ms: float | None) -> MediaSnapshot:
        """Return how it went since the last snapshot, and begin the next interval."""
        since, self._marked = self._marked, self._mark()
        return self._measure(since, self._marked, rtt_ms)

    @property
    def lateness_ms(self) -> float:
        """How late we ourselves send: the peer can't tell our pauses from a queue."""
        return self._lateness.delay_s * 1000

    @property
    def queue_ms(self) -> float:
        """How long the peer's sound stands in a queue on its way, at present."""
        return self._reception.queue_ms

    def report(self) -> Quality:
        """Return what to tell the peer of its sound since the last report."""
        since, self._told = self._told, self._mark()
        self.news.clear()
        now = self._measure(since, self._told, None)
        received = self._reception.report()
        return Quality(
            loss_pct=round(now.loss_pct, 2),
            jitter_ms=round(now.jitter_ms, 2),
            concealed_ms=now.concealed_ms,
            buffer_ms=round(now.buffer_ms, 1),
            expected=received.expected,
            lost=received.lost,
            gaps=received.gaps,
            recovered_ms=now.recovered_ms,
            queue_ms=round(min(received.queue_ms, QUALITY_MAX_QUEUE_MS), 1),
        )

    def summary(self, rtt_ms: float | None) -> MediaSnapshot:
        """Return how it went since the start."""
        return self._measure(self._began, self._mark(), rtt_ms)

    async def _speak(self) -> None:
        while (pcm := await self._source.read()) is not None:
            self._send(pcm)
        self.source_ended.set()

    def _send(self, pcm: bytes) -> None:
        """Encode 20 ms, and send them when the packet is full."""
        packet = self._packetizer.pack(self._codec.encode(pcm))
        self._sent += 1
        now = asyncio.get_running_loop().time()
        self._lateness.arrived(now - self._sent * MEDIA_FRAME_MS / 1000, now)
        if packet is not None:
            datagram = encode(packet)
            self._link.send_datagram(datagram, *self._due_report(now))
            self._tx_bytes += len(datagram)

    def _due_report(self, now: float) -> list[bytes]:
        """Return what goes beside this media packet: a report now and then."""
        report = self._reporter.due(now) if self.reports else None
        return [] if report is None else [encode_report(report)]

    def _arrived(self, datagram: bytes) -> None:
        """Store what the link brings; what is not ours is counted, never raised."""
        if not self._open:
            return
        try:
            if datagram[:1] == _REPORT:
                self.on_report(decode_report(datagram))
                return
            unpacked = unpack(decode(datagram), self._codec.payload_type)
        except RemoteProtocolError:
            self.unreadable += 1
            return
        if unpacked.fresh[-1].payload_type != self._codec.payload_type:
            self.foreign += 1
            return
        self._rx_bytes += len(datagram)
        self._store(unpacked, len(datagram), asyncio.get_running_loop().time())

    def _store(self, unpacked: Unpacked, size_bytes: int, now: float) -> None:
        """Put one packet's frames into the jitter buffer."""
        present = unpacked.fresh[-1]
        hz = clock_hz(present.payload_type)
        self._arrival.arrived(present.ssrc, present.timestamp, hz, now)
        frames = len(unpacked.fresh)
        self._reception.arrived(
            present.ssrc, present.sequence, frames, now, size_bytes - HEADER_BYTES
        )
        queues = self._reception.queue_ms >= QUEUE_EMPTY_MS
        if self._reception.is_news and not (queues and self.reports):
            self.news.set()
        self._expect(frames - 1, unpacked.reach)
        for packet in unpacked.fresh:
            self._jitter.push(packet, now, newest=packet is present)
        for copy in unpacked.copies:
            self._jitter.push_copy(copy)

    def _expect(self, bundled: int, reach: int) -> None:
        """Let the buffer wait for the frames of a packet, and for copies.

        A copy is of use only if its frame's turn has not come yet.
        """
        if (bundled, reach) == self._expected:
            return
        self._expected = bundled, reach
        copies = reach - bundled
        self._jitter.keep_at_least(
            MEDIA_FRAME_MS * (1 + copies) if copies else 0.0, MEDIA_FRAME_MS * bundled
        )

    async def _play(self, stop: asyncio.Event) -> None:
        """Fill the sink at its beat; after the stop, until nothing is stored."""
        loop = asyncio.get_running_loop()
        while True:
            await self._sink.wanted()
            if stop.is_set() and not self._jitter.stored:
                if rest := self._playback.rest():
                    self._sink.write(rest)
                return
            self._hear(loop.time())
            if self.source_ended.is_set() and not stop.is_set():
                self._send(_SILENCE)

    def _hear(self, now: float) -> None:
        """Play the next 20 ms."""
        first = self._jitter.played == 0
        self._sink.write(self._playback.next(now))
        if first and self._jitter.played:
            self._on_first_sound()

    def _mark(self) -> _Mark:
        return _Mark(
            at_s=asyncio.get_running_loop().time(),
            expected=self._jitter.arrivals.expected,
            received=self._jitter.arrivals.received,
            played=self._jitter.played,
            concealed=self._jitter.concealed,
            recovered=self._jitter.recovered,
            tx_bytes=self._tx_bytes,
            rx_bytes=self._rx_bytes,
        )

    def _measure(
        self, since: _Mark, until: _Mark, rtt_ms: float | None
    ) -> MediaSnapshot:
        """Return the differences of two marks, and the gauges as they are now."""
        elapsed_s = until.at_s - since.at_s
        # The end takes some back, so an interval over it could be below zero.
        concealed = max(0, until.concealed - since.concealed)
        recovered = until.recovered - since.recovered
        heard = until.played - since.played + concealed
        share = 100 * concealed / heard if heard else None
        buffer_ms = self._jitter.delay_ms
        delay_ms = mouth_to_ear_ms(rtt_ms, buffer_ms)
        return MediaSnapshot(
            frames=self.frames,
            loss_pct=loss_pct(
                until.expected - since.expected, until.received - since.received
            ),
            jitter_ms=self._arrival.jitter_ms,
            buffer_ms=buffer_ms,
            concealed_ms=float(concealed * MEDIA_FRAME_MS),
            tx_bps=_bps(until.tx_bytes - since.tx_bytes, elapsed_s),
            rx_bps=_bps(until.rx_bytes - since.rx_bytes, elapsed_s),
            mos_est=None if share is None else estimate_mos(share, delay_ms),
            recovered_ms=float(recovered * MEDIA_FRAME_MS),
            concealed_pct=share,
            delay_ms=delay_ms,
        )


def _bps(count_bytes: int, elapsed_s: float) -> int:
    return round(8 * count_bytes / elapsed_s) if elapsed_s > 0 else 0
