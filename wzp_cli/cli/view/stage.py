"""What a command wants of the screen, and gets also where there is none."""

from collections.abc import Coroutine
from typing import Any, TypeVar

from wzp_cli.ports import OpenRecording

__all__ = ["Stage"]

T = TypeVar("T")


class Stage:
    """What a command wants of the screen. This one is none: lines are told."""

    shows = False

    def beside(self, open_recording: OpenRecording | None) -> OpenRecording | None:
        """Listen in on calls, beside that recording."""
        return open_recording

    async def ask(self) -> bool:
        """Return whether the person takes the call that rings."""
        return False

    async def until_quit(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Await `work`; None where the person quits before."""
        return await work
