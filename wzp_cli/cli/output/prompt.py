"""Asking the person at the terminal."""

import asyncio
import signal
import sys

from wzp_cli.cli.output.channels import say
from wzp_cli.defaults.program import PROMPT_LOOK_S

__all__ = ["ask_at_terminal", "ask_line", "can_ask"]

_YES = {"y", "yes", "a", "answer"}
_NO = {"n", "no", "d", "decline"}


def can_ask() -> bool:
    """Return whether somebody sits at a terminal."""
    return sys.stdin is not None and sys.stdin.isatty()


async def ask_at_terminal(question: str) -> bool:
    """Return whether the person says yes; the end of input is a no.

    Anything else is asked again; cancelling stops the asking.
    """
    _drop_typed()
    while True:
        say(f"{question} Type y or n, then Enter.")
        line = await _line()
        word = line.strip().lower()
        if word in _YES:
            return True
        if word in _NO or not line:
            return False


async def ask_line(question: str, usual: str) -> str:
    """Return what the person types; `usual` for Enter alone, or no more input."""
    say(f"{question} [{usual}]:")
    return (await _line()).strip() or usual


if sys.platform == "win32":
    import msvcrt

    def _drop_typed() -> None:
        while msvcrt.kbhit():
            msvcrt.getwch()

    async def _line() -> str:
        """Look for keys again and again: no loop can watch a console."""
        line = ""
        while True:
            while msvcrt.kbhit():
                key = msvcrt.getwche()
                if key in ("\r", "\n"):
                    say("")
                    return f"{line}\n"
                if key == "\x1a":  # Ctrl-Z: the end of input
                    return ""
                if key == "\x03":
                    signal.raise_signal(signal.SIGINT)
                elif key in ("\0", "\xe0"):
                    msvcrt.getwch()  # an arrow, or a function key
                else:
                    line = line[:-1] if key == "\b" else line + key
            await asyncio.sleep(PROMPT_LOOK_S)

else:
    import termios

    def _drop_typed() -> None:
        """Forget what was typed before the question: it was no answer to it."""
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)

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
