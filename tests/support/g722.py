"""A decoder of G.722 at 64 kbit/s: Debian's speech is in it, and sox can't read it.

ITU-T G.722 (09/2012), clauses 4 and 6: each octet holds 6 bits of a lower band and 2 of
an upper one, each band an ADPCM of its own, joined to 16 kHz by a 24-tap filter.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["RATE_HZ", "decode"]

RATE_HZ: Final = 16_000

# Quantiser tables: clause 6.2.1.4 and 6.2.2.3 (tables 14 to 21).
_QM2: Final = (-7408, -1616, 7408, 1616)
_QM4_HALF: Final = (20456, 12896, 8968, 6288, 4240, 2584, 1200, 0)
_QM4: Final = (0, *(-q for q in _QM4_HALF[:7]), *_QM4_HALF)
_QM6_HALF: Final = (
    *(24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360),
    *(8576, 7856, 7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168),
    *(2776, 2400, 2032, 1688, 1360, 1040, 728),
)
_QM6: Final = (
    *(-136, -136, -136, -136),
    *(-q for q in _QM6_HALF),
    *_QM6_HALF,
    *(432, 136, -432, -136),
)
_WL_HALF: Final = (3042, 1198, 538, 334, 172, 58, -30)
_WL: Final = (-60, *_WL_HALF, *_WL_HALF, -60)
_WH: Final = (798, -214, 798, -214)
_INVERSE_LOG: Final = tuple(round(2048 * 2 ** (n / 32)) for n in range(32))
_QMF: Final = (3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11)


class _Band:
    """The adaptive predictor and quantiser scale of one band (blocks 3 and 4)."""

    def __init__(self, scale: int, log_max: int, log_shift: int) -> None:
        self.scale = scale
        self._log = 0
        self._log_max = log_max
        self._log_shift = log_shift
        self.predicted = 0
        self._zeros = 0
        self._rebuilt = [0, 0]
        self._partial = [0, 0]
        self._poles = [0, 0]
        self._gains = [0] * 6
        self._past = [0] * 6

    def adapt_scale(self, weight: int) -> None:
        """Move the quantiser's scale, clause 6.2.1.3."""
        log = (self._log * 127 >> 7) + weight
        self._log = log = min(max(log, 0), self._log_max)
        shift = self._log_shift - (log >> 11)
        step = _INVERSE_LOG[log >> 6 & 31]
        self.scale = (step << -shift if shift < 0 else step >> shift) << 2

    def take(self, difference: int) -> None:
        """Take a quantised difference, predict the next sample, clause 6.2.1.5."""
        rebuilt = _clip(self.predicted + difference)
        partial = _clip(self._zeros + difference)
        same, before = ((partial < 0) == (past < 0) for past in self._partial)
        first, second = self._poles
        fold = _clip(first << 2)
        fold = -fold if same else fold
        fold = min(fold, 32767)
        second_next = (fold >> 7) + (128 if before else -128) + (second * 32512 >> 15)
        second_next = min(max(second_next, -12288), 12288)
        first_next = (192 if same else -192) + (first * 32640 >> 15)
        limit = 15360 - second_next
        first_next = min(max(first_next, -limit), limit)
        self._poles = [first_next, second_next]
        self._partial = [partial, self._partial[0]]
        step = 128 if difference else 0
        negative = difference < 0
        self._gains = [
            (step if (past < 0) == negative else -step) + (gain * 32640 >> 15)
            for gain, past in zip(self._gains, self._past, strict=True)
        ]
        self._past = [difference, *self._past[:5]]
        self._rebuilt = [rebuilt, self._rebuilt[0]]
        poles = (first_next * _clip(2 * self._rebuilt[0]) >> 15) + (
            second_next * _clip(2 * self._rebuilt[1]) >> 15
        )
        self._zeros = sum(
            gain * _clip(2 * past) >> 15
            for gain, past in zip(self._gains, self._past, strict=True)
        )
        self.predicted = _clip(_clip(poles) + self._zeros)


def decode(octets: bytes) -> npt.NDArray[np.int16]:
    """Return the speech: int16, 16 kHz, two samples for each octet."""
    low_band, high_band = _Band(32, 18432, 8), _Band(8, 22528, 10)
    low = np.empty(len(octets), np.int64)
    high = np.empty(len(octets), np.int64)
    for at, octet in enumerate(octets):
        code, four, two = octet & 63, octet >> 2 & 15, octet >> 6
        scale = low_band.scale
        low[at] = _clip14(low_band.predicted + (scale * _QM6[code] >> 15))
        difference = scale * _QM4[four] >> 15
        low_band.adapt_scale(_WL[four])
        low_band.take(difference)
        difference = high_band.scale * _QM2[two] >> 15
        high[at] = _clip14(high_band.predicted + difference)
        high_band.adapt_scale(_WH[two])
        high_band.take(difference)
    return _joined(low, high)


def _joined(
    low: npt.NDArray[np.int64], high: npt.NDArray[np.int64]
) -> npt.NDArray[np.int16]:
    """Join the bands (the receive QMF, clause 4.4)."""
    sums, differences = low + high, low - high
    speech = np.empty(2 * len(low), np.int64)
    size = len(low)
    speech[0::2] = np.convolve(differences, _QMF)[:size]
    speech[1::2] = np.convolve(sums, _QMF[::-1])[:size]
    clipped: npt.NDArray[np.int16] = np.clip(speech >> 11, -32768, 32767).astype("<i2")
    return clipped


def _clip(value: int) -> int:
    return -32768 if value < -32768 else min(value, 32767)


def _clip14(value: int) -> int:
    return -16384 if value < -16384 else min(value, 16383)
