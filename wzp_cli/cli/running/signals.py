"""Signals that mean something else than "stop" to one command."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["on_signal"]


@contextmanager
def on_signal(
    name: str, act: Callable[[], None], *, once: bool = False
) -> Iterator[None]:
    """Run `act` in the event loop when the signal comes, while the block runs.

    Does nothing where the system has no such signal, or off the main thread.

    Args:
        name: Such as "SIGHUP".
        act: What to do.
        once: From the second time on, the signal means again what it meant before.
    """
    number = getattr(signal, name, None)
    if number is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()

    def on_it(signum: int, frame: object) -> None:
        if once:
            signal.signal(number, before)
        loop.call_soon_threadsafe(act)

    before = signal.signal(number, on_it)
    try:
        yield
    finally:
        signal.signal(number, before)
