"""Asking the person at the terminal."""

import asyncio
import sys

from wzp_cli.cli.output.channels import say
from wzp_cli.events import Incoming

__all__ = ["ask_at_terminal"]

_YES = {"y", "yes", "a", "answer"}


async def ask_at_terminal(incoming: Incoming) -> bool:
    """Return whether the person takes the call; cancelling stops the asking."""
    say("Answer? [y/N] ")
    line = await _line()
    return line.strip().lower() in _YES


async def _line() -> str:
    """Return what is typed, without a thread that would outlive the question."""
    loop = asyncio.get_running_loop()
    typed: asyncio.Future[str] = loop.create_future()

    def read() -> None:
        if not typed.done():
            typed.set_result(sys.stdin.readline())

    loop.add_reader(sys.stdin.fileno(), read)
    try:
        return await typed
    finally:
        loop.remove_reader(sys.stdin.fileno())
