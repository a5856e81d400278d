import asyncio
import os
import signal
import threading

import pytest

from wzp_cli.cli.output.failure import OutputClosed, Terminated
from wzp_cli.cli.running.stop import Stop, run_async, sigterm_stops


async def until_cancelled(cleaned: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
        cleaned.append("up")


def test_what_ends_by_itself_returns() -> None:
    async def work() -> int:
        return 3

    assert run_async(work(), Stop()) == 3


def test_sigterm_comes_out_after_clean_up() -> None:
    cleaned: list[str] = []

    async def work() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await until_cancelled(cleaned)

    stop = Stop()
    with sigterm_stops(stop), pytest.raises(Terminated):
        run_async(work(), stop)
    assert cleaned == ["up"]


def test_a_signal_that_meets_another_thread_wakes_the_loop() -> None:
    cleaned: list[str] = []
    before = signal.set_wakeup_fd(-1)

    async def work() -> None:
        def signalled() -> None:
            signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

        other = threading.Timer(0.05, signalled)  # the loop waits for events by then
        other.start()
        await until_cancelled(cleaned)

    stop = Stop()
    with sigterm_stops(stop), pytest.raises(Terminated):
        run_async(work(), stop)
    assert cleaned == ["up"]
    assert signal.set_wakeup_fd(before) == -1


def test_a_second_sigterm_does_not_wait() -> None:
    async def work() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            await asyncio.Event().wait()
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.Event().wait()

    stop = Stop()
    with sigterm_stops(stop), pytest.raises(Terminated):
        run_async(work(), stop)


def test_sigterm_without_a_loop_is_raised_and_the_old_rule_returns() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Terminated), sigterm_stops(Stop()):
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_first_reason_counts_also_where_the_work_still_ends_well() -> None:
    stop = Stop()

    async def work() -> int:
        stop.request(OutputClosed())
        stop.request(Terminated())
        return 3

    with pytest.raises(OutputClosed):
        run_async(work(), stop)


def test_nothing_is_stopped_when_all_is_over() -> None:
    stop = Stop()
    stop.is_over()
    stop.request(OutputClosed())
    assert stop.reason is None


def test_a_cancellation_of_unknown_origin_is_not_hidden() -> None:
    async def work() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        run_async(work(), Stop())
