"""The echo service: what a caller says is what the caller hears (`listen --echo`)."""

import asyncio
from collections import deque
from typing import Final

from wzp_cli.adapters.sound_files.pace import Pace
from wzp_cli.defaults.sound import LOOPBACK_FRAMES

__all__ = ["Loopback"]


class Loopback:
    """A source that gives what its sink was given, at the sink's pace.

    Attributes:
        dropped: Frames that nobody fetched in time; the oldest ones.
    """

    failed: Final = None

    def __init__(self) -> None:
        self.dropped = 0
        self._pace = Pace()
        self._frames: deque[bytes] = deque(maxlen=LOOPBACK_FRAMES)
        self._filled = asyncio.Event()

    @property
    def source(self) -> "Loopback":
        """Itself: there is one pace for both."""
        return self

    @property
    def sink(self) -> "Loopback":
        """Itself."""
        return self

    async def wanted(self) -> None:
        """Return at the next beat."""
        await self._pace.beat()

    def write(self, pcm: bytes) -> None:
        """Take 20 ms of the caller's voice."""
        self.dropped += len(self._frames) == LOOPBACK_FRAMES
        self._frames.append(pcm)
        self._filled.set()

    async def read(self) -> bytes:
        """Return them as soon as they are there."""
        while not self._frames:
            self._filled.clear()
            await self._filled.wait()
        return self._frames.popleft()
