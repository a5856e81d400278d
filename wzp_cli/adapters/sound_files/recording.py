"""A call on disk: `--record F`, one side a channel, ours left, the peer's right.

F ends in .wav (16 bits, 48 kHz), or with the extra `files` in .opus or .ogg. The file
is made by us, for nobody else to read, and never one that is there already. A thread of
its own writes it, a second at a time, and each time makes it a whole file again: what
was said until a second ago survives whatever ends wzp. A disk that is full ends the
recording and not the call.
"""

import asyncio
import concurrent.futures.thread  # noqa: F401 - else to_thread opens it at the end
import contextlib
import importlib.util
import itertools
import os
import queue
import shutil
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from wzp_cli.adapters.sound_files.timeline import Timeline
from wzp_cli.adapters.sound_files.wav import WAV_SOUND_MAX_BYTES, wav_header
from wzp_cli.defaults.media import MEDIA_CLOCK_HZ
from wzp_cli.defaults.sound import (
    RECORDING_CLOSE_MAX_S,
    RECORDING_FREE_MIN_BYTES,
    RECORDING_NAMES_MAX,
    RECORDING_PIECE_S,
    RECORDING_QUEUE_PIECES,
)
from wzp_cli.errors import SoundError, UsageError
from wzp_cli.events import Recorded, Report, Warned

__all__ = ["CallRecording", "check_recording", "record_call"]

_OGG: Final = (".opus", ".ogg")
_NO_ROOM: Final = f"less than {RECORDING_FREE_MIN_BYTES >> 20} MiB are free there"
_CHANNELS: Final = 2
_NEW: Final = (
    os.O_RDWR
    | os.O_CREAT
    | os.O_EXCL
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_BINARY", 0)
)


def check_recording(path: str, *, numbered: bool) -> None:
    """Check what --record says, before anybody is called.

    Args:
        path: F.
        numbered: Whether each call gets a name of its own, made from F.

    Raises:
        UsageError: Not a name for a recording, or it is there already.
        SoundError: Its folder can't be written or is nearly full, or a library is
            missing.
    """
    file = Path(path)
    if file.suffix not in (".wav", *_OGG):
        raise UsageError(f"--record {path}: the name ends in .wav, .opus or .ogg")
    if not numbered and os.path.lexists(file):
        raise UsageError(f"--record {path} is there already; choose another name")
    if not file.parent.is_dir():
        raise UsageError(f"--record {path}: there is no folder {file.parent}")
    if not os.access(file.parent, os.W_OK):
        raise SoundError(f"{file.parent} can't be written: check its owner and mode.")
    if _free_bytes(file.parent) < RECORDING_FREE_MIN_BYTES:
        raise SoundError(f"--record {path}: {_NO_ROOM}; free some, or name another.")
    if file.suffix in _OGG and importlib.util.find_spec("soundfile") is None:
        raise SoundError(
            f"--record {path}: for Ogg Opus, pip install 'wzp[files]'; or name a .wav."
        )


@contextlib.asynccontextmanager
async def record_call(
    path: str, report: Report, *, numbered: bool
) -> AsyncIterator["CallRecording"]:
    """Record one call, as long as the block lasts. What goes wrong is a warning."""
    recording = CallRecording(path, report, numbered=numbered)
    try:
        yield recording
    finally:
        await recording.close()


class CallRecording:
    """What is said in one call, on its way to the disk. Used on the event loop.

    Attributes:
        path: The file; None where there is none.
        dropped: Pieces of a second that the disk was too slow for.
    """

    def __init__(self, path: str, report: Report, *, numbered: bool) -> None:
        self.path: Path | None = None
        self.dropped = 0
        self._report = report
        self._loop = asyncio.get_running_loop()
        self._timeline = Timeline(self._loop.time())
        self._taken_s = self._loop.time()
        self._pieces: queue.Queue[bytes | None] = queue.Queue(RECORDING_QUEUE_PIECES)
        self._over = False
        self._thread: threading.Thread | None = None
        try:
            writer, self.path = _create(Path(path), numbered=numbered)
        except (OSError, RuntimeError) as error:
            self._fail(path, error)
            return
        report(Recorded(path=str(self.path)))
        self._thread = threading.Thread(
            target=self._run, args=(writer,), name="wzp-record", daemon=True
        )
        self._thread.start()

    def said(self, pcm: bytes) -> None:
        """Keep 20 ms of our own voice."""
        if not self._over:
            self._timeline.left(pcm, self._loop.time())

    def heard(self, pcm: bytes) -> None:
        """Keep 20 ms of the peer's."""
        if self._over:
            return
        now_s = self._loop.time()
        self._timeline.right(pcm, now_s)
        if now_s - self._taken_s >= RECORDING_PIECE_S:
            self._taken_s = now_s
            self._hand_over(self._timeline.take(now_s))

    async def close(self) -> None:
        """Write the rest, and finish the file."""
        if self._thread is None:
            return
        if not self._over:
            self._over = True
            self._hand_over(self._timeline.take(self._loop.time(), all_of_it=True))
        await asyncio.to_thread(self._finish)

    def _finish(self) -> None:
        """Let the thread write what it has, for at most `RECORDING_CLOSE_MAX_S`."""
        assert self._thread is not None
        with contextlib.suppress(queue.Full):
            self._pieces.put(None, timeout=RECORDING_CLOSE_MAX_S)
        self._thread.join(RECORDING_CLOSE_MAX_S)

    def _hand_over(self, piece: bytes) -> None:
        """Give a piece to the thread; the disk is too slow where none fits."""
        try:
            self._pieces.put_nowait(piece)
        except queue.Full:
            self.dropped += 1
            if self.dropped == 1:
                self._warn("the disk is too slow for the recording: parts are missing")

    def _run(self, writer: "_Writer") -> None:
        """Write until the end, or until it fails (thread)."""
        try:
            with contextlib.closing(writer):
                writer.begin()
                while (piece := self._pieces.get()) is not None:
                    writer.write(piece)
        except (OSError, RuntimeError) as error:  # LibsndfileError is one of these
            self._over = True
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._fail, self.path, error)
            while self._pieces.get() is not None:
                pass

    def _fail(self, path: object, error: Exception) -> None:
        self._over = True
        why = getattr(error, "strerror", None) or str(error).rstrip(".")
        self._warn(f"{path} is recorded no further: {why}; the call goes on")

    def _warn(self, message: str) -> None:
        self._report(Warned(code="recording", message=message))


class _Writer(Protocol):
    def begin(self) -> None: ...

    def write(self, piece: bytes) -> None: ...

    def close(self) -> None: ...


class _WavWriter:
    """A stereo WAV whose header is true after each piece."""

    def __init__(self, descriptor: int) -> None:
        self._file: BinaryIO = os.fdopen(descriptor, "wb", buffering=0)
        self._bytes = 0

    def begin(self) -> None:
        self._file.write(wav_header(0, _CHANNELS))

    def write(self, piece: bytes) -> None:
        _leave_room(self._file.fileno())
        if self._bytes + len(piece) > WAV_SOUND_MAX_BYTES:
            raise OSError(0, "a WAV file holds no more")
        _write_all(self._file, piece)
        self._bytes += len(piece)
        self._file.seek(0)
        self._file.write(wav_header(self._bytes, _CHANNELS))
        self._file.seek(0, os.SEEK_END)

    def close(self) -> None:
        self._file.close()


class _OggWriter:
    """Ogg Opus; its pages are whole, so what is written can be read."""

    def __init__(self, descriptor: int) -> None:
        import soundfile

        self._descriptor = descriptor
        self._file: Any = soundfile.SoundFile(
            descriptor,
            "w",
            samplerate=MEDIA_CLOCK_HZ,
            channels=_CHANNELS,
            format="OGG",
            subtype="OPUS",
        )

    def begin(self) -> None:
        """libsndfile has begun."""

    def write(self, piece: bytes) -> None:
        import numpy as np

        _leave_room(self._descriptor)
        self._file.write(np.frombuffer(piece, "<i2").reshape(-1, _CHANNELS))
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def _create(path: Path, *, numbered: bool) -> tuple[_Writer, Path]:
    """Make a file that was not there, and what writes it."""
    descriptor, made = _create_file(path, numbered=numbered)
    kind: Callable[[int], _Writer] = _OggWriter if path.suffix in _OGG else _WavWriter
    try:
        return kind(descriptor), made
    except BaseException:
        with contextlib.suppress(OSError):
            os.close(descriptor)
        raise


def _create_file(path: Path, *, numbered: bool) -> tuple[int, Path]:
    if not numbered:
        return os.open(path, _NEW, 0o600), path
    for number in itertools.count(1):
        made = path.with_stem(f"{path.stem}-{number:04}")
        try:
            return os.open(made, _NEW, 0o600), made
        except FileExistsError:
            if number >= RECORDING_NAMES_MAX:
                raise
    raise AssertionError("never reached")


def _leave_room(descriptor: int) -> None:
    """Raise OSError where the disk is nearly full: others need some of it, too."""
    free = _free_bytes(descriptor)
    if free < RECORDING_FREE_MIN_BYTES:
        raise OSError(0, _NO_ROOM)


def _free_bytes(where: int | Path) -> int:
    """Return how much an ordinary user may still write there."""
    if hasattr(os, "statvfs"):
        status = os.statvfs(where)
        return status.f_bavail * status.f_frsize
    return shutil.disk_usage(where if isinstance(where, Path) else os.curdir).free


def _write_all(file: BinaryIO, piece: bytes) -> None:
    left = memoryview(piece)
    while left:
        left = left[file.write(left) :]
