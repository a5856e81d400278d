"""A client's standing with its relay: made, kept, lost and found again."""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress

from wzp_cli.address import Address, HostPort
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.endpoint import UDP_AGAIN_MAX_S, UDP_AGAIN_MIN_S
from wzp_cli.defaults.paths import OPENER_TTLS_HOPS
from wzp_cli.defaults.relay import (
    CALL_KEEPALIVE_ANSWER_S,
    KEEPALIVE_ANSWER_S,
    KEEPALIVE_MAX_S,
    KEEPALIVE_MIN_S,
    RELAY_ANSWER_TIMEOUT_S,
    RELAY_BACKOFF_FIRST_S,
    RELAY_BACKOFF_MAX_S,
)
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.links.link import Link
from wzp_cli.errors import (
    AccessRefused,
    ConnectionLost,
    IdentityError,
    NetworkError,
    PeerOffline,
    RelayBusy,
    RelayUnreachable,
    RemoteProtocolError,
    VersionMismatch,
    WzpError,
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
        self._requests: dict[str, asyncio.Future[list[relay.Device]]] = {}
        self._channels = RelayChannels(endpoint, refused)
        self.joins = RelayJoins(self._visit, self._channels, self._tell_watchers)
        self._nudged = asyncio.Event()
        self._drains = asyncio.Event()
        self._anew: RelaySession | None = None
        self._better: RelaySession | None = None

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
            PeerOffline: It has none here, or does not want us to know.
            RelayUnreachable: The relay is lost, or did not answer.
        """
        session = self._session
        if session is None or session.link.ended:
            raise RelayUnreachable(f"{self.relay} is lost")
        request = secrets.token_hex(8)
        answer: asyncio.Future[list[relay.Device]] = (
            asyncio.get_running_loop().create_future()
        )
        self._requests[request] = answer
        try:
            session.stream.send(relay.Connect(request=request, target=str(target)))
            async with asyncio.timeout(RELAY_ANSWER_TIMEOUT_S):
                devices = await answer
        except (TimeoutError, ConnectionLost) as error:
            raise RelayUnreachable(f"{self.relay} did not answer") from error
        finally:
            del self._requests[request]
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
        """Stay registered, for ever: read, keep alive, and come back when lost."""
        delay_s = RELAY_BACKOFF_FIRST_S
        while True:
            session = self._session
            assert session is not None
            began = self._endpoint.now()
            await self._serve(session)
            if self._better is not None:
                self._begin(self._better)
                self._better = None
                continue
            if self._endpoint.now() - began > RELAY_BACKOFF_MAX_S:
                delay_s = RELAY_BACKOFF_FIRST_S  # else it takes us and throws us out
            self._report(
                Warned(
                    code="relay_lost",
                    message=f"the relay {self.relay} is lost; calling it again",
                )
            )
            anew, self._anew = self._anew, None
            if anew is None:
                anew, delay_s = await self._find(delay_s)
            self._begin(anew)
            self._tell_watchers()

    async def close(self) -> None:
        """Leave the relay."""
        if self._session is not None:
            await self._session.stream.close(reason="bye")
            self._session.end()

    async def _find(self, delay_s: float) -> tuple[RelaySession, float]:
        """Come back, after `delay_s` at most; return the longest pause next time."""
        while True:
            # Full jitter: a relay that restarts is not met by all clients at once.
            await asyncio.sleep(random.uniform(0.0, delay_s))
            delay_s = min(max(2 * delay_s, RELAY_BACKOFF_FIRST_S), RELAY_BACKOFF_MAX_S)
            try:
                return await self._visit.open(), delay_s
            except NetworkError:
                continue
            except WzpError as error:
                self._report(Warned(code=error.code, message=str(error)))
                delay_s = RELAY_BACKOFF_MAX_S

    async def _serve(self, session: RelaySession) -> None:
        """Read and keep alive until the link is over."""
        self._drains.clear()
        async with task_group() as group:
            by_tcp = session.address.is_tcp
            beside = [
                group.create_task(self._keep_alive(session.link)),
                group.create_task(self._move(session.link)),
                group.create_task(
                    self._return_to_udp(session) if by_tcp else self._walk(session)
                ),
            ]
            try:
                async for message in session.stream.messages():
                    self._take(message, session.address)
            except _LOST:
                pass
            for task in beside:
                task.cancel()
        self._channels.all_withdrawn(session.address)
        session.end()
        for request in self._requests.values():
            if not request.done():
                request.set_exception(ConnectionLost("the relay is lost"))

    async def _keep_alive(self, link: Link) -> None:
        while not link.ended:
            with suppress(TimeoutError):
                async with asyncio.timeout(
                    random.uniform(KEEPALIVE_MIN_S, KEEPALIVE_MAX_S)
                ):
                    await self._nudged.wait()
            self._nudged.clear()
            in_call = bool(self._channels.in_use)
            answer_s = CALL_KEEPALIVE_ANSWER_S if in_call else KEEPALIVE_ANSWER_S
            if await link.ping(answer_s):
                continue
            if self._channels.in_use:
                await self._find_beside(link)
            else:
                link.abort("the relay is silent")

    async def _find_beside(self, link: Link) -> None:
        """The relay is silent in a call: wait for it, and see if it has begun anew.

        The link's channels would be lost with it, so it ends only if it is still silent
        when the relay has welcomed us on another one.
        """
        async with task_group() as group:
            finding = group.create_task(self._replace(link))
            while not await link.ping(KEEPALIVE_ANSWER_S) and not link.ended:
                pass
            finding.cancel()

    async def _replace(self, link: Link) -> None:
        session, _ = await self._find(0.0)
        try:
            answered = await link.ping(CALL_KEEPALIVE_ANSWER_S)
        except BaseException:
            session.end()
            raise
        if answered:
            session.end()
        else:
            self._anew = session
            link.abort("the relay began anew")

    async def _move(self, link: Link) -> None:
        """Once the relay is about to stop: go to another one of its name, if any.

        The relay that stops sends us away. Calls ask for another channel there.
        """
        await self._drains.wait()
        self._anew, _ = await self._find(RELAY_BACKOFF_FIRST_S)
        link.abort("the relay stops")

    async def _return_to_udp(self, session: RelaySession) -> None:
        """Come to the relay by UDP as soon as that gets through, and leave TCP.

        A call under way keeps the link: its channels are bound to it.
        """
        while True:
            await asyncio.sleep(random.uniform(UDP_AGAIN_MIN_S, UDP_AGAIN_MAX_S))
            if self._is_busy:
                continue
            try:
                better = await self._visit.open_by_udp()
            except WzpError:
                continue
            if self._is_busy:
                better.end()
                continue
            self._better = better
            session.link.abort("by UDP from now on")

    @property
    def _is_busy(self) -> bool:
        return bool(self._channels.in_use or self._requests)

    async def _walk(self, session: RelaySession) -> None:
        """Learn which TTL opens our NATs and goes no further (docs/nat.md, trap 2)."""
        index = first_public_hop(await self._endpoint.walk(session.address))
        if index is not None:
            self.opener_ttls = (index,)

    # -- what the relay says

    def _take(self, message: relay.RelayMessage, address: Address) -> None:
        match message:
            case relay.Observed(address=seen):
                with suppress(ValueError):
                    seen_at = Address.parse(seen)
                    self._observe(seen_at._replace(tunnel=int(address.is_tcp)))
            case relay.Incoming(channel=channel):
                if not self._channels.announce(message, address):
                    self._try_to_say(relay.Closed(channel=channel.send))
                    self._try_to_say(self._visit.publish())  # it is behind the times
            case relay.Connected(request=request, devices=devices):
                self._answer(request, devices)
            case relay.Refused(request=request, reason=reason):
                self._refuse(request, reason)
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
                self._drains.set()

    def _observe(self, address: Address) -> None:
        if address == self.reflexive:
            return
        changed = self.reflexive is not None
        self.reflexive = address
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

    def _answer(self, request: str, devices: list[relay.Device]) -> None:
        answer = self._requests.get(request)
        if answer is not None and not answer.done():
            answer.set_result(devices)

    def _refuse(self, request: str, reason: str) -> None:
        answer = self._requests.get(request)
        if answer is None or answer.done():
            return
        match reason:
            case "access":
                answer.set_exception(AccessRefused(str(self.relay)))
            case "limit" | "draining" | "fleet":
                answer.set_exception(RelayBusy(f"{self.relay}: {reason}"))
            case _:
                answer.set_exception(
                    PeerOffline(f"the peer is not registered at {self.relay}")
                )


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
