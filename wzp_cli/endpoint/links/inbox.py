"""What came on a link's signalling stream and nobody has read yet."""

import asyncio

from wzp_cli.defaults.endpoint import MAX_QUEUED_BYTES

__all__ = ["Inbox"]


class Inbox:
    """Pieces of the stream, in order, bounded.

    Attributes:
        size: How many bytes wait.
    """

    def __init__(self) -> None:
        self.size = 0
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue()
        self._ended = False

    def put(self, data: bytes) -> bool:
        """Keep what came; whether there was room (`MAX_QUEUED_BYTES`)."""
        self.size += len(data)
        if self.size > MAX_QUEUED_BYTES:
            return False
        if data:
            self._pieces.put_nowait(data)
        return True

    async def read(self) -> bytes:
        """Return the next piece; b"" after the last."""
        if self._ended and self._pieces.empty():
            return b""
        data = await self._pieces.get()
        self.size -= len(data)
        return data

    def end(self) -> None:
        """Nothing comes any more."""
        self._ended = True
        self._pieces.put_nowait(b"")
