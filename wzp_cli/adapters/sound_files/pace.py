"""The 20 ms beat, and the sound that needs nothing but a clock: tone and silence."""

import array
import asyncio
import math
import sys
from typing import Final

from wzp_cli.defaults.media import MEDIA_CLOCK_HZ, MEDIA_FRAME_BYTES, MEDIA_FRAME_MS
from wzp_cli.defaults.sound import (
    PACE_CATCH_UP_MAX_S,
    TONE_AMPLITUDE_INT16,
    TONE_DEFAULT_HZ,
)

__all__ = ["Beat", "NullSink", "NullSource", "Pace", "ToneSource"]

_FRAME_S: Final = MEDIA_FRAME_MS / 1000
_SILENCE: Final = bytes(MEDIA_FRAME_BYTES)


class Beat:
    """When each beat is due: a rule without a clock.

    The beats lie on a grid of 20 ms from the first one, so lateness never adds up.
    After a stall, beats follow at once until the grid is reached again; what is further
    behind than `PACE_CATCH_UP_MAX_S` is dropped, whole beats at a time.

    Attributes:
        dropped: Beats left out so far.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._due_s: float | None = None

    def wait_s(self, now_s: float) -> float:
        """Return how long to wait for the next beat, in seconds, and count it."""
        due_s = now_s if self._due_s is None else self._due_s
        if now_s - due_s > PACE_CATCH_UP_MAX_S:
            behind = int((now_s - due_s) / _FRAME_S)
            self.dropped += behind
            due_s += behind * _FRAME_S
        self._due_s = due_s + _FRAME_S
        return max(0.0, due_s - now_s)


class Pace:
    """A beat each 20 ms of the event loop's time. The first one is due at once."""

    def __init__(self) -> None:
        self._beat = Beat()

    @property
    def dropped(self) -> int:
        """Beats left out after stalls."""
        return self._beat.dropped

    async def beat(self) -> None:
        """Return at the next beat; yields to the loop even when it is overdue."""
        await asyncio.sleep(self._beat.wait_s(asyncio.get_running_loop().time()))


class ToneSource:
    """A steady sine without seams: `tone[:hz]`."""

    failed = None

    def __init__(self, hz: int = TONE_DEFAULT_HZ) -> None:
        self._pace = Pace()
        self._at = 0
        # Whole periods only: one lap around the buffer ends in phase.
        samples = MEDIA_CLOCK_HZ // math.gcd(MEDIA_CLOCK_HZ, hz)
        turn = 2 * math.pi * hz / MEDIA_CLOCK_HZ
        wave = array.array(
            "h",
            (round(TONE_AMPLITUDE_INT16 * math.sin(turn * n)) for n in range(samples)),
        )
        if sys.byteorder == "big":
            wave.byteswap()
        self._lap = wave.tobytes()
        laps = MEDIA_FRAME_BYTES // len(self._lap) + 2
        self._sound = self._lap * laps

    async def read(self) -> bytes:
        """Return the next 20 ms, at the beat."""
        await self._pace.beat()
        frame = self._sound[self._at : self._at + MEDIA_FRAME_BYTES]
        self._at = (self._at + MEDIA_FRAME_BYTES) % len(self._lap)
        return frame


class NullSource:
    """Silence: `--in null`."""

    failed = None

    def __init__(self) -> None:
        self._pace = Pace()

    async def read(self) -> bytes:
        """Return 20 ms of silence, at the beat."""
        await self._pace.beat()
        return _SILENCE


class NullSink:
    """Takes sound at the right pace and drops it: `--out null`."""

    failed = None

    def __init__(self) -> None:
        self._pace = Pace()

    async def wanted(self) -> None:
        """Return at the next beat."""
        await self._pace.beat()

    def write(self, pcm: bytes) -> None:
        """Drop 20 ms."""
