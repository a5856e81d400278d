"""What files of all formats have in common as a microphone: 20 ms at each beat."""

import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple

from wzp_cli.adapters.sound_files.pace import Pace
from wzp_cli.defaults.media import MEDIA_FRAME_BYTES
from wzp_cli.defaults.sound import WAV_RATE_MAX_HZ, WAV_RATE_MIN_HZ
from wzp_cli.errors import SoundError

__all__ = ["FileSource", "Opened", "cut_into_frames"]


class Opened(NamedTuple):
    """An open file.

    Attributes:
        rate_hz: Of the sound in it.
        pieces: pcm: int16, mono, 48 kHz, of any lengths.
        close: Closes it.
    """

    rate_hz: int
    pieces: Iterator[bytes]
    close: Callable[[], None]


class FileSource:
    """A sound file at the pace of speech; None when it has ended."""

    failed = None

    def __init__(
        self,
        file: Opened,
        broken: tuple[type[Exception], ...],
        unreadable: Callable[[object], str],
    ) -> None:
        """Take an open file, what reading it may raise, and the sentence for that.

        Raises:
            SoundError: It can't be read; it is closed then.
        """
        self._pace = Pace()
        self._broken, self._unreadable = broken, unreadable
        self.close = file.close
        if not WAV_RATE_MIN_HZ <= file.rate_hz <= WAV_RATE_MAX_HZ:
            file.close()
            raise SoundError(unreadable(f"a rate of {file.rate_hz} Hz"))
        frames = cut_into_frames(file.pieces)
        try:
            # Now, and not in the call: building the filter takes longer than a frame.
            first = list(itertools.islice(frames, 1))
        except broken as error:
            file.close()
            raise SoundError(unreadable(error)) from error
        self._frames = itertools.chain(first, frames)

    async def read(self) -> bytes | None:
        """Return the next 20 ms at the beat (the last one padded), then None.

        Raises:
            SoundError: The file can't be read any further.
        """
        await self._pace.beat()
        try:
            return next(self._frames, None)
        except self._broken as error:
            raise SoundError(self._unreadable(error)) from error


def cut_into_frames(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Cut pieces into frames of 1920 bytes; the last one is padded with silence."""
    held = bytearray()
    for piece in pieces:
        held += piece
        while len(held) >= MEDIA_FRAME_BYTES:
            yield bytes(held[:MEDIA_FRAME_BYTES])
            del held[:MEDIA_FRAME_BYTES]
    if held:
        yield bytes(held).ljust(MEDIA_FRAME_BYTES, b"\0")
