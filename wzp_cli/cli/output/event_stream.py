"""Newline-delimited JSON for scripts: `hello` first, `end` last, whatever happens.

Each line is `{"v": 1, "ts": ..., "seq": ..., "t_ms": ..., "event": ..., ...}`: `seq`
counts lines from 0, `t_ms` counts from the start of the command.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from wzp_cli import __version__
from wzp_cli.cli.command import Outcome
from wzp_cli.cli.output.document import encoded, timestamp
from wzp_cli.cli.output.failure import exit_code, failed, is_stop, problem
from wzp_cli.events import Ended, Event, Hello

__all__ = ["ENVELOPE_VERSION", "EventStream", "enveloped"]

ENVELOPE_VERSION = 1


class EventStream:
    """Writes events as lines. `write` takes one whole line and flushes it.

    A reported `Ended` is held back, so that it is the last line also when the command
    fails afterwards; its `ok` and `exit` are then set to what really happened.
    """

    def __init__(
        self,
        write: Callable[[bytes], None],
        *,
        started_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write = write
        self._started_s = started_s
        self._clock = clock
        self._sequence = 0
        self._end = Ended(ok=True, exit=0)

    def report(self, event: Event) -> None:
        """Write `event`, after a `hello` if there was none yet."""
        if isinstance(event, Ended):
            self._end = event
            return
        if isinstance(event, Hello) and self._sequence:
            return  # said once, whoever else opens a socket
        self._greet_before(event)
        self._line(event)

    def close(self, outcome: Outcome | None, error: BaseException | None) -> None:
        """Write the error that ended the command, if any, and `end`."""
        exit_ = self._end.exit if error is None else exit_code(error)
        if error is not None and not is_stop(error):
            self.report(failed(problem(error)))
        end = msgspec.structs.replace(self._end, ok=exit_ == 0, exit=exit_)
        self._greet_before(end)
        self._line(end)

    def _greet_before(self, event: Event) -> None:
        if not self._sequence and not isinstance(event, Hello):
            self._line(Hello(id="", version=__version__))  # failed before the key

    def _line(self, event: Event) -> None:
        t_ms = round((self._clock() - self._started_s) * 1000, 1)
        self._write(enveloped(event, self._sequence, t_ms))
        self._sequence += 1


def enveloped(event: Event, sequence: int, t_ms: float) -> bytes:
    """Return the line of an event."""
    envelope = {
        "v": ENVELOPE_VERSION,
        "ts": timestamp(datetime.now(UTC)),
        "seq": sequence,
        "t_ms": t_ms,
    }
    return encoded(envelope | msgspec.to_builtins(event))
