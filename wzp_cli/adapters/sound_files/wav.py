"""WAV files as a microphone and as a speaker: `--in file:P`, `--out file:P`.

Read: integer PCM of 8, 16, 24 or 32 bits, any rate and any number of channels, made
48 kHz mono while it is read. Written: 16 bits, 48 kHz, mono; the lengths in the header
are brought up to date each second, so the file is readable even if wzp is killed.
"""

import math
import struct
import wave
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from wzp_cli.adapters.sound_files.pace import Pace
from wzp_cli.adapters.sound_files.paced import FileSource, Opened
from wzp_cli.defaults.media import MEDIA_CLOCK_HZ, MEDIA_FRAME_BYTES
from wzp_cli.defaults.sound import (
    WAV_HEADER_EVERY_FRAMES,
)
from wzp_cli.errors import SoundError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Samples = npt.NDArray[np.float32]

__all__ = [
    "NOT_WAV",
    "WAV_SOUND_MAX_BYTES",
    "Resampler",
    "WavSink",
    "WavSource",
    "int16_bytes",
    "wav_header",
]

NOT_WAV: Final = (EOFError, RuntimeError, wave.Error)
"""What `wave.open` raises for other files, and for those that end too early."""

_CROSSINGS: Final = 16  # of the sinc, on each side: 32 taps when not decimating
_ROLLOFF: Final = 0.94
_KAISER_BETA: Final = 8.0
_MOST_TAPS: Final = 1_000_000  # of all phases: a rate of no small ratio has 48,000
_WIDEST_BYTES: Final = 4  # of one sample of one channel
_HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")

WAV_SOUND_MAX_BYTES: Final = 0xFFFF_FFFF - _HEADER.size
"""A WAV counts in 32 bits: 12 hours of mono."""


class WavSource(FileSource):
    """A WAV file at the pace of speech; None when it has ended.

    Raises:
        SoundError: The file is missing, or is no WAV that can be read.
    """

    def __init__(self, path: str) -> None:
        try:
            file = wave.open(path, "rb")  # noqa: SIM115 (closed by `close`)
        except (OSError, *NOT_WAV) as error:
            raise SoundError(_unreadable(path, error)) from error
        if file.getsampwidth() > _WIDEST_BYTES:
            file.close()
            raise SoundError(_unreadable(path, f"{8 * file.getsampwidth()} bits"))
        super().__init__(
            Opened(file.getframerate(), _converted(file), file.close),
            (OSError,),
            lambda reason: _unreadable(path, reason),
        )


class WavSink:
    """Sound written to a WAV file at the pace of speech.

    A full disk does not end the call: what can't be written is dropped, and `failed`
    says so (`open_sound` raises it at the end).

    Raises:
        SoundError: The file can't be created.

    Attributes:
        failed: Why writing stopped, or None.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._pace = Pace()
        self._bytes = 0
        self.failed: SoundError | None = None
        try:
            self._file: BinaryIO = Path(path).open("wb")  # noqa: SIM115 (see `close`)
        except OSError as error:
            raise SoundError(f"{path} can't be written: {error.strerror}") from error
        self._file.write(wav_header(0))

    async def wanted(self) -> None:
        """Return at the next beat."""
        await self._pace.beat()

    def write(self, pcm: bytes) -> None:
        """Append 20 ms."""
        if self.failed:
            return
        try:
            self._file.write(pcm)
            self._bytes += len(pcm)
            if self._bytes // MEDIA_FRAME_BYTES % WAV_HEADER_EVERY_FRAMES == 0:
                self._mend_header()
        except OSError as error:
            self._fail(error)

    def close(self) -> None:
        """Finish the header and close the file; an error goes to `failed`."""
        try:
            if not self.failed:
                self._mend_header()
        except OSError as error:
            self._fail(error)
        try:
            self._file.close()
        except OSError as error:
            self._fail(error)

    def _mend_header(self) -> None:
        """Write sound and lengths out, sound first: the header never promises more."""
        self._file.flush()
        self._file.seek(0)
        self._file.write(wav_header(self._bytes))
        self._file.seek(0, 2)

    def _fail(self, error: OSError) -> None:
        message = f"{self._path} can't be written: {error.strerror}"
        self.failed = self.failed or SoundError(message)


class Resampler:
    """Mono sound of any rate, made 48 kHz piece by piece (polyphase windowed sinc).

    Output sample n lies at input time n * down / up: a whole number of input samples
    and one of `up` phases, each with its own row of filter taps. A rate that would
    need very many of these is taken as the nearest that does not, some ppm off.
    """

    def __init__(self, rate_hz: int) -> None:
        import numpy as np

        self._half = math.ceil(_CROSSINGS * max(1.0, rate_hz / MEDIA_CLOCK_HZ))
        most_phases = _MOST_TAPS // (2 * self._half)
        ratio = Fraction(rate_hz, MEDIA_CLOCK_HZ).limit_denominator(most_phases)
        self._up, self._down = ratio.denominator, ratio.numerator
        self._rows = _filter_rows(self._up, self._half, rate_hz)
        self._input: Samples = np.zeros(self._half - 1, dtype=np.float32)
        self._position = 0  # of the next output in `_input`, in 1/up samples

    def feed(self, sound: "Samples") -> "Samples":
        """Return the output that the input so far allows."""
        import numpy as np

        signal = np.concatenate([self._input, sound])
        taps = 2 * self._half
        reach = (len(signal) - taps + 1) * self._up - self._position
        count = max(0, -(-reach // self._down))
        at = self._position + np.arange(count) * self._down
        self._position += count * self._down
        used = min(self._position // self._up, len(signal))
        self._position -= used * self._up
        self._input = signal[used:]
        if not count:
            return np.zeros(0, dtype=np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(signal, taps)
        rows = self._rows[at % self._up]
        output: Samples = np.einsum("nk,nk->n", windows[at // self._up], rows)
        return output

    def finish(self) -> "Samples":
        """Return the rest, up to the end of the last input sample."""
        import numpy as np

        return self.feed(np.zeros(self._half, dtype=np.float32))


def _filter_rows(up: int, half: int, rate_hz: int) -> "Samples":
    """Return the taps for each phase: shape (up, 2 * half), each row of sum 1."""
    import numpy as np

    offset = np.arange(1 - half, half + 1) - np.arange(up)[:, None] / up
    band = _ROLLOFF * min(1.0, MEDIA_CLOCK_HZ / rate_hz)
    edge = np.sqrt(np.clip(1 - (offset / half) ** 2, 0, None))
    rows = np.sinc(band * offset) * np.i0(_KAISER_BETA * edge)
    return np.asarray(rows / rows.sum(axis=1, keepdims=True), dtype=np.float32)


def _converted(source: wave.Wave_read) -> Iterator[bytes]:
    """Yield the file as int16 at 48 kHz mono, in pieces of any length."""
    rate_hz = source.getframerate()
    if (rate_hz, source.getnchannels(), source.getsampwidth()) == (48_000, 1, 2):
        yield from _pieces(source)
        return
    if rate_hz == MEDIA_CLOCK_HZ:
        for piece in _pieces(source):
            yield int16_bytes(_mono(piece, source))
        return
    resampler = Resampler(rate_hz)
    for piece in _pieces(source):
        yield int16_bytes(resampler.feed(_mono(piece, source)))
    yield int16_bytes(resampler.finish())


def _pieces(source: wave.Wave_read) -> Iterator[bytes]:
    """Yield the file's own bytes, some 20 ms at a time, whole samples only."""
    width = source.getnchannels() * source.getsampwidth()
    while piece := source.readframes(max(1, source.getframerate() // 50)):
        yield piece[: len(piece) - len(piece) % width]


def _mono(piece: bytes, source: wave.Wave_read) -> "Samples":
    """Return the mean of the channels, on the scale of int16."""
    import numpy as np

    raw = np.frombuffer(piece, np.uint8).reshape(-1, source.getsampwidth())
    if source.getsampwidth() == 1:
        raw = raw - np.uint8(128)  # 8-bit WAV is unsigned, the others are signed
    # Shift each sample to the top of 32 bits: one way for all widths.
    wide = np.zeros((len(raw), 4), dtype=np.uint8)
    wide[:, 4 - source.getsampwidth() :] = raw
    sound = wide.view("<i4").reshape(-1, source.getnchannels()).mean(axis=1)
    return np.asarray(sound / 65_536, dtype=np.float32)


def int16_bytes(sound: "Samples") -> bytes:
    """Return samples on the scale of int16 as int16."""
    import numpy as np

    return np.clip(np.rint(sound), -32_768, 32_767).astype("<i2").tobytes()


def wav_header(sound_bytes: int, channels: int = 1) -> bytes:
    """Return the 44 bytes in front of that much int16 sound at 48 kHz."""
    length = min(sound_bytes, WAV_SOUND_MAX_BYTES)
    width = 2 * channels
    return _HEADER.pack(
        *(b"RIFF", length + _HEADER.size - 8, b"WAVE", b"fmt ", 16, 1, channels),
        *(MEDIA_CLOCK_HZ, width * MEDIA_CLOCK_HZ, width, 16, b"data", length),
    )


def _unreadable(path: str, reason: object) -> str:
    what = getattr(reason, "strerror", None) or str(reason) or "it ends too early"
    return f"{path} can't be read as WAV: {what}. Give integer PCM, or see --in."
