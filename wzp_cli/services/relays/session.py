"""One visit to a relay: dialled, its key judged, welcomed."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from wzp_cli import __version__
from wzp_cli.address import Address, HostPort
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.program import MAX_TOLD_REFUSALS
from wzp_cli.defaults.relay import ADDRESS_STAGGER_S, RELAY_ANSWER_TIMEOUT_S
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.links.link import Link
from wzp_cli.endpoint.links.message_stream import MessageStream
from wzp_cli.endpoint.tunnels import TunnelEnd
from wzp_cli.errors import (
    AccessRefused,
    ConnectionLost,
    IdentityError,
    KeyChanged,
    RelayUnreachable,
    RemoteProtocolError,
)
from wzp_cli.ports import RelayPins
from wzp_cli.protocol.messages import relay
from wzp_cli.protocol.messages.signal import Message
from wzp_cli.protocol.names.identity import Identity
from wzp_cli.protocol.names.text import clean
from wzp_cli.services.relays.places import Place, RelayPlaces, TakePlaces

__all__ = ["RelaySession", "RelayVisit"]

_FindPlaces = Callable[[TakePlaces], Awaitable[None]]
"""Hands over places until there are no more."""


@dataclass(frozen=True, slots=True)
class RelaySession:
    """One link to the relay, welcomed.

    Attributes:
        address: The relay's, of TCP where a WebSocket carries the link.
        seen: Where the relay saw us then, by the same transport.
        extra_ports: The relay's other ports that answer STUN.
        tcp_port: Where the relay takes WebSockets, if it does.
        tunnel: The WebSocket that carries the link.
    """

    link: Link
    stream: MessageStream[relay.RelayMessage]
    address: Address
    seen: Address
    extra_ports: tuple[int, ...]
    tcp_port: int | None
    tunnel: TunnelEnd | None = None

    def end(self) -> None:
        """End the link at once, and what carried it."""
        self.link.abort("not wanted any more")
        if self.tunnel is not None:
            self.tunnel.close()


@dataclass(frozen=True, slots=True)
class RelayVisit:
    """How to open a session: by UDP, and by TCP in case the network blocks UDP.

    Attributes:
        relay: What the user wrote.
        pins: Keys of relays met before; a new one is pinned, a changed one refused.
        publishes: Let others call us through this relay.
        token: What this relay wants to see of its clients ("" nothing).
        join: The ticket for a call that another relay of the fleet told us of.
        refused: Returns for whom we are offline, as it is then.
    """

    endpoint: Endpoint
    relay: HostPort
    pins: RelayPins
    publishes: bool
    token: str = ""
    join: str = ""
    refused: Callable[[], Collection[Identity]] = tuple

    @property
    def places(self) -> RelayPlaces:
        """Where it may be found."""
        return RelayPlaces(self.endpoint, self.relay, self.pins.tcp_port)

    def publish(self) -> Message:
        """Return what lets others call us, but those who are refused now."""
        refuses = tuple(map(str, self.refused()))[:MAX_TOLD_REFUSALS]
        return relay.Publish(refuses=refuses)

    async def open(self) -> RelaySession:
        """Try the relay's places a little after each other; the first wins.

        Those of TCP come last, so that they win only where UDP is slower by more than
        its head start.

        Raises:
            NameNotFound, RelayUnreachable, KeyChanged, AccessRefused, VersionMismatch.
        """
        return await self._open_first(self.places.find)

    async def open_by_udp(self) -> RelaySession:
        """The same without TCP."""

        async def find(take: TakePlaces) -> None:
            await self.places.find(
                lambda found: take([each for each in found if not each.address.is_tcp])
            )

        return await self._open_first(find)

    async def open_first(self, addresses: Sequence[Address]) -> RelaySession:
        """Do so at these addresses. Raises as `open`, without NameNotFound."""
        places = self.places.named(addresses)
        return await self.open_among([*places, *self.places.by_tcp(places)])

    async def open_among(self, places: Sequence[Place]) -> RelaySession:
        """Do so at these places alone, by UDP or TCP as they say."""

        async def find(take: TakePlaces) -> None:
            take(places)

        return await self._open_first(find)

    async def _open_first(self, find: _FindPlaces) -> RelaySession:
        waiting = _Waiting()
        opened: list[RelaySession] = []
        tasks: list[asyncio.Task[None]] = []

        async def look() -> None:
            await find(waiting.take)
            waiting.close()

        async def attempt(place: Place) -> None:
            with suppress(ConnectionLost):
                opened.append(await self._open_at(place))
                for other in tasks:
                    if other is not asyncio.current_task():
                        other.cancel()

        async def start() -> None:
            while (place := await waiting.next()) is not None:
                tasks.append(group.create_task(attempt(place)))
                await asyncio.sleep(ADDRESS_STAGGER_S)

        try:
            async with task_group() as group:
                tasks += [group.create_task(look()), group.create_task(start())]
        except BaseException:
            _end(opened)
            raise
        _end(opened[1:])
        if not opened:
            tried = ", ".join(map(str, waiting.known))
            raise RelayUnreachable(f"{self.relay} ({tried})")
        return opened[0]

    async def _open_at(self, place: Place) -> RelaySession:
        if not place.address.is_tcp:
            return await self._enter(place.address)
        at, tunnel = await self.endpoint.tunnels.dial(*place)
        try:
            return replace(await self._enter(at), tunnel=tunnel)
        except BaseException:
            tunnel.close()
            raise

    async def _enter(self, address: Address) -> RelaySession:
        pinned = self.pins.pinned(self.relay.server)
        expect = Identity(pinned) if pinned is not None else None
        try:
            link = await self.endpoint.dial_relay(address, expect)
        except IdentityError as error:
            if expect is not None:
                raise KeyChanged(
                    f"{self.relay} shows another key than the pinned {expect.short}"
                ) from error
            raise
        try:
            async with asyncio.timeout(RELAY_ANSWER_TIMEOUT_S):
                session = await self._welcomed(link, address)
        except TimeoutError:
            link.abort("no welcome")
            raise ConnectionLost("no welcome") from None
        except BaseException:
            link.abort("not wanted any more")
            raise
        if pinned is None:
            self.pins.pin(self.relay.server, link.identity.key)
        if session.tcp_port is not None and not self.join:  # else it is another's
            self.pins.note_tcp_port(self.relay.server, session.tcp_port)
        return session

    async def _welcomed(self, link: Link, address: Address) -> RelaySession:
        stream: MessageStream[relay.RelayMessage] = MessageStream(
            link, relay.RelayMessage
        )
        # QUIC lets the dialler alone open the stream: speak first.
        stream.send(relay.Enter(version=__version__, token=self.token, join=self.join))
        if self.publishes:
            stream.send(self.publish())
        stream.trust()
        welcome: relay.Welcome | None = None
        published = not self.publishes
        while welcome is None or not published:
            match await stream.receive():
                case relay.Welcome() as welcome:
                    pass
                case relay.Published():
                    published = True
                case relay.Refused(reason=reason):
                    raise AccessRefused(f"{self.relay}: {clean(reason)}")
        return RelaySession(
            link,
            stream,
            address,
            _seen(welcome)._replace(tunnel=int(address.is_tcp)),
            welcome.ports,
            welcome.tcp,
        )


class _Waiting:
    """The places of a relay that have not been tried yet: those of UDP first.

    Attributes:
        known: All that have come, each once.
    """

    def __init__(self) -> None:
        self.known: list[Address] = []
        self._places: list[Place] = []
        self._closed = False
        self._changed = asyncio.Event()

    def take(self, places: Sequence[Place]) -> None:
        """Put some in line."""
        for place in places:
            if place.address not in self.known:
                self.known.append(place.address)
                self._places.append(place)
        self._places.sort(key=lambda place: place.address.is_tcp)
        self._changed.set()

    def close(self) -> None:
        """No more will come."""
        self._closed = True
        self._changed.set()

    async def next(self) -> Place | None:
        """Return whose turn it is, when there is any; None: all have been tried."""
        while not self._places and not self._closed:
            self._changed.clear()
            await self._changed.wait()
        return self._places.pop(0) if self._places else None


def _seen(welcome: relay.Welcome) -> Address:
    try:
        return Address.parse(welcome.address)
    except ValueError:
        raise RemoteProtocolError("the relay names no address") from None


def _end(sessions: list[RelaySession]) -> None:
    for session in sessions:
        session.end()
