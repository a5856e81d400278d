"""Raw sound through standard input and output: `--in -`, `--out -`.

int16 little-endian, 48 kHz, mono. A thread of its own does the reading and the writing,
because that works for pipes, files and terminals on every system, and because making
standard input non-blocking would also make the shell's terminal so.
"""

import asyncio
import contextlib
import os
import queue
import select
import sys
import threading
from typing import Final

from wzp_cli.adapters.sound_files.pace import Pace
from wzp_cli.defaults.media import MEDIA_FRAME_BYTES
from wzp_cli.defaults.sound import (
    PIPE_BUFFER_BYTES,
    PIPE_FLUSH_MAX_S,
    PIPE_QUEUE_FRAMES,
)
from wzp_cli.errors import SoundError

__all__ = ["PipeSink", "PipeSource"]

_STDIN: Final = 0
_STDOUT: Final = 1


class PipeSource:
    """Frames from a file descriptor, at most one each 20 ms; None after its end.

    The writer on the other side is held back by a full pipe, so a file can be piped in.
    At most `PIPE_QUEUE_FRAMES` wait here. Open it inside the event loop.

    Beats that a stall has dropped are left out of the sound, too, as far as it waits:
    the pipe of a live writer would stay full, and all that follows late, for good.

    Raises:
        SoundError: The descriptor is closed.

    Attributes:
        skipped: Frames left out after stalls.
        failed: Why reading stopped before the end, or None.
    """

    def __init__(self, fd: int = _STDIN) -> None:
        _prepare(fd, "standard input")
        self._fd = fd
        self._pace = Pace()
        self._loop = asyncio.get_running_loop()
        self._filled = asyncio.Event()
        self._waits = False
        self._frames: queue.Queue[bytes | None] = queue.Queue(PIPE_QUEUE_FRAMES)
        self._ended = False
        self._closed = False
        self.skipped = 0
        self.failed: SoundError | None = None
        threading.Thread(target=self._run, name="wzp-stdin", daemon=True).start()

    async def read(self) -> bytes | None:
        """Return the next 20 ms, not before the beat; the last one is padded."""
        await self._pace.beat()
        frame = await self._next()
        while self.skipped < self._pace.dropped and not self._frames.empty():
            self.skipped += 1
            frame = await self._next()
        return frame

    async def _next(self) -> bytes | None:
        """Wait for the next frame; None after the end."""
        while not self._ended:
            try:
                frame = self._frames.get_nowait()
            except queue.Empty:
                await self._until_filled()
                continue
            self._ended = frame is None
            return frame
        return None

    async def _until_filled(self) -> None:
        """Wait for the thread, which wakes the loop only while somebody does."""
        self._filled.clear()
        self._waits = True
        if self._frames.empty():  # asked after that: else it may not have known
            await self._filled.wait()
        self._waits = False

    def close(self) -> None:
        """Stop reading; what still waits is dropped."""
        self._closed = self._ended = True
        with contextlib.suppress(queue.Empty):
            while True:
                self._frames.get_nowait()

    def _run(self) -> None:
        """Read until the end (thread)."""
        try:
            while not self._closed:
                frame = _read_frame(self._fd)
                if frame:
                    self._hand_over(frame.ljust(MEDIA_FRAME_BYTES, b"\0"))
                if len(frame) < MEDIA_FRAME_BYTES:
                    break
        except OSError as error:
            self.failed = SoundError(f"standard input: {error.strerror}")
        self._hand_over(None)

    def _hand_over(self, frame: bytes | None) -> None:
        """Wait for room, then wake who waits (thread)."""
        self._frames.put(frame)
        if not self._waits:
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(self._filled.set)


class PipeSink:
    """Frames to a file descriptor, one each 20 ms.

    When the reader is slower than that, old sound is worth least: the oldest waiting
    frame is dropped and counted.

    Raises:
        SoundError: The descriptor is closed.

    Attributes:
        dropped: Frames that the reader was too slow for.
        failed: Why writing stopped, or None.
    """

    def __init__(self, fd: int = _STDOUT) -> None:
        _prepare(fd, "standard output")
        self._fd = fd
        self._pace = Pace()
        self._frames: queue.Queue[bytes | None] = queue.Queue(PIPE_QUEUE_FRAMES)
        self.dropped = 0
        self.failed: SoundError | None = None
        self._thread = threading.Thread(
            target=self._run, name="wzp-stdout", daemon=True
        )
        self._thread.start()

    async def wanted(self) -> None:
        """Return at the next beat.

        Raises:
            SoundError: Nobody reads any more: as for any filter, the end of the work.
        """
        await self._pace.beat()
        if self.failed:
            raise self.failed

    def write(self, pcm: bytes) -> None:
        """Queue 20 ms for the thread."""
        if not self.failed:
            self._put(pcm)

    async def close(self) -> None:
        """Write out what waits, for at most `PIPE_FLUSH_MAX_S`."""
        self._put(None)
        await asyncio.to_thread(self._thread.join, PIPE_FLUSH_MAX_S)

    def _put(self, frame: bytes | None) -> None:
        try:
            self._frames.put_nowait(frame)
        except queue.Full:
            with contextlib.suppress(queue.Empty):  # the thread was quicker
                self._frames.get_nowait()
                self.dropped += 1
            self._frames.put_nowait(frame)

    def _run(self) -> None:
        """Write until the end (thread)."""
        try:
            while frame := self._frames.get():
                _write_all(self._fd, frame)
        except OSError as error:
            self.failed = SoundError(f"standard output: {error.strerror}")


def _read_frame(fd: int) -> bytes:
    """Return 1920 bytes, fewer only at the end."""
    frame = bytearray()
    while len(frame) < MEDIA_FRAME_BYTES:
        try:
            piece = os.read(fd, MEDIA_FRAME_BYTES - len(frame))
        except BlockingIOError:  # somebody else made it non-blocking
            select.select([fd], [], [])
            continue
        if not piece:
            break
        frame += piece
    return bytes(frame)


def _write_all(fd: int, frame: bytes) -> None:
    left = memoryview(frame)
    while left:
        try:
            left = left[os.write(fd, left) :]
        except BlockingIOError:  # somebody else made it non-blocking
            select.select([], [fd], [])


def _prepare(fd: int, name: str) -> None:
    """Check the descriptor, and keep little sound under way in its pipe.

    A pipe of Linux holds 64 KiB, 0.7 s of sound: as delay, far too much.
    """
    try:
        os.fstat(fd)
    except OSError as error:
        raise SoundError(f"{name} is closed; see --in and --out") from error
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(fd, os.O_BINARY)
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):  # not a pipe, or already fuller than that
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_BUFFER_BYTES)
