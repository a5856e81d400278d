"""What becomes of a call's routes in time: opened, checked, taken, doubted, left."""

import heapq
import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wzp_cli.address import Address
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
    RETRY_FIRST_S,
    RETRY_LATER_S,
    RETRY_SILENCE_S,
    ROUTE_DOUBT_S,
    ROUTE_GIVE_UP_S,
    ROUTE_TRUST_MAX_S,
    ROUTE_TRUST_S,
    STANDBY_PROBE_S,
    STRAY_CHECKS,
    THRIFTY_DOUBT_S,
    THRIFTY_PROBE_S,
)
from wzp_cli.protocol.traversal.paths import Check, Paths
from wzp_cli.protocol.traversal.route import ChannelRoute, DirectRoute, Route, TurnRoute
from wzp_cli.protocol.traversal.trial import RouteKind, State

RELAY = ChannelRoute(Address("20.0.0.1", 4433), b"A" * 8, b"B" * 8)
FAR = DirectRoute(Address("20.1.0.2", 5000))
LAN = DirectRoute(Address("192.168.1.9", 5000))
TURN = TurnRoute(Address("20.0.0.9", 3478), Address("20.0.0.9", 50000))
OTHER = DirectRoute(Address("20.1.0.2", 6000))
MAX_CHECKS_PER_ROUND = 10
"""docs/nat.md, abuse limits."""


def polled(paths: Paths, now: float) -> list[Check]:
    """Poll, after which nothing is due."""
    checks = paths.poll(now)
    assert paths.due > now
    return checks


class Play:
    """One side's machine, with a network that answers over the routes of `rtts_s`."""

    def __init__(
        self,
        *,
        controlling: bool = True,
        first: Route = RELAY,
        candidates: Iterable[tuple[Route, RouteKind]] = (),
        began: float = 0.0,
        peer_opens: bool = False,
        **rtts_s: float,
    ) -> None:
        self.now = began
        self.paths = Paths(controlling, first, began)
        self.rtts_s: dict[Route, float] = {RELAY: 0.040}
        self.carries: set[Route] = set()
        """Where sound goes each 20 ms, and is acknowledged."""
        self.sent: list[tuple[float, Check]] = []
        self.peer_opens = peer_opens
        self._numbers = itertools.count()
        self._answers: list[tuple[float, int, Route, float]] = []
        self.paths.add(candidates, began)

    def run(self, seconds: float) -> "Play":
        """Let so much time go by, polling when it is due as the shell does."""
        until = self.now + seconds
        while (at := self._next()) <= until:
            self.now = max(self.now, at)
            while self._answers and self._answers[0][0] <= self.now:
                _, _, route, rtt_s = heapq.heappop(self._answers)
                self.paths.answered(route, rtt_s, self.now)
            self._poll()
        self.now = until
        return self

    def _next(self) -> float:
        return min([self.paths.due, *(answer[0] for answer in self._answers[:1])])

    def _poll(self) -> None:
        route, *beside = self.paths.sending
        if route in self.carries and not beside:
            self.paths.carried(route, self.now - self.rtts_s.get(route, 0.0) - 0.02)
        for check in polled(self.paths, self.now):
            self.sent.append((self.now, check))
            rtt_s = self.rtts_s.get(check.route)
            if rtt_s is not None and check.ttl is None:
                at = self.now + rtt_s
                entry = (at, next(self._numbers), check.route, rtt_s)
                heapq.heappush(self._answers, entry)
        if self.peer_opens and self.paths.tell_opened():
            self.paths.peer_opened(self.now)

    def checks(self, route: Route) -> list[tuple[float, int | None]]:
        """Return when checks went over `route`, and their TTLs."""
        return [(at, check.ttl) for at, check in self.sent if check.route == route]

    def state(self, route: Route) -> State:
        return self.paths.trials[route].state

    def sends_by(self, *routes: Route) -> bool:
        return self.paths.sending == routes


# --- Opening --------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["srflx", "mapped"])
def test_toward_a_nat_openers_go_first_and_checks_after_the_peers(
    kind: RouteKind,
) -> None:
    play = Play(candidates=[(FAR, kind)]).run(0.5)
    assert play.checks(FAR) == [(0.0, ttl) for ttl in OPENER_TTLS_HOPS]
    play.paths.peer_opened(play.now)
    play.run(0.01)
    assert play.checks(FAR)[len(OPENER_TTLS_HOPS) :] == [(0.5, None)]


def test_a_peer_that_stands_still_is_not_poisoned() -> None:
    """Nothing reaches its router before it has opened; ours is kept open."""
    play = Play(candidates=[(FAR, "srflx")]).run(12)
    assert play.checks(FAR) == [
        (at, ttl)
        for at in (0.0, OPENER_REFRESH_S, 2 * OPENER_REFRESH_S)
        for ttl in OPENER_TTLS_HOPS
    ]
    play.paths.peer_opened(play.now)
    play.run(0.01)
    assert play.checks(FAR)[-1] == (12, None)


def test_a_peer_that_never_opens_is_checked_in_the_end() -> None:
    play = Play(candidates=[(FAR, "srflx")]).run(OPENED_WAIT_S + 0.01)
    assert play.checks(FAR)[-1] == (OPENED_WAIT_S, None)


def test_the_peers_own_check_shows_that_its_nat_is_open() -> None:
    play = Play(candidates=[(FAR, "srflx")]).run(0.1)
    play.paths.checked(FAR, nominates=False, now=play.now)
    play.run(0.01)
    assert play.checks(FAR)[-1] == (0.1, None)


def test_an_opened_that_overtakes_the_candidates_is_not_forgotten() -> None:
    play = Play()
    play.paths.peer_opened(0.0)
    play.paths.add([(FAR, "srflx")], 0.0)
    play.run(0.01)
    assert (0.0, None) in play.checks(FAR)


def test_an_opened_before_our_openers_left_does_not_suppress_them() -> None:
    play = Play(candidates=[(FAR, "srflx")])
    play.paths.peer_opened(0.0)
    play.run(0.01)
    assert [ttl for _, ttl in play.checks(FAR)] == [*OPENER_TTLS_HOPS, None]


def test_host_candidates_are_checked_at_once() -> None:
    play = Play(candidates=[(LAN, "host")]).run(0.01)
    assert play.checks(LAN) == [(0.0, None)]


def test_opened_is_told_once_and_not_before_the_openers_left() -> None:
    play = Play(candidates=[(FAR, "srflx")])
    assert not play.paths.tell_opened()
    play.run(0.01)
    assert play.paths.tell_opened()
    assert not play.paths.tell_opened()


# --- Rounds ---------------------------------------------------------------------


def test_a_silent_candidate_is_tried_again_after_5_and_35_s_then_each_60_s() -> None:
    play = Play(candidates=[(FAR, "srflx")], peer_opens=True).run(200)
    starts = [at for at, ttl in play.checks(FAR) if ttl == OPENER_TTLS_HOPS[0]]
    pauses = RETRY_FIRST_S, RETRY_SILENCE_S, RETRY_LATER_S, RETRY_LATER_S
    expected = itertools.accumulate(CHECK_GIVE_UP_S + each for each in pauses)
    assert starts == pytest.approx([0.0, *expected])
    assert play.paths.selected == RELAY


def test_each_round_opens_all_and_waits_for_the_peers_word() -> None:
    play = Play(candidates=[(FAR, "srflx"), (OTHER, "srflx")], peer_opens=True)
    play.run(CHECK_GIVE_UP_S + 0.1)
    play.peer_opens = False
    play.sent.clear()
    play.run(RETRY_FIRST_S + 1)
    for route in (FAR, OTHER):
        assert [ttl for _, ttl in play.checks(route)] == list(OPENER_TTLS_HOPS)
    assert play.paths.tell_opened()
    assert not play.paths.tell_opened()
    play.paths.peer_opened(play.now)
    play.run(0.01)
    for route in (FAR, OTHER):
        assert play.checks(route)[-1] == (play.now - 0.01, None)


def test_a_peer_that_opens_again_is_met() -> None:
    """Its round has begun, ours would have later."""
    play = Play(candidates=[(FAR, "srflx")], peer_opens=True)
    play.run(2 * CHECK_GIVE_UP_S + RETRY_FIRST_S + RETRY_SILENCE_S + 10)
    play.run(CHECK_GIVE_UP_S + RETRY_SILENCE_S - 10)
    play.sent.clear()
    play.paths.peer_opened(play.now)
    play.run(1)
    assert [ttl for _, ttl in play.checks(FAR)[:4]] == [*OPENER_TTLS_HOPS, None]


def test_a_peer_that_says_so_without_end_draws_few_rounds() -> None:
    play = Play(candidates=[(FAR, "srflx")], peer_opens=True)
    for _ in range(600):
        play.paths.peer_opened(play.now)
        play.run(0.5)
    starts = [at for at, ttl in play.checks(FAR) if ttl == OPENER_TTLS_HOPS[0]]
    assert min(b - a for a, b in itertools.pairwise(starts)) > RETRY_FIRST_S
    assert len(starts) <= 3 + 300 / (RETRY_SILENCE_S + CHECK_GIVE_UP_S)


def test_a_round_is_no_more_than_the_abuse_limits_allow() -> None:
    play = Play(candidates=[(FAR, "srflx"), (LAN, "host")]).run(300)
    for route in (FAR, LAN):
        times = [at for at, _ in play.checks(route)]
        rounds = [list(group) for group in _apart(times, 4.5)]
        assert len(rounds) >= 4
        assert max(map(len, rounds)) <= MAX_CHECKS_PER_ROUND
        for one, two in itertools.pairwise(rounds):
            assert two[0] - one[0] >= 5


def _apart(times: list[float], pause_s: float) -> Iterable[list[float]]:
    group: list[float] = []
    for at in times:
        if group and at - group[-1] > pause_s:
            yield group
            group = []
        group.append(at)
    yield group


def test_the_times_of_a_round() -> None:
    play = Play(candidates=[(LAN, "host")], began=7.0).run(CHECK_GIVE_UP_S)
    assert [at - 7.0 for at, _ in play.checks(LAN)] == pytest.approx(CHECK_TIMES_S)
    play.run(0.01)
    assert play.state(LAN) is State.FAILED


def test_a_late_answer_counts_even_when_the_candidate_was_given_up() -> None:
    play = Play(candidates=[(LAN, "host")]).run(CHECK_GIVE_UP_S + 1)
    assert play.state(LAN) is State.FAILED
    play.paths.answered(LAN, 0.010, play.now)
    assert play.paths.selected == LAN


def test_an_answer_makes_the_next_failure_a_first_one() -> None:
    play = Play(candidates=[(LAN, "host")]).run(80)
    play.rtts_s[LAN] = 0.010
    play.run(80)
    assert play.state(LAN) is State.VALID
    del play.rtts_s[LAN]
    play.run(ROUTE_DOUBT_S + ROUTE_GIVE_UP_S + 0.5)
    assert play.state(LAN) is State.FAILED
    failed_at = play.now
    play.rtts_s[LAN] = 0.010
    play.run(RETRY_FIRST_S)
    assert play.paths.trials[LAN].works
    assert play.now - failed_at <= RETRY_FIRST_S


# --- Selection ------------------------------------------------------------------


def test_the_call_begins_where_the_link_is() -> None:
    play = Play()
    assert play.sends_by(RELAY)
    assert not play.paths.is_direct
    direct = Play(first=FAR)
    assert direct.sends_by(FAR)
    assert direct.paths.is_direct


def test_direct_goes_before_relay_however_slow() -> None:
    play = Play(candidates=[(LAN, "host")])
    play.rtts_s[LAN] = 0.5
    play.run(5)
    assert play.sends_by(LAN)
    assert play.paths.rtt_s == pytest.approx(0.5)


def test_of_two_direct_routes_the_faster_one() -> None:
    play = Play(candidates=[(FAR, "host"), (LAN, "host")])
    play.rtts_s |= {FAR: 0.060, LAN: 0.020}
    assert play.run(5).sends_by(LAN)
    assert play.state(FAR) is State.VALID


def test_a_little_faster_is_no_reason_to_move() -> None:
    play = Play(candidates=[(FAR, "host")])
    play.rtts_s |= {FAR: 0.024, LAN: 0.020}
    play.run(5)
    play.paths.add([(LAN, "host")], play.now)
    assert play.run(60).sends_by(FAR)
    play.rtts_s[LAN] = 0.010
    assert play.run(120).sends_by(LAN)


def test_media_never_takes_a_route_that_has_not_answered() -> None:
    play = Play(candidates=[(FAR, "srflx"), (LAN, "host")])
    play.paths.checked(OTHER, nominates=True, now=0.0)
    for _ in range(1000):
        play.run(0.1)
        assert play.sends_by(RELAY)


def test_the_controlled_side_waits_for_the_nomination() -> None:
    play = Play(controlling=False, candidates=[(LAN, "host")])
    play.rtts_s[LAN] = 0.010
    assert play.run(5).sends_by(RELAY)
    play.paths.checked(LAN, nominates=True, now=play.now)
    assert play.sends_by(LAN)


def test_the_controlled_side_follows_even_to_a_slower_route_and_back() -> None:
    play = Play(controlling=False, candidates=[(LAN, "host"), (FAR, "host")])
    play.rtts_s |= {LAN: 0.010, FAR: 0.080}
    play.run(5)
    for route in (FAR, LAN, RELAY, FAR):
        play.paths.checked(route, nominates=True, now=play.now)
        assert play.run(3).sends_by(route)


def test_a_nomination_counts_once_our_own_check_was_answered() -> None:
    play = Play(controlling=False, candidates=[(LAN, "host")])
    play.paths.checked(LAN, nominates=True, now=0.0)
    assert play.run(0.2).sends_by(RELAY)
    play.rtts_s[LAN] = 0.010
    assert play.run(1).sends_by(LAN)


def test_only_the_controlling_side_nominates_and_only_what_it_took() -> None:
    for controlling in (True, False):
        play = Play(controlling=controlling, candidates=[(LAN, "host"), (FAR, "host")])
        play.rtts_s |= {LAN: 0.010, FAR: 0.080}
        play.run(20)
        nominated = {check.route for at, check in play.sent if check.nominates}
        assert nominated == ({RELAY, LAN} if controlling else set())
        last = {check.route for at, check in play.sent if check.nominates and at > 1}
        assert last == ({LAN} if controlling else set())


def test_the_controlling_side_takes_no_orders() -> None:
    play = Play(candidates=[(LAN, "host"), (FAR, "host")])
    play.rtts_s |= {LAN: 0.010, FAR: 0.080}
    play.run(5)
    play.paths.checked(FAR, nominates=True, now=play.now)
    assert play.run(5).sends_by(LAN)


# --- Doubt ----------------------------------------------------------------------


def direct_call(*, controlling: bool = True) -> Play:
    play = Play(controlling=controlling, candidates=[(LAN, "host")])
    play.rtts_s[LAN] = 0.020
    play.run(1)
    if not controlling:
        play.paths.checked(LAN, nominates=True, now=play.now)
    play.run(4)
    assert play.sends_by(LAN)
    return play


@pytest.mark.parametrize("controlling", [True, False])
def test_in_doubt_media_takes_both_routes_and_then_the_relay(
    controlling: bool,
) -> None:
    play = direct_call(controlling=controlling)
    del play.rtts_s[LAN]
    play.run(ROUTE_DOUBT_S + 2 * DIRECT_PROBE_S)
    assert play.sends_by(LAN, RELAY)
    assert play.paths.is_direct
    play.run(ROUTE_GIVE_UP_S + DIRECT_PROBE_S)
    assert play.sends_by(RELAY)
    assert not play.paths.is_direct


def test_one_answer_ends_the_doubt_and_time_the_copies() -> None:
    play = direct_call()
    del play.rtts_s[LAN]
    play.run(1)
    assert play.state(LAN) is State.DOUBTED
    play.rtts_s[LAN] = 0.020
    play.run(0.2)
    assert play.state(LAN) is State.PROVING
    assert play.sends_by(LAN, RELAY)
    assert play.run(ROUTE_TRUST_S - 0.2).sends_by(LAN, RELAY)
    assert play.run(0.4).sends_by(LAN)


@pytest.mark.parametrize("away_s", [0.4, 4.0])
@pytest.mark.parametrize("there_s", [6.0, 20.0, 80.0])
def test_a_route_that_comes_and_goes_is_soon_never_alone(
    there_s: float, away_s: float
) -> None:
    """Each time that it was alone when it went, a quarter of a second is missing."""
    play = direct_call()
    alone = []
    for _ in range(12):
        alone.append(play.sends_by(LAN))
        del play.rtts_s[LAN]
        play.run(away_s)
        play.rtts_s[LAN] = 0.020
        play.run(there_s)
        assert LAN in play.paths.sending
    assert alone.count(True) <= 3
    assert not any(alone[4:])
    assert play.run(ROUTE_TRUST_MAX_S).sends_by(LAN)


def test_a_narrow_link_gets_no_copies_once_it_answers() -> None:
    play = direct_call()
    play.paths.thrifty = True
    del play.rtts_s[LAN]
    play.run(2 * THRIFTY_PROBE_S + 2 * THRIFTY_DOUBT_S)
    assert play.sends_by(LAN, RELAY)
    play.rtts_s[LAN] = 0.020
    assert play.run(2).sends_by(LAN)


def test_two_lost_probes_are_no_doubt() -> None:
    play = direct_call()
    del play.rtts_s[LAN]
    play.run(2 * DIRECT_PROBE_S)
    assert play.sends_by(LAN)


def test_on_a_slow_route_silence_counts_from_two_round_trips() -> None:
    play = Play(candidates=[(LAN, "host")])
    play.rtts_s[LAN] = 0.600
    play.run(10)
    del play.rtts_s[LAN]  # answers under way still come for 600 ms
    play.run(0.6 + 1.0)
    assert play.sends_by(LAN)
    play.run(0.5)
    assert play.sends_by(LAN, RELAY)


def test_after_a_fall_back_direct_is_tried_again_and_taken() -> None:
    play = direct_call()
    del play.rtts_s[LAN]
    play.run(4)
    assert play.sends_by(RELAY)
    play.rtts_s[LAN] = 0.020
    assert play.run(RETRY_FIRST_S).sends_by(LAN, RELAY)
    assert play.run(ROUTE_TRUST_S).sends_by(LAN)


def two_direct_routes(first: Route = RELAY) -> Play:
    play = Play(first=first, candidates=[(LAN, "host"), (FAR, "host")])
    play.rtts_s |= {LAN: 0.010, FAR: 0.080, OTHER: 0.200}
    play.run(7)
    assert play.sends_by(LAN)
    return play


def test_of_several_routes_the_relays_is_beside_the_doubted_one() -> None:
    play = two_direct_routes()
    del play.rtts_s[LAN]
    assert play.run(0.5).sends_by(LAN, RELAY)
    assert play.run(3).sends_by(FAR)


def test_without_a_relay_another_direct_route_is_beside_the_doubted_one() -> None:
    play = two_direct_routes(first=OTHER)
    del play.rtts_s[LAN]
    assert play.run(0.5).sends_by(LAN, FAR)


@pytest.mark.parametrize("phase_s", [0.0, 1.3, 2.9, 4.4])
def test_two_direct_routes_lost_at_once_leave_no_hole(phase_s: float) -> None:
    """A machine with IPv4 and IPv6 that moves: what is kept warm is lost as well."""
    play = two_direct_routes().run(phase_s)
    del play.rtts_s[LAN], play.rtts_s[FAR]
    lost_at = play.now
    while RELAY not in play.paths.sending:
        play.run(0.01)
    assert play.now - lost_at < ROUTE_DOUBT_S + 2 * DIRECT_PROBE_S
    play.run(ROUTE_GIVE_UP_S)
    for _ in range(300):
        play.run(0.01)
        assert RELAY in play.paths.sending


def test_a_route_that_has_gone_does_not_displace_one_that_stayed() -> None:
    play = two_direct_routes()
    del play.rtts_s[LAN]
    play.run(4)
    play.rtts_s[LAN] = 0.010
    assert play.run(RETRY_FIRST_S).sends_by(FAR)
    assert play.state(LAN) is State.PROVING
    assert play.run(ROUTE_TRUST_S + STANDBY_PROBE_S).sends_by(LAN)


def test_with_no_route_left_media_tries_direct_and_relay() -> None:
    play = direct_call()
    play.rtts_s.clear()
    play.run(ROUTE_DOUBT_S + 2 * DIRECT_PROBE_S)
    for _ in range(300):
        play.run(0.1)
        assert not play.paths.trials[LAN].works
        assert play.sends_by(LAN, RELAY)
    assert not play.paths.trials[RELAY].works


def test_a_route_kept_warm_that_is_lost_is_known_before_it_is_needed() -> None:
    play = two_direct_routes()
    del play.rtts_s[FAR]
    play.run(STANDBY_PROBE_S + 3 * ROUTE_DOUBT_S)
    assert not play.paths.trials[FAR].works
    assert play.sends_by(LAN)


def test_a_silent_relay_does_not_disturb_a_direct_call() -> None:
    play = direct_call()
    del play.rtts_s[RELAY]
    play.run(60)
    assert play.sends_by(LAN)
    assert play.state(RELAY) is not State.VALID
    play.rtts_s[RELAY] = 0.040
    play.run(RETRY_LATER_S + CHECK_GIVE_UP_S)
    assert play.state(RELAY) is State.VALID


def test_a_narrow_link_is_probed_less_and_its_end_still_found() -> None:
    play = direct_call()
    play.paths.thrifty = True
    play.sent.clear()
    play.run(60)
    assert len(play.checks(LAN)) == pytest.approx(60 / THRIFTY_PROBE_S, abs=3)
    del play.rtts_s[LAN]
    play.run(THRIFTY_PROBE_S + THRIFTY_DOUBT_S / 2)
    assert play.sends_by(LAN), "the answer may stand in a queue"
    play.run(THRIFTY_PROBE_S + THRIFTY_DOUBT_S)
    assert play.sends_by(LAN, RELAY)


def test_on_a_narrow_link_no_route_is_probed_more_often_for_being_in_doubt() -> None:
    play = direct_call()
    play.paths.thrifty = True
    play.rtts_s.clear()
    play.run(1)
    play.sent.clear()
    play.run(ROUTE_GIVE_UP_S)
    for route in (LAN, RELAY):
        times = [at for at, _ in play.checks(route)]
        gaps = [after - before for before, after in itertools.pairwise(times)]
        assert gaps, route
        assert min(gaps) >= THRIFTY_PROBE_S - 0.001, route


def test_how_often_routes_are_probed() -> None:
    play = direct_call()
    play.sent.clear()
    play.run(60)
    assert len(play.checks(LAN)) == pytest.approx(60 / DIRECT_PROBE_S, abs=2)
    assert len(play.checks(RELAY)) == pytest.approx(60 / STANDBY_PROBE_S, abs=2)
    relayed = Play().run(60)
    assert len(relayed.checks(RELAY)) == pytest.approx(60 / RELAY_PROBE_S, abs=2)


# --- Sound that is acknowledged -------------------------------------------------


def carried_call() -> Play:
    play = direct_call()
    play.carries.add(LAN)
    play.run(1)
    play.sent.clear()
    return play


def test_while_sound_is_acknowledged_fewer_probes_do() -> None:
    play = carried_call().run(60)
    assert len(play.checks(LAN)) == pytest.approx(60 / CARRIED_PROBE_S, rel=0.1)
    assert len(play.checks(RELAY)) == pytest.approx(60 / STANDBY_PROBE_S, abs=2)


def test_when_no_more_is_acknowledged_the_route_is_in_doubt_as_soon() -> None:
    play = carried_call()
    play.carries.clear()
    del play.rtts_s[LAN]
    play.run(ROUTE_DOUBT_S + 0.01)
    assert play.sends_by(LAN, RELAY)
    assert len(play.checks(LAN)) >= 2, "probes went at once"


def test_a_mute_call_is_probed_as_often_as_before() -> None:
    play = carried_call()
    play.carries.clear()
    play.run(60)
    assert len(play.checks(LAN)) == pytest.approx(60 / DIRECT_PROBE_S, abs=4)
    assert play.sends_by(LAN)


def test_a_lost_probe_is_followed_by_the_next_as_soon_as_before() -> None:
    play = carried_call()
    del play.rtts_s[LAN]
    while not play.sent:
        play.run(DIRECT_PROBE_S)
    play.rtts_s[LAN] = 0.020
    play.run(CARRIED_PROBE_S)
    first, second, *others = (at for at, _ in play.checks(LAN))
    assert second - first == pytest.approx(DIRECT_PROBE_S, abs=0.001)
    assert not others, "this one was answered"
    assert play.sends_by(LAN)


def test_a_peers_word_that_it_hears_us_does_not_keep_a_route_that_is_silent() -> None:
    """Whoever has left an address must not have a stream sent there for ever."""
    play = carried_call()
    del play.rtts_s[LAN]
    play.run(CARRIED_PROBE_S + CARRIED_SILENCE_S + 2 * DIRECT_PROBE_S)
    assert play.state(LAN) is State.DOUBTED
    play.run(ROUTE_GIVE_UP_S + DIRECT_PROBE_S)
    assert play.sends_by(RELAY)


def test_what_is_carried_ends_no_doubt() -> None:
    play = direct_call()
    del play.rtts_s[LAN]
    play.run(1)
    play.paths.carried(LAN, play.now)
    assert play.state(LAN) is State.DOUBTED
    play.paths.carried(OTHER, play.now)  # nobody knows that one


def test_turn_is_a_relays_equal_and_the_quicker_one_is_taken() -> None:
    play = Play(candidates=[(TURN, "relayed")])
    play.rtts_s[TURN] = 0.040
    assert play.run(2).sends_by(RELAY), "as quick: where the call began"
    play.rtts_s[RELAY] = 0.300
    assert play.run(30).sends_by(TURN)
    assert not play.paths.is_direct
    play.paths.add([(LAN, "host")], play.now)
    play.rtts_s[LAN] = 0.350
    assert play.run(2).sends_by(LAN), "direct comes first, however slow"


def test_turn_takes_over_when_the_channel_is_silent() -> None:
    play = Play(candidates=[(TURN, "relayed")])
    play.rtts_s[TURN] = 0.050
    play.run(2)
    del play.rtts_s[RELAY]
    assert play.run(ROUTE_DOUBT_S + RELAY_PROBE_S + 0.5).sends_by(RELAY, TURN)
    assert play.run(ROUTE_GIVE_UP_S).sends_by(TURN)


# --- What is learnt, and its limits ---------------------------------------------


def test_a_peer_reflexive_route_is_learnt_from_a_check_and_from_a_stray() -> None:
    for by_check in (True, False):
        play = Play()
        if by_check:
            play.paths.checked(OTHER, nominates=False, now=0.0)
        else:
            play.paths.strayed(OTHER, 0.0)
        play.rtts_s[OTHER] = 0.020
        play.run(1)
        assert play.paths.trials[OTHER].kind == "prflx"
        assert play.sends_by(OTHER)


def test_learning_again_changes_nothing() -> None:
    play = direct_call()
    before = play.paths.trials[LAN]
    play.paths.strayed(LAN, play.now)
    play.paths.add([(LAN, "srflx")], play.now)
    assert play.paths.trials[LAN] is before
    assert before.state is State.VALID


def test_an_answer_over_an_unknown_route_finds_it() -> None:
    """A search probes ports that are no candidates."""
    play = Play()
    assert not play.paths.has_direct
    play.paths.answered(OTHER, 0.01, 0.0)
    assert play.paths.trials[OTHER].state is State.VALID
    assert play.paths.has_direct


def candidates(count: int) -> list[tuple[Route, RouteKind]]:
    return [
        (DirectRoute(Address(f"20.3.0.{n}", 5000)), "srflx")
        for n in range(1, count + 1)
    ]


def test_more_candidates_than_a_side_may_name_are_left_out() -> None:
    play = Play(candidates=candidates(MAX_CANDIDATES + 5))
    assert len(play.paths.trials) == 1 + MAX_CANDIDATES
    play.paths.add(candidates(40), 0.0)
    assert len(play.paths.trials) == 1 + MAX_CANDIDATES


def test_a_peer_that_moves_often_finds_room() -> None:
    """What failed and is no longer named makes room for what is."""
    play = Play(candidates=candidates(MAX_CANDIDATES))
    play.run(OPENED_WAIT_S + CHECK_GIVE_UP_S + 1)
    new = DirectRoute(Address("20.4.0.1", 5000))
    play.paths.add([(new, "host")], play.now)
    assert new in play.paths.trials
    assert len(play.paths.trials) == 1 + MAX_CANDIDATES


def test_strays_beyond_a_limit_are_left_out() -> None:
    play = Play(candidates=candidates(MAX_CANDIDATES))
    for port in range(2000, 3000):
        play.paths.strayed(DirectRoute(Address("20.3.0.1", port)), 0.0)
    assert len(play.paths.trials) == 1 + 2 * MAX_CANDIDATES


# --- Whatever happens -----------------------------------------------------------

ROUTES: list[Route] = [RELAY, FAR, LAN, OTHER]
KINDS: list[RouteKind] = ["host", "srflx", "mapped", "prflx"]
happenings = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.floats(0, 30)),
        st.tuples(st.just("due"), st.integers(1, 20)),
        st.tuples(st.just("add"), st.sampled_from(ROUTES), st.sampled_from(KINDS)),
        st.tuples(st.just("answered"), st.sampled_from(ROUTES), st.floats(0, 3)),
        st.tuples(st.just("checked"), st.sampled_from(ROUTES), st.booleans()),
        st.tuples(st.just("strayed"), st.sampled_from(ROUTES)),
        st.tuples(st.just("peer_opened")),
    ),
    max_size=60,
)
epochs = st.floats(0, 1e7)


def happen(paths: Paths, what: tuple[object, ...], now: float) -> None:
    match what:
        case ("add", route, kind):
            paths.add([(route, kind)], now)  # type: ignore[list-item]
        case ("answered", route, rtt_s):
            paths.answered(route, rtt_s, now)  # type: ignore[arg-type]
        case ("checked", route, nominates):
            paths.checked(route, nominates=nominates, now=now)  # type: ignore[arg-type]
        case ("strayed", route):
            paths.strayed(route, now)  # type: ignore[arg-type]
        case ("peer_opened",):
            paths.peer_opened(now)


@settings(max_examples=80, deadline=None)
@given(st.booleans(), st.sampled_from([RELAY, FAR]), epochs, happenings)
def test_time_always_moves_on_and_checks_are_bounded(
    controlling: bool, first: Route, began: float, script: list[tuple[object, ...]]
) -> None:
    paths, now = Paths(controlling, first, began), began
    for what in script:
        polls = 1
        match what:
            case ("wait", seconds):
                now += seconds  # type: ignore[operator]
            case ("due", count):
                polls = count  # type: ignore[assignment]
            case _:
                happen(paths, what, now)
        for _ in range(polls):
            now = max(now, paths.due) if what[0] == "due" else now
            sent = polled(paths, now)
            assert len(sent) <= (2 + len(OPENER_TTLS_HOPS)) * len(paths.trials)
            assert 1 <= len(paths.sending) <= 2
            assert len(set(paths.sending)) == len(paths.sending)
            assert paths.sending[0] == paths.selected


@settings(max_examples=40, deadline=None)
@given(epochs, st.sampled_from(KINDS), st.integers(1, 40))
def test_polled_exactly_when_due_no_check_is_sent_twice(
    began: float, kind: RouteKind, rounds: int
) -> None:
    play = Play(began=began, candidates=[(FAR, kind)]).run(3.0 * rounds)
    full = [at for at, ttl in play.checks(FAR) if ttl is None]
    assert len(set(full)) == len(full)


@settings(max_examples=40, deadline=None)
@given(happenings)
def test_no_full_check_goes_to_a_nat_that_may_still_be_closed(
    script: list[tuple[object, ...]],
) -> None:
    paths, now = Paths(True, RELAY, 0.0), 0.0
    paths.add([(FAR, "srflx")], now)
    for what in script:
        if what[0] == "wait":
            now += min(float(what[1]), 0.2)  # type: ignore[arg-type]
        elif what[0] == "peer_opened" or FAR in what[1:]:
            return  # from then on they may
        else:
            happen(paths, what, now)
        for check in paths.poll(now):
            if check.route == FAR and now < OPENED_WAIT_S:
                assert check.ttl in OPENER_TTLS_HOPS


# --- Copied sources -------------------------------------------------------------


def test_a_copied_packet_draws_two_checks_and_no_more_ever() -> None:
    play = Play()
    for _ in range(600):
        play.paths.strayed(OTHER, play.now)
        play.run(0.5)
    assert len(play.checks(OTHER)) == STRAY_CHECKS


def test_copied_checks_draw_one_check_each() -> None:
    play = Play()
    for number in range(1, 100):
        play.paths.checked(OTHER, nominates=False, now=play.now)
        play.run(0.25)
        assert len(play.checks(OTHER)) <= number


def test_a_source_that_answered_is_a_route_like_any_other() -> None:
    play = Play()
    play.rtts_s[OTHER] = 0.020
    play.paths.strayed(OTHER, 0.0)
    assert play.run(60).sends_by(OTHER)
    assert len(play.checks(OTHER)) > 500
