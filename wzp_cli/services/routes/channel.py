"""A call's channel through the relay: the one it began on, or one that replaced it.

A relay that restarts has forgotten the call's channel: the call would have no relay to
fall back to, or to go on over. The caller asks for another one; of the channels that it
is given, the one whose other end answers the call's keyed checks leads to the peer's
device. The called side waits for a check over a channel that the relay announced with
the peer's name: the name says where to look, the key in the check proves it.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from wzp_cli.defaults.paths import (
    CHANNEL_AGAIN_FIRST_S,
    CHANNEL_AGAIN_MAX_S,
    CHECK_GIVE_UP_S,
)
from wzp_cli.errors import NetworkError, PeerError
from wzp_cli.protocol.names.identity import Identity
from wzp_cli.protocol.traversal.route import ChannelRoute, Route
from wzp_cli.services.relays.registration import Registration

__all__ = ["CallChannel"]


@dataclass
class CallChannel:
    """Which channel a call has now.

    Attributes:
        home: Our relay.
        peer: Who has proven to be at the other end of the link.
        current: The channel that the relay's word about the peer belongs to.
        asks: Whether we ask for another one: the caller does.
        on_open: Called with a channel that is to be checked.
        on_close: Called with one that is closed.
    """

    home: Registration
    peer: Identity
    current: ChannelRoute
    asks: bool
    on_open: Callable[[ChannelRoute], None]
    on_close: Callable[[ChannelRoute], None]
    _tried: list[ChannelRoute] = field(default_factory=list)
    _taken: ChannelRoute | None = None

    def __post_init__(self) -> None:
        self._first = self.current
        self._changed = asyncio.Event()
        self.home.watchers.add(self._changed.set)

    async def run(self) -> None:
        """Keep a channel, until cancelled."""
        pause_s = CHANNEL_AGAIN_FIRST_S
        while self.asks:
            self._changed.clear()
            if not self.home.is_up or not self.home.has_lost(self.current):
                pause_s = CHANNEL_AGAIN_FIRST_S
                await self._changed.wait()
                continue
            with suppress(NetworkError, PeerError):
                await self._ask()
            await asyncio.sleep(random.uniform(0.5, 1.0) * pause_s)
            pause_s = min(2 * pause_s, CHANNEL_AGAIN_MAX_S)

    def may_take(self, route: ChannelRoute) -> bool:
        """Whether an authentic check over this channel may be the peer's."""
        return self.home.announced(route) == self.peer

    def take(self, route: ChannelRoute) -> None:
        """An authentic check of the peer's came over an announced channel: use it.

        One such channel at a time: a peer may have ever more announced.
        """
        if not self.may_take(route):
            return
        self.home.claim(route)
        before, self._taken = self._taken, route
        if before in self._tried:
            self._tried.remove(before)
            self._close(before)
        self._try(route)

    def answered(self, route: Route) -> bool:
        """The peer answered over `route`; return whether that is a new channel."""
        if not isinstance(route, ChannelRoute) or route not in self._tried:
            return False
        self._tried.remove(route)
        before, self.current = self.current, route
        self._close(before)
        self._changed.set()
        return True

    def close(self) -> None:
        """Give back what came in place of the first channel; that is its opener's."""
        self.home.watchers.discard(self._changed.set)
        for route in (*self._tried, self.current):
            if route != self._first:
                self.home.close_channel(route)

    async def _ask(self) -> None:
        """Ask the relay; give back what does not answer within a round of checks."""
        routes = await self.home.connect(self.peer)
        for route in routes:
            self._try(route)
        try:
            async with asyncio.timeout(CHECK_GIVE_UP_S):
                while self.current not in routes:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            pass
        finally:
            for route in routes:
                if route in self._tried:
                    self._tried.remove(route)
                    self._close(route)

    def _try(self, route: ChannelRoute) -> None:
        self._tried.append(route)
        self.on_open(route)

    def _close(self, route: ChannelRoute) -> None:
        self.home.close_channel(route)
        self.on_close(route)
