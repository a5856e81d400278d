"""The terminal while the screen is up: single keys, another screen, given back whole.

    with held_terminal(Hooks(...)) as terminal:
        terminal.show("...")

However the block is left, the terminal is as it was, and the first screen is back with
all that stood there. Ctrl-Z gives it back for as long as the shell has it. Only a
SIGKILL of wzp itself leaves it as it is (then: `reset`).

What anybody writes to standard error meanwhile (a sound library's complaints, the log)
would tear the screen: it is kept, and written when the screen is gone.
"""

import contextlib
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from wzp_cli.cli.output.patience import PatientWriter
from wzp_cli.cli.view.drawing.layout import Size
from wzp_cli.cli.view.keys import PASTE_OFF, PASTE_ON
from wzp_cli.defaults.program import SCREEN_KEPT_BYTES

__all__ = ["Hooks", "Terminal", "can_hold", "held_terminal"]

_ENTER: Final = "\x1b[?1049h\x1b[?25l" + PASTE_ON  # other screen, no cursor
_LEAVE: Final = PASTE_OFF + "\x1b[m\x1b[?25h\x1b[?1049l"
_KEYBOARD: Final = 0
_STANDARD_ERROR: Final = 2
_FALLBACK: Final = os.terminal_size((80, 24))


@dataclass(frozen=True, slots=True)
class Hooks:
    """What to call, on the event loop: `soon` brings a function there from anywhere.

    Attributes:
        torn: The screen has to be drawn anew, as large as it is now.
    """

    soon: Callable[[Callable[[], None]], object]
    torn: Callable[[], None]


def can_hold() -> bool:
    """Return whether somebody sits at a terminal that can be drawn on, and is ours.

    A background job's is not; Windows' is drawn on by lines only.
    """
    if sys.platform == "win32" or os.environ.get("TERM", "dumb") in ("", "dumb"):
        return False
    if not (os.isatty(_KEYBOARD) and os.isatty(_STANDARD_ERROR)):
        return False
    try:
        return os.tcgetpgrp(_KEYBOARD) == os.getpgrp()
    except OSError:  # it is the terminal of another session
        return False


@contextlib.contextmanager
def held_terminal(hooks: Hooks) -> Iterator["Terminal"]:
    """Hold the terminal as long as the block runs. Main thread only."""
    with contextlib.ExitStack() as stack:
        screen = os.dup(_STANDARD_ERROR)  # stays open: a stuck writer has it yet
        stack.enter_context(_kept_standard_error())
        terminal = Terminal(screen, hooks)
        stack.callback(terminal.close)
        stack.enter_context(_signals(terminal, hooks))
        terminal.take()
        yield terminal


class Terminal:
    """A terminal that is held, or for a while is the shell's."""

    keyboard = _KEYBOARD

    def __init__(self, screen: int, hooks: Hooks) -> None:
        import termios

        self._termios: Any = termios
        self._screen = screen
        self._hooks = hooks
        self._found = termios.tcgetattr(_KEYBOARD)
        self._writer = PatientWriter(self._write)

    @property
    def size(self) -> Size:
        """How large it is now."""
        try:
            found = os.get_terminal_size(self._screen)
        except OSError:  # it has gone
            found = _FALLBACK
        return Size(*found) if found.columns and found.lines else Size(*_FALLBACK)

    @property
    def is_idle(self) -> bool:
        """Whether all that was shown has been taken: a slow line is not filled up."""
        return self._writer.is_idle

    def show(self, sequences: str) -> None:
        """Write to the screen, without waiting for it."""
        self._writer.put(sequences.encode(sys.stderr.encoding, "replace"))

    def forget_typed(self) -> None:
        """Forget what was typed until now."""
        with contextlib.suppress(self._termios.error):
            self._termios.tcflush(_KEYBOARD, self._termios.TCIFLUSH)

    def take(self) -> None:
        """Take keys as they are pressed, and the other screen."""
        self._set(self._raw())
        self.show(_ENTER)

    def give_back(self) -> None:
        """Leave it as it was found."""
        self.show(_LEAVE)
        self._writer.settle()
        self._set(self._found)

    def close(self) -> None:
        """Give it back for good."""
        self.give_back()
        self._writer.close()

    def stop_process(self) -> None:
        """Be stopped, as Ctrl-Z says; return when the shell lets us go on."""
        self.give_back()
        before = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        signal.pthread_kill(threading.get_ident(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, before)
        self.go_on()

    def go_on(self) -> None:
        """Take the terminal again: the shell has had it."""
        self.take()
        self._hooks.torn()

    def _raw(self) -> list[Any]:
        """Return its settings for single keys; Ctrl-C and Ctrl-Z stay signals."""
        t = self._termios
        mode = list(self._found)
        mode[0] &= ~(t.IXON | t.ICRNL)
        mode[3] &= ~(t.ICANON | t.ECHO | t.IEXTEN)
        mode[6] = list(mode[6])
        mode[6][t.VMIN], mode[6][t.VTIME] = 1, 0
        return mode

    def _set(self, mode: list[Any]) -> None:
        """Set the terminal. That it has gone is no error."""
        while True:
            try:
                self._termios.tcsetattr(_KEYBOARD, self._termios.TCSANOW, mode)
            except self._termios.error as error:
                if error.args[0] == 4:  # EINTR: from the background, until fg
                    continue
            return

    def _write(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # it has gone, SIGHUP tells
            while data:
                data = data[os.write(self._screen, data) :]


@contextlib.contextmanager
def _signals(terminal: Terminal, hooks: Hooks) -> Iterator[None]:
    """Heed job control, a new size, and a terminal that is closed."""
    heeded = {
        signal.SIGTSTP: terminal.stop_process,
        signal.SIGCONT: terminal.go_on,
        signal.SIGWINCH: hooks.torn,
        signal.SIGHUP: lambda: signal.raise_signal(signal.SIGTERM),
    }

    def on(number: int, _frame: object) -> None:
        hooks.soon(heeded[signal.Signals(number)])

    before = {number: signal.signal(number, on) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _kept_standard_error() -> Iterator[None]:
    """Keep the end of what is written to standard error; write it afterwards."""
    kept: deque[bytes] = deque()
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)  # who writes there never waits
    found = os.dup(_STANDARD_ERROR)
    sys.stderr.flush()
    os.dup2(theirs, _STANDARD_ERROR)
    os.close(theirs)
    reading = threading.Thread(target=_keep, args=(ours, kept), daemon=True)
    reading.start()
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os.dup2(found, _STANDARD_ERROR)  # the last end that writes: the thread ends
        os.close(found)
        reading.join(1)
        with contextlib.suppress(OSError):
            os.write(_STANDARD_ERROR, b"".join(kept))


def _keep(pipe: int, kept: deque[bytes]) -> None:
    """Read a pipe to its end; the oldest of too much is dropped."""
    size = 0
    while data := os.read(pipe, 4096):
        kept.append(data)
        size += len(data)
        while size > SCREEN_KEPT_BYTES:
            size -= len(kept.popleft())
    os.close(pipe)
