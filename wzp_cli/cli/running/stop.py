"""Stopping a command from outside: SIGTERM, Ctrl-C, a reader that has gone.

The main task is cancelled, so that everything it owns is cleaned up (calls hang up);
only then does the reason come out of `run` as an exception.
"""

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

from wzp_cli.cli.output.failure import Terminated
from wzp_cli.cli.running.loop import CommandLoop

__all__ = ["Stop", "run_async", "sigterm_stops"]

Result = TypeVar("Result")


class Stop:
    """The wish to end the command. The first reason counts."""

    def __init__(self) -> None:
        self.reason: BaseException | None = None
        self._over = False
        self._cancel: Callable[[], object] | None = None

    def is_over(self) -> None:
        """Nothing is left to be stopped: later requests do nothing."""
        self._over = True

    def request(self, reason: BaseException) -> None:
        """Cancel the main task; where none runs, raise `reason` in the main thread."""
        if self.reason is not None or self._over:
            return
        self.reason = reason
        if self._cancel is not None:
            self._cancel()
        elif threading.current_thread() is threading.main_thread():
            raise reason

    async def cancels(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Await `work` in the task that a request cancels."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
        try:
            with _signals_wake(loop):
                return await work
        finally:
            self._cancel = None


def run_async(work: Coroutine[Any, Any, Result], stop: Stop) -> Result:
    """Run `work` to its end: the one event loop of a command.

    Raises:
        BaseException: `work`'s error, or the reason to stop once `work` is cleaned up.
    """
    try:
        with asyncio.Runner(loop_factory=CommandLoop) as runner:
            result = runner.run(stop.cancels(work))
    except asyncio.CancelledError:
        if stop.reason is None:
            raise
        raise stop.reason from None
    finally:
        work.close()  # where there was not even a loop to begin it
    if stop.reason is not None:
        raise stop.reason
    return result


@contextlib.contextmanager
def _signals_wake(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Make each signal wake the loop, whichever thread it met.

    Python's handlers run in the main thread. A signal that comes just before it waits
    for events, when other threads want to run, would be seen only at the next event.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    here, there = socket.socketpair()
    with here, there:
        here.setblocking(False)
        there.setblocking(False)
        loop.add_reader(here, lambda: here.recv(4096))
        previous = signal.set_wakeup_fd(there.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(previous)
            loop.remove_reader(here)


@contextlib.contextmanager
def sigterm_stops(stop: Stop) -> Iterator[None]:
    """Make SIGTERM a reason to stop; a second one does not wait for clean-up."""

    def on_sigterm(signum: int, frame: object) -> None:
        if stop.reason is not None:
            raise Terminated
        stop.request(Terminated())

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, on_sigterm)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
