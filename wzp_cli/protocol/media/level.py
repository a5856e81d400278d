"""How loud sound is, in decibels below full scale (dBFS)."""

import array
import math
import sys
from typing import Final, NamedTuple

__all__ = ["Level", "level"]

_FULL_SCALE: Final = 32_768


class Level(NamedTuple):
    """None is digital silence: nothing but zeros.

    Attributes:
        mean_dbfs: Of the root of the mean square; a full-scale square wave has 0.
        peak_dbfs: Of the loudest sample.
    """

    mean_dbfs: float | None
    peak_dbfs: float | None


def level(pcm: bytes) -> Level:
    """Return how loud sound of any length is (as `FrameSource.read` gives it)."""
    samples = array.array("h", pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    if not any(samples):
        return Level(None, None)
    square = sum(sample * sample for sample in samples) / len(samples)
    peak = max(max(samples), -min(samples))
    return Level(_dbfs(math.sqrt(square)), _dbfs(peak))


def _dbfs(amplitude: float) -> float:
    return round(20 * math.log10(amplitude / _FULL_SCALE), 1)
