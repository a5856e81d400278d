"""G.711 mu-law (PCMU): the codec for a machine without libopus. Telephone quality.

    48 kHz -> low-pass -> every 6th sample -> 8 bits each    160 bytes for 20 ms
    8 bits -> 8 kHz -> five zeros between two -> low-pass -> 48 kHz

One linear-phase low-pass serves both ways; it adds 1.5 ms each way.
"""

from typing import TYPE_CHECKING, Final

from wzp_cli.defaults.media import (
    MEDIA_CLOCK_HZ,
    MEDIA_FRAME_BYTES,
    MEDIA_FRAME_MS,
    PCMU_BITRATE_BPS,
    PCMU_CLOCK_HZ,
    PCMU_CONCEAL_FRAMES,
    PCMU_PAYLOAD_TYPE,
)
from wzp_cli.errors import LocalProtocolError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Samples = npt.NDArray[np.float64]

__all__ = ["G711Codec"]

_RATIO: Final = MEDIA_CLOCK_HZ // PCMU_CLOCK_HZ
_FRAME: Final = PCMU_CLOCK_HZ * MEDIA_FRAME_MS // 1000
_RESUME: Final = _FRAME // 4  # 5 ms
_TAPS: Final = 24 * _RATIO + 1
_CUTOFF_HZ: Final = 3_600
_PITCH: Final = range(PCMU_CLOCK_HZ // 400, PCMU_CLOCK_HZ // 66)  # 66 to 400 Hz
_BIAS: Final = 0x84  # ITU-T G.711 table 2a, as 16-bit samples
_CLIP: Final = 32_635


class G711Codec:
    """mu-law for one call (RFC 3551 section 4.5.14). Use it from one thread only.

    Attributes:
        damaged: Packets so far of a wrong length, which were concealed.
    """

    name = "pcmu"
    payload_type = PCMU_PAYLOAD_TYPE
    bitrates_bps: tuple[int, ...] = (PCMU_BITRATE_BPS,)
    bitrate_bps = PCMU_BITRATE_BPS

    def __init__(self) -> None:
        import numpy as np  # as late as possible: it costs 100 ms

        self._np = np
        self.damaged = 0
        self._low_pass = _low_pass()
        self._table = _expansion()
        self._spoken: Samples = np.zeros(_TAPS - 1)
        self._heard: Samples = np.zeros((_TAPS - 1) // _RATIO)
        self._last: Samples = np.zeros(2 * _FRAME)
        self._lost = 0

    def encode(self, pcm: bytes) -> bytes:
        """Return the 160 bytes for one frame.

        Args:
            pcm: int16, 960 samples (1920 bytes), mono, 48 kHz, 20 ms.

        Raises:
            LocalProtocolError: The frame has another length.
        """
        if len(pcm) != MEDIA_FRAME_BYTES:
            raise LocalProtocolError(f"a frame of {len(pcm)} bytes for the encoder")
        np = self._np
        signal = np.concatenate([self._spoken, np.frombuffer(pcm, "<i2")])
        self._spoken = signal[-(_TAPS - 1) :]
        return _compress(np.convolve(signal, self._low_pass, "valid")[::_RATIO])

    def decode(self, packet: bytes) -> bytes:
        """Return the 20 ms of a packet; concealment when its length is wrong."""
        if len(packet) != _FRAME:
            self.damaged += 1
            return self.conceal()
        np = self._np
        sound = self._table[np.frombuffer(packet, np.uint8)]
        if self._lost:  # come back from the fade without a step
            sound[:_RESUME] *= np.linspace(self._gain(), 1.0, _RESUME)
        self._lost = 0
        return self._play(sound)

    def conceal(self) -> bytes:
        """Return the last pitch period again and again, fading to silence."""
        np = self._np
        period = _period(self._last)
        sound = np.resize(self._last[-period:], _FRAME)
        start = self._gain()
        self._lost += 1
        # `_last` already carries the fade of the frames lost before this one.
        fade = np.linspace(start, self._gain(), _FRAME) / (start or 1.0)
        return self._play(sound * fade)

    def _gain(self) -> float:
        """Return how loud the end of what was concealed so far is, 1 to 0."""
        return max(0.0, 1 - self._lost / PCMU_CONCEAL_FRAMES)

    def _play(self, sound: "Samples") -> bytes:
        """Remember 20 ms at 8 kHz and return them at 48 kHz."""
        np = self._np
        self._last = np.concatenate([self._last[_FRAME:], sound])
        signal = np.concatenate([self._heard, sound])
        self._heard = signal[_FRAME:]
        spread = np.zeros(len(signal) * _RATIO)
        spread[::_RATIO] = signal * _RATIO
        pcm = np.convolve(spread, self._low_pass, "valid")[: _FRAME * _RATIO]
        pcm = np.clip(np.rint(pcm), -32_768, 32_767)
        return bytes(pcm.astype("<i2"))


def _low_pass() -> "Samples":
    """Return a windowed sinc: flat to 3.1 kHz, 50 dB down from 4.1 kHz."""
    import numpy as np

    at = np.arange(_TAPS) - (_TAPS - 1) / 2
    taps = np.sinc(2 * _CUTOFF_HZ / MEDIA_CLOCK_HZ * at) * np.kaiser(_TAPS, 5.0)
    return np.asarray(taps / taps.sum(), dtype=np.float64)


def _compress(sound: "Samples") -> bytes:
    """Return the mu-law bytes of int16-scaled samples (ITU-T G.711 table 2a)."""
    import numpy as np

    size = np.minimum(np.abs(np.rint(sound)).astype(np.int64), _CLIP) + _BIAS
    segment = np.frexp(size.astype(np.float64))[1] - 8
    step = size >> (segment + 3) & 0x0F
    sign = np.where(sound < 0, 0x80, 0)
    return np.asarray(~(sign | segment << 4 | step) & 0xFF, np.uint8).tobytes()


def _expansion() -> "Samples":
    """Return the int16-scaled sample of each of the 256 mu-law bytes."""
    import numpy as np

    code = ~np.arange(256) & 0xFF
    size = (((code & 0x0F) << 3) + _BIAS << (code >> 4 & 7)) - _BIAS
    return np.where(code & 0x80, -size, size).astype(np.float64)


def _period(sound: "Samples") -> int:
    """Return the lag, in samples, at which the end of the sound repeats best."""
    import numpy as np

    window = sound[-_FRAME:]

    def likeness(lag: int) -> float:
        earlier = sound[-_FRAME - lag : -lag]
        return float(window @ earlier / (np.linalg.norm(earlier) + 1))

    return max(_PITCH, key=likeness)
