import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from wzp_cli.concurrency import task_group
from wzp_cli.errors import PeerBusy, PeerOffline


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await scenario()

    asyncio.run(main())


async def fail(error: Exception) -> None:
    raise error


async def together(
    *works: Callable[[], Coroutine[Any, Any, None]], then: Exception | None = None
) -> None:
    """Run works in one group, whose body then fails, or waits for ever."""
    async with task_group() as group:
        for work in works:
            group.create_task(work())
            await asyncio.sleep(0)
        if then is not None:
            raise then
        await asyncio.Event().wait()


def test_a_task_that_succeeds_is_waited_for() -> None:
    done: list[int] = []

    async def work(number: int) -> int:
        await asyncio.sleep(0)
        done.append(number)
        return number

    async def scenario() -> None:
        async with task_group() as group:
            tasks = [group.create_task(work(number)) for number in range(3)]
        assert done == [0, 1, 2]
        assert [task.result() for task in tasks] == done

    run(scenario)


def test_the_error_of_a_task_comes_out_bare() -> None:
    async def scenario() -> None:
        with pytest.raises(PeerBusy, match="later") as caught:
            await together(lambda: fail(PeerBusy("later")))
        assert caught.value.__suppress_context__

    run(scenario)


def test_the_error_of_the_body_comes_out_bare_and_ends_the_tasks() -> None:
    async def scenario() -> None:
        ended: list[str] = []

        async def work() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("work")

        with pytest.raises(PeerOffline):
            await together(work, then=PeerOffline())
        assert ended == ["work"]

    run(scenario)


def test_of_several_errors_the_first_comes_out() -> None:
    async def late() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise PeerOffline

    async def scenario() -> None:
        with pytest.raises(PeerBusy):
            await together(late, lambda: fail(PeerBusy()))

    run(scenario)


def test_groups_in_groups() -> None:
    async def inner() -> None:
        async with task_group() as group:
            group.create_task(fail(PeerBusy("inside")))

    async def scenario() -> None:
        with pytest.raises(PeerBusy, match="inside"):
            async with task_group() as group:
                group.create_task(inner())

    run(scenario)


def test_a_timeout_is_a_timeout() -> None:
    async def scenario() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0), task_group() as group:
                group.create_task(asyncio.Event().wait())

    run(scenario)


def test_a_cancelled_group_is_cancelled() -> None:
    async def scenario() -> None:
        entered = asyncio.Event()

        async def work() -> None:
            async with task_group() as group:
                group.create_task(asyncio.Event().wait())
                entered.set()

        async with asyncio.TaskGroup() as group:
            working = group.create_task(work())
            await entered.wait()
            working.cancel()
        assert working.cancelled()

    run(scenario)
