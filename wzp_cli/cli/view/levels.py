"""How loud a call is right now, both ways, for whoever looks.

Listens in as a recording does, so it hears what was sent and what was played: nothing
of a muted microphone. It only keeps the last moment; to look at it costs the looker.
"""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from wzp_cli.defaults.program import SCREEN_LEVEL_FRAMES
from wzp_cli.ports import OpenRecording, Recording
from wzp_cli.protocol.media.level import level

__all__ = ["Levels"]


class Levels:
    """The last moment of a call; fits `ports.Recording`."""

    def __init__(self) -> None:
        self._said: deque[bytes] = deque(maxlen=SCREEN_LEVEL_FRAMES)
        self._heard: deque[bytes] = deque(maxlen=SCREEN_LEVEL_FRAMES)
        self._told: tuple[float | None, float | None] | None = None

    def told(self, said_dbfs: float | None, heard_dbfs: float | None) -> None:
        """Take what another process has heard of its call."""
        self._told = said_dbfs, heard_dbfs

    def said(self, pcm: bytes) -> None:
        """Take 20 ms of ours."""
        self._said.append(pcm)

    def heard(self, pcm: bytes) -> None:
        """Take 20 ms of the peer's."""
        self._heard.append(pcm)

    @property
    def said_dbfs(self) -> float | None:
        """How loud we are; None is silence."""
        if self._told is not None:
            return self._told[0]
        return level(b"".join(self._said)).mean_dbfs

    @property
    def heard_dbfs(self) -> float | None:
        """How loud the peer is."""
        if self._told is not None:
            return self._told[1]
        return level(b"".join(self._heard)).mean_dbfs

    def beside(self, open_recording: OpenRecording | None) -> OpenRecording:
        """Return what opens that recording, with this listening in."""

        @asynccontextmanager
        async def both() -> AsyncIterator[Recording]:
            self._said.clear()
            self._heard.clear()
            if open_recording is None:
                yield self
                return
            async with open_recording() as recording:
                yield _Both(self, recording)

        return both


class _Both:
    def __init__(self, one: Recording, other: Recording) -> None:
        self._each = one, other

    def said(self, pcm: bytes) -> None:
        for each in self._each:
            each.said(pcm)

    def heard(self, pcm: bytes) -> None:
        for each in self._each:
            each.heard(pcm)
