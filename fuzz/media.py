"""What a peer may send in a call: RTP, redundancy, reports, at any times.

Each input is a script: packets arrive (as they are, or put together rightly with fields
of the fuzzer's), time passes and is played, reports come. What is behind is the real
media stream with its jitter buffer, and the control that decides how we send.
"""

import asyncio
import math
from collections.abc import Callable

from fuzz._script import Script
from tests.support.virtual_time import VirtualLoop
from tests.support.world import CountingCodec
from wzp_cli.defaults.media import (
    JITTER_DELAY_MAX_S,
    JITTER_STORED_MAX_FRAMES,
    MEDIA_FRAME_BYTES,
    OPUS_BITRATES_BPS,
    REDUNDANCY_PAYLOAD_TYPE,
)
from wzp_cli.errors import RemoteProtocolError
from wzp_cli.protocol.media import redundancy, rtp
from wzp_cli.protocol.media.adaptation.control import SendControl
from wzp_cli.protocol.media.adaptation.ladder import most_bps
from wzp_cli.protocol.media.adaptation.reception import Received
from wzp_cli.protocol.media.adaptation.report import Report, ReportReader
from wzp_cli.protocol.media.adaptation.report import decode as decode_report
from wzp_cli.protocol.media.adaptation.report import encode as encode_report
from wzp_cli.services.sound.media import MediaStream

__all__ = ["MAX_BYTES", "SEEDS", "one"]

MAX_BYTES = 160
_FRAME_S = 0.020
_LOOP = VirtualLoop()
_MOST_BPS = most_bps(OPUS_BITRATES_BPS)


def _packet(sequence: int, kind: int = 111, payload: bytes = b"x" * 60) -> bytes:
    step = (sequence * 960) % (1 << 32)
    return rtp.encode(rtp.MediaPacket(sequence % 65536, step, kind, payload, 7))


def _arrives(datagram: bytes) -> bytes:
    return bytes([0, len(datagram)]) + datagram


_COPIES = redundancy.encode(
    redundancy.Redundant(
        b"now", (redundancy.Earlier(1, b"one"), redundancy.Earlier(6, b"six")), 1
    )
)
_PLAYED = bytes([2, 1])

SEEDS = (
    b"".join(_arrives(_packet(n)) + _PLAYED for n in range(5)),
    b"".join(
        _arrives(_packet(n, 112, _COPIES)) + _PLAYED for n in (65530, 65534, 1, 4)
    ),
    bytes([1, 0, 0, 0, 1, 0]) * 6 + bytes([2, 40]) + bytes([1, 3, 0, 9, 4, 1]) * 4,
    bytes([3, 0, 50, 0, 5, 2, 0, 90]) * 4
    + bytes([2, 50])
    + bytes([3, 0, 50, 0, 0, 0, 0, 0]),
    _arrives(encode_report(Report(1, 50, 5, 2, 90, 1000, 40, 9000))) + _PLAYED,
    _arrives(encode_report(Report(2, 99, 9, 3, 0, 2000, 40, 9)))
    + _arrives(encode_report(Report(4, 20, 65_000, 65_000, 65_535, 9, 0, 5))),
    _arrives(bytes.fromhex("00bfef123401020304cafef00d") + bytes(200)),
)


class _Link:
    """Takes what is sent and says nothing."""

    def send_datagram(self, payload: bytes, *beside: bytes) -> None:
        pass

    def let_acks_wait(self, seconds: float) -> None:
        pass

    def receive_datagrams(self, sink: Callable[[bytes], None]) -> None:
        pass


class _Codec(CountingCodec):
    """20 ms whatever comes."""

    def decode(self, packet: bytes) -> bytes:
        return super().decode(packet.ljust(2, b"\0"))


class _Ends:
    """The sound card: keeps the last frame that it was given."""

    heard = bytes(MEDIA_FRAME_BYTES)

    async def read(self) -> bytes | None:
        return None

    async def wanted(self) -> None:
        pass

    def write(self, pcm: bytes) -> None:
        self.heard = pcm


class _Call:
    """One call while the script goes on."""

    def __init__(self, script: Script) -> None:
        self.now = _LOOP._clock.now_s = 1.0
        self.script = script
        self.ends = _Ends()
        self.stream = MediaStream(_Link(), self.ends, self.ends, _Codec())
        self.control = SendControl(OPUS_BITRATES_BPS)
        self.reader = ReportReader()
        self.stream.reports, self.stream.on_report = True, self.take
        self.sequence, self.played = 0, -1

    def step(self) -> None:
        _STEPS[self.script.byte() % len(_STEPS)](self)

    def raw(self) -> None:
        self.arrive(self.script.chunk())

    def composed(self) -> None:
        """Let a right packet come, whose place is a little off the last one's."""
        jump, kind, copies = self.script.byte(), self.script.byte(), self.script.chunk()
        self.sequence += (jump & 0x7F) - 64 * (jump >> 7) + 512 * (kind >> 5 == 7)
        payload = copies or b"x"
        with_copies = kind & 1
        packet = rtp.MediaPacket(
            self.sequence % 65536,
            (self.sequence * 960 + 320 * (kind >> 4 & 3)) % (1 << 32),
            REDUNDANCY_PAYLOAD_TYPE if with_copies else 111,
            payload,
            1 + (kind >> 3 & 1),
        )
        self.arrive(rtp.encode(packet))

    def arrive(self, datagram: bytes) -> None:
        _returns(datagram)
        self.stream._arrived(datagram)

    def plays(self) -> None:
        """Let some beats pass."""
        for _ in range(self.script.byte() % 16):
            self.pass_time(_FRAME_S)
            self.stream._hear(self.now)
            assert len(self.ends.heard) == MEDIA_FRAME_BYTES

    def waits(self) -> None:
        """Let time pass in which the sound card stands still."""
        self.pass_time(self.script.byte() ** 2 / 1000)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        _LOOP._clock.now_s = self.now

    def report(self) -> None:
        """Let the peer tell how it hears us."""
        expected, lost, gaps = (self.script.number(2) for _ in range(3))
        queue_ms = self.script.number(1) ** 1.5
        self.pass_time(0.1)
        self.follow(Received(expected, lost, gaps, queue_ms))

    def take(self, report: Report) -> None:
        """Take a report that came as a datagram."""
        assert decode_report(encode_report(report)) == report
        received = self.reader.read(report)
        if received is not None:
            assert received.queue_ms >= 0
            self.follow(received)

    def follow(self, received: Received) -> None:
        sending = self.control.heard(received, self.now)
        assert sending.bitrate_bps in OPUS_BITRATES_BPS
        assert sending.wire_bps <= _MOST_BPS
        assert sending.reach <= 30
        self.stream.send_as(sending)

    def tells(self) -> None:
        """Tell the peer how we hear it; look at the figures that users see."""
        told = self.stream.report()
        assert 0 <= told.gaps <= told.lost <= told.expected
        shown = self.stream.snapshot(10.0)
        figures = (told.loss_pct, told.queue_ms, shown.jitter_ms, shown.delay_ms)
        assert all(math.isfinite(each) and each >= 0 for each in figures), figures
        assert told.loss_pct <= 100
        assert shown.mos_est is None or 1 <= shown.mos_est <= 5

    def holds(self) -> None:
        jitter = self.stream._jitter
        assert jitter.stored <= JITTER_STORED_MAX_FRAMES
        assert jitter._next >= self.played, "played twice, or out of order"
        self.played = jitter._next
        assert 0 < jitter.target_ms <= JITTER_DELAY_MAX_S * 1000


_STEPS: tuple[Callable[[_Call], None], ...] = (
    _Call.raw,
    _Call.composed,
    _Call.plays,
    _Call.report,
    _Call.waits,
    _Call.tells,
)


def one(data: bytes) -> None:
    """Play one script."""
    script = Script(data)
    asyncio._set_running_loop(_LOOP)
    try:
        call = _Call(script)
        while script.goes_on:
            call.step()
            call.holds()
        call.stream._jitter.end()
        call.tells()
        for count in call.stream.frames.__struct_fields__:
            assert getattr(call.stream.frames, count) >= 0, count
    finally:
        asyncio._set_running_loop(None)


def _returns(datagram: bytes) -> None:
    """What is understood is written again as the same."""
    try:
        packet = rtp.decode(datagram)
        assert rtp.decode(rtp.encode(packet)) == packet
        unpacked = redundancy.unpack(packet, 111)
        assert unpacked.fresh[-1].sequence == packet.sequence
        assert len(unpacked.fresh) + len(unpacked.copies) <= 32
        if packet.payload_type == REDUNDANCY_PAYLOAD_TYPE:
            inner = redundancy.decode(packet.payload)
            assert redundancy.encode(inner) == packet.payload
    except RemoteProtocolError:
        return
