import asyncio
from contextlib import nullcontext

from wzp_cli.cli.view.stage import Stage


def test_where_there_is_no_screen_nothing_changes() -> None:
    stage = Stage()

    async def work() -> int:
        return 7

    async def scenario() -> None:
        assert await stage.until_quit(work()) == 7
        assert not await stage.ask(), "nobody can answer"

    asyncio.run(scenario())
    assert not stage.shows
    assert stage.beside(None) is None
    assert stage.beside(nullcontext) is nullcontext  # type: ignore[comparison-overlap,arg-type]
