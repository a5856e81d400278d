import asyncio
import os
import signal
import threading
from collections.abc import Iterator

import pytest

from wzp_cli.cli.running.signals import on_signal


@pytest.fixture(autouse=True)
def handlers_stay() -> Iterator[None]:
    before = signal.getsignal(signal.SIGHUP), signal.getsignal(signal.SIGTERM)
    yield
    after = signal.getsignal(signal.SIGHUP), signal.getsignal(signal.SIGTERM)
    assert after == before


def test_it_acts_in_the_loop_each_time() -> None:
    async def scenario() -> list[int]:
        acted: list[int] = []
        came = asyncio.Event()

        def act() -> None:
            acted.append(1)
            came.set()

        with on_signal("SIGHUP", act):
            for _ in range(3):
                came.clear()
                os.kill(os.getpid(), signal.SIGHUP)
                await came.wait()
        return acted

    assert asyncio.run(scenario()) == [1, 1, 1]


def test_once_and_then_what_it_meant_before() -> None:
    before: list[int] = []

    async def scenario() -> None:
        came = asyncio.Event()
        with on_signal("SIGTERM", came.set, once=True):
            os.kill(os.getpid(), signal.SIGTERM)
            await came.wait()
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0)

    former = signal.signal(signal.SIGTERM, lambda *_: before.append(1))
    try:
        asyncio.run(scenario())
    finally:
        signal.signal(signal.SIGTERM, former)
    assert before == [1]


def test_where_there_is_no_such_signal_nothing_happens() -> None:
    async def scenario() -> None:
        with on_signal("SIGNONE", lambda: None):
            pass

    asyncio.run(scenario())


def test_off_the_main_thread_nothing_happens() -> None:
    async def scenario() -> None:
        with on_signal("SIGHUP", lambda: None):
            assert signal.getsignal(signal.SIGHUP) == before

    before = signal.getsignal(signal.SIGHUP)
    thread = threading.Thread(target=lambda: asyncio.run(scenario()))
    thread.start()
    thread.join()
