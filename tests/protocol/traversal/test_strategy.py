import itertools

import pytest

from wzp_cli.defaults.paths import MUTUAL_SPARES, PREDICTION_SPARES, SEARCH_SPARES
from wzp_cli.protocol.nat import (
    Allocation,
    Filtering,
    Mapping,
    NatFacts,
    Outcome,
    forecast_pair,
    possible_kinds,
    possible_outcomes,
)
from wzp_cli.protocol.traversal.strategy import Plan, Role, choose

UNMEASURED = NatFacts()
EASY = NatFacts(Mapping.ENDPOINT_INDEPENDENT, Filtering.ADDRESS_AND_PORT_DEPENDENT)
OPEN = NatFacts(Mapping.ENDPOINT_INDEPENDENT, Filtering.ENDPOINT_INDEPENDENT)
PUBLIC = NatFacts(Mapping.NONE)
COUNTS = NatFacts(Mapping.ADDRESS_AND_PORT_DEPENDENT, allocation=Allocation.SEQUENTIAL)
ROLLS = NatFacts(Mapping.ADDRESS_AND_PORT_DEPENDENT, allocation=Allocation.RANDOM)
UNCLEAR = NatFacts(Mapping.ENDPOINT_DEPENDENT)
BLOCKED = NatFacts(udp_blocked=True)
POOLED = NatFacts(Mapping.ADDRESS_DEPENDENT, pooled=True)
ALL = [UNMEASURED, EASY, OPEN, PUBLIC, COUNTS, ROLLS, UNCLEAR, POOLED]


@pytest.mark.parametrize("easy", [UNMEASURED, EASY, PUBLIC])
def test_the_harder_side_opens_and_the_easier_one_probes(easy: NatFacts) -> None:
    assert choose(COUNTS, easy) == Plan(Role.OPEN, PREDICTION_SPARES, predicts=True)
    assert choose(easy, COUNTS) == Plan(Role.PROBE, predicts=True)
    for hard in (ROLLS, UNCLEAR):
        assert choose(hard, easy) == Plan(Role.OPEN, SEARCH_SPARES)
        assert choose(easy, hard) == Plan(Role.PROBE)


def test_what_is_open_needs_no_search() -> None:
    for other in (UNMEASURED, EASY, OPEN, PUBLIC, COUNTS, ROLLS, UNCLEAR):
        assert choose(OPEN, other).role is Role.CHECK
        assert choose(other, OPEN).role is Role.CHECK


def test_easy_sides_only_check() -> None:
    for ours, theirs in itertools.product([UNMEASURED, EASY, PUBLIC], repeat=2):
        assert choose(ours, theirs) == Plan(Role.CHECK)


def test_two_that_count_meet() -> None:
    assert choose(COUNTS, COUNTS) == Plan(Role.MEET, MUTUAL_SPARES, predicts=True)


@pytest.mark.parametrize(
    ("ours", "theirs", "why"),
    [
        (ROLLS, ROLLS, "ours at random, the peer's at random"),
        (COUNTS, ROLLS, "ours in sequence, the peer's at random"),
        (ROLLS, COUNTS, "ours at random, the peer's in sequence"),
        (POOLED, EASY, "our NAT gives each destination another public address"),
        (EASY, POOLED, "the peer's NAT gives each destination another public"),
        (BLOCKED, EASY, "our network lets no UDP out"),
        (ROLLS, BLOCKED, "the peer's network lets no UDP out"),
    ],
)
def test_no_vain_search(ours: NatFacts, theirs: NatFacts, why: str) -> None:
    plan = choose(ours, theirs)
    assert plan.role is Role.REST
    assert why in plan.reason


def test_the_two_sides_plans_always_fit() -> None:
    fitting = {
        (Role.CHECK, Role.CHECK),
        (Role.OPEN, Role.PROBE),
        (Role.PROBE, Role.OPEN),
        (Role.MEET, Role.MEET),
        (Role.REST, Role.REST),
    }
    for ours, theirs in itertools.product(ALL, repeat=2):
        one, two = choose(ours, theirs), choose(theirs, ours)
        assert (one.role, two.role) in fitting
        assert one.predicts == two.predicts


ANY = [
    NatFacts(mapping, filtering, allocation, pooled, mapped, blocked)
    for mapping, filtering, allocation in itertools.product(
        Mapping, Filtering, Allocation
    )
    for pooled, mapped, blocked in itertools.product(
        (False, True), (None, False, True), (None, False, True)
    )
]
"""Every combination of facts."""


def forecast_of(ours: Plan, theirs: Plan) -> Outcome:
    """Return the forecast that comes true when both sides do this."""
    roles = {ours.role, theirs.role}
    if roles == {Role.CHECK}:
        return Outcome.DIRECT
    if roles == {Role.REST}:
        return Outcome.RELAY
    if roles == {Role.MEET}:
        return Outcome.MUTUAL_PREDICTION
    assert roles == {Role.OPEN, Role.PROBE}
    return Outcome.PREDICTION if ours.predicts else Outcome.SEARCH


def test_the_forecast_is_what_is_done() -> None:
    """For every pair of sides: by what is known, or one of what that leaves open."""
    unlike: dict[object, NatFacts] = {}  # of many alike, one is met by all
    for facts in ANY:
        kinds = frozenset(possible_kinds(facts))
        unlike.setdefault((kinds, facts.mapping), facts)
    met = set()
    for ours, theirs in itertools.product(ANY, unlike.values()):
        done = forecast_of(choose(ours, theirs), choose(theirs, ours))
        foreseen = forecast_pair(ours, theirs)
        assert foreseen in (None, done), (ours, theirs)
        possible = possible_outcomes(possible_kinds(ours), possible_kinds(theirs))
        assert done in possible, (ours, theirs)
        met.add(done)
    assert met == set(Outcome)
