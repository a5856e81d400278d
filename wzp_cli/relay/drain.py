"""How a relay stops: no new calls, some time for those under way, then the end.

SERVING --begin--> DRAINING --no channel is left, or the time is up--> over
"""

import asyncio
from collections.abc import Callable

__all__ = ["Drain"]


class Drain:
    """Whether a relay is to stop, and when it may.

    Attributes:
        begun: No new clients, no new channels.
        within_s: How long calls under way may take, once begun.
    """

    def __init__(self) -> None:
        self.begun = False
        self.within_s = 0.0
        self._begins = asyncio.Event()
        self._look = asyncio.Event()

    def begin(self, within_s: float) -> None:
        """Stop soon."""
        self.begun, self.within_s = True, within_s
        self._begins.set()
        self._look.set()

    async def wait_begun(self) -> None:
        """Return once it has begun."""
        await self._begins.wait()

    def changed(self) -> None:
        """A channel has ended: look whether that was the last."""
        self._look.set()

    async def wait_over(self, channels: Callable[[], int]) -> bool:
        """Return once there is no channel, or the time is up.

        Returns:
            Whether all had ended by themselves.
        """
        try:
            async with asyncio.timeout(self.within_s):
                while channels():
                    self._look.clear()
                    await self._look.wait()
        except TimeoutError:
            return False
        return True
