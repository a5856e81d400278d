"""Allocations at TURN servers, through the one socket (RFC 8656).

aioice's client speaks for us: long-term credentials, nonces that go stale, requests
that are sent again, answers that have to be signed. Only its transactions are used;
when to refresh is decided by who holds the allocation, and channel data is framed here.

A server's bytes count for its own allocation alone: an answer by its transaction id and
signature, channel data by a channel that we have bound. Data indications are not taken.
"""

import asyncio
import itertools
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from aioice.stun import (
    Class,
    Message,
    Method,
    TransactionError,
    TransactionFailed,
)
from aioice.turn import UDP_TRANSPORT, TurnClientMixin

from wzp_cli.address import Address
from wzp_cli.defaults.relay import (
    TURN_ANSWER_S,
    TURN_DELETE_S,
    TURN_FIRST_CHANNEL,
    TURN_LIFETIME_S,
    TURN_MAX_PEERS,
    TURN_MIN_LIFETIME_S,
    TURN_MISMATCH_PAUSES_S,
)
from wzp_cli.endpoint.stun.message import new_transaction_id
from wzp_cli.endpoint.tunnels import TakeDatagram, TunnelEnd, Tunnels
from wzp_cli.errors import TurnUnavailable
from wzp_cli.protocol.demux import DatagramKind, kind_of
from wzp_cli.protocol.names.text import clean
from wzp_cli.protocol.traversal.route import TurnRoute
from wzp_cli.protocol.turn import TurnGrant, encode_channel_data, split_channel_data

__all__ = ["Allocation", "Allocations", "DialTurn"]

Send = Callable[[bytes, Address], None]
"""Puts a datagram for a server on the one socket."""

TurnSink = Callable[[bytes, TurnRoute], None]
"""Takes a datagram that came out of a channel, and the route that it came by."""

DialTurn = Callable[[Address, str, bool, TakeDatagram], Awaitable[TunnelEnd]]
"""Connects to a server's TCP address, of this name, with TLS or without.

Raises TurnUnavailable.
"""

_TRANSACTION_ID = slice(8, 20)
_ALLOCATION_MISMATCH = 437  # RFC 8656 section 19


class _Client(TurnClientMixin):
    """aioice's client, which sends where we say."""

    def __init__(
        self, server: Address, grant: TurnGrant, send: Callable[[bytes], None]
    ) -> None:
        super().__init__(
            (server.host, server.port),
            username=grant.username,
            password=grant.password,
            lifetime=TURN_LIFETIME_S,
            channel_refresh_time=TURN_LIFETIME_S,  # unused: we bind again ourselves
        )
        self._send = send


class Allocation:
    """A relayed address of ours at one TURN server, while it is held.

    Attributes:
        server: Where it is.
        on_lost: Called when the TCP connection that carries it is lost.
    """

    def __init__(self, server: Address, grant: TurnGrant, send: Send) -> None:
        self.server = server
        self.on_lost: Callable[[], None] = lambda: None
        self._send = send
        self._client = _Client(server, grant, lambda data: send(data, server))
        self._relayed: Address | None = None
        self._may_exist = False
        self._unused = itertools.count(TURN_FIRST_CHANNEL)
        self._numbers: dict[Address, int] = {}
        self._routes: dict[int, TurnRoute] = {}

    @property
    def relayed(self) -> Address:
        """The address that the server took for us.

        Raises:
            TurnUnavailable: It is not made yet.
        """
        if self._relayed is None:
            raise TurnUnavailable(f"{self.server}: nothing is allocated")
        return self._relayed

    @property
    def is_live(self) -> bool:
        """Whether the server has confirmed it."""
        return self._relayed is not None

    async def make(self) -> None:
        """Ask for it.

        Raises:
            TurnUnavailable: The server is silent, or refuses; says why.
        """
        request = Message(Method.ALLOCATE, Class.REQUEST)
        request.attributes["LIFETIME"] = TURN_LIFETIME_S
        request.attributes["REQUESTED-TRANSPORT"] = UDP_TRANSPORT
        self._may_exist = True
        answer = await self._ask(request)
        self._check_lifetime(answer)
        try:
            relayed = Address(*answer.attributes["XOR-RELAYED-ADDRESS"])
            self._relayed = Address.parse(str(relayed))
        except (KeyError, ValueError) as error:
            message = f"{self.server}: it names no address"
            raise TurnUnavailable(message) from error

    async def bind(self, peer: Address) -> TurnRoute:
        """Open a channel to a peer's relayed address, or keep it open.

        Raises:
            TurnUnavailable: The server is silent, or refuses; or too many are open.
        """
        number = self._numbers.get(peer)
        if number is None:
            if len(self._numbers) >= TURN_MAX_PEERS:
                raise TurnUnavailable(f"{self.server}: too many peers for one call")
            number = self._numbers[peer] = next(self._unused)
        request = Message(Method.CHANNEL_BIND, Class.REQUEST)
        request.attributes["CHANNEL-NUMBER"] = number
        request.attributes["XOR-PEER-ADDRESS"] = (peer.host, peer.port)
        await self._ask(request)
        route = self._routes[number] = TurnRoute(self.server, peer)
        return route

    async def refresh(self) -> None:
        """Keep it, and its channels, for some more minutes. Raises as `bind`."""
        request = Message(Method.REFRESH, Class.REQUEST)
        request.attributes["LIFETIME"] = TURN_LIFETIME_S
        self._check_lifetime(await self._ask(request))
        for route in list(self._routes.values()):
            await self.bind(route.peer)

    def lose(self) -> None:
        """Note that its TCP connection is lost, and so is it."""
        self._relayed = None
        self._may_exist = False
        self.on_lost()

    async def delete(self) -> None:
        """Give it back; a server that is silent forgets it by itself."""
        self._relayed = None
        if not self._may_exist or self._client.integrity_key is None:
            return
        request = Message(Method.REFRESH, Class.REQUEST)
        request.attributes["LIFETIME"] = 0
        with suppress(TimeoutError, TransactionError):
            async with asyncio.timeout(TURN_DELETE_S):
                await self._client.request_with_retry(request)

    def send(self, datagram: bytes, peer: Address) -> None:
        """Send through the channel to a peer; dropped where none is bound."""
        number = self._numbers.get(peer)
        if self.is_live and number in self._routes:
            self._send(encode_channel_data(number, datagram), self.server)

    def take_answer(self, datagram: bytes) -> bool:
        """Take a STUN message of the server's; return whether we have asked for it."""
        if datagram[_TRANSACTION_ID] not in self._client.transactions:
            return False
        with suppress(ValueError, struct.error, IndexError):
            self._client.datagram_received(datagram, self._client.server)
        return True

    def take_channel_data(self, data: bytes) -> tuple[bytes, TurnRoute] | None:
        """Return what came out of a channel, and by which route; None: no such one."""
        parts = split_channel_data(data)
        route = self._routes.get(parts[0]) if parts else None
        return (parts[1], route) if parts and route else None

    async def _ask(self, request: Message) -> Message:
        try:
            async with asyncio.timeout(TURN_ANSWER_S):
                return await self._exchange(request)
        except TimeoutError as error:
            raise TurnUnavailable(f"{self.server} does not answer") from error
        except TransactionError as error:
            self._may_exist = self.is_live
            message = f"{self.server} refuses: {_words(error)}"
            raise TurnUnavailable(message) from error

    async def _exchange(self, request: Message) -> Message:
        """Ask; wait for an allocation of ours that the server has not yet deleted."""
        for pause_s in (*TURN_MISMATCH_PAUSES_S, None):
            try:
                answer, _ = await self._client.request_with_retry(request)
            except TransactionFailed as error:
                if self.is_live or pause_s is None or not _is_mismatch(error):
                    raise
                await asyncio.sleep(pause_s)
                request.transaction_id = new_transaction_id()
            else:
                break
        return answer

    def _check_lifetime(self, answer: Message) -> None:
        lifetime_s = answer.attributes.get("LIFETIME", 0)
        if lifetime_s < TURN_MIN_LIFETIME_S:
            message = f"{self.server}: an allocation for {lifetime_s} s is of no use"
            raise TurnUnavailable(message)


def _is_mismatch(error: TransactionFailed) -> bool:
    return error.response.error_code == _ALLOCATION_MISMATCH


def _words(error: TransactionError) -> str:
    """Return what the server said, as "401 Unauthorized"."""
    attributes = {} if error.response is None else error.response.attributes
    code, reason = attributes.get("ERROR-CODE", (None, ""))
    return str(error) if code is None else clean(f"{code} {reason}".strip())


class Allocations:
    """The allocations of one endpoint: one at each server, since it has one socket.

    Through TCP there may be more: each has a connection of its own.
    """

    def __init__(
        self, send: Send, sink: TurnSink, tunnels: Tunnels, dial: DialTurn | None
    ) -> None:
        """Take what sends and is fed; and what connects by TCP (None: nothing does)."""
        self._send, self._sink = send, sink
        self._tunnels, self._dial = tunnels, dial
        self._held: dict[Address, Allocation] = {}

    def __len__(self) -> int:
        return len(self._held)

    @property
    def can_dial(self) -> bool:
        """Whether servers are reached by TCP, too."""
        return self._dial is not None

    @asynccontextmanager
    async def open_by_tcp(
        self, server: Address, name: str, grant: TurnGrant, *, tls: bool
    ) -> AsyncIterator[Allocation]:
        """Do as `open`, through a TCP connection of its own.

        Args:
            server: The server's TCP address.
            name: What its certificate has to be for.
            grant: What to show it.
            tls: Whether it speaks TLS there.

        Raises:
            TurnUnavailable: As `open`; or nobody is there, or somebody else.
        """
        if self._dial is None:
            raise TurnUnavailable(f"{server}: no way through TCP")
        far_end = self._tunnels.name(server)
        connection = await self._dial(
            far_end, name, tls, lambda data: self._take_from(data, far_end)
        )
        self._tunnels.attach(far_end, connection, lambda: self._lost(far_end))
        try:
            async with self.open(far_end, grant) as allocation:
                yield allocation
        finally:
            connection.close()

    def _take_from(self, datagram: bytes, far_end: Address) -> None:
        """Take what is TURN's; nothing else may come through such a connection."""
        self.take(datagram, far_end)

    def _lost(self, far_end: Address) -> None:
        allocation = self._held.get(far_end)
        if allocation is not None:
            allocation.lose()

    @asynccontextmanager
    async def open(
        self, server: Address, grant: TurnGrant
    ) -> AsyncIterator[Allocation]:
        """Hold an allocation at a server; on leaving, give it back.

        Raises:
            TurnUnavailable: The server is silent, refuses, or another call has one.
        """
        if server in self._held:
            raise TurnUnavailable(f"{server}: another call has our allocation there")
        allocation = self._held[server] = Allocation(server, grant, self._send)
        try:
            await allocation.make()
            yield allocation
        finally:
            try:
                await allocation.delete()
            finally:
                del self._held[server]

    def carry(self, datagram: bytes, route: TurnRoute) -> None:
        """Send along a route; dropped where we have no allocation."""
        allocation = self._held.get(route.server)
        if allocation is not None:
            allocation.send(datagram, route.peer)

    def take(self, datagram: bytes, source: Address) -> bool:
        """Take what a TURN server sent; return whether it is TURN's at all."""
        allocation = self._held.get(source)
        if allocation is None:
            return False
        kind = kind_of(datagram)
        if kind is DatagramKind.STUN:
            return allocation.take_answer(datagram)
        if kind is not DatagramKind.TURN_CHANNEL or not allocation.is_live:
            return False
        taken = allocation.take_channel_data(datagram)
        if taken is not None:
            self._sink(*taken)
        return True
