"""One visit to a relay: dialled, its key judged, welcomed."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from wzp_cli import __version__
from wzp_cli.address import Address, HostPort
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.program import MAX_TOLD_REFUSALS
from wzp_cli.defaults.relay import (
    ADDRESS_STAGGER_S,
    RELAY_ANSWER_TIMEOUT_S,
    RELAY_TCP_DEFAULT_PORT,
)
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.link import Link
from wzp_cli.endpoint.message_stream import MessageStream
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
from wzp_cli.protocol import relay_messages as relay
from wzp_cli.protocol.identity import Identity
from wzp_cli.protocol.signal import Message
from wzp_cli.protocol.text import clean

__all__ = ["RelaySession", "RelayVisit"]


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

    def publish(self) -> Message:
        """Return what lets others call us, but those who are refused now."""
        refuses = tuple(map(str, self.refused()))[:MAX_TOLD_REFUSALS]
        return relay.Publish(refuses=refuses)

    async def open(self) -> RelaySession:
        """Try the relay's addresses a little after each other; the first wins.

        Those of TCP come last, so that they win only where UDP is slower by more than
        its head start.

        Raises:
            NameNotFound, RelayUnreachable, KeyChanged, AccessRefused, VersionMismatch.
        """
        return await self.open_first(await self.endpoint.resolve(self.relay))

    async def open_by_udp(self) -> RelaySession:
        """The same without TCP."""
        return await self.open_among(await self.endpoint.resolve(self.relay))

    async def open_first(self, addresses: Sequence[Address]) -> RelaySession:
        """Do so at these addresses. Raises as `open`, without NameNotFound."""
        return await self.open_among([*addresses, *self.by_tcp(addresses)])

    def by_tcp(self, addresses: Sequence[Address]) -> list[Address]:
        """Return where the relay at these addresses may be by TCP, if we can."""
        if not self.endpoint.tunnels.can_dial:
            return []
        port = self.pins.tcp_port(str(self.relay)) or RELAY_TCP_DEFAULT_PORT
        return [Address(each.host, port, tunnel=1) for each in addresses]

    async def open_among(self, addresses: Sequence[Address]) -> RelaySession:
        """Do so at these addresses alone, by UDP or TCP as they say."""
        opened: list[RelaySession] = []
        tries: list[asyncio.Task[None]] = []

        async def attempt(address: Address, head_start_s: float) -> None:
            await asyncio.sleep(head_start_s)
            with suppress(ConnectionLost):
                opened.append(await self._open_at(address))
                for other in tries:
                    if other is not asyncio.current_task():
                        other.cancel()

        try:
            async with task_group() as group:
                for number, address in enumerate(addresses):
                    stagger_s = number * ADDRESS_STAGGER_S
                    tries.append(group.create_task(attempt(address, stagger_s)))
        except BaseException:
            _end(opened)
            raise
        _end(opened[1:])
        if not opened:
            tried = ", ".join(map(str, addresses))
            raise RelayUnreachable(f"{self.relay} ({tried})")
        return opened[0]

    async def _open_at(self, address: Address) -> RelaySession:
        if not address.is_tcp:
            return await self._enter(address)
        at, tunnel = await self.endpoint.tunnels.dial(address, self.relay.host)
        try:
            return replace(await self._enter(at), tunnel=tunnel)
        except BaseException:
            tunnel.close()
            raise

    async def _enter(self, address: Address) -> RelaySession:
        pinned = self.pins.pinned(str(self.relay))
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
            self.pins.pin(str(self.relay), link.identity.key)
        if session.tcp_port is not None and not self.join:  # else it is another's
            self.pins.note_tcp_port(str(self.relay), session.tcp_port)
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


def _seen(welcome: relay.Welcome) -> Address:
    try:
        return Address.parse(welcome.address)
    except ValueError:
        raise RemoteProtocolError("the relay names no address") from None


def _end(sessions: list[RelaySession]) -> None:
    for session in sessions:
        session.end()
