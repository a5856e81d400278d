"""The microphone's sound without the speaker's echo, with less noise, loud enough.

That is WebRTC's audio processing module, by `pywebrtc-audio` (the extra `audio`): its
echo canceller (AEC3) is told what the speaker plays while the microphone hears, block
by block; behind it come noise suppression and automatic gain (AGC2).
"""

import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wzp_cli.adapters.sound_card.sides import Played
from wzp_cli.defaults.media import MEDIA_CLOCK_HZ
from wzp_cli.defaults.sound import AUTO_GAIN_MAX_DB, NOISE_SUPPRESSION_LEVEL
from wzp_cli.ports import FrameSource

if TYPE_CHECKING:
    import numpy as np

__all__ = ["CleanSource", "Cleaning", "can_clean"]


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What of it is wanted."""

    echo: bool = True
    noise: bool = True
    gain: bool = True

    def __bool__(self) -> bool:
        return self.echo or self.noise or self.gain


def can_clean() -> bool:
    """Return whether the library is there."""
    return importlib.util.find_spec("pywebrtc_audio") is not None


class CleanSource:
    """A microphone, cleaned. `played` is None where there is no speaker beside it."""

    def __init__(
        self, source: FrameSource, played: Played | None, cleaning: Cleaning
    ) -> None:
        from pywebrtc_audio import AudioProcessor

        self._source = source
        self._played = played if cleaning.echo else None
        self._processor = AudioProcessor(
            sample_rate=MEDIA_CLOCK_HZ,
            echo_cancellation=self._played is not None,
            noise_suppression=cleaning.noise,
            high_pass_filter=True,
            auto_gain_control=cleaning.gain,
            ns_level=NOISE_SUPPRESSION_LEVEL,
            agc_max_gain_db=AUTO_GAIN_MAX_DB,
        )

    async def read(self) -> bytes | None:
        """Return the next 20 ms, or None at the end."""
        pcm = await self._source.read()
        return None if pcm is None else self.clean(pcm)

    def clean(self, pcm: bytes) -> bytes:
        """Return a frame without what the speaker played meanwhile."""
        near = _samples(pcm)
        if self._played is None:
            return self._processor.process(near).tobytes()
        return self._processor.process(near, _samples(self._played.frame())).tobytes()


def _samples(pcm: bytes) -> "np.ndarray[tuple[int], np.dtype[np.int16]]":
    import numpy as np

    return np.frombuffer(pcm, np.int16)
