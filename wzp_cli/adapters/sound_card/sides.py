"""The two sides of a sound card as frames of 20 ms: bounded queues with a clock.

PortAudio calls from a thread of its own each 10 ms. There, blocks are only moved:

    microphone -> take() -> a bounded queue -> CardSource.read()   20 ms
    speaker    <- give() <- a bounded queue <- CardSink.write()    20 ms
                    `-> Played, the same block once more, for the echo canceller

The queues drop the oldest block when they are full, because old sound is worth least,
and count it. While the device is away, both sides keep the pace with silence.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from wzp_cli.adapters.sound_files.pace import Pace
from wzp_cli.defaults.media import MEDIA_FRAME_BYTES
from wzp_cli.defaults.sound import (
    SOUND_BLOCK_SAMPLES,
    SOUND_MIC_QUEUE_BLOCKS,
    SOUND_SPEAKER_LOW_BLOCKS,
    SOUND_SPEAKER_QUEUE_BLOCKS,
    SOUND_STALL_MAX_S,
)

__all__ = ["CardSink", "CardSource", "Played"]

_BLOCK_BYTES: Final = 2 * SOUND_BLOCK_SAMPLES
_FRAME_BLOCKS: Final = MEDIA_FRAME_BYTES // _BLOCK_BYTES
_SILENCE: Final = bytes(_BLOCK_BYTES)
_SILENT_FRAME: Final = bytes(MEDIA_FRAME_BYTES)
_PATIENCE_PARTS: Final = 4


class _Bell:
    """Wakes the event loop from PortAudio's thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake whoever waits (any thread)."""
        self._loop.call_soon_threadsafe(self._rung.set)

    async def rings(self) -> bool:
        """Return at the next ring; False when the device has gone silent.

        It waits in parts: a process that was itself stopped finds one of them over, and
        does not take its own silence for the device's.
        """
        self._rung.clear()
        for _ in range(_PATIENCE_PARTS):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SOUND_STALL_MAX_S / _PATIENCE_PARTS):
                    await self._rung.wait()
                return True
        return False


class Played:
    """What the speaker has played, block by block beside what the microphone heard.

    Both queues have the same bound and drop at the same block, so they stay in step.
    """

    def __init__(self) -> None:
        self._blocks: deque[bytes] = deque(maxlen=SOUND_MIC_QUEUE_BLOCKS)

    def add(self, block: bytes) -> None:
        """Keep 10 ms (PortAudio's thread)."""
        self._blocks.append(block)

    def frame(self) -> bytes:
        """Return the next 20 ms; silence for what was not played."""
        blocks = [self._blocks.popleft() if self._blocks else _SILENCE for _ in "12"]
        return b"".join(blocks)

    def clear(self) -> None:
        """Forget everything: the microphone begins anew, too."""
        self._blocks.clear()


class CardSource:
    """The microphone.

    Attributes:
        live: Whether the device is there; silence is heard while it is not.
        dropped: Blocks of 10 ms that nobody fetched in time.
        xruns: Times the device itself lost sound.
    """

    def __init__(self, stalled: Callable[[], None] = lambda: None) -> None:
        """Take whom to tell that the device has gone silent."""
        self.live = True
        self.dropped = 0
        self.xruns = 0
        self._stalled = stalled
        self._bell = _Bell()
        self._pace = Pace()
        self._blocks: deque[bytes] = deque(maxlen=SOUND_MIC_QUEUE_BLOCKS)

    async def read(self) -> bytes:
        """Return the next 20 ms that were heard."""
        while len(self._blocks) < _FRAME_BLOCKS:
            if not self.live:
                await self._pace.beat()
                return _SILENT_FRAME
            if not await self._bell.rings():
                self.live = False
                self._stalled()
        return b"".join(self._blocks.popleft() for _ in range(_FRAME_BLOCKS))

    def take(self, heard: Any, overflow: bool) -> None:
        """Take a block from the device (PortAudio's thread)."""
        self.xruns += overflow
        self.dropped += len(self._blocks) == SOUND_MIC_QUEUE_BLOCKS
        self._blocks.append(bytes(heard))
        if len(self._blocks) >= _FRAME_BLOCKS:
            self._bell.ring()

    def go(self) -> None:
        """The device is gone."""
        self.live = False
        self._bell.ring()

    def come(self) -> None:
        """A device is there, and begins."""
        self._blocks.clear()
        self.live = True


class CardSink:
    """The speaker.

    Attributes:
        live: Whether the device is there; while it is not, what is written is dropped.
        dropped: Blocks of 10 ms written when the device wanted none.
        xruns: Times the device itself had nothing to play.
    """

    def __init__(
        self,
        stalled: Callable[[], None] = lambda: None,
        played: Callable[[bytes], None] = lambda block: None,
    ) -> None:
        """Take whom to tell that the device has gone silent, and each block played."""
        self.live = True
        self.dropped = 0
        self.xruns = 0
        self._stalled = stalled
        self._played = played
        self._bell = _Bell()
        self._pace = Pace()
        self._blocks: deque[bytes] = deque(maxlen=SOUND_SPEAKER_QUEUE_BLOCKS)
        self._asked = False

    async def wanted(self) -> None:
        """Return when at most `SOUND_SPEAKER_LOW_BLOCKS` are left to play.

        Whoever asks again without having written waits for the device's next block.
        """
        while self.live and (
            self._asked or len(self._blocks) > SOUND_SPEAKER_LOW_BLOCKS
        ):
            if not await self._bell.rings():
                self.live = False
                self._stalled()
            self._asked = False
        self._asked = True
        if not self.live:
            await self._pace.beat()

    def write(self, pcm: bytes) -> None:
        """Queue 20 ms for the device."""
        self._asked = False
        if not self.live:
            return
        for start in range(0, MEDIA_FRAME_BYTES, _BLOCK_BYTES):
            self.dropped += len(self._blocks) == SOUND_SPEAKER_QUEUE_BLOCKS
            self._blocks.append(pcm[start : start + _BLOCK_BYTES])

    def give(self, played: Any, underflow: bool) -> None:
        """Give a block to the device (PortAudio's thread)."""
        self.xruns += underflow
        block = self._blocks.popleft() if self._blocks else _SILENCE
        played[:] = block
        self._played(block)
        if len(self._blocks) <= SOUND_SPEAKER_LOW_BLOCKS:
            self._bell.ring()

    def go(self) -> None:
        """The device is gone."""
        self.live = False
        self._bell.ring()

    def come(self) -> None:
        """A device is there, and begins."""
        self._blocks.clear()
        self.live = True
