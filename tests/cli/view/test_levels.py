import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.services.calls.test_call_controls import Kept
from wzp_cli.cli.view.levels import Levels

LOUD = b"\x00\x40" * 960  # half of full scale
SILENT = bytes(1920)


def loud(levels: Levels) -> tuple[float | None, float | None]:
    return levels.said_dbfs, levels.heard_dbfs


def test_each_side_is_as_loud_as_it_was_last() -> None:
    levels = Levels()
    assert loud(levels) == (None, None)
    levels.said(LOUD)
    assert loud(levels) == (-6.0, None)
    for _ in range(5):
        levels.said(SILENT)
        levels.heard(LOUD)
    assert loud(levels) == (None, -6.0)


def test_it_shows_what_another_process_has_heard() -> None:
    levels = Levels()
    levels.heard(LOUD)
    levels.told(None, -12.5)
    assert loud(levels) == (None, -12.5)


def test_it_listens_in_beside_a_recording_and_forgets_the_call_before() -> None:
    kept = Kept()

    @asynccontextmanager
    async def record() -> AsyncIterator[Kept]:
        yield kept

    async def scenario() -> None:
        levels = Levels()
        levels.said(LOUD)
        async with levels.beside(record)() as both:
            assert loud(levels)[0] is None
            both.said(LOUD)
            both.heard(LOUD)
        assert (kept.spoken, kept.heard_frames) == ([LOUD], [LOUD])
        assert loud(levels) == (-6.0, -6.0)
        async with levels.beside(None)() as alone:
            alone.heard(LOUD)
        assert loud(levels) == (None, -6.0)

    asyncio.run(scenario())
