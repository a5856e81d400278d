"""Sound made a little shorter or longer without being heard: one pitch period of it.

    shorten    |a b c d e f g ..|      the start melts into what follows one period
               |a>c b>d e f g ..|      later, and the rest follows that much earlier

    lengthen   |a b c d e f g ..|      what follows one period later melts into the
               |a b c>a d>b c d ..|    start, which so is heard twice

Both ends stay as they are, so nothing clicks at the seams with the frames around. The
period is where the sound is most like itself (waveform similarity, as in WSOLA); where
it is unlike itself everywhere, it is left alone, unless it can't be heard anyway.

All of `pcm`: int16 little-endian, 960 samples, mono, 48 kHz, 20 ms. numpy is imported
on the first use.
"""

from typing import TYPE_CHECKING, Final

from wzp_cli.defaults.media import (
    STRETCH_LONGEST_SAMPLES,
    STRETCH_QUIET_RMS,
    STRETCH_SHORTEST_SAMPLES,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Samples = npt.NDArray[np.float32]

__all__ = ["lengthen", "shorten"]

_HALF: Final = 240  # of what is compared, 10 ms around the start of the frame
_COARSE: Final = 4  # a first look at every fourth sample, 12 kHz


def shorten(before: bytes, pcm: bytes, most_samples: int, least: float) -> bytes:
    """Return `pcm` without one pitch period, or as it is.

    Args:
        before: The frame before it: its end helps to find the period.
        pcm: One frame.
        most_samples: The longest period to leave out.
        least: How alike the two sides of the cut must be, 0 to 1.
    """
    sound = _samples(pcm)
    period = _period(_samples(before), sound, most_samples, least)
    if not period:
        return pcm
    fade = min(period, len(sound) - period)
    melted = _melt(sound[:fade], sound[period : period + fade])
    return _pcm(melted) + pcm[2 * (period + fade) :]


def lengthen(before: bytes, pcm: bytes, most_samples: int, least: float) -> bytes:
    """Return `pcm` with one pitch period twice, or as it is; see `shorten`."""
    sound = _samples(pcm)
    period = _period(_samples(before), sound, most_samples, least)
    if not period:
        return pcm
    fade = min(period, len(sound) - period)
    melted = _melt(sound[period : period + fade], sound[:fade])
    return pcm[: 2 * period] + _pcm(melted) + pcm[2 * fade :]


def _period(
    before: "Samples", sound: "Samples", most_samples: int, least: float
) -> int:
    """Return how much later the sound is most like its start; 0 for too unlike."""
    import numpy as np

    longest = min(most_samples, STRETCH_LONGEST_SAMPLES)
    if longest < STRETCH_SHORTEST_SAMPLES:
        return 0
    if float(np.sqrt(np.mean(sound * sound))) < STRETCH_QUIET_RMS:
        return longest
    around = np.concatenate([before[-_HALF:], sound])
    coarse, _ = _best(
        around.reshape(-1, _COARSE).mean(axis=1),
        2 * _HALF // _COARSE,
        range(STRETCH_SHORTEST_SAMPLES // _COARSE, longest // _COARSE + 1),
    )
    low = max(STRETCH_SHORTEST_SAMPLES, (coarse - 1) * _COARSE)
    high = min(longest, (coarse + 1) * _COARSE)
    period, likeness = _best(around, 2 * _HALF, range(low, high + 1))
    return period if likeness >= least else 0


def _best(sound: "Samples", window: int, lags: range) -> tuple[int, float]:
    """Return the lag at which the first `window` samples fit best, and how well."""
    import numpy as np

    start = sound[:window]
    later = np.lib.stride_tricks.sliding_window_view(sound, window)
    later = later[lags.start : lags.stop]
    energy = np.einsum("nk,nk->n", later, later) * float(start @ start)
    likeness = later @ start / np.sqrt(energy + 1.0)
    best = int(np.argmax(likeness))
    return lags.start + best, float(likeness[best])


def _melt(out: "Samples", into: "Samples") -> "Samples":
    """Return a cross-fade of two sounds of one length, samples without a step."""
    import numpy as np

    gain = np.linspace(0, 1, len(out), dtype=np.float32)
    return np.asarray(out + (into - out) * gain, dtype=np.float32)


def _samples(pcm: bytes) -> "Samples":
    import numpy as np

    return np.frombuffer(pcm, "<i2").astype(np.float32)


def _pcm(sound: "Samples") -> bytes:
    import numpy as np

    return np.rint(sound).astype("<i2").tobytes()
