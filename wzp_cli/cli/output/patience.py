"""Lines for a reader that may be slow: a call must not wait for who reads about it."""

import collections
import threading
from collections.abc import Callable

from wzp_cli.defaults.program import OUTPUT_LAST_WAIT_S, OUTPUT_QUEUE_LINES

__all__ = ["PatientWriter"]


class PatientWriter:
    """Writes lines in order, from a thread of its own.

    A full queue drops its oldest line: old news is worth least, `seq` shows the gap.

    Attributes:
        dropped: Lines that were never written.
    """

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self.dropped = 0
        self._write = write
        self._lines: collections.deque[bytes] = collections.deque()
        self._changed = threading.Condition()
        self._busy = False
        self._closing = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def put(self, line: bytes) -> None:
        """Write `line` as soon as the reader takes it; never blocks."""
        with self._changed:
            if len(self._lines) >= OUTPUT_QUEUE_LINES:
                self._lines.popleft()
                self.dropped += 1
            self._lines.append(line)
            self._changed.notify_all()

    @property
    def is_idle(self) -> bool:
        """Whether everything has been written."""
        with self._changed:
            return not (self._lines or self._busy)

    def settle(self) -> None:
        """Give the reader a little time to take what there is."""
        with self._changed:
            self._changed.wait_for(
                lambda: not (self._lines or self._busy), OUTPUT_LAST_WAIT_S
            )

    def close(self) -> None:
        """Give the reader a little time to take the last lines."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self.settle()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines or self._closing)
                if not self._lines:
                    return
                line = self._lines.popleft()
                self._busy = True
            try:
                self._write(line)
            finally:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()
