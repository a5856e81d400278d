"""The search for a direct route where openers and checks alone find none.

One task for each answered call: it measures our NAT, exchanges what both sides have
measured, and does this side's part of the plan (protocol/traversal/strategy.py). Only
an address that the peer and the relay both name is searched, within the process's
budgets (protocol/traversal/spray.py).
"""

import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from wzp_cli.address import Address
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.paths import (
    MEETING_TIMES_S,
    MEETING_WAIT_S,
    PREDICTION_PAUSE_S,
    ROUTE_GIVE_UP_S,
    SEARCH_BATCH,
    SEARCH_BATCH_S,
    SEARCH_HEAD_START_MAX_S,
    SEARCH_HEAD_START_MIN_S,
    SEARCH_PAUSE_S,
    SEARCH_PLANS_OF_CALL,
    SEARCH_PROBES_PER_S,
    SEARCH_REFRESH_S,
    SEARCH_ROUNDS,
    SEARCH_ROUNDS_OF_CALL,
    SEARCH_SAMPLES,
    SEARCH_SPAN_S,
    SEARCH_WAIT_S,
)
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.stun.checks import CheckSession
from wzp_cli.events import PathPlanned, PathSearched, Report, Strategy
from wzp_cli.protocol.messages.peer import Nat, Searching
from wzp_cli.protocol.messages.signal import Message
from wzp_cli.protocol.nat import Mapping, NatFacts
from wzp_cli.protocol.traversal import guesses
from wzp_cli.protocol.traversal.paths import Paths
from wzp_cli.protocol.traversal.route import DirectRoute
from wzp_cli.protocol.traversal.strategy import Plan, Role, choose
from wzp_cli.services.routes.facts import facts_of
from wzp_cli.services.routes.measure import Measured, ask

__all__ = ["Searcher"]

_Side = Literal["opens", "probes", "both"]
_SIDES: dict[Role, _Side] = {
    Role.OPEN: "opens",
    Role.PROBE: "probes",
    Role.MEET: "both",
}


@dataclass
class Searcher:
    """One call's search.

    Attributes:
        paths: What is known of the call's routes; only read here.
        relay: The relay's address; it samples ports. None: there is no relay.
        confirmed: The peer's address that both it and the relay name, if they do.
        rtt_s: The link's round trip, as far as it is known.
        reason: Why there is no direct route, as far as this search can tell.
    """

    endpoint: Endpoint
    session: CheckSession
    paths: Paths
    say: Callable[[Message], None]
    report: Report
    relay: Address | None
    confirmed: Callable[[], Address | None]
    rtt_s: Callable[[], float | None]
    reason: str | None = None
    _heard: "asyncio.Queue[Searching]" = field(default_factory=lambda: asyncio.Queue(4))
    _kept: set[int] = field(default_factory=set)
    _rng: random.Random = field(
        default_factory=lambda: random.Random(random.getrandbits(64))
    )

    def __post_init__(self) -> None:
        self._began = self.endpoint.now()
        self._changed = asyncio.Event()
        self._theirs: NatFacts | None = None
        self._plan = Plan(Role.CHECK)
        self._step = 0
        self._sent = 0
        self._told: tuple[Plan, Mapping, Mapping] | None = None
        self._rounds = SEARCH_ROUNDS_OF_CALL
        self._plans = SEARCH_PLANS_OF_CALL

    # -- what happens

    def take_facts(self, nat: Nat) -> None:
        """The peer told what it measured of its NAT."""
        self._theirs = facts_of(nat)
        self._changed.set()

    def take(self, message: Searching) -> None:
        """The peer's spare sockets are open; more than we can use is dropped."""
        if not self._heard.full():
            self._heard.put_nowait(message)

    def look(self) -> None:
        """Something about the routes, or what the relay tells, has changed."""
        self._changed.set()

    async def run(self, ours: Measured) -> None:
        """Search by what we measured, anew if the peer's NAT is another; for ever."""
        await self._until(lambda: self._theirs is not None)
        while self._plans > 0:
            self._plans -= 1
            theirs = self._theirs
            assert theirs is not None
            async with task_group() as group:
                searching = group.create_task(self._follow_plan(ours, theirs))
                await self._other_than(theirs)
                searching.cancel()

    async def _other_than(self, theirs: NatFacts) -> None:
        await self._until(lambda: self._theirs != theirs)

    async def _follow_plan(self, ours: Measured, theirs: NatFacts) -> None:
        self._plan, self._step = choose(ours.facts, theirs), ours.step
        self.reason = None
        if self._plan.role is Role.REST and await self._has_way_around():
            self._plan = Plan(Role.CHECK)
        self._report_plan(ours.facts, theirs)
        if self._plan.role is Role.REST:
            self.reason = self._plan.reason
        elif self._plan.role is not Role.CHECK:
            for number in range(min(SEARCH_ROUNDS, self._rounds)):
                if self._plan.role is not Role.PROBE:
                    await self._needed(again=number > 0)
                await self._round()

    def close(self) -> None:
        """Close every spare socket."""
        self.endpoint.close_spares(self._kept)

    # -- one round

    async def _needed(self, *, again: bool) -> None:
        """Return when openers and checks have had their chance and found nothing."""
        if again:
            pause_s = PREDICTION_PAUSE_S if self._plan.predicts else SEARCH_PAUSE_S
            await asyncio.sleep(pause_s)
        head_start_s = self._head_start_s
        while await self._until(lambda: self.paths.has_direct, head_start_s):
            await self._until(lambda: not self.paths.has_direct)
            head_start_s = ROUTE_GIVE_UP_S

    async def _has_way_around(self) -> bool:
        """Whether there is a direct route that does not go through both NATs."""
        head_start_s = self._head_start_s if self.paths.has_way_around else 0.0
        return await self._until(lambda: self.paths.has_direct, head_start_s)

    @property
    def _head_start_s(self) -> float:
        """How long openers and checks alone may need."""
        some_s = max(3 * (self.rtt_s() or 0.0), SEARCH_HEAD_START_MIN_S)
        return min(some_s, SEARCH_HEAD_START_MAX_S)

    async def _round(self) -> None:
        probes = self._plan.role is Role.PROBE
        message = await self._heard.get() if probes else None
        self._rounds -= 1
        began, self._sent = self.endpoint.now(), 0
        failure: str | None = None
        try:
            target = await self._target()
            if message is not None:
                await self._probe(target, message)
            elif self._plan.role is Role.OPEN:
                await self._open(target)
            else:
                await self._meet(target)
        except _NotNowError as error:
            failure = str(error)
        self._report_round(began, failure)

    async def _target(self) -> Address:
        """Return the one address that may be searched."""
        await self._until(lambda: self.confirmed() is not None, SEARCH_WAIT_S)
        target = self.confirmed()
        if target is None:
            raise _NotNowError("the relay does not confirm the peer's address")
        return target

    async def _open(self, target: Address) -> None:
        """Open spare sockets toward the peer, and wait to be found."""
        with self._granted(target), self._spares(self._plan.spares + 2) as opened:
            samples = await self._open_toward(target, opened)
            self.say(
                Searching(sockets=len(opened) - 2, samples=samples, step=self._step)
            )
            if not await self._found(SEARCH_REFRESH_S):
                await self._send_openers(target, opened[1:-1])
                await self._found(SEARCH_SPAN_S - SEARCH_REFRESH_S)

    async def _open_toward(self, target: Address, opened: list[int]) -> tuple[int, ...]:
        """Send the openers; return samples of the ports that our NAT gives."""
        if not self._plan.predicts:
            await self._send_openers(target, opened[1:-1])
            return await self._sample(opened[1:-1][:SEARCH_SAMPLES])
        # In one go, so that theirs are the ports between the two that we learn.
        async with task_group() as group:
            before = group.create_task(self._sample(opened[:1]))
            await asyncio.sleep(SEARCH_BATCH_S)
            await self._send_openers(target, opened[1:-1])
            await asyncio.sleep(SEARCH_BATCH_S)
            after = group.create_task(self._sample(opened[-1:]))
        return before.result() + after.result()

    async def _probe(self, target: Address, message: Searching) -> None:
        """Look for one of the peer's spare sockets."""
        if self._plan.predicts:
            ports = guesses.predict(message.samples, message.step)
        else:
            ports = guesses.search(message.samples, self._rng)
        with self._granted(target):
            await self._probe_ports(target.host, ports)
            await self._found(SEARCH_WAIT_S)

    async def _probe_ports(self, host: str, ports: list[int]) -> None:
        began = self.endpoint.now()
        for number, port in enumerate(ports):
            if self.paths.has_direct:
                return
            self._check(DirectRoute(Address(host, port)))
            next_at = began + (number + 1) / SEARCH_PROBES_PER_S
            await asyncio.sleep(next_at - self.endpoint.now())

    async def _meet(self, target: Address) -> None:
        """Both NATs count: send from each spare to the port that meets it."""
        with self._granted(target), self._spares(self._plan.spares + 1) as opened:
            samples = await self._sample(opened[:1])
            self.say(
                Searching(sockets=len(opened) - 1, samples=samples, step=self._step)
            )
            theirs = await self._heard_where_to_meet()
            await self._meet_at(target.host, theirs, opened[1:])

    async def _heard_where_to_meet(self) -> Searching:
        try:
            async with asyncio.timeout(MEETING_WAIT_S):
                theirs = await self._heard.get()
        except TimeoutError:
            raise _NotNowError("the peer did not say where to meet") from None
        while not self._heard.empty():
            theirs = self._heard.get_nowait()  # the first was of a round before
        return theirs

    async def _meet_at(self, host: str, theirs: Searching, spares: list[int]) -> None:
        if not theirs.samples:
            raise _NotNowError("the peer does not know its ports")
        routes: list[DirectRoute] = []
        for number, spare in enumerate(spares, 1):
            port = guesses.meeting_port(
                theirs.samples[-1], theirs.step, number, self._rng
            )
            if port is not None:
                routes.append(DirectRoute(Address(host, port), spare))
        for route in routes:
            self._opener(route)
        passed_s = 0.0
        for at_s in MEETING_TIMES_S:
            if await self._found(at_s - passed_s):
                return
            passed_s = at_s
            for route in routes:
                self._check(route)
        await self._found(SEARCH_WAIT_S)

    # -- sending

    def _check(self, route: DirectRoute, ttl: int | None = None) -> None:
        self._sent += 1
        self.session.send(route, ttl=ttl, nominates=False)

    def _opener(self, route: DirectRoute) -> None:
        for ttl in self.paths.opener_ttls:
            self._check(route, ttl)

    async def _send_openers(self, target: Address, spares: list[int]) -> None:
        for first in range(0, len(spares), SEARCH_BATCH):
            for spare in spares[first : first + SEARCH_BATCH]:
                self._opener(DirectRoute(target, spare))
            if first + SEARCH_BATCH < len(spares):
                await asyncio.sleep(SEARCH_BATCH_S)

    async def _sample(self, spares: list[int]) -> tuple[int, ...]:
        """Return the external ports of these spare sockets, as the relay sees them."""
        if self.relay is None:
            return ()
        reflections = await ask(self.endpoint, [(self.relay, s) for s in spares])
        return tuple(each.reflexive.port for each in reflections)

    # -- budgets and sockets

    @contextmanager
    def _granted(self, target: Address) -> Iterator[None]:
        """Take a round out of the process's budget for that host, and end it."""
        spray, now = self.endpoint.spray, self.endpoint.now()
        if self._plan.predicts:
            granted = spray.begin_prediction(target.host, now)
        else:
            granted = spray.begin_search(target.host, now)
        if not granted:
            raise _NotNowError("another search was under way, or just before")
        try:
            yield
        finally:
            if not self._plan.predicts:
                spray.end_search()

    @contextmanager
    def _spares(self, count: int) -> Iterator[list[int]]:
        """Open spare sockets; on leaving, close those that were not found."""
        opened = self.endpoint.open_spares(count)
        try:
            if len(opened) < min(count, 4):
                raise _NotNowError("the system lets us open no more sockets")
            yield opened
        finally:
            used = self.paths.spares
            self._kept |= used
            self.endpoint.close_spares(set(opened) - used)

    # -- waiting

    async def _found(self, timeout_s: float) -> bool:
        return await self._until(lambda: self.paths.has_direct, timeout_s)

    async def _until(
        self, condition: Callable[[], bool], timeout_s: float | None = None
    ) -> bool:
        """Wait until a condition holds; return whether it does."""
        try:
            async with asyncio.timeout(timeout_s):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    # -- reporting

    @property
    def _strategy(self) -> Strategy:
        match self._plan:
            case Plan(role=Role.REST):
                return "relay"
            case Plan(role=Role.CHECK):
                return "checks"
            case Plan(role=Role.MEET):
                return "mutual-prediction"
            case Plan(predicts=True):
                return "prediction"
            case _:
                return "search"

    def _report_plan(self, ours: NatFacts, theirs: NatFacts) -> None:
        told, self._told = self._told, (self._plan, ours.mapping, theirs.mapping)
        if told == self._told:
            return
        elapsed_s = self.endpoint.now() - self._began
        self.report(
            PathPlanned(
                strategy=self._strategy,
                mapping=ours.mapping.value,
                peer_mapping=theirs.mapping.value,
                elapsed_ms=round(elapsed_s * 1000, 1),
                reason=self._plan.reason or None,
            )
        )

    def _report_round(self, began: float, failure: str | None) -> None:
        found, elapsed_s = self.paths.has_direct, self.endpoint.now() - began
        if not found:
            self.reason = failure or (
                f"{self._strategy} found nothing with {self._sent} packets "
                f"in {elapsed_s:.1f} s"
            )
        self.report(
            PathSearched(
                strategy=self._strategy,
                side=_SIDES[self._plan.role],
                packets=self._sent,
                found=found,
                elapsed_ms=round(elapsed_s * 1000, 1),
                reason=failure,
            )
        )


class _NotNowError(Exception):
    """This round can't be; the message says why."""
