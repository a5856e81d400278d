"""Calls from another relay of the fleet: we follow our relay's word, and join there.

    our relay:    summoned{addresses, ticket}
    that relay:   enter{ticket} -> welcome, incoming{channel}; it lives as the channel

That relay has to prove the same key as ours: a fleet has one. Our relay can make us
send a handshake somewhere; so addresses are judged, and links and tries are limited.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from wzp_cli.address import Address
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.relay import (
    FLEET_JOINS_PER_MIN,
    FLEET_MAX_JOINS,
    KEEPALIVE_ANSWER_S,
    KEEPALIVE_MAX_S,
    KEEPALIVE_MIN_S,
)
from wzp_cli.endpoint.links.link import Link
from wzp_cli.errors import ConnectionLost, WzpError
from wzp_cli.protocol.buckets import TokenBucket
from wzp_cli.protocol.messages import relay
from wzp_cli.protocol.reach import may_be_relay
from wzp_cli.protocol.traversal.route import ChannelRoute
from wzp_cli.services.relays.channels import RelayChannels
from wzp_cli.services.relays.session import RelaySession, RelayVisit

__all__ = ["RelayJoins"]


class RelayJoins:
    """The links to other relays that calls of ours come through."""

    def __init__(
        self, visit: RelayVisit, channels: RelayChannels, changed: Callable[[], None]
    ) -> None:
        """Take how our own relay is visited, and whom to tell about lost channels."""
        self._visit = replace(visit, publishes=False)
        self._channels = channels
        self._changed = changed
        self._summons: asyncio.Queue[tuple[list[Address], str]] = asyncio.Queue(
            FLEET_MAX_JOINS  # more are dropped: their callers hear no ringing
        )
        per_s = FLEET_JOINS_PER_MIN / 60
        now = visit.endpoint.now()
        self._budget = TokenBucket(per_s, FLEET_JOINS_PER_MIN, now)
        self._live = 0
        self._sessions: dict[bytes, RelaySession] = {}

    def summon(self, message: relay.Summoned, home: Address) -> None:
        """Take our relay's word that somebody calls us elsewhere."""
        addresses = [each for each in _addresses(message) if may_be_relay(each, home)]
        if not addresses or not self._budget.take(1, self._visit.endpoint.now()):
            return
        with suppress(asyncio.QueueFull):
            self._summons.put_nowait((addresses, message.ticket))

    async def run(self) -> None:
        """Join, for ever, as we are summoned; on leaving, leave those relays."""
        async with task_group() as group:
            while True:
                addresses, ticket = await self._summons.get()
                if self._live < FLEET_MAX_JOINS:
                    self._live += 1
                    group.create_task(self._join(addresses, ticket))

    def say(
        self,
        route: ChannelRoute,
        message: relay.Closed | relay.Reveal | relay.TurnWanted,
    ) -> bool:
        """Say something about a channel to its relay; False: it is not one of these."""
        session = self._sessions.get(route.receive_id)
        if session is None:
            return False
        with suppress(ConnectionLost):
            session.stream.send(message)
        if isinstance(message, relay.Closed):
            session.link.abort("bye")  # `_join` then forgets it
        return True

    def nudge(self) -> None:
        """Let these relays see where we are now."""
        for session in self._sessions.values():
            session.link.poke()

    async def _join(self, addresses: list[Address], ticket: str) -> None:
        session: RelaySession | None = None
        try:
            session = await replace(self._visit, join=ticket).open_first(addresses)
            await self._serve(session)
        except WzpError:
            pass  # the caller is gone, or rings in vain
        finally:
            self._live -= 1
            if session is not None:
                session.link.abort("bye")
                self._forget(session)

    async def _serve(self, session: RelaySession) -> None:
        """Read until the link's channel is closed, by whichever side."""
        async with task_group() as group:
            keeping = group.create_task(_keep_alive(session.link))
            try:
                async for message in session.stream.messages():
                    if not self._take(message, session):
                        return
            finally:
                keeping.cancel()

    def _take(self, message: relay.RelayMessage, session: RelaySession) -> bool:
        """Take one message; return whether the link has any use still."""
        match message:
            case relay.Incoming(channel=channel):
                if not self._channels.announce(message, session.address):
                    return False
                self._sessions[bytes.fromhex(channel.receive)] = session
            case relay.Revealed(channel=channel_id, address=seen):
                with suppress(ValueError):
                    address = Address.parse(seen)
                    if self._channels.note_peer(bytes.fromhex(channel_id), address):
                        self._changed()
            case relay.TurnGranted():
                if self._channels.note_grant(message):
                    self._changed()
            case relay.Closed():
                return False
        return True

    def _forget(self, session: RelaySession) -> None:
        over = [each for each, its in self._sessions.items() if its is session]
        for receive_id in over:
            del self._sessions[receive_id]
            if self._channels.withdrawn(receive_id):
                self._changed()


async def _keep_alive(link: Link) -> None:
    while not link.ended:
        await asyncio.sleep(random.uniform(KEEPALIVE_MIN_S, KEEPALIVE_MAX_S))
        await link.ping(KEEPALIVE_ANSWER_S)


def _addresses(message: relay.Summoned) -> list[Address]:
    addresses: list[Address] = []
    for text in message.addresses:
        with suppress(ValueError):
            addresses.append(Address.parse(text))
    return addresses
