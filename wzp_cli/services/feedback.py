"""Both directions of a call tell each other how they arrive, and send accordingly.

    our ears    --quality-->   the peer's control   -->  how the peer sends
    our control <--quality--   the peer's ears

A report goes each second, and at once where loss begins. An older peer, which does not
know payload type 112 (`features` of its hello), is sent plain frames throughout.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from wzp_cli.defaults import (
    QUALITY_PAUSE_S,
    QUEUE_FULL_MS,
    STATS_INTERVAL_S,
    THRIFTY_S,
)
from wzp_cli.ports import Codec
from wzp_cli.protocol.media.control import SendControl
from wzp_cli.protocol.media.reception import Received
from wzp_cli.protocol.peer_messages import REDUNDANCY, Quality
from wzp_cli.services.conversation import Conversation
from wzp_cli.services.media import MediaStream

__all__ = ["Feedback"]


class Feedback:
    """The reports of one call, and what follows from those of the peer."""

    def __init__(
        self,
        conversation: Conversation,
        media: MediaStream,
        codec: Codec,
        on_narrow: Callable[[bool], None],
    ) -> None:
        """Begin; `on_narrow` is called with whether the link is narrow either way."""
        self._on_narrow = on_narrow
        self._conversation = conversation
        self._media = media
        self._control = SendControl(codec.bitrates_bps)
        self._narrow_until = 0.0
        self._may_adapt = REDUNDANCY in conversation.features

    async def run(self) -> None:
        """Tell the peer how it arrives, until cancelled."""
        while True:
            await asyncio.sleep(QUALITY_PAUSE_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(STATS_INTERVAL_S - QUALITY_PAUSE_S):
                    await self._media.news.wait()
            self._look_at_queue()
            self._conversation.try_to_say(self._media.report())

    def take(self, quality: Quality) -> None:
        """Take the peer's report: send as it asks for."""
        received = Received(
            quality.expected, quality.lost, quality.gaps, quality.queue_ms
        )
        if self._may_adapt and quality.expected:
            now = asyncio.get_running_loop().time()
            self._media.send_as(self._control.heard(received, now))
            self._look_at_queue()

    def _look_at_queue(self) -> None:
        """Spare the link while either direction is narrow, and for a while after."""
        now = asyncio.get_running_loop().time()
        if self._media.queue_ms >= QUEUE_FULL_MS or self._control.is_limited:
            self._narrow_until = now + THRIFTY_S
        self._on_narrow(now < self._narrow_until)
