"""Who waits for which ping."""

import asyncio

from wzp_cli.endpoint.links.pings import UNWAITED, Pings


def test_each_ping_has_its_own_answer() -> None:
    async def scenario() -> None:
        pings = Pings()
        with pings.new() as (one, first), pings.new() as (two, second):
            assert len({UNWAITED, one, two}) == 3
            pings.acknowledged(two)
            assert second.done()
            assert not first.done()
            pings.acknowledged(two)  # once more does no harm
            pings.acknowledged(UNWAITED)
        pings.acknowledged(one)  # nobody waits any more
        assert not first.done()
        assert len(pings) == 0

    asyncio.run(scenario())


def test_the_end_wakes_everybody() -> None:
    async def scenario() -> None:
        pings = Pings()
        with pings.new() as (_, first), pings.new() as (_, second):
            pings.end()
            assert first.done()
            assert second.done()

    asyncio.run(scenario())
