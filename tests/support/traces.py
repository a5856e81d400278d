"""Arrivals of a voice stream as networks make them, and a listener that plays them.

A trace is a list of (arrival in seconds, frame), in the order of arrival. The listener
is wzp's own jitter buffer, playback and stretching; only the codec is replaced, by one
that says a steady vowel and keeps which frames it was given.
"""

import itertools
import math
import random
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from wzp_cli.defaults.media import MEDIA_FRAME_BYTES, MEDIA_FRAME_SAMPLES
from wzp_cli.protocol.media.playout.jitter import JitterBuffer
from wzp_cli.protocol.media.rtp import MediaPacket
from wzp_cli.services.sound.playback import Playback

__all__ = [
    "FRAME_S",
    "Heard",
    "Trace",
    "cellular",
    "exponential",
    "flips",
    "lan",
    "listen",
    "outages",
    "wifi",
]

Trace = Iterable[tuple[float, int]]

FRAME_S = 0.020
TRIP_S = 0.040
_FIRST = 65_000
_VOICE_HZ = 150


def lan(frames: int, seed: int = 1, ppm: float = 0) -> Iterator[tuple[float, int]]:
    """A millisecond of jitter; `ppm`: how much slower the sender's clock is."""
    dice = random.Random(seed)
    for frame in range(frames):
        at = TRIP_S + frame * FRAME_S * (1 + ppm * 1e-6)
        yield at + dice.gammavariate(2, 0.0005), frame


def exponential(frames: int, seed: int = 1) -> Trace:
    """Jitter of mean 20 ms; packets overtake each other."""
    dice = random.Random(seed)
    late = (dice.expovariate(1 / 0.020) for _ in range(frames))
    return sorted(_arrivals(late))


def wifi(frames: int, seed: int = 1) -> Trace:
    """Each five seconds nothing goes for 40 to 160 ms, then all of it."""
    dice = random.Random(seed)
    late = [dice.gammavariate(2, 0.003) for _ in range(frames)]
    at = 0
    while at < frames:
        at += 1 + int(dice.expovariate(1 / 250))
        stall_s = dice.uniform(0.04, 0.16)
        _stall(late, at, stall_s)
    return _in_order(late)


def cellular(frames: int, seed: int = 1) -> Trace:
    """Delay that wanders by tens of milliseconds, and jitter on top."""
    dice = random.Random(seed)
    wander, late = 0.0, []
    for _ in range(frames):
        wander = 0.9 * wander + dice.gauss(0, 0.006)
        late.append(abs(wander) * 1.2 + dice.expovariate(1 / 0.006))
    return sorted(_arrivals(late))


def outages(frames: int, first: int, every: int, outage_s: float) -> Trace:
    """A quiet network on which now and then all is held up."""
    dice = random.Random(1)
    late = [dice.gammavariate(2, 0.001) for _ in range(frames)]
    for at in range(first, frames, every):
        _stall(late, at, outage_s)
    return _in_order(late)


def flips(frames: int, every: int, longer_s: float) -> Trace:
    """A quiet network; each so many frames another route, one longer than the other."""
    dice = random.Random(1)
    late = (
        dice.gammavariate(2, 0.0005) + longer_s * (frame // every % 2)
        for frame in range(frames)
    )
    return sorted(_arrivals(late))


def _stall(late: list[float], at: int, stall_s: float) -> None:
    for frame in range(at, min(len(late), at + math.ceil(stall_s / FRAME_S))):
        late[frame] = max(late[frame], stall_s - (frame - at) * FRAME_S)


def _arrivals(late_s: Iterable[float]) -> Iterator[tuple[float, int]]:
    for frame, late in enumerate(late_s):
        yield TRIP_S + frame * FRAME_S + late, frame


def _in_order(late_s: Iterable[float]) -> Trace:
    arrivals = list(_arrivals(late_s))
    times = itertools.accumulate((at for at, _ in arrivals), max)
    return [(at, frame) for at, (_, frame) in zip(times, arrivals, strict=True)]


@dataclass
class Heard:
    """What came of it.

    Attributes:
        buffer: The jitter buffer, with its counters.
        frames: Those decoded, in order.
        delays_ms: What the buffer added, at each beat.
        most_stored: Frames that waited at once.
    """

    buffer: JitterBuffer
    frames: list[int] = field(default_factory=list)
    delays_ms: list[float] = field(default_factory=list)
    most_stored: int = 0

    @property
    def concealed_pct(self) -> float:
        """Frames concealed, of all."""
        played = self.buffer.played + self.buffer.concealed
        return 100 * self.buffer.concealed / played

    def mean_delay_ms(self, from_s: float = 0) -> float:
        """What the buffer added on average, after so many seconds."""
        delays = self.delays_ms[round(from_s / FRAME_S) :]
        return sum(delays) / len(delays)


class _VowelCodec:
    """Every frame sounds the same and fits the one before it."""

    name = "vowel"
    payload_type = 111
    bitrates_bps: tuple[int, ...] = (24_000,)
    bitrate_bps = 24_000

    def __init__(self, decoded: list[int]) -> None:
        self._decoded = decoded
        turn = 2 * math.pi * _VOICE_HZ / 48_000
        self._pcm = array(
            "h",
            (
                round(sum(3_000 / n * math.sin(n * turn * at) for n in (1, 2, 3)))
                for at in range(MEDIA_FRAME_SAMPLES)
            ),
        ).tobytes()

    def encode(self, pcm: bytes) -> bytes:
        return pcm

    def decode(self, packet: bytes) -> bytes:
        self._decoded.append(int(packet))
        return self._pcm

    def conceal(self) -> bytes:
        return self._pcm


def listen(
    trace: Trace,
    seconds: float,
    *,
    phase_s: float = 0.007,
    uneven: Callable[[], float] = lambda: 0.0,
    copies: int = 0,
    floor_ms: float = 0.0,
) -> Heard:
    """Play a trace.

    Args:
        trace: What arrives.
        seconds: For how long.
        phase_s: When the sink's first beat is.
        uneven: How much later than the grid of 20 ms each of them comes.
        copies: Each packet carries so many of the frames before it.
        floor_ms: What the buffer is told to wait at least.
    """
    buffer = JitterBuffer()
    if floor_ms:
        buffer.keep_at_least(floor_ms)
    heard = Heard(buffer)
    playback = Playback(buffer, _VowelCodec(heard.frames))
    arrivals = iter(trace)
    arrival = next(arrivals, None)
    for beat in range(round(seconds / FRAME_S)):
        now = phase_s + beat * FRAME_S + uneven()
        while arrival is not None and arrival[0] <= now:
            at, frame = arrival
            buffer.push(_packet(frame), at)
            for copy in range(max(0, frame - copies), frame):
                buffer.push_copy(_packet(copy))
            heard.most_stored = max(heard.most_stored, buffer.stored)
            arrival = next(arrivals, None)
        assert len(playback.next(now)) == MEDIA_FRAME_BYTES
        heard.delays_ms.append(buffer.delay_ms)
    return heard


def _packet(frame: int) -> MediaPacket:
    sequence = (_FIRST + frame) % (1 << 16)
    return MediaPacket(sequence, frame * 960 % (1 << 32), 111, b"%d" % frame)
