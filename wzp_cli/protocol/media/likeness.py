"""Was it heard as it was said? Two recordings, compared piece by piece.

Each piece of what was said is looked for in what was heard, around the place where it
belongs. So a jitter buffer that leaves out or puts in a frame costs the piece where it
did so, and not all that comes after; sound that got lost fits nowhere.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wzp_cli.defaults.sound import (
    LIKENESS_PIECE_SAMPLES,
    LIKENESS_QUIET_RATIO,
    LIKENESS_REACH_SAMPLES,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Wave = npt.NDArray[np.float64]

__all__ = ["Likeness", "Match", "compare"]


@dataclass(frozen=True, slots=True)
class Match:
    """Where one piece fits best. Places are counted in samples from the start.

    Attributes:
        said_at: Start of the piece in what was said.
        heard_at: Start of what fits it best in what was heard.
        correlation: How well: 1 is the same but for loudness, 0 unlike.
        energy: Of the piece, in squared samples.
    """

    said_at: int
    heard_at: int
    correlation: float
    energy: float


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two recordings are.

    Attributes:
        correlation: Mean of all pieces by their energy, 0 to 1; 0 where nothing was
            said or heard.
        matches: Each piece that is not a pause, in order.
    """

    correlation: float
    matches: tuple[Match, ...]


def compare(said: bytes, heard: bytes) -> Likeness:
    """Return how much of `said` is in `heard`, and where.

    Args:
        said: pcm: int16 little-endian, mono, 48 kHz.
        heard: The same; may begin up to a second earlier or later.
    """
    import numpy as np

    spoken = np.frombuffer(said, "<i2").astype(np.float64)
    sound = np.frombuffer(heard, "<i2").astype(np.float64)
    size = LIKENESS_PIECE_SAMPLES
    starts = range(0, len(spoken) - size + 1, size)
    energies = [float(np.sum(spoken[at : at + size] ** 2)) for at in starts]
    floor = max(energies, default=0.0) * LIKENESS_QUIET_RATIO
    matches = tuple(
        _match(spoken[at : at + size], sound, at)
        for at, energy in zip(starts, energies, strict=True)
        if energy > floor
    )
    total = sum(match.energy for match in matches)
    fitting = sum(match.energy * match.correlation for match in matches)
    return Likeness(fitting / total if total else 0.0, matches)


def _match(piece: "Wave", sound: "Wave", said_at: int) -> Match:
    """Return the place near `said_at` in `sound` that fits `piece` best."""
    import numpy as np

    energy = float(np.sum(piece**2))
    begin = max(0, said_at - LIKENESS_REACH_SAMPLES)
    window = sound[begin : said_at + len(piece) + LIKENESS_REACH_SAMPLES]
    if len(window) < len(piece):
        return Match(said_at, said_at, 0.0, energy)
    products = _products(piece, window)
    sums = np.concatenate([[0.0], np.cumsum(window**2)])
    energies = sums[len(piece) :] - sums[: -len(piece)]
    # Next to nothing fits everything: silence has no say.
    heard = np.maximum(energies, LIKENESS_QUIET_RATIO * energy)
    fits = products / np.sqrt(heard * energy)
    best = int(np.argmax(fits))
    return Match(said_at, begin + best, min(1.0, max(0.0, float(fits[best]))), energy)


def _products(piece: "Wave", window: "Wave") -> "Wave":
    """Return the sum of products with `piece` at each place where it fits whole."""
    import numpy as np

    size = 1 << (len(window) + len(piece)).bit_length()
    spectrum = np.fft.rfft(window, size) * np.conj(np.fft.rfft(piece, size))
    return np.fft.irfft(spectrum, size)[: len(window) - len(piece) + 1]
