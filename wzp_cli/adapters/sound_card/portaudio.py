"""PortAudio as a library: imported late, used by one thread at a time, kept quiet.

PortAudio and ALSA print on descriptor 2 whenever something goes wrong, from threads of
their own. While they work, that descriptor leads nowhere, and `sys.stderr` writes to a
copy of where it led: what wzp says itself still arrives. A child process that shall be
heard meanwhile is given `sys.stderr`.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Final, TextIO

from wzp_cli.errors import SoundError

__all__ = ["INSTEAD", "open_streams", "portaudio", "quiet_stderr"]

INSTEAD: Final = "Without a sound card use --in file:P, --in null, --out null."

open_streams: Final[list[Any]] = []
"""The streams that are open in this process: while there are some, no new search."""

_lock: Final = threading.Lock()  # PortAudio opens and closes one at a time


@contextlib.contextmanager
def portaudio() -> Iterator[ModuleType]:
    """Hold PortAudio for this thread, with the devices that there are now.

    Raises:
        SoundError: There is no PortAudio.
    """
    with _lock, quiet_stderr():
        yield _sounddevice()


def _sounddevice() -> ModuleType:
    """Import sounddevice; when it already is, look for devices plugged in since."""
    again = "sounddevice" in sys.modules
    try:
        import sounddevice
    except OSError as error:
        raise SoundError(
            "PortAudio is missing. Install libportaudio2 (Debian) or portaudio "
            f"(Homebrew). {INSTEAD}"
        ) from error
    module: ModuleType = sounddevice
    if again and not open_streams:
        sounddevice._terminate()
        sounddevice._initialize()
    return module


class _Hush:
    """Descriptor 2 led to nowhere, for as many as want that at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted = 0
        self._kept: int | None = None
        self._instead: TextIO | None = None
        self._before: TextIO | None = None

    def begin(self) -> None:
        with self._lock:
            self._wanted += 1
            if self._wanted == 1:
                self._redirect()

    def end(self) -> None:
        with self._lock:
            self._wanted -= 1
            if not self._wanted:
                self._restore()

    def _redirect(self) -> None:
        try:
            self._kept = os.dup(2)
        except OSError:  # there is no standard error
            return
        if _descriptor(sys.stderr) == 2:
            self._before = sys.stderr
            self._before.flush()
            self._instead = open(  # noqa: SIM115 - as long as the silence lasts
                self._kept,
                "w",
                buffering=1,
                encoding=self._before.encoding,
                errors=self._before.errors,
                closefd=False,
            )
            sys.stderr = self._instead
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)

    def _restore(self) -> None:
        if self._kept is None:
            return
        os.dup2(self._kept, 2)
        if self._instead is not None and sys.stderr is self._instead:
            self._instead.flush()
            sys.stderr = self._before
        os.close(self._kept)
        self._kept = self._instead = self._before = None


_hush: Final = _Hush()


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Keep what ALSA and PortAudio print themselves off standard error."""
    _hush.begin()
    try:
        yield
    finally:
        _hush.end()


def _descriptor(stream: TextIO | None) -> int | None:
    try:
        return None if stream is None else stream.fileno()
    except (OSError, ValueError):  # not a file, or closed
        return None
