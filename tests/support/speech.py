"""Speech to send through a call, and how alike the recording at the other end is.

The speech is Debian's asterisk-core-sounds-en-g722, wideband, read by a person. Where
the package is missing a synthetic voice stands in: good for "is it the same sound",
too even for a judgement of quality.
"""

import functools
import wave
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from tests.support import g722
from tests.support.requirements import require
from wzp_cli.adapters.sound import open_codec
from wzp_cli.defaults.media import MEDIA_FRAME_BYTES

__all__ = [
    "RATE_HZ",
    "Samples",
    "aligned_correlation",
    "at_16_khz",
    "at_48_khz",
    "coded_speech",
    "heard",
    "pesq_wb",
    "speech",
    "synthetic_voice",
    "write_wav",
]

Samples = npt.NDArray[np.int16]

RATE_HZ: Final = g722.RATE_HZ
"""Rate of `speech`, and of everything that is compared."""

_RECORDED: Final = Path("/usr/share/asterisk/sounds/en_US_f_Allison/vm-options.g722")
_OCTETS_PER_S: Final = 8_000
_WAV_HZ: Final = 48_000
_FACTOR: Final = _WAV_HZ // RATE_HZ
_PIECE: Final = RATE_HZ // 4
_SHIFT: Final = RATE_HZ // 5
_VOICE_HZ: Final = 120.0
_FORMANTS_HZ: Final = ((700, 90), (1220, 110), (2600, 160))
_SYLLABLES_HZ: Final = 4.0


@functools.cache
def speech(seconds: float) -> Samples:
    """Return so much speech, mono at RATE_HZ; the same each time."""
    try:
        octets = _RECORDED.read_bytes()[: int(seconds * _OCTETS_PER_S)]
    except FileNotFoundError:
        return synthetic_voice(seconds)
    return g722.decode(octets)


def synthetic_voice(seconds: float) -> Samples:
    """Return harmonics of a low voice under three formants, in syllables."""
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    pitch_hz = _VOICE_HZ * (1 + 0.1 * np.sin(2 * np.pi * 0.7 * t))
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ
    voice = np.zeros_like(t)
    for number in range(1, 40):
        hz = number * _VOICE_HZ
        gain = sum(1 / (1 + ((hz - at) / width) ** 2) for at, width in _FORMANTS_HZ)
        voice += gain * np.sin(number * phase)
    voice *= np.clip(np.sin(2 * np.pi * _SYLLABLES_HZ * t) + 0.4, 0, None)
    return np.asarray(voice / np.abs(voice).max() * 16_000, np.int16)


def write_wav(path: Path, samples: Samples) -> Path:
    """Write sound (at RATE_HZ) as wzp likes it best, at 48 kHz; the path again."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_WAV_HZ)
        file.writeframes(at_48_khz(samples))
    return path


def heard(path: Path) -> Samples:
    """Return what wzp recorded (48 kHz), at RATE_HZ."""
    with wave.open(str(path), "rb") as file:
        assert (file.getframerate(), file.getnchannels()) == (_WAV_HZ, 1)
        return at_16_khz(file.readframes(file.getnframes()))


@functools.cache
def coded_speech(seconds: float) -> Samples:
    """Return what the codec alone makes of `speech`: the best that a call can do.

    At 24 kbit/s this voice and its coded self correlate at 0.95, whatever the clip, so
    only against this does a correlation tell how the *call* was.
    """
    (encoder, _), (decoder, _) = open_codec(), open_codec()
    pcm = at_48_khz(speech(seconds))
    frames = [
        pcm[at : at + MEDIA_FRAME_BYTES].ljust(MEDIA_FRAME_BYTES, b"\0")
        for at in range(0, len(pcm), MEDIA_FRAME_BYTES)
    ]
    return at_16_khz(b"".join(decoder.decode(encoder.encode(f)) for f in frames))


def at_48_khz(samples: Samples) -> bytes:
    """Return sound at RATE_HZ as int16 bytes at 48 kHz."""
    spectrum = np.fft.rfft(samples)
    wide = np.fft.irfft(spectrum, len(samples) * _FACTOR) * _FACTOR
    return np.clip(wide, -32768, 32767).astype("<i2").tobytes()


def at_16_khz(pcm: bytes) -> Samples:
    """Return int16 bytes at 48 kHz at RATE_HZ."""
    taps = np.arange(-48, 49)
    low_pass = np.sinc(taps / _FACTOR) * np.hamming(len(taps)) / _FACTOR
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    filtered = np.convolve(samples, low_pass, "same")[::_FACTOR]
    return np.clip(filtered, -32768, 32767).astype(np.int16)


def aligned_correlation(sent: Samples, recorded: Samples) -> float:
    """Return how alike the two are, 1.0 at most; what is missing lowers it.

    Each piece is taken where it fits best, near the delay of the whole: a jitter buffer
    that puts in one frame makes everything after it 20 ms later, and nothing worse.
    """
    whole = _delay(sent, recorded)
    pieces = []
    for begin in range(0, len(sent), _PIECE):
        piece = sent[begin : begin + _PIECE]
        near = _cut(recorded, whole + begin - _SHIFT, len(piece) + 2 * _SHIFT)
        fits = np.correlate(near.astype(np.float64), piece.astype(np.float64), "valid")
        pieces.append(_cut(near, int(np.argmax(fits)), len(piece)))
    there = np.concatenate(pieces)
    return float(np.corrcoef(sent, there)[0, 1]) if there.any() else 0.0


def pesq_wb(sent: Samples, recorded: Samples) -> float:
    """Return ITU-T P.862.2's estimate of quality, 1.0 to 4.64.

    Skips the test where there is no `pesq`, unless it is required.
    """
    try:
        from pesq import pesq
    except ImportError:
        require("pesq", "the package is not installed (it needs a C compiler)")
    there = _cut(recorded, _delay(sent, recorded), len(sent))
    return float(pesq(RATE_HZ, sent, there, "wb"))


def _delay(sent: Samples, recorded: Samples) -> int:
    """Return at which sample of the recording `sent` begins; may be below zero."""
    size = len(sent) + len(recorded)
    spectrum = np.fft.rfft(recorded, size) * np.conj(np.fft.rfft(sent, size))
    delay = int(np.argmax(np.fft.irfft(spectrum, size)))
    return delay if delay < len(recorded) else delay - size


def _cut(samples: Samples, begin: int, size: int) -> Samples:
    """Return `size` samples from `begin` on, silence where there are none."""
    inside = samples[max(begin, 0) : max(begin + size, 0)]
    before = min(max(-begin, 0), size)
    return np.pad(inside, (before, size - before - len(inside)))
