"""Where words go: standard output and error, a file, an inherited descriptor."""

import os
import sys
from collections.abc import Callable
from typing import BinaryIO

from wzp_cli.cli.output.failure import OutputClosed
from wzp_cli.errors import EnvironmentFault, UsageError

__all__ = ["StandardOutput", "open_events", "say"]


class StandardOutput:
    """Standard output as bytes. Where its reader has gone, `closed` is told once.

    Attributes:
        fault: What else went wrong with it: a full disk, for example.
    """

    def __init__(self, closed: Callable[[BaseException], None]) -> None:
        self.fault: EnvironmentFault | None = None
        self._closed = closed
        self._is_open = True

    def write(self, data: bytes) -> None:
        """Write and flush `data`; nothing more after the reader has gone."""
        if not self._is_open:
            return
        try:
            sys.stdout.flush()
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        except OSError as error:
            self._is_open = False
            _discard_standard_output()
            reason = _reason(error)
            if isinstance(reason, EnvironmentFault):
                self.fault = reason
            self._closed(reason)


def say(line: str) -> None:
    """Write one line of talk to standard error; that it can't be told is no error."""
    try:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
    except OSError:
        return


def open_events(where: str) -> BinaryIO:
    """Open "PATH" (made anew) or "fd:N" (inherited) for lines of events.

    Raises:
        UsageError: No open descriptor has that number.
        EnvironmentFault: The file can't be written.
    """
    try:
        if where.startswith("fd:"):
            return os.fdopen(_descriptor(where), "wb", buffering=0)
        return open(where, "wb", buffering=0)
    except OSError as error:
        why = error.strerror or str(error)
        kind = UsageError if where.startswith("fd:") else EnvironmentFault
        raise kind(f"--events {where}: {why}") from error


def _reason(error: OSError) -> BaseException:
    if isinstance(error, BrokenPipeError):
        return OutputClosed()
    return EnvironmentFault(f"standard output takes no more: {error.strerror}")


def _descriptor(where: str) -> int:
    number = where.removeprefix("fd:")
    if not (number.isascii() and number.isdecimal()):
        raise UsageError(f"--events {where}: write fd: and a number")
    return os.dup(int(number))


def _discard_standard_output() -> None:
    """Let the interpreter's last flush succeed."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
