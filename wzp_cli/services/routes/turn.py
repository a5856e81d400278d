"""A call's way through TURN: an allocation of ours that leads to the peer's.

    we       turn_wanted ------> relay         the call is answered
    relay    turn_granted -----> we            credentials for this call
    we       allocate ---------> TURN server
    we       relayed ----------> the peer      inside the end-to-end link
    we       bind -------------> TURN server   a channel to the peer's relayed address

The server is spoken to by UDP, else by TCP, else by TLS; which of them is this side's
affair alone. Both sides do so, and packets go from allocation to allocation: neither
side learns the other's address. The route is kept warm beside the relay's channel, for
the case that the channel ends or is the slower of the two.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

from wzp_cli.address import Address, HostPort
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.endpoint import STUN_DEFAULT_PORT
from wzp_cli.defaults.relay import (
    RELAY_ANSWER_TIMEOUT_S,
    TURN_AGAIN_S,
    TURN_REFRESH_S,
    TURN_STREAM_HEAD_START_S,
)
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.stun.turn import Allocation
from wzp_cli.errors import NetworkError, TurnUnavailable
from wzp_cli.events import Candidate, Report, Warned
from wzp_cli.protocol.messages.peer import Relayed
from wzp_cli.protocol.reach import may_be_relay
from wzp_cli.protocol.traversal.route import ChannelRoute, TurnRoute
from wzp_cli.protocol.turn import TurnGrant
from wzp_cli.services.relays.registration import Registration

__all__ = ["CallTurn"]

_OpenAllocation = Callable[[], AbstractAsyncContextManager[Allocation]]
"""Makes an allocation by one way, and gives it back on leaving; raises NetworkError."""


@dataclass
class CallTurn:
    """The way through TURN of one answered call.

    Attributes:
        home: Our relay, which hands out credentials.
        channel: Returns the call's channel: it stands for the call.
        say: Tells the peer.
        on_route: Called with a route that is to be checked.
    """

    endpoint: Endpoint
    home: Registration
    channel: Callable[[], ChannelRoute]
    say: Callable[[Relayed], None]
    on_route: Callable[[TurnRoute], None]
    report: Report
    _peer: Address | None = None
    _warned: bool = False
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, message: Relayed) -> None:
        """Take the peer's relayed address."""
        with suppress(ValueError):
            address = Address.parse(message.address)
            if address != self._peer:
                self._peer = address
                self.report(
                    Candidate(side="remote", type="relayed", address=str(address))
                )
                self._changed.set()

    async def run(self) -> None:
        """Keep an allocation where the relay lets us, until cancelled."""
        self.home.watchers.add(self._changed.set)
        try:
            while True:
                grant = await self._granted()
                if grant is not None:
                    await self._use(grant)
                await asyncio.sleep(TURN_AGAIN_S)
        finally:
            self.home.watchers.discard(self._changed.set)

    async def _granted(self) -> TurnGrant | None:
        """Ask the relay; None: it has nothing for us."""
        channel = self.channel()
        if not self.home.is_up:
            return None
        self.home.want_turn(channel)
        with suppress(TimeoutError):
            async with asyncio.timeout(RELAY_ANSWER_TIMEOUT_S):
                while (grant := self.home.take_turn_grant(channel)) is None:
                    self._changed.clear()
                    await self._changed.wait()
                return grant
        return None

    async def _use(self, grant: TurnGrant) -> None:
        """Hold an allocation until it is lost; say once what is wrong with it."""
        try:
            await self._hold_first(self._ways(grant))
        except NetworkError as error:
            if not self._warned:
                self._warned = True
                message = f"TURN server {grant.server}: {error}; the call goes on"
                self.report(Warned(code=error.code, message=f"{message} without it"))

    def _ways(self, grant: TurnGrant) -> list[_OpenAllocation]:
        """Return the ways to the server, best first: UDP, TCP, TLS."""
        try:
            named = HostPort.parse(grant.server, default_port=STUN_DEFAULT_PORT)
        except ValueError as error:
            raise TurnUnavailable("the relay names none") from error
        ways: list[_OpenAllocation] = []
        if not self.channel().relay.is_tcp:  # else UDP gets nowhere
            ways.append(lambda: self._by_udp(grant, named))
        if self.endpoint.turn.can_dial:
            for port, tls in ((grant.tcp, False), (grant.tls, True)):
                if port:
                    ways.append(partial(self._by_tcp, grant, named, port, tls=tls))
        return ways

    @asynccontextmanager
    async def _by_udp(
        self, grant: TurnGrant, named: HostPort
    ) -> AsyncIterator[Allocation]:
        server = await self._server(named)
        async with self.endpoint.turn.open(server, grant) as allocation:
            yield allocation

    @asynccontextmanager
    async def _by_tcp(
        self, grant: TurnGrant, named: HostPort, port: int, *, tls: bool
    ) -> AsyncIterator[Allocation]:
        server = await self._server(named._replace(port=port))
        async with self.endpoint.turn.open_by_tcp(
            server, named.host, grant, tls=tls
        ) as allocation:
            yield allocation

    async def _hold_first(self, ways: Sequence[_OpenAllocation]) -> None:
        """Try them a little after each other, and hold the first allocation.

        Raises:
            NetworkError: It was lost, or there was none: what the best way said.
        """
        failed: dict[int, NetworkError] = {}
        tasks: list[asyncio.Task[None]] = []

        async def attempt(number: int, way: _OpenAllocation) -> None:
            await asyncio.sleep(number * TURN_STREAM_HEAD_START_S)
            try:
                async with way() as allocation:
                    for other in tasks:
                        if other is not asyncio.current_task():
                            other.cancel()
                    failed.clear()
                    await self._hold(allocation)
            except NetworkError as error:
                failed[number] = error

        async with task_group() as group:
            for number, way in enumerate(ways):
                tasks.append(group.create_task(attempt(number, way)))
        if failed:
            raise failed[min(failed)]

    async def _server(self, named: HostPort) -> Address:
        home = self.home.address
        for address in await self.endpoint.resolve(named):
            if may_be_relay(address, home):
                return address
        raise TurnUnavailable("it is not where such a server may be")

    async def _hold(self, allocation: Allocation) -> None:
        """Tell the peer, bind a channel to its allocation, and keep both."""
        address = str(allocation.relayed)
        self.report(Candidate(side="local", type="relayed", address=address))
        self.say(Relayed(address=address))
        allocation.on_lost = self._changed.set
        refresh_at = self.endpoint.now() + TURN_REFRESH_S
        bound: Address | None = None
        while True:
            self._changed.clear()
            if not allocation.is_live:
                raise TurnUnavailable(f"{allocation.server}: the connection is lost")
            if self._peer is not None and self._peer != bound:
                bound = self._peer
                if self._may_reach(bound, allocation):
                    self.on_route(await allocation.bind(bound))
            try:
                async with asyncio.timeout_at(refresh_at):
                    await self._changed.wait()
            except TimeoutError:
                refresh_at += TURN_REFRESH_S
                await allocation.refresh()

    def _may_reach(self, peer: Address, allocation: Allocation) -> bool:
        """Whether a server like ours may be there: the peer must not point it away."""
        alike = peer.is_v6 == allocation.relayed.is_v6
        return alike and may_be_relay(peer, allocation.relayed)
