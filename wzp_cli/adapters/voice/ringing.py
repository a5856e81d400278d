"""The sound of ringing, made here: for who is called, and for who calls."""

import contextlib
import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wzp_cli.concurrency import task_group
from wzp_cli.defaults.media import MEDIA_CLOCK_HZ, MEDIA_FRAME_BYTES
from wzp_cli.defaults.sound import (
    RING_AMPLITUDE_INT16,
    RING_BACK_CADENCE_S,
    RING_BACK_HZ,
    RING_CADENCE_S,
    RING_HZ,
    TONE_EDGE_S,
)
from wzp_cli.ports import FrameSink

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Samples = npt.NDArray[np.float64]

__all__ = ["RING", "RING_BACK", "Ringing", "play"]


@dataclass(frozen=True, slots=True)
class Ringing:
    """Tones together (`hz`), switched on and off in turn (`cadence_s`)."""

    hz: tuple[int, ...]
    cadence_s: tuple[float, ...]

    def once(self) -> bytes:
        """Return one turn of it: whole frames, int16 little-endian, mono, 48 kHz."""
        import numpy as np

        parts = [
            self._sound(seconds) if number % 2 == 0 else np.zeros(_samples(seconds))
            for number, seconds in enumerate(self.cadence_s)
        ]
        pcm = np.concatenate(parts).astype("<i2").tobytes()
        return pcm[: len(pcm) - len(pcm) % MEDIA_FRAME_BYTES]

    def frames(self) -> Iterator[bytes]:
        """Yield it for ever, 20 ms at a time."""
        turn = self.once()
        starts = range(0, len(turn), MEDIA_FRAME_BYTES)
        yield from itertools.cycle([turn[at : at + MEDIA_FRAME_BYTES] for at in starts])

    def _sound(self, seconds: float) -> "Samples":
        """Return the tones, with soft edges, each as loud as the others."""
        import numpy as np

        at_s = np.arange(_samples(seconds)) / MEDIA_CLOCK_HZ
        sound = np.sin(2 * np.pi * np.outer(self.hz, at_s)).mean(axis=0)
        edge = np.minimum(at_s, seconds - at_s) / TONE_EDGE_S
        return np.asarray(RING_AMPLITUDE_INT16 * sound * np.clip(edge, 0, 1))


RING: Final = Ringing(RING_HZ, RING_CADENCE_S)
"""What somebody hears who is called."""

RING_BACK: Final = Ringing(RING_BACK_HZ, RING_BACK_CADENCE_S)
"""What a caller hears while it rings there."""


@contextlib.asynccontextmanager
async def play(ringing: Ringing, sink: FrameSink) -> AsyncIterator[None]:
    """Let a sink ring, as long as the block lasts."""
    async with task_group() as group:
        playing = group.create_task(_play(ringing, sink))
        try:
            yield
        finally:
            playing.cancel()


async def _play(ringing: Ringing, sink: FrameSink) -> None:
    for frame in ringing.frames():
        await sink.wanted()
        sink.write(frame)


def _samples(seconds: float) -> int:
    return round(seconds * MEDIA_CLOCK_HZ)
