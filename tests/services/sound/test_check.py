from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.virtual_time import run
from tests.support.world import CountingSound
from wzp_cli.events import Event, Level
from wzp_cli.services.sound.check import SoundCheck, check_sound, hear_level


def checked(
    frames: int | None, seconds: float
) -> tuple[SoundCheck, CountingSound, list[Event]]:
    """Return the verdict, what was played, and what was told."""
    told: list[Event] = []
    sounds: list[CountingSound] = []

    @asynccontextmanager
    async def open_sound() -> AsyncIterator[CountingSound]:
        sounds.append(CountingSound(frames))
        yield sounds[0]

    async def scenario() -> None:
        checks.append(
            await check_sound(
                open_sound,
                told.append,
                seconds=seconds,
                on_playing=lambda: checks.append(None),
            )
        )

    checks: list[SoundCheck | None] = []
    run(scenario())
    before, check = checks
    assert before is None, "told once that it plays now"
    assert check is not None
    return check, sounds[0], told


def test_what_was_heard_is_played_again_in_order() -> None:
    check, sound, told = checked(None, 2)
    assert (check.heard_ms, check.played_ms) == (2000, 2000)
    assert sound.numbers == list(range(1, 101))
    assert check.peak_dbfs is not None
    assert len(told) == 20
    levels = [e.level_dbfs or -99 for e in told if isinstance(e, Level)]
    assert levels == sorted(levels), "the counting voice gets louder"


def test_a_source_that_ends_is_played_as_far_as_it_went() -> None:
    check, sound, _ = checked(12, 2)
    assert check.heard_ms == 240
    assert sound.numbers == list(range(1, 13))


def test_how_loud_it_is_is_heard_without_playing() -> None:
    async def scenario() -> None:
        sound = CountingSound(None)

        @asynccontextmanager
        async def open_sound() -> AsyncIterator[CountingSound]:
            yield sound

        loud = await hear_level(open_sound, seconds=0.2)
        assert loud.mean_dbfs is not None
        assert sound.numbers == []

    run(scenario())
