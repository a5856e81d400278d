"""A client's standing with its relay: made, kept, lost and found again."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress

from wzp_cli.address import Address, HostPort
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.paths import OPENER_TTLS_HOPS
from wzp_cli.defaults.relay import RELAY_BACKOFF_FIRST_S, RELAY_BACKOFF_MAX_S
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.errors import (
    ConnectionLost,
    IdentityError,
    RelayUnreachable,
    RemoteProtocolError,
    VersionMismatch,
)
from wzp_cli.events import Reflexive, Registered, Report, Warned
from wzp_cli.ports import RelayPins
from wzp_cli.protocol.messages import relay
from wzp_cli.protocol.messages.signal import Message
from wzp_cli.protocol.names.identity import Identity
from wzp_cli.protocol.reach import first_public_hop
from wzp_cli.protocol.traversal.route import ChannelRoute
from wzp_cli.protocol.turn import TurnGrant
from wzp_cli.services.relays.channels import RelayChannels
from wzp_cli.services.relays.joins import RelayJoins
from wzp_cli.services.relays.keeping import Keeping, find_again
from wzp_cli.services.relays.requests import RelayRequests
from wzp_cli.services.relays.session import RelaySession, RelayVisit

__all__ = ["Registration", "register"]

_LOST = (ConnectionLost, IdentityError, VersionMismatch, RemoteProtocolError)


class Registration:
    """What the relay does for us while it knows us.

    Attributes:
        relay: What the user wrote.
        reflexive: Our address as the relay sees it (None before the first welcome); of
            TCP where a WebSocket carries the link, and then no candidate.
        extra_ports: The relay's other ports that answer STUN.
        opener_ttls: What opens our NAT and dies before the peer's.
        joins: Calls that come through other relays of the fleet.
        watchers: Each is called after `reflexive` changed, or what `seen_at` and
            `has_lost` tell.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        server: HostPort,
        pins: RelayPins,
        report: Report,
        *,
        publishes: bool,
        token: str = "",
        refused: Callable[[], Collection[Identity]] = tuple,
    ) -> None:
        self.relay = server
        self.reflexive: Address | None = None
        self.extra_ports: tuple[int, ...] = ()
        self.opener_ttls: tuple[int, ...] = OPENER_TTLS_HOPS
        self.watchers: set[Callable[[], None]] = set()
        self._endpoint = endpoint
        self._visit = RelayVisit(
            endpoint, server, pins, publishes, token, refused=refused
        )
        self._report = report
        self._session: RelaySession | None = None
        self._requests = RelayRequests(server)
        self._channels = RelayChannels(endpoint, refused)
        self.joins = RelayJoins(self._visit, self._channels, self._tell_watchers)
        self._nudged = asyncio.Event()
        self._elsewhere = asyncio.Event()

    @property
    def is_up(self) -> bool:
        """Whether the relay can be asked right now."""
        return self._session is not None and not self._session.link.ended

    @property
    def address(self) -> Address:
        """The relay's address in use.

        Raises:
            RelayUnreachable: There is none, the relay was never reached.
        """
        if self._session is None:
            raise RelayUnreachable(str(self.relay))
        return self._session.address

    @property
    def relay_identity(self) -> Identity:
        """Who the relay proved to be. Raises as `address`."""
        if self._session is None:
            raise RelayUnreachable(str(self.relay))
        return self._session.link.identity

    def claim(self, route: ChannelRoute) -> Identity | None:
        """Return who the relay said would dial us through a channel; None: nobody.

        From now on the channel stays until `close_channel`: neither newer announcements
        nor the relay's word take it from a call.
        """
        return self._channels.claim(route)

    def announced(self, route: ChannelRoute) -> Identity | None:
        """Return who the relay said would use a channel that nobody has claimed."""
        return self._channels.announced(route)

    def has_lost(self, route: ChannelRoute) -> bool:
        """Whether the relay no longer knows a channel in use."""
        return self._channels.is_lost(route)

    async def connect(self, target: Identity) -> list[ChannelRoute]:
        """Return a channel to each device of `target`.

        Raises:
            RelayUnreachable: The relay is lost, or did not answer.
            AccessRefused, PeerOffline, RelayBusy: It says so.
        """
        session = self._session
        if session is None or session.link.ended:
            raise RelayUnreachable(f"{self.relay} is lost")
        devices = await self._requests.connect(target, session)
        return self._channels.take(devices, session.address)

    def nudge(self) -> None:
        """Let the relay see where we are now: channels follow once it has checked.

        If it is silent, see whether it has begun anew.
        """
        if self._session is not None:
            self._session.link.poke()
            self._nudged.set()
        self.joins.nudge()

    def close_channel(self, route: ChannelRoute) -> None:
        """Give a channel back."""
        self._channels.close(route)
        closed = relay.Closed(channel=route.send_id.hex())
        if not self.joins.say(route, closed):
            self._try_to_say(closed)

    def reveal(self, route: ChannelRoute) -> None:
        """Have the relay tell the peer at the channel's other end where it sees us."""
        reveal = relay.Reveal(channel=route.send_id.hex())
        if not self.joins.say(route, reveal):
            self._try_to_say(reveal)

    def want_turn(self, route: ChannelRoute) -> None:
        """Ask for credentials for the call through a channel; watchers are told."""
        wanted = relay.TurnWanted(channel=route.send_id.hex())
        if not self.joins.say(route, wanted):
            self._try_to_say(wanted)

    def take_turn_grant(self, route: ChannelRoute) -> TurnGrant | None:
        """Return credentials that have come for a call, once; None: none have."""
        return self._channels.take_grant(route)

    def seen_at(self, route: ChannelRoute) -> Address | None:
        """Return where the relay sees the peer at the other end of a channel in use.

        None: the peer has not let it tell us.
        """
        return self._channels.seen_at(route)

    def _try_to_say(self, message: Message) -> None:
        if self.is_up and self._session is not None:
            with suppress(ConnectionLost):
                self._session.stream.send(message)

    # -- made and kept

    async def open(self) -> None:
        """Register at the first of the relay's addresses that answers.

        Raises:
            NameNotFound, RelayUnreachable, KeyChanged, AccessRefused, VersionMismatch.
        """
        self._begin(await self._visit.open())

    def _begin(self, session: RelaySession) -> None:
        self._session = session
        self.extra_ports = session.extra_ports
        self._observe(session.seen)
        self._report(
            Registered(
                relay=str(self.relay),
                relay_id=str(session.link.identity),
                published=self._visit.publishes,
                transport=session.address.transport,
            )
        )

    async def keep(self) -> None:
        """Stay registered, for ever: read, keep alive, and come back when lost.

        A relay that was never reached is called until it answers.
        """
        delay_s = RELAY_BACKOFF_FIRST_S
        if self._session is None:
            first, delay_s = await find_again(self._visit, delay_s, self._report)
            self._begin(first)
            self._tell_watchers()
        while True:
            session = self._session
            assert session is not None
            keeping = Keeping(
                *(self._visit, session, self._channels),
                *(self._requests, self._nudged, self._report),
            )
            began = self._endpoint.now()
            await self._serve(session, keeping)
            if keeping.better is not None:
                self._begin(keeping.better)
                continue
            if self._endpoint.now() - began > RELAY_BACKOFF_MAX_S:
                delay_s = RELAY_BACKOFF_FIRST_S  # else it takes us and throws us out
            self._report(
                Warned(
                    code="relay_lost",
                    message=f"the relay {self.relay} is lost; calling it again",
                )
            )
            anew = keeping.anew
            if anew is None:
                anew, delay_s = await find_again(self._visit, delay_s, self._report)
            self._begin(anew)
            self._tell_watchers()

    async def close(self) -> None:
        """Leave the relay."""
        if self._session is not None:
            await self._session.stream.close(reason="bye")
            self._session.end()

    async def _serve(self, session: RelaySession, keeping: Keeping) -> None:
        """Read and keep alive until the link is over."""
        async with task_group() as group:
            beside = [group.create_task(keeping.run())]
            if not session.address.is_tcp:
                beside.append(group.create_task(self._walk(session)))
            try:
                async for message in session.stream.messages():
                    self._take(message, session.address, keeping)
            except _LOST:
                pass
            for task in beside:
                task.cancel()
        self._channels.all_withdrawn(session.address)
        session.end()
        self._requests.fail_all()

    async def _walk(self, session: RelaySession) -> None:
        """Learn which TTL opens our NATs and goes no further (docs/nat.md, trap 2).

        Again, whenever we are seen at another host: other NATs are in between.
        """
        while True:
            self._elsewhere.clear()
            index = first_public_hop(await self._endpoint.walk(session.address))
            self.opener_ttls = OPENER_TTLS_HOPS if index is None else (index,)
            self._tell_watchers()
            await self._elsewhere.wait()

    # -- what the relay says

    def _take(
        self, message: relay.RelayMessage, address: Address, keeping: Keeping
    ) -> None:
        match message:
            case relay.Observed(address=seen):
                with suppress(ValueError):
                    seen_at = Address.parse(seen)
                    self._observe(seen_at._replace(tunnel=int(address.is_tcp)))
            case relay.Incoming(channel=channel):
                if not self._channels.announce(message, address):
                    self._try_to_say(relay.Closed(channel=channel.send))
                    self._try_to_say(self._visit.publish())  # it is behind the times
            case relay.Connected():
                self._requests.answer(message)
            case relay.Refused():
                self._requests.refuse(message)
            case relay.Revealed(channel=channel, address=seen):
                with suppress(ValueError):
                    self._note_peer(bytes.fromhex(channel), Address.parse(seen))
            case relay.Closed(channel=channel):
                if self._channels.withdrawn(bytes.fromhex(channel)):
                    self._tell_watchers()
            case relay.TurnGranted():
                if self._channels.note_grant(message):
                    self._tell_watchers()
            case relay.Summoned():
                self.joins.summon(message, address)
            case relay.Draining(within_s=within_s):
                words = f"the relay {self.relay} stops within {within_s:g} s"
                self._report(Warned(code="relay_draining", message=words))
                keeping.drain()

    def _observe(self, address: Address) -> None:
        if address == self.reflexive:
            return
        before, self.reflexive = self.reflexive, address
        changed = before is not None
        if before is not None and before.host != address.host:
            self._elsewhere.set()
        self._report(
            Reflexive(address=str(address), via=str(self.relay), changed=changed)
        )
        self._tell_watchers()

    def _note_peer(self, receive_id: bytes, seen: Address) -> None:
        if self._channels.note_peer(receive_id, seen):
            self._tell_watchers()

    def _tell_watchers(self) -> None:
        for watcher in tuple(self.watchers):
            watcher()


@asynccontextmanager
async def register(
    endpoint: Endpoint,
    server: HostPort,
    pins: RelayPins,
    report: Report,
    *,
    publishes: bool,
    token: str = "",
    refused: Callable[[], Collection[Identity]] = tuple,
    later: bool = False,
) -> AsyncIterator[Registration]:
    """Register at a relay and stay registered; on leaving, leave the relay.

    Args:
        endpoint: The one socket: its address is what the relay observes.
        server: The relay.
        pins: Keys of relays met before; a new one is pinned, a changed one refused.
        report: Takes Registered, Reflexive and Warned.
        publishes: Let others call us through this relay.
        token: What this relay wants to see of its clients ("" nothing).
        refused: Returns for whom we are offline, as it is then.
        later: Do not wait for the relay: it is called until it answers.

    Raises:
        NameNotFound, RelayUnreachable, KeyChanged, AccessRefused, VersionMismatch.
    """
    registration = Registration(
        endpoint,
        server,
        pins,
        report,
        publishes=publishes,
        token=token,
        refused=refused,
    )
    if not later:
        await registration.open()
    async with task_group() as group:
        beside = [
            group.create_task(registration.keep()),
            group.create_task(registration.joins.run()),
        ]
        try:
            yield registration
        finally:
            for task in beside:
                task.cancel()
            await registration.close()
