"""Who waits for the acknowledgement of which ping of a link."""

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["UNWAITED", "Pings"]

UNWAITED = 0
"""The number of a ping that nobody waits for."""


class Pings:
    """The pings of one link that are in the air."""

    def __init__(self) -> None:
        self._answers: dict[int, asyncio.Future[None]] = {}
        self._numbers = itertools.count(UNWAITED + 1)

    @contextmanager
    def new(self) -> Iterator[tuple[int, asyncio.Future[None]]]:
        """Yield a number, and what is done once it is acknowledged or the link over."""
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            yield number, self._answers[number]
        finally:
            del self._answers[number]

    def __len__(self) -> int:
        return len(self._answers)

    def acknowledged(self, number: int) -> None:
        """Wake who waits for this one."""
        answer = self._answers.get(number)
        if answer is not None and not answer.done():
            answer.set_result(None)

    def end(self) -> None:
        """Wake everybody: the link is over."""
        for number in self._answers:
            self.acknowledged(number)
