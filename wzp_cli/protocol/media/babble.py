"""Speech-like sound, made from nothing: what a demonstration says.

Syllables with a gliding pitch, two formants and pauses between them. No two are alike,
so that sound which was heard fits what was said in one place only. Nothing lies above
`_TOP_HZ`: telephone quality (G.711) carries it whole.
"""

from typing import TYPE_CHECKING, Final, NamedTuple

from wzp_cli.defaults.media import MEDIA_CLOCK_HZ
from wzp_cli.defaults.sound import BABBLE_PEAK_INT16

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Wave = npt.NDArray[np.float64]

__all__ = ["babble"]

_TOP_HZ: Final = 3_200.0
_BREATH: Final = 0.25  # what the voice has beside its formants
_BREATH_HZ: Final = 300.0


class _Syllable(NamedTuple):
    """Length of sound and of the pause after it, pitch from and to, formants."""

    sound_s: float
    pause_s: float
    from_hz: float
    to_hz: float
    formants_hz: tuple[float, float]


_SENTENCE: Final = (
    _Syllable(0.22, 0.08, 110, 150, (600, 1200)),
    _Syllable(0.18, 0.06, 160, 120, (350, 2100)),
    _Syllable(0.26, 0.12, 125, 180, (750, 1300)),
    _Syllable(0.16, 0.05, 175, 150, (450, 900)),
    _Syllable(0.24, 0.10, 140, 105, (300, 2400)),
    _Syllable(0.20, 0.07, 115, 165, (550, 1700)),
    _Syllable(0.22, 0.12, 170, 110, (650, 1100)),
    _Syllable(0.18, 0.02, 130, 95, (400, 2000)),
)


def babble() -> bytes:
    """Return one sentence, the same each time.

    Returns:
        pcm: int16 little-endian, mono, 48 kHz; 2.28 s, whole frames of 20 ms.
    """
    import numpy as np

    wave = np.concatenate([_voiced(syllable) for syllable in _SENTENCE])
    return bytes(np.rint(wave * BABBLE_PEAK_INT16).astype("<i2").tobytes())


def _voiced(syllable: _Syllable) -> "Wave":
    """Return a syllable and its pause, within -1 and 1."""
    import numpy as np

    count = round(syllable.sound_s * MEDIA_CLOCK_HZ)
    pitch_hz = np.linspace(syllable.from_hz, syllable.to_hz, count)
    turns = np.cumsum(pitch_hz) / MEDIA_CLOCK_HZ
    harmonics = np.arange(1, int(_TOP_HZ / min(syllable[2:4])) + 1)[:, None]
    waves = np.sin(2 * np.pi * harmonics * turns)
    wave = (waves * _loudness(harmonics * pitch_hz, syllable.formants_hz)).sum(axis=0)
    wave *= np.sqrt(np.sin(np.pi * np.arange(count) / count))  # swells and fades
    pause = np.zeros(round(syllable.pause_s * MEDIA_CLOCK_HZ))
    return np.concatenate([wave / np.abs(wave).max(), pause])


def _loudness(hz: "Wave", formants_hz: tuple[float, float]) -> "Wave":
    """Return how loud a partial of each frequency is."""
    import numpy as np

    loudness = _BREATH * np.exp(-hz / _BREATH_HZ)
    for centre_hz in formants_hz:
        loudness += np.exp(-(((hz - centre_hz) / (80 + 0.15 * centre_hz)) ** 2))
    return np.where(hz < _TOP_HZ, loudness, 0.0)
