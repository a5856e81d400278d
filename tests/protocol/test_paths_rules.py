"""Both sides of a call's routes, in any order of what can happen to them.

Two machines and the network between them: routes open and break in one direction or
both, candidates are named late and again, checks and answers come late, strangers copy
packets, routes are closed. After each step the rules hold; and once the network is
good, both sides end up on one route that works.
"""

import heapq
import itertools
from collections import Counter
from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.support.depth import depth
from wzp_cli.address import Address
from wzp_cli.defaults.paths import (
    MAX_CANDIDATES,
    RETRY_LATER_S,
    ROUTE_TRUST_MAX_S,
    STRAY_CHECKS,
)
from wzp_cli.protocol.traversal.paths import Check, Paths
from wzp_cli.protocol.traversal.route import ChannelRoute, DirectRoute, Route, TurnRoute
from wzp_cli.protocol.traversal.trial import TRANSITIONS, Input, RouteKind, State

_RELAY = Address("20.0.0.1", 4433)
_TURN = Address("20.0.0.9", 3478)
_KINDS: tuple[RouteKind, ...] = ("relay", "srflx", "host", "mapped", "relay", "relayed")
_WAYS = range(len(_KINDS))
_FIRST = 0
_DELAYS_S = (0.02, 0.04, 0.01, 0.09, 0.06, 0.05)
_MOST_CHECKS_A_S = 16
_CALM_S = RETRY_LATER_S + ROUTE_TRUST_MAX_S + 12.0


def _route(side: int, way: int) -> Route:
    """Return the route that a side (0 the caller) has along one way."""
    match _KINDS[way]:
        case "relay":
            there, back = bytes([way, side]) * 4, bytes([way, 1 - side]) * 4
            return ChannelRoute(_RELAY, there, back)
        case "relayed":
            return TurnRoute(_TURN, Address(_TURN.host, 50_000 + side))
        case _:
            return DirectRoute(Address(f"20.1.{side}.{way}", 5000))


@dataclass
class _Side:
    """One side: its machine, and what it has seen."""

    number: int
    paths: Paths
    answered: set[Route] = field(default_factory=set)
    sent: Counter[Route] = field(default_factory=Counter)
    invited: Counter[Route] = field(default_factory=Counter)
    strays: set[Route] = field(default_factory=set)
    states: dict[Route, State] = field(default_factory=dict)

    @property
    def relays(self) -> set[Route]:
        return {route for route, trial in self.paths.trials.items() if trial.is_relay}


def _reachable() -> dict[State, set[State]]:
    """Return where one step of time may lead: along the table, and on from there."""
    steps = {state: set(moves.values()) for state, moves in TRANSITIONS.items()}
    for _ in State:
        for state, reached in steps.items():
            steps[state] = reached.union(*(steps[each] for each in reached))
    return steps


class RouteRules(RuleBasedStateMachine):
    """The routes of one call."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.sides = [
            _Side(side, Paths(side == 0, _route(side, _FIRST), self.now))
            for side in (0, 1)
        ]
        self.works = {(side, way): way == _FIRST for side in (0, 1) for way in _WAYS}
        self._events: list[tuple[float, int, object]] = []
        self._numbers = itertools.count()
        for side in self.sides:
            self._poll(side)

    # -- what happens

    @rule(side=st.integers(0, 1), ways=st.sets(st.sampled_from(_WAYS[1:]), min_size=1))
    def names_candidates(self, side: int, ways: set[int]) -> None:
        """One side learns addresses of the other's."""
        named = [(_route(side, way), _KINDS[way]) for way in sorted(ways)]
        self.sides[side].paths.add(named, self.now)
        self._poll(self.sides[side])

    @rule(side=st.integers(0, 1), first=st.integers(0, 9), count=st.integers(1, 9))
    def names_dead_ones(self, side: int, first: int, count: int) -> None:
        """One side names addresses where nobody is."""
        numbers = range(first, first + count)
        dead = [DirectRoute(Address(f"20.9.9.{n}", 5000)) for n in numbers]
        named: list[tuple[Route, RouteKind]] = [(route, "srflx") for route in dead]
        self.sides[side].paths.add(named, self.now)
        self._poll(self.sides[side])

    @rule(
        side=st.integers(0, 1),
        way=st.sampled_from(_WAYS),
        works=st.booleans(),
        both=st.booleans(),
    )
    def network_changes(self, side: int, way: int, works: bool, both: bool) -> None:
        """A way opens or breaks, in one direction or both."""
        self.works[side, way] = works
        if both:
            self.works[1 - side, way] = works

    @rule(seconds=st.sampled_from([0.01, 0.1, 0.3, 1.0, 3.0, 7.0]))
    def time_passes(self, seconds: float) -> None:
        before = [side.sent.total() for side in self.sides]
        self._run(self.now + seconds)
        for side, sent in zip(self.sides, before, strict=True):
            most = _MOST_CHECKS_A_S * (1 + seconds) * (1 + len(side.paths.trials))
            assert side.sent.total() - sent <= most

    @rule(side=st.integers(0, 1), port=st.integers(1, 20))
    def packet_is_copied(self, side: int, port: int) -> None:
        """Somebody on the way sends an authentic packet on, from elsewhere."""
        route = DirectRoute(Address("20.66.0.1", port))
        self.sides[side].strays.add(route)
        self.sides[side].paths.strayed(route, self.now)
        self._poll(self.sides[side])

    @rule(side=st.integers(0, 1), port=st.integers(1, 20), nominates=st.booleans())
    def check_is_copied(self, side: int, port: int, nominates: bool) -> None:
        """The same with a keyed check: each draws one check, and no more."""
        route = DirectRoute(Address("20.66.0.1", port))
        self.sides[side].strays.add(route)
        self.sides[side].invited[route] += 1
        self.sides[side].paths.checked(route, nominates=nominates, now=self.now)
        self._poll(self.sides[side])

    @rule(side=st.integers(0, 1), way=st.sampled_from(_WAYS))
    def route_is_closed(self, side: int, way: int) -> None:
        self.sides[side].paths.drop(_route(side, way))
        self.sides[side].states.pop(_route(side, way), None)

    @rule(side=st.integers(0, 1), thrifty=st.booleans())
    def link_is_narrow(self, side: int, thrifty: bool) -> None:
        self.sides[side].paths.thrifty = thrifty

    # -- what holds

    @invariant()
    def media_takes_what_has_answered(self) -> None:
        for side in self.sides:
            paths = side.paths
            assert paths.selected in paths.trials
            assert paths.sending[0] == paths.selected
            assert 1 <= len(paths.sending) <= 2
            for route in paths.sending:
                known = route in side.answered or route == paths.first
                assert known or route in side.relays, f"{route} has never answered"

    @invariant()
    def states_follow_the_table(self) -> None:
        may = _reachable()
        for side in self.sides:
            for route, trial in side.paths.trials.items():
                before = side.states.get(route, trial.state)
                assert trial.state is before or trial.state in may[before]
            side.states = {r: t.state for r, t in side.paths.trials.items()}

    @invariant()
    def there_are_few(self) -> None:
        for side in self.sides:
            direct = len(side.paths.trials) - len(side.relays)
            assert direct <= 2 * MAX_CANDIDATES + 1

    @invariant()
    def strangers_draw_little(self) -> None:
        """STRAY_CHECKS for a copied packet, one for each copied check, for ever."""
        for side in self.sides:
            for route in side.strays:
                most = STRAY_CHECKS * 2 + side.invited[route]
                assert side.sent[route] <= most, f"{side.sent[route]} checks to {route}"

    @invariant()
    def something_is_due_later(self) -> None:
        for side in self.sides:
            assert side.paths.due > self.now

    def teardown(self) -> None:
        """All is well: both sides agree on a way that works, a direct one if named.

        Unless one of them has been shown so many addresses that it looks at no more.
        """
        if any(len(side.paths.trials) > MAX_CANDIDATES for side in self.sides):
            return
        for way in _WAYS:
            self.works[0, way] = self.works[1, way] = True
        self._run(self.now + _CALM_S)
        chosen = [side.paths.selected for side in self.sides]
        assert self._way(chosen[0], 0) == self._way(chosen[1], 1)
        for side in self.sides:
            assert side.paths.trials[side.paths.selected].state is State.VALID
            assert side.paths.sending == (side.paths.selected,)
            named = [r for r in side.paths.trials if self._way(r, side.number)]
            if any(isinstance(route, DirectRoute) for route in named):
                assert side.paths.is_direct

    # -- the network

    def _way(self, route: Route, side: int) -> int | None:
        return next((way for way in _WAYS if _route(side, way) == route), None)

    def _run(self, until: float) -> None:
        while (at := self._next()) <= until:
            self.now = max(self.now, at)
            while self._events and self._events[0][0] <= self.now:
                _, _, happens = heapq.heappop(self._events)
                happens()  # type: ignore[operator]
            for side in self.sides:
                self._poll(side)
        self.now = until

    def _next(self) -> float:
        due = [side.paths.due for side in self.sides]
        return min([*due, *(event[0] for event in self._events[:1])])

    def _poll(self, side: _Side) -> None:
        rounds = 0
        while side.paths.due <= self.now or not rounds:
            for check in side.paths.poll(self.now):
                self._send(side, check)
            rounds += 1
            assert rounds < 4, "polled for ever"
        if side.paths.tell_opened():
            other = self.sides[1 - side.number].paths
            self._later(0.05, lambda: other.peer_opened(self.now))

    def _later(self, seconds: float, happens: object) -> None:
        entry = (self.now + seconds, next(self._numbers), happens)
        heapq.heappush(self._events, entry)

    def _send(self, side: _Side, check: Check) -> None:
        side.sent[check.route] += check.ttl is None
        way = self._way(check.route, side.number)
        if way is None or check.ttl is not None or not self.works[side.number, way]:
            return
        self._later(_DELAYS_S[way], lambda: self._arrive(side, way, check, self.now))

    def _arrive(self, side: _Side, way: int, check: Check, sent_at: float) -> None:
        other = self.sides[1 - side.number]
        back = _route(other.number, way)
        other.paths.checked(back, nominates=check.nominates, now=self.now)
        if self.works[other.number, way]:
            delay_s = _DELAYS_S[way]
            self._later(delay_s, lambda: self._answer(side, check.route, 2 * delay_s))

    def _answer(self, side: _Side, route: Route, rtt_s: float) -> None:
        side.answered.add(route)
        side.paths.answered(route, rtt_s, self.now)


TestRouteRules = RouteRules.TestCase
TestRouteRules.settings = depth(examples=30, steps=25)


def test_the_table_leads_from_each_state_to_each_that_media_needs() -> None:
    assert all(State.VALID in reached for reached in _reachable().values())
    assert all(Input.ANSWERED in moves for moves in TRANSITIONS.values())
