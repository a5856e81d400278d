import asyncio
import time

from tests.support.virtual_time import run
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.relay import LOOP_LAG_BUCKETS_S, LOOP_LAG_PROBE_S
from wzp_cli.relay.counts import Counts


def test_a_loop_that_has_time_is_not_late() -> None:
    async def scenario() -> None:
        counts = Counts()
        async with task_group() as group:
            watching = group.create_task(counts.watch_loop())
            await asyncio.sleep(10.5 * LOOP_LAG_PROBE_S)
            watching.cancel()
        assert counts.loop_lag.counts[0] == sum(counts.loop_lag.counts) == 10

    run(scenario())


def test_a_loop_that_is_held_up_is_late_by_that() -> None:
    async def scenario() -> None:
        counts = Counts()
        async with task_group() as group:
            watching = group.create_task(counts.watch_loop())
            asyncio.get_running_loop().call_soon(time.sleep, 2 * LOOP_LAG_PROBE_S)
            await asyncio.sleep(3.5 * LOOP_LAG_PROBE_S)
            watching.cancel()
        assert counts.loop_lag.sum_s >= 0.9 * LOOP_LAG_PROBE_S
        late = zip(LOOP_LAG_BUCKETS_S, counts.loop_lag.counts, strict=False)
        assert any(n for end_s, n in late if end_s >= 0.9 * LOOP_LAG_PROBE_S)

    asyncio.run(scenario())
