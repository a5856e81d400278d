import asyncio

from tests.support.virtual_time import run
from wzp_cli.concurrency import task_group
from wzp_cli.relay.drain import Drain


def now() -> float:
    return asyncio.get_running_loop().time()


def test_it_begins_when_it_is_told_to() -> None:
    async def scenario() -> None:
        drain = Drain()
        async with task_group() as group:
            waiting = group.create_task(drain.wait_begun())
            await asyncio.sleep(100)
            assert not waiting.done()
            assert not drain.begun
            drain.begin(10)
        assert drain.begun

    run(scenario())


def test_without_channels_it_is_over_at_once() -> None:
    async def scenario() -> None:
        drain = Drain()
        drain.begin(10)
        began = now()
        assert await drain.wait_over(lambda: 0)
        assert now() == began

    run(scenario())


def test_it_is_over_with_the_last_channel() -> None:
    async def scenario() -> None:
        drain, channels = Drain(), [2]
        drain.begin(10)
        began = now()
        async with task_group() as group:
            over = group.create_task(drain.wait_over(lambda: channels[0]))
            for left in (1, 0):
                await asyncio.sleep(2)
                assert not over.done()
                channels[0] = left
                drain.changed()
        assert over.result()
        assert 4 <= now() - began < 4.1

    run(scenario())


def test_it_is_over_when_the_time_is_up() -> None:
    async def scenario() -> None:
        drain = Drain()
        drain.begin(10)
        began = now()
        assert not await drain.wait_over(lambda: 1)
        assert 10 <= now() - began < 10.1

    run(scenario())
