"""Which routes a call has, which of them work, and which one media takes.

Without I/O: candidates, answers and time go in; checks to send and the routes to use
come out. Each route is a machine of its own (`trial.py`), and is used only after a
keyed check came back over it.

Opening (docs/nat.md, traps 1 and 2): toward a server-reflexive candidate the first
checks have a low TTL: they open our own NAT and die before the peer's, which an early
packet could poison. Each side says `opened` inside the link when they have left; then
checks of full reach go out.
"""

import math
from collections.abc import Container, Iterable
from dataclasses import dataclass, field

from wzp_cli.defaults.paths import (
    CARRIED_PROBE_S,
    CARRIED_SILENCE_S,
    CHECK_GIVE_UP_S,
    CHECK_TIMES_S,
    DIRECT_PROBE_S,
    MAX_CANDIDATES,
    OPENED_WAIT_S,
    OPENER_REFRESH_S,
    OPENER_TTLS_HOPS,
    RELAY_PROBE_S,
    ROUTE_DOUBT_S,
    ROUTE_GIVE_UP_S,
    RTT_STICKINESS_S,
    STANDBY_PROBE_S,
    STRAY_CHECKS,
    THRIFTY_DOUBT_S,
    THRIFTY_PROBE_S,
)
from wzp_cli.protocol.traversal.route import ChannelRoute, DirectRoute, Route
from wzp_cli.protocol.traversal.trial import Input, RouteKind, State, Trial

__all__ = ["Check", "Paths"]

_TICK_S = 0.001


@dataclass(frozen=True, slots=True)
class Check:
    """Send one keyed check; `ttl` None reaches all the way."""

    route: Route
    ttl: int | None
    nominates: bool


@dataclass
class Paths:
    """The routes of one call.

    Attributes:
        controlling: This side nominates (the link's dialler).
        opener_ttls: What opens our NAT and dies before the peer's: the index of the
            first public hop where it is known, else a ladder.
        trials: Every route known, the first one first.
        selected: The route that media takes.
        thrifty: The link is narrow: probe no route often, and let answers wait in a
            queue before one is doubted, since both routes take twice the rate.
    """

    controlling: bool
    first: Route
    now: float
    opener_ttls: tuple[int, ...] = OPENER_TTLS_HOPS
    thrifty: bool = False
    trials: dict[Route, Trial] = field(default_factory=dict)
    _nominated: Route | None = None
    _nominated_at: float = 0.0
    _taken_at: float = -math.inf
    _peer_opened_at: float = -math.inf
    _owes_opened: bool = True

    def __post_init__(self) -> None:
        kind: RouteKind = "relay" if isinstance(self.first, ChannelRoute) else "prflx"
        trial = Trial(self.first, kind, State.VALID, self.now, self.now)
        self.trials[self.first] = trial
        self.selected: Route = self.first

    # -- what happens

    def add(self, candidates: Iterable[tuple[Route, RouteKind]], now: float) -> None:
        """Take all that the peer names now, already judged reachable and allowed."""
        named = dict(candidates)
        for route, kind in named.items():
            if route in self.trials:
                continue
            if len(self.trials) > MAX_CANDIDATES:
                self._forget_one(named)
            if len(self.trials) > MAX_CANDIDATES and kind not in ("relay", "relayed"):
                continue  # a channel is no address that the peer could point at
            trial = Trial(route, kind, State.CHECKING, now, now)
            if trial.is_opened and not self._has_opened_for(trial):
                trial.state = State.OPENING
            self.trials[route] = trial

    def drop(self, route: Route) -> None:
        """Forget a route that is closed, unless media has no other."""
        if route != self.selected:
            self.trials.pop(route, None)

    def peer_opened(self, now: float) -> None:
        """The peer said that its NAT is open toward us, or is so again."""
        self._peer_opened_at = now
        for trial in self.trials.values():
            if trial.state is State.OPENING and trial.sent:
                trial.move(Input.OPENED, now)
            elif trial.state is State.FAILED and trial.is_opened:
                trial.due = now

    def answered(self, route: Route, rtt_s: float, now: float) -> None:
        """An authentic answer came back over `route`."""
        self.strayed(route, now, checks=0)  # a probe of a search has found something
        trial = self.trials.get(route)
        if trial is None:
            return
        trial.rtt_s = rtt_s if trial.rtt_s is None else (7 * trial.rtt_s + rtt_s) / 8
        trial.answered_at = now
        trial.unanswered_since = None
        trial.rounds = 0
        trial.allowance = None
        trial.move(Input.ANSWERED, now)
        if trial.state is State.PROVING and (
            self.thrifty or now - trial.since >= trial.trust_s
        ):
            trial.move(Input.TRUSTED, now)
        if route != self.selected:
            trial.due = now + STANDBY_PROBE_S
        self._select(now)

    def carried(self, route: Route, sent_at: float) -> None:
        """All that went by `route`, and by no other, until `sent_at` has arrived.

        So fewer probes will do. The word of the peer, wherever it is, that it hears us
        is no answer from the route's other end: without those, it does not count.
        """
        trial = self.trials.get(route)
        if trial is not None and trial.state is State.VALID:
            trial.carried_at = sent_at + (trial.rtt_s or 0.0)

    def checked(self, route: Route, *, nominates: bool, now: float) -> None:
        """An authentic check of the peer's came over `route`: check it in turn."""
        self.strayed(route, now, checks=0)
        trial = self.trials.get(route)
        if trial is None:
            return
        if trial.allowance is not None:
            trial.allowance += 1
            trial.due = now
        if trial.state is State.OPENING:
            trial.move(Input.OPENED, now)
        elif trial.state is State.FAILED:
            trial.move(Input.RETRY, now)
        if nominates and not self.controlling:
            self._take_nomination(trial, now)

    def strayed(self, route: Route, now: float, *, checks: int = STRAY_CHECKS) -> None:
        """Something authentic came over an unknown route: find out if it works."""
        if len(self.trials) <= 2 * MAX_CANDIDATES and route not in self.trials:
            trial = Trial(route, "prflx", State.CHECKING, now, now)
            trial.allowance = checks
            self.trials[route] = trial

    # -- what follows

    def poll(self, now: float) -> list[Check]:
        """Return the checks that are due; call again at `due`."""
        checks: list[Check] = []
        self._select(now)
        while self.due <= now:  # a doubt, or a move, makes others due
            for trial in self.trials.values():
                while trial.due <= now:
                    checks += self._advance(trial, now)
            self._select(now)
        return checks

    @property
    def due(self) -> float:
        """When to poll next."""
        return min(trial.due for trial in self.trials.values())

    def tell_opened(self) -> bool:
        """Whether to tell the peer, now and once a round, that our openers left."""
        if not self._owes_opened or any(
            trial.state is State.OPENING and not trial.sent
            for trial in self.trials.values()
        ):
            return False
        self._owes_opened = False
        return True

    @property
    def sending(self) -> tuple[Route, ...]:
        """The routes that media takes: two while the selected is not trusted."""
        selected = self.trials[self.selected]
        if selected.state is State.VALID:
            return (self.selected,)
        beside = self._beside(selected)
        return (self.selected,) if beside is None else (self.selected, beside.route)

    @property
    def has_direct(self) -> bool:
        """Whether some direct route works, in use or not."""
        return any(trial.works and not trial.is_relay for trial in self.trials.values())

    @property
    def has_way_around(self) -> bool:
        """Whether some route tried is by IPv6, or within one network: past the NATs."""
        return any(
            isinstance(trial.route, DirectRoute)
            and trial.state is not State.FAILED
            and (trial.kind == "host" or trial.route.address.is_v6)
            for trial in self.trials.values()
        )

    @property
    def spares(self) -> set[int]:
        """The spare sockets of ours that routes in use or under check go through."""
        living = [t.route for t in self.trials.values() if t.state is not State.FAILED]
        direct = [route for route in living if isinstance(route, DirectRoute)]
        return {route.spare for route in direct if route.spare}

    @property
    def is_direct(self) -> bool:
        """Whether media goes straight to the peer."""
        return not self.trials[self.selected].is_relay

    @property
    def rtt_s(self) -> float | None:
        """The selected route's smoothed round trip."""
        return self.trials[self.selected].rtt_s

    # -- inside

    def _forget_one(self, named: Container[Route]) -> None:
        """Make room: forget a route that failed and that the peer no longer names."""
        kept = (self.first, self.selected, self._nominated)
        for route, trial in self.trials.items():
            failed = trial.state is State.FAILED
            if failed and route not in kept and route not in named:
                del self.trials[route]
                return

    def _advance(self, trial: Trial, now: float) -> list[Check]:
        match trial.state:
            case State.OPENING:
                return self._open(trial, now)
            case State.CHECKING:
                return self._check(trial, now)
            case State.PROVING | State.VALID | State.DOUBTED:
                return self._probe(trial, now)
            case State.FAILED:
                return self._rest(trial, now)

    def _open(self, trial: Trial, now: float) -> list[Check]:
        if now >= trial.since + OPENED_WAIT_S:
            trial.move(Input.OPENED, now)  # it will never say so: go on regardless
            return []
        trial.sent += len(self.opener_ttls)
        trial.due = min(now + OPENER_REFRESH_S, trial.since + OPENED_WAIT_S)
        if self._has_opened_for(trial):
            trial.move(Input.OPENED, now)
        return [Check(trial.route, ttl, False) for ttl in self.opener_ttls]

    def _check(self, trial: Trial, now: float) -> list[Check]:
        if now >= trial.since + CHECK_GIVE_UP_S:
            trial.move(Input.GIVEN_UP, now)
            return []
        if trial.allowance == 0:
            trial.due = trial.since + CHECK_GIVE_UP_S
            return []
        if trial.allowance is not None:
            trial.allowance -= 1
        # Sums, as `due` is one: a difference may round to this very check once more.
        times = (trial.since + at_s for at_s in (*CHECK_TIMES_S, CHECK_GIVE_UP_S))
        trial.due = next(at for at in times if at > now)
        trial.sent += 1
        return [Check(trial.route, None, False)]

    def _probe(self, trial: Trial, now: float) -> list[Check]:
        if now > self._silent_from(trial):
            if trial.works:
                trial.doubt(now)
                self._look_for_others(trial, now)
            elif now - trial.since >= ROUTE_GIVE_UP_S:
                trial.move(Input.GIVEN_UP, now)
                return []
        trial.due = now + self._probe_interval_s(trial)
        if self._is_carried(trial, now):  # sound tells to the millisecond
            trial.due = min(trial.due, self._silent_from(trial) + _TICK_S)
        if self._needs_no_probe(trial, now):
            return []
        trial.sent += 1
        trial.probed_at = now
        if trial.unanswered_since is None:
            trial.unanswered_since = now
        nominates = self.controlling and trial.route == self.selected
        return [Check(trial.route, None, nominates)]

    def _look_for_others(self, doubted: Trial, now: float) -> None:
        """Probe the other routes now: they may have been lost with the one in use."""
        if doubted.route == self.selected:
            for trial in self.trials.values():
                if trial.works and trial.unanswered_since is None:
                    trial.due = now

    def _silent_from(self, trial: Trial) -> float:
        """Return when it has been silent for too long, if no answer comes till then."""
        asked_at = math.inf if (at := trial.unanswered_since) is None else at
        since = asked_at
        if trial.answered_at is not None and self._is_watched(trial):
            since = max(trial.answered_at, trial.carried_at or 0.0, self._taken_at)
        least_s = THRIFTY_DOUBT_S if self.thrifty else ROUTE_DOUBT_S
        trips_s = 2 * (trial.rtt_s or 0.0)
        consent_ends = asked_at + max(CARRIED_SILENCE_S, trips_s)
        return min(consent_ends, since + max(least_s, trips_s))

    def _needs_no_probe(self, trial: Trial, now: float) -> bool:
        """Whether sound shows that it works, and its last probe was answered."""
        if trial.unanswered_since is not None or trial.probed_at is None:
            return False
        is_new = now - trial.probed_at < CARRIED_PROBE_S
        return is_new and self._is_carried(trial, now, ROUTE_DOUBT_S / 2)

    def _is_carried(
        self, trial: Trial, now: float, within_s: float = ROUTE_DOUBT_S
    ) -> bool:
        """Whether sound has lately shown that it works."""
        is_late = trial.carried_at is None or now - trial.carried_at >= within_s
        return self._is_watched(trial) and trial.works and not is_late

    def _is_watched(self, trial: Trial) -> bool:
        """Whether it is probed so often that silence tells at once."""
        in_use = trial.route == self.selected and not trial.is_relay
        return in_use and not self.thrifty

    def _probe_interval_s(self, trial: Trial) -> float:
        if self.thrifty:
            return THRIFTY_PROBE_S
        if trial.state is State.DOUBTED or self._is_watched(trial):
            return DIRECT_PROBE_S
        if trial.unanswered_since is not None or trial.route != self.selected:
            return ROUTE_DOUBT_S  # an answer puts it off
        return RELAY_PROBE_S

    def _rest(self, trial: Trial, now: float) -> list[Check]:
        again_at = trial.since + trial.pause_s(self._peer_opened_at)
        if now < again_at:
            trial.due = again_at
            return []
        if trial.is_opened:
            self._reopen(now)
        else:
            trial.rounds += 1
            trial.move(Input.RETRY, now)
        return []

    def _reopen(self, now: float) -> None:
        """Open NATs as at the start: they may have forgotten, or been spoilt.

        All at once, as the peer is told once when all are open.
        """
        self._owes_opened = True
        for trial in self.trials.values():
            if trial.state is State.FAILED and trial.is_opened:
                trial.rounds += 1
                trial.closed_at = trial.since
                trial.move(Input.REOPEN, now)

    def _has_opened_for(self, trial: Trial) -> bool:
        return self._peer_opened_at > trial.closed_at

    def _take_nomination(self, trial: Trial, now: float) -> None:
        """Follow the controlling side; an older word may come late by the relay."""
        before = self.trials.get(self._nominated) if self._nominated else None
        fresh_s = now - self._nominated_at
        if (
            before is not None
            and trial.is_relay
            and not before.is_relay
            and fresh_s < ROUTE_DOUBT_S
        ):
            return
        self._nominated, self._nominated_at = trial.route, now
        self._select(now)

    def _select(self, now: float) -> None:
        selected = self.trials[self.selected]
        nominated = self.trials.get(self._nominated) if self._nominated else None
        if nominated is not None and nominated.works:
            self._take(nominated, now)
            return
        if selected.state is State.DOUBTED:
            return
        if nominated is not None and selected.works:
            return  # the peer's word is awaited here
        best = self._best([t for t in self.trials.values() if t.works])
        if best is not None:
            self._take(best, now)

    def _take(self, trial: Trial, now: float) -> None:
        if trial.route != self.selected:
            self.selected, self._taken_at = trial.route, now
            trial.due = now

    def _best(self, valid: list[Trial]) -> Trial | None:
        if not self.controlling and self._nominated is None:
            # Until the controlling side has nominated, stay where the call began.
            valid = [
                t for t in valid if t.route in (self.first, self.selected)
            ] or valid
        return min(valid, key=self._rank, default=None)

    def _beside(self, selected: Trial) -> Trial | None:
        """Return the route for a copy: the relay's, as direct ones break together.

        Else another that works; where none does, the relay's all the same.
        """
        others = [t for t in self.trials.values() if t is not selected]
        relays = [t for t in others if t.is_relay]
        for among in (relays, others):
            working = [trial for trial in among if trial.works]
            if working:
                return min(working, key=lambda trial: trial.rtt_s or 0.0)
        return relays[0] if relays and not selected.works else None

    def _rank(self, trial: Trial) -> tuple[bool, bool, float]:
        rtt_s = trial.rtt_s or 0.0
        if trial.route == self.selected:
            return trial.is_relay, False, rtt_s - max(RTT_STICKINESS_S, rtt_s / 3)
        return trial.is_relay, trial.state is State.PROVING, rtt_s
