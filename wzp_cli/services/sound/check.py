"""`wzp devices --test`: is the microphone heard, and does the speaker play?"""

from collections.abc import Callable
from dataclasses import dataclass

from wzp_cli.defaults.media import MEDIA_FRAME_MS
from wzp_cli.defaults.sound import SOUND_CHECK_LEVEL_FRAMES, SOUND_CHECK_S
from wzp_cli.events import Level, Report
from wzp_cli.ports import OpenSound, Sound
from wzp_cli.protocol.media.level import Level as Loudness
from wzp_cli.protocol.media.level import level

__all__ = ["SoundCheck", "check_sound", "hear_level"]


@dataclass(frozen=True, slots=True)
class SoundCheck:
    """What the microphone heard, and the speaker was given again.

    Attributes:
        level_dbfs, peak_dbfs: None where it heard nothing but digital silence.
    """

    heard_ms: int
    played_ms: int
    level_dbfs: float | None
    peak_dbfs: float | None


async def check_sound(
    open_sound: OpenSound,
    report: Report,
    *,
    seconds: float = SOUND_CHECK_S,
    on_playing: Callable[[], None] = lambda: None,
) -> SoundCheck:
    """Hear the source for `seconds`, tell its level all along, then play it back.

    Raises:
        SoundError: A device does not open.
    """
    async with open_sound() as sound:
        heard = await _hear(sound, round(seconds * 1000 / MEDIA_FRAME_MS), report)
        on_playing()
        for frame in heard:
            await sound.sink.wanted()
            sound.sink.write(frame)
        await sound.sink.wanted()
    loud = level(b"".join(heard))
    duration_ms = len(heard) * MEDIA_FRAME_MS
    return SoundCheck(duration_ms, duration_ms, loud.mean_dbfs, loud.peak_dbfs)


async def hear_level(open_sound: OpenSound, *, seconds: float) -> Loudness:
    """Hear the source for `seconds`, and return how loud that was.

    Raises:
        SoundError: It does not open.
    """
    async with open_sound() as sound:
        frames = round(seconds * 1000 / MEDIA_FRAME_MS)
        heard = await _hear(sound, frames, lambda event: None)
    return level(b"".join(heard))


async def _hear(sound: Sound, frames: int, report: Report) -> list[bytes]:
    heard: list[bytes] = []
    while len(heard) < frames:
        frame = await sound.source.read()
        if frame is None:
            break
        heard.append(frame)
        if len(heard) % SOUND_CHECK_LEVEL_FRAMES == 0:
            now = level(b"".join(heard[-SOUND_CHECK_LEVEL_FRAMES:]))
            report(Level(level_dbfs=now.mean_dbfs, peak_dbfs=now.peak_dbfs))
    return heard
