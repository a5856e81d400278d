"""Bytes read as a script: what a target does next, with what, decided by the fuzzer.

Where the bytes have ended everything is 0 and empty, so that each input has an end and
each cut of an input is one.
"""

import zlib
from collections.abc import Sequence
from typing import TypeVar

__all__ = ["Script"]

T = TypeVar("T")


class Script:
    """One input, read from the front."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0
        self._waited_s = 0.0

    @property
    def goes_on(self) -> bool:
        """Whether there is more."""
        return self._at < len(self._data)

    def is_one_in(self, count: int) -> bool:
        """Whether it is one in so many: always the same for the same bytes."""
        return zlib.crc32(self._data) % count == 0

    def byte(self) -> int:
        """Return the next byte."""
        return self.take(1)[0] if self.goes_on else 0

    def number(self, size: int) -> int:
        """Return the next `size` bytes as a number."""
        return int.from_bytes(self.take(size), "big")

    def pick(self, choices: Sequence[T]) -> T:
        """Return one of `choices`."""
        return choices[self.byte() % len(choices)]

    def silence_s(self, choices: Sequence[float]) -> float:
        """Return one of `choices`; 0 once the longest of them has passed in all."""
        seconds = self.pick(choices)
        if self._waited_s + seconds > max(choices):
            return 0.0
        self._waited_s += seconds
        return seconds

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes, or as many as there are."""
        self._at += size
        return self._data[self._at - size : self._at]

    def chunk(self) -> bytes:
        """Return the next bytes, as many as the byte in front of them says."""
        return self.take(self.byte())

    def long_chunk(self) -> bytes:
        """Return the next bytes, as many as the two bytes in front of them say."""
        return self.take(self.number(2))

    def rest(self) -> bytes:
        """Return all that is left."""
        return self.take(max(0, len(self._data) - self._at))
