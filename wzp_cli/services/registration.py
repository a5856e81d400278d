"""A client's standing with its relay: made, kept, lost and found again."""

import asyncio
import random
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from wzp_cli import __version__
from wzp_cli.address import Address, HostPort
from wzp_cli.concurrency import task_group
from wzp_cli.defaults import (
    ADDRESS_STAGGER_S,
    KEEPALIVE_ANSWER_S,
    KEEPALIVE_MAX_S,
    KEEPALIVE_MIN_S,
    MAX_ANNOUNCED_CHANNELS,
    OPENER_TTLS_HOPS,
    RELAY_ANSWER_TIMEOUT_S,
    RELAY_BACKOFF_FIRST_S,
    RELAY_BACKOFF_MAX_S,
)
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.link import Link
from wzp_cli.endpoint.message_stream import MessageStream
from wzp_cli.errors import (
    AccessRefused,
    ConnectionLost,
    IdentityError,
    KeyChanged,
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
from wzp_cli.protocol import relay_messages as relay
from wzp_cli.protocol.identity import Identity
from wzp_cli.protocol.reach import first_public_hop
from wzp_cli.protocol.route import ChannelRoute
from wzp_cli.protocol.signal import Message
from wzp_cli.protocol.text import clean

__all__ = ["Registration", "register"]

_LOST = (ConnectionLost, IdentityError, VersionMismatch, RemoteProtocolError)


@dataclass(frozen=True, slots=True)
class _Session:
    """One link to the relay, from its welcome to its end."""

    link: Link
    stream: MessageStream[relay.RelayMessage]
    address: Address


class Registration:
    """What the relay does for us while it knows us.

    Attributes:
        relay: What the user wrote.
        reflexive: Our address as the relay sees it (None before the first welcome).
        extra_ports: The relay's other ports that answer STUN.
        opener_ttls: What opens our NAT and dies before the peer's.
        watchers: Each is called after `reflexive`, or what `seen_at` tells, changed.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        server: HostPort,
        pins: RelayPins,
        report: Report,
        *,
        publishes: bool,
    ) -> None:
        self.relay = server
        self.reflexive: Address | None = None
        self.extra_ports: tuple[int, ...] = ()
        self.opener_ttls: tuple[int, ...] = OPENER_TTLS_HOPS
        self.watchers: set[Callable[[], None]] = set()
        self._in_use: dict[bytes, ChannelRoute] = {}
        self._seen_at: dict[ChannelRoute, Address] = {}
        self._endpoint = endpoint
        self._pins = pins
        self._report = report
        self._publishes = publishes
        self._session: _Session | None = None
        self._requests: dict[str, asyncio.Future[list[relay.Device]]] = {}
        self._announced: OrderedDict[bytes, tuple[ChannelRoute, Identity]] = (
            OrderedDict()
        )

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
        announced = self._announced.pop(route.receive_id, None)
        if announced is None:
            return None
        self._in_use[route.receive_id] = route
        return announced[1]

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
        routes = [_route(session.address, device.channel) for device in devices]
        for route in routes:
            self._endpoint.open_channel(route, admits=False)
        self._in_use.update((route.receive_id, route) for route in routes)
        return routes

    def nudge(self) -> None:
        """Let the relay see where we are now: channels follow once it has checked."""
        if self._session is not None:
            self._session.link.poke()

    def close_channel(self, route: ChannelRoute) -> None:
        """Give a channel back."""
        self._in_use.pop(route.receive_id, None)
        self._seen_at.pop(route, None)
        self._endpoint.close_channel(route)
        self._announced.pop(route.receive_id, None)
        self._try_to_say(relay.Closed(channel=route.send_id.hex()))

    def reveal(self, route: ChannelRoute) -> None:
        """Have the relay tell the peer at the channel's other end where it sees us."""
        self._try_to_say(relay.Reveal(channel=route.send_id.hex()))

    def seen_at(self, route: ChannelRoute) -> Address | None:
        """Return where the relay sees the peer at the other end of a channel in use.

        None: the peer has not let it tell us.
        """
        return self._seen_at.get(route)

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
        addresses = await self._endpoint.resolve(self.relay)
        self._session = await self._open_first(addresses)
        if self._session is None:
            tried = ", ".join(map(str, addresses))
            raise RelayUnreachable(f"{self.relay} ({tried})")

    async def _open_first(self, addresses: list[Address]) -> _Session | None:
        """Try the addresses a little after each other; the first to welcome us wins."""
        opened: list[_Session] = []
        tries: list[asyncio.Task[None]] = []

        async def attempt(address: Address, head_start_s: float) -> None:
            await asyncio.sleep(head_start_s)
            with suppress(ConnectionLost):
                opened.append(await self._open_at(address))
                for other in tries:
                    if other is not asyncio.current_task():
                        other.cancel()

        async with task_group() as group:
            for number, address in enumerate(addresses):
                stagger_s = number * ADDRESS_STAGGER_S
                tries.append(group.create_task(attempt(address, stagger_s)))
        for spare in opened[1:]:
            spare.link.abort("not wanted any more")
        return opened[0] if opened else None

    async def keep(self) -> None:
        """Stay registered, for ever: read, keep alive, and come back when lost."""
        delay_s = RELAY_BACKOFF_FIRST_S
        while True:
            session = self._session
            assert session is not None
            began = self._endpoint.now()
            await self._serve(session)
            if self._endpoint.now() - began > RELAY_BACKOFF_MAX_S:
                delay_s = RELAY_BACKOFF_FIRST_S  # else it takes us and throws us out
            self._report(
                Warned(
                    code="relay_lost",
                    message=f"the relay {self.relay} is lost; calling it again",
                )
            )
            delay_s = await self._reopen(delay_s)

    async def close(self) -> None:
        """Leave the relay."""
        if self._session is not None:
            await self._session.stream.close(reason="bye")

    async def _open_at(self, address: Address) -> _Session:
        pinned = self._pins.pinned(str(self.relay))
        expect = Identity(pinned) if pinned is not None else None
        try:
            link = await self._endpoint.dial_relay(address, expect)
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
            self._pins.pin(str(self.relay), link.identity.key)
        return session

    async def _welcomed(self, link: Link, address: Address) -> _Session:
        stream: MessageStream[relay.RelayMessage] = MessageStream(
            link, relay.RelayMessage
        )
        # QUIC lets the dialler alone open the stream: speak first.
        stream.send(relay.Enter(version=__version__))
        published = not self._publishes
        if self._publishes:
            stream.send(relay.Publish())
        stream.trust()
        welcomed = False
        while not (welcomed and published):
            match await stream.receive():
                case relay.Welcome(address=seen, ports=ports):
                    welcomed = True
                    self.extra_ports = ports
                    self._observe(seen)
                    if self.reflexive is None:
                        raise RemoteProtocolError("the relay names no address")
                case relay.Published():
                    published = True
                case relay.Refused(reason=reason):
                    raise AccessRefused(f"{self.relay}: {clean(reason)}")
        self._report(
            Registered(
                relay=str(self.relay),
                relay_id=str(link.identity),
                published=self._publishes,
            )
        )
        return _Session(link, stream, address)

    async def _reopen(self, delay_s: float) -> float:
        """Come back, after `delay_s` at most; return the longest pause next time."""
        while True:
            # Full jitter: a relay that restarts is not met by all clients at once.
            await asyncio.sleep(random.uniform(0.0, delay_s))
            delay_s = min(2 * delay_s, RELAY_BACKOFF_MAX_S)
            try:
                await self.open()
            except NetworkError:
                continue
            except WzpError as error:
                self._report(Warned(code=error.code, message=str(error)))
                delay_s = RELAY_BACKOFF_MAX_S
            else:
                return delay_s

    async def _serve(self, session: _Session) -> None:
        """Read and keep alive until the link is over."""
        async with task_group() as group:
            beside = [
                group.create_task(self._keep_alive(session.link)),
                group.create_task(self._walk(session.address)),
            ]
            try:
                async for message in session.stream.messages():
                    self._take(message, session.address)
            except _LOST:
                pass
            for task in beside:
                task.cancel()
        for request in self._requests.values():
            if not request.done():
                request.set_exception(ConnectionLost("the relay is lost"))

    async def _keep_alive(self, link: Link) -> None:
        while not link.ended:
            await asyncio.sleep(random.uniform(KEEPALIVE_MIN_S, KEEPALIVE_MAX_S))
            while not await link.ping(KEEPALIVE_ANSWER_S) and not link.ended:
                # A new link would not have the channels that calls go through.
                if not self._in_use:
                    link.abort("the relay is silent")

    async def _walk(self, relay_address: Address) -> None:
        """Learn which TTL opens our NATs and goes no further (docs/nat.md, trap 2)."""
        index = first_public_hop(await self._endpoint.walk(relay_address))
        if index is not None:
            self.opener_ttls = (index,)

    # -- what the relay says

    def _take(self, message: relay.RelayMessage, address: Address) -> None:
        match message:
            case relay.Observed(address=seen):
                self._observe(seen)
            case relay.Incoming():
                self._announce(message, address)
            case relay.Connected(request=request, devices=devices):
                self._answer(request, devices)
            case relay.Refused(request=request, reason=reason):
                self._refuse(request, reason)
            case relay.Revealed(channel=channel, address=seen):
                self._note_peer(bytes.fromhex(channel), seen)
            case relay.Closed(channel=channel):
                self._forget(bytes.fromhex(channel))

    def _observe(self, seen: str) -> None:
        try:
            address = Address.parse(seen)
        except ValueError:
            return
        changed = self.reflexive is not None and address != self.reflexive
        if address != self.reflexive:
            self.reflexive = address
            self._report(
                Reflexive(address=str(address), via=str(self.relay), changed=changed)
            )
            self._tell_watchers()

    def _note_peer(self, receive_id: bytes, seen: str) -> None:
        route = self._in_use.get(receive_id)
        if route is None:
            return
        with suppress(ValueError):
            address = Address.parse(seen)
            if address != self._seen_at.get(route):
                self._seen_at[route] = address
                self._tell_watchers()

    def _tell_watchers(self) -> None:
        for watcher in tuple(self.watchers):
            watcher()

    def _announce(self, message: relay.Incoming, address: Address) -> None:
        try:
            caller = Identity.parse(message.caller)
        except WzpError:
            return
        route = _route(address, message.channel)
        self._announced[route.receive_id] = (route, caller)
        self._endpoint.open_channel(route, admits=True)
        if len(self._announced) > MAX_ANNOUNCED_CHANNELS:
            _, (oldest, _caller) = self._announced.popitem(last=False)
            self._endpoint.close_channel(oldest)

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
            case "limit" | "draining":
                answer.set_exception(RelayBusy(f"{self.relay}: {reason}"))
            case _:
                answer.set_exception(
                    PeerOffline(f"the peer is not registered at {self.relay}")
                )

    def _forget(self, receive_id: bytes) -> None:
        announced = self._announced.pop(receive_id, None)
        if announced is not None:
            self._endpoint.close_channel(announced[0])


def _route(relay_address: Address, channel: relay.ChannelIds) -> ChannelRoute:
    return ChannelRoute(
        relay_address, bytes.fromhex(channel.send), bytes.fromhex(channel.receive)
    )


@asynccontextmanager
async def register(
    endpoint: Endpoint,
    server: HostPort,
    pins: RelayPins,
    report: Report,
    *,
    publishes: bool,
) -> AsyncIterator[Registration]:
    """Register at a relay and stay registered; on leaving, leave the relay.

    Args:
        endpoint: The one socket: its address is what the relay observes.
        server: The relay.
        pins: Keys of relays met before; a new one is pinned, a changed one refused.
        report: Takes Registered, Reflexive and Warned.
        publishes: Let others call us through this relay.

    Raises:
        NameNotFound, RelayUnreachable, KeyChanged, AccessRefused, VersionMismatch.
    """
    registration = Registration(endpoint, server, pins, report, publishes=publishes)
    await registration.open()
    async with task_group() as group:
        keeper = group.create_task(registration.keep())
        try:
            yield registration
        finally:
            keeper.cancel()
            await registration.close()
