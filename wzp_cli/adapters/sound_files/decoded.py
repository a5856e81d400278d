"""FLAC, OGG, MP3 and other files as a microphone: `--in file:P` with the extra `files`.

libsndfile reads them, libsoxr brings them to 48 kHz, both piece by piece. Integer PCM
in WAV needs neither.
"""

import importlib.util
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from wzp_cli.adapters.sound_files.paced import FileSource, Opened
from wzp_cli.adapters.sound_files.wav import NOT_WAV, WavSource, int16_bytes
from wzp_cli.defaults.media import MEDIA_CLOCK_HZ
from wzp_cli.errors import SoundError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Samples = npt.NDArray[np.float32]

__all__ = ["DecodedSource", "can_decode", "open_file"]

_INT16: Final = 32_768


def can_decode() -> bool:
    """Return whether the libraries are there."""
    return all(importlib.util.find_spec(name) for name in ("soundfile", "soxr"))


def open_file(path: str) -> "WavSource | DecodedSource":
    """Open a sound file, whatever its format.

    Raises:
        SoundError: It is missing, or of a kind that can't be read here.
    """
    try:
        return WavSource(path)
    except SoundError as error:
        if not isinstance(error.__cause__, NOT_WAV):
            raise
        if not can_decode():
            raise SoundError(
                f"{path} is no WAV file of integer PCM. For FLAC, OGG, MP3 and others: "
                "pip install 'wzp[files]'."
            ) from error
    return DecodedSource(path)


class DecodedSource(FileSource):
    """A sound file at the pace of speech; None when it has ended.

    Raises:
        SoundError: The file can't be read.
    """

    def __init__(self, path: str) -> None:
        import soundfile

        broken = (soundfile.LibsndfileError, OSError)
        try:
            self._file = file = _opened(path)
        except broken as error:
            raise SoundError(_unreadable(path, error)) from error
        super().__init__(
            Opened(file.samplerate, _converted(file), file.close),
            broken,
            lambda reason: _unreadable(path, reason),
        )


def _opened(path: str) -> Any:
    """Open a file that is read from front to back.

    After each read, soundfile seeks to where it is; libsndfile's MP3 decoder then gives
    silence. So no file counts as seekable here.
    """
    import soundfile

    class Forward(soundfile.SoundFile):  # type: ignore[misc]
        def seekable(self) -> bool:
            return False

    return Forward(path)


def _converted(file: Any) -> Iterator[bytes]:
    """Yield the file as int16 at 48 kHz mono, in pieces of any length."""
    import soxr

    resampler = soxr.ResampleStream(file.samplerate, MEDIA_CLOCK_HZ, 1, dtype="float32")
    for piece in _pieces(file):
        yield int16_bytes(resampler.resample_chunk(piece) * _INT16)
    rest = resampler.resample_chunk(_nothing(), last=True)
    yield int16_bytes(rest * _INT16)


def _pieces(file: Any) -> Iterator["Samples"]:
    """Yield the mean of the channels, some 20 ms at a time, 1.0 at full scale."""
    size = max(1, file.samplerate // 50)
    while len(piece := file.read(size, dtype="float32", always_2d=True)):
        yield piece.mean(axis=1)


def _nothing() -> "Samples":
    import numpy as np

    return np.zeros(0, dtype=np.float32)


def _unreadable(path: str, reason: object) -> str:
    words = getattr(reason, "error_string", None) or getattr(reason, "strerror", None)
    return f"{path} can't be read as sound: {str(words or reason).rstrip('.')}."
