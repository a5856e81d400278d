"""Louder or softer: `--gain-in`, `--gain-out`."""

from typing import TYPE_CHECKING, Final

from wzp_cli.defaults.sound import GAIN_MAX_DB, GAIN_MIN_DB
from wzp_cli.errors import SoundError, UsageError
from wzp_cli.ports import FrameSink, FrameSource

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Samples = npt.NDArray[np.int16]

__all__ = ["GainSink", "GainSource", "amplified", "check_gain"]

_FULL: Final = 32_767


def check_gain(name: str, gain_db: float) -> float:
    """Return `gain_db`; UsageError where it is beyond what is of use."""
    if not GAIN_MIN_DB <= gain_db <= GAIN_MAX_DB:
        raise UsageError(
            f"{name} {gain_db:g}: a gain goes from {GAIN_MIN_DB} to {GAIN_MAX_DB} dB"
        )
    return gain_db


def amplified(pcm: bytes, gain_db: float) -> bytes:
    """Return a frame with so much gain; what would be too loud is cut off."""
    import numpy as np

    sound: Samples = np.frombuffer(pcm, "<i2")
    louder = np.rint(sound * 10 ** (gain_db / 20))
    within: Samples = np.clip(louder, -_FULL, _FULL).astype("<i2")
    return within.tobytes()


class GainSource:
    """A source made louder or softer."""

    def __init__(self, source: FrameSource, gain_db: float) -> None:
        self._source = source
        self._gain_db = gain_db

    async def read(self) -> bytes | None:
        """Return the next 20 ms, or None at the end."""
        pcm = await self._source.read()
        return None if pcm is None else amplified(pcm, self._gain_db)

    @property
    def failed(self) -> SoundError | None:
        """Why the source stopped, or None."""
        return getattr(self._source, "failed", None)


class GainSink:
    """A sink that plays louder or softer."""

    def __init__(self, sink: FrameSink, gain_db: float) -> None:
        self._sink = sink
        self._gain_db = gain_db
        self.wanted = sink.wanted

    def write(self, pcm: bytes) -> None:
        """Play 20 ms."""
        self._sink.write(amplified(pcm, self._gain_db))

    @property
    def failed(self) -> SoundError | None:
        """Why the sink stopped, or None."""
        return getattr(self._sink, "failed", None)
