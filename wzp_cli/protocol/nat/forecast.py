"""What follows from a NAT's behaviour, for calls with each kind of peer.

A forecast is given only where every NAT that fits the evidence has the same one.
"""

import enum
import itertools

from wzp_cli.protocol.nat.facts import Allocation, Filtering, Mapping, NatFacts

__all__ = [
    "PEERS",
    "Kind",
    "Outcome",
    "Verdict",
    "forecast",
    "forecast_pair",
    "possible_kinds",
    "possible_outcomes",
    "summary",
    "verdict",
]


class Verdict(enum.Enum):
    """What to expect of direct calls, with an ordinary home router on the far side."""

    LIKELY = "likely"
    LIMITED = "limited"
    RELAY_ONLY = "relay-only"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"


class Outcome(enum.Enum):
    """How a pair of NATs will be connected."""

    DIRECT = "direct"
    PREDICTION = "port prediction"
    MUTUAL_PREDICTION = "port prediction, may end by relay"
    SEARCH = "search, up to 12 s"
    RELAY = "relay"


class Kind(enum.IntEnum):
    """The kinds of docs/nat.md's matrix, the easiest first."""

    OPEN = 0
    ADDRESS_FILTERED = 1
    PORT_FILTERED = 2
    SEQUENTIAL = 3
    RANDOM = 4
    POOLED = 5
    BLOCKED = 6


_OUTCOMES: dict[Kind, dict[Kind, Outcome]] = {
    Kind.OPEN: {
        Kind.OPEN: Outcome.DIRECT,
        Kind.ADDRESS_FILTERED: Outcome.DIRECT,
        Kind.PORT_FILTERED: Outcome.DIRECT,
        Kind.SEQUENTIAL: Outcome.DIRECT,
        Kind.RANDOM: Outcome.DIRECT,
        Kind.POOLED: Outcome.DIRECT,
    },
    Kind.ADDRESS_FILTERED: {
        Kind.ADDRESS_FILTERED: Outcome.DIRECT,
        Kind.PORT_FILTERED: Outcome.DIRECT,
        Kind.SEQUENTIAL: Outcome.DIRECT,  # one packet to the IP admits every port
        Kind.RANDOM: Outcome.DIRECT,
    },
    Kind.PORT_FILTERED: {
        Kind.PORT_FILTERED: Outcome.DIRECT,
        Kind.SEQUENTIAL: Outcome.PREDICTION,
        Kind.RANDOM: Outcome.SEARCH,
    },
    Kind.SEQUENTIAL: {Kind.SEQUENTIAL: Outcome.MUTUAL_PREDICTION},
}
"""Easier side, harder side; what is not there goes by relay."""

PEERS = {
    "endpoint-independent": Kind.OPEN,
    "address-dependent": Kind.ADDRESS_FILTERED,
    "address-and-port-dependent": Kind.PORT_FILTERED,
    "sequential": Kind.SEQUENTIAL,
    "random": Kind.RANDOM,
}
"""Kinds of peer in a forecast: by filtering where the mapping is
endpoint-independent, by allocation where it is not."""

_FILTERED: dict[Filtering, set[Kind]] = {
    Filtering.ENDPOINT_INDEPENDENT: {Kind.OPEN},
    Filtering.NONE: {Kind.OPEN},
    Filtering.ADDRESS_DEPENDENT: {Kind.ADDRESS_FILTERED},
    Filtering.ADDRESS_AND_PORT_DEPENDENT: {Kind.PORT_FILTERED},
    Filtering.ENDPOINT_DEPENDENT: {Kind.ADDRESS_FILTERED, Kind.PORT_FILTERED},
    Filtering.UNKNOWN: {Kind.OPEN, Kind.ADDRESS_FILTERED, Kind.PORT_FILTERED},
}

_ALLOCATED: dict[Allocation, set[Kind]] = {
    Allocation.PRESERVING: {Kind.SEQUENTIAL, Kind.RANDOM},  # not of a dependent one
    Allocation.SEQUENTIAL: {Kind.SEQUENTIAL},
    Allocation.RANDOM: {Kind.RANDOM},
    Allocation.UNKNOWN: {Kind.SEQUENTIAL, Kind.RANDOM},
}


def possible_kinds(facts: NatFacts) -> set[Kind]:
    """Return every kind that fits what is known."""
    if facts.udp_blocked:
        return {Kind.BLOCKED}
    if facts.port_mapped:
        return {Kind.OPEN}
    if facts.mapping in (Mapping.NONE, Mapping.ENDPOINT_INDEPENDENT):
        return _FILTERED[facts.filtering]
    dependent = {Kind.POOLED} if facts.pooled else _ALLOCATED[facts.allocation]
    if facts.mapping is not Mapping.UNKNOWN:
        return dependent
    blocked = {Kind.BLOCKED} if facts.udp_blocked is None else set()
    return _FILTERED[facts.filtering] | dependent | blocked


def possible_outcomes(ours: set[Kind], theirs: set[Kind]) -> set[Outcome]:
    """Return every outcome of a pair whose sides are of these kinds."""
    return {
        _OUTCOMES.get(min(pair), {}).get(max(pair), Outcome.RELAY)
        for pair in itertools.product(ours, theirs)
    }


def _only(outcomes: set[Outcome]) -> Outcome | None:
    return next(iter(outcomes)) if len(outcomes) == 1 else None


def forecast_pair(ours: NatFacts, theirs: NatFacts) -> Outcome | None:
    """Return how two sides will be connected; None where too little was measured."""
    return _only(possible_outcomes(possible_kinds(ours), possible_kinds(theirs)))


def forecast(facts: NatFacts) -> dict[str, str | None]:
    """Return the outcome against each kind of peer; None where it is not known."""
    ours = possible_kinds(facts)
    outcomes = {
        name: _only(possible_outcomes(ours, {kind})) for name, kind in PEERS.items()
    }
    return {name: outcome and outcome.value for name, outcome in outcomes.items()}


def verdict(facts: NatFacts) -> Verdict:
    """Return what to expect of direct calls."""
    if facts.udp_blocked:
        return Verdict.BLOCKED
    outcomes = possible_outcomes(possible_kinds(facts), {Kind.PORT_FILTERED})
    if outcomes == {Outcome.DIRECT}:
        return Verdict.LIKELY
    if outcomes == {Outcome.RELAY}:
        return Verdict.RELAY_ONLY
    if outcomes <= {Outcome.PREDICTION, Outcome.SEARCH}:
        return Verdict.LIMITED
    return Verdict.UNKNOWN


_SUMMARIES: dict[Verdict, str] = {
    Verdict.LIKELY: "Direct calls: likely",
    Verdict.LIMITED: "Direct calls: only to easy NATs",
    Verdict.RELAY_ONLY: "Direct calls: unlikely, calls go by relay",
    Verdict.BLOCKED: "Direct calls: no, UDP is blocked here",
    Verdict.UNKNOWN: "Direct calls: unknown, too few servers answered",
}


def summary(verdict: Verdict) -> str:
    """Return the verdict as the one sentence that users read first."""
    return _SUMMARIES[verdict]
