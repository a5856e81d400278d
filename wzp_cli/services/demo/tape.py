"""Listening in on a call of our own: what was said, what was heard, and how late.

`Mouth`, `Ear` and `KeepingCodec` stand between a call and its sound, pass everything on
and keep a copy.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from wzp_cli.defaults.media import (
    MEDIA_CLOCK_HZ,
    MEDIA_FRAME_BYTES,
    MEDIA_FRAME_MS,
    MEDIA_FRAME_SAMPLES,
)
from wzp_cli.defaults.program import DEMO_MIN_CORRELATION, DEMO_PAUSE_FRAMES
from wzp_cli.ports import Codec, FrameSink, FrameSource
from wzp_cli.protocol.media.likeness import Match

__all__ = ["Ear", "KeepingCodec", "Mouth", "Tape", "Words", "delay_ms"]


@dataclass
class Tape:
    """Frames as they passed, and when. `now` is the clock, in seconds."""

    now: Callable[[], float]
    frames: list[bytes] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)

    def add(self, pcm: bytes) -> None:
        """Keep 20 ms that pass now."""
        self.frames.append(pcm)
        self.times_s.append(self.now())

    @property
    def sound(self) -> bytes:
        """All of it (as `FrameSource.read` gives it)."""
        return b"".join(self.frames)

    def time_s(self, sample: int) -> float:
        """Return when a sample of `sound` passed, spread over its frame."""
        frame, within = divmod(sample, MEDIA_FRAME_SAMPLES)
        return self.times_s[frame] + within / MEDIA_CLOCK_HZ


def delay_ms(matches: Sequence[Match], said: Tape, heard: Tape) -> float | None:
    """Return how much later sound was heard than said; None where none fits.

    That is the median of the pieces that fit. The frame's 20 ms are included: a
    microphone has to hear them all before the source can give them.
    """
    delays_s = [
        heard.time_s(match.heard_at) - said.time_s(match.said_at)
        for match in matches
        if match.correlation >= DEMO_MIN_CORRELATION
    ]
    return statistics.median(delays_s) * 1000 + MEDIA_FRAME_MS if delays_s else None


class Words:
    """Sound out of memory, without a pace of its own."""

    def __init__(self, sound: bytes) -> None:
        """Take whole frames of `sound` (as `FrameSource.read` gives it)."""
        ends = range(MEDIA_FRAME_BYTES, len(sound) + 1, MEDIA_FRAME_BYTES)
        self._frames = iter([sound[end - MEDIA_FRAME_BYTES : end] for end in ends])

    async def read(self) -> bytes | None:
        """Return the next 20 ms at once, then None."""
        return next(self._frames, None)


class Mouth:
    """Says something between two pauses, at a given beat, and keeps it on `tape`."""

    def __init__(
        self, beat: FrameSource, words: FrameSource, max_frames: int, tape: Tape
    ) -> None:
        """Take the beat (silence), what to say, and how much of that at most."""
        self._beat = beat
        self._words = words
        self._tape = tape
        self._before = self._after = DEMO_PAUSE_FRAMES
        self._left = max_frames

    async def read(self) -> bytes | None:
        """Return the next 20 ms at the beat, then None."""
        silence = await self._beat.read()
        pcm = await self._next(silence)
        if pcm is not None:
            self._tape.add(pcm)
        return pcm

    async def _next(self, silence: bytes | None) -> bytes | None:
        if self._before:
            self._before -= 1
            return silence
        if self._left:
            self._left -= 1
            pcm = await self._words.read()
            if pcm is not None:
                return pcm
            self._left = 0
        if self._after:
            self._after -= 1
            return silence
        return None


@dataclass
class Ear:
    """Passes sound on to `sink`, and keeps it on `tape`."""

    sink: FrameSink
    tape: Tape

    async def wanted(self) -> None:
        """Return when the sink wants the next 20 ms."""
        await self.sink.wanted()

    def write(self, pcm: bytes) -> None:
        """Pass 20 ms on."""
        self.sink.write(pcm)
        self.tape.add(pcm)


class KeepingCodec:
    """A codec that keeps each packet that it encodes in `packets`."""

    def __init__(self, codec: Codec) -> None:
        self.name = codec.name
        self.payload_type = codec.payload_type
        self.bitrates_bps = codec.bitrates_bps
        self.packets: list[bytes] = []
        self.decode = codec.decode
        self.conceal = codec.conceal
        self._codec = codec

    @property
    def bitrate_bps(self) -> int:
        """The codec's own."""
        return self._codec.bitrate_bps

    @bitrate_bps.setter
    def bitrate_bps(self, bitrate_bps: int) -> None:
        self._codec.bitrate_bps = bitrate_bps

    def encode(self, pcm: bytes) -> bytes:
        """Return the packet for one frame of 20 ms."""
        packet = self._codec.encode(pcm)
        self.packets.append(packet)
        return packet
