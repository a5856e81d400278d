"""What follows from a NAT's behaviour, for calls with each kind of peer.

A forecast is given only where every NAT that fits the evidence has the same one.
"""

import enum
import itertools

from wzp_cli.protocol.nat.facts import Allocation, Filtering, Mapping, NatFacts

__all__ = ["Outcome", "Verdict", "forecast", "forecast_pair", "summary", "verdict"]


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


class _Kind(enum.IntEnum):
    """The kinds of docs/nat.md's matrix, the easiest first."""

    OPEN = 0
    ADDRESS_FILTERED = 1
    PORT_FILTERED = 2
    SEQUENTIAL = 3
    RANDOM = 4
    POOLED = 5
    BLOCKED = 6


_OUTCOMES: dict[_Kind, dict[_Kind, Outcome]] = {
    _Kind.OPEN: {
        _Kind.OPEN: Outcome.DIRECT,
        _Kind.ADDRESS_FILTERED: Outcome.DIRECT,
        _Kind.PORT_FILTERED: Outcome.DIRECT,
        _Kind.SEQUENTIAL: Outcome.DIRECT,
        _Kind.RANDOM: Outcome.DIRECT,
        _Kind.POOLED: Outcome.DIRECT,
    },
    _Kind.ADDRESS_FILTERED: {
        _Kind.ADDRESS_FILTERED: Outcome.DIRECT,
        _Kind.PORT_FILTERED: Outcome.DIRECT,
        _Kind.SEQUENTIAL: Outcome.DIRECT,  # one packet to the IP admits every port
        _Kind.RANDOM: Outcome.DIRECT,
    },
    _Kind.PORT_FILTERED: {
        _Kind.PORT_FILTERED: Outcome.DIRECT,
        _Kind.SEQUENTIAL: Outcome.PREDICTION,
        _Kind.RANDOM: Outcome.SEARCH,
    },
    _Kind.SEQUENTIAL: {_Kind.SEQUENTIAL: Outcome.MUTUAL_PREDICTION},
}
"""Easier side, harder side; what is not there goes by relay."""

_PEERS = {
    "endpoint-independent": _Kind.OPEN,
    "address-dependent": _Kind.ADDRESS_FILTERED,
    "address-and-port-dependent": _Kind.PORT_FILTERED,
    "sequential": _Kind.SEQUENTIAL,
    "random": _Kind.RANDOM,
}
"""Kinds of peer in a forecast: by filtering where the mapping is
endpoint-independent, by allocation where it is not."""

_FILTERED: dict[Filtering, set[_Kind]] = {
    Filtering.ENDPOINT_INDEPENDENT: {_Kind.OPEN},
    Filtering.NONE: {_Kind.OPEN},
    Filtering.ADDRESS_DEPENDENT: {_Kind.ADDRESS_FILTERED},
    Filtering.ADDRESS_AND_PORT_DEPENDENT: {_Kind.PORT_FILTERED},
    Filtering.ENDPOINT_DEPENDENT: {_Kind.ADDRESS_FILTERED, _Kind.PORT_FILTERED},
    Filtering.UNKNOWN: {_Kind.OPEN, _Kind.ADDRESS_FILTERED, _Kind.PORT_FILTERED},
}

_ALLOCATED: dict[Allocation, set[_Kind]] = {
    Allocation.PRESERVING: {_Kind.SEQUENTIAL},  # a known port, like a predicted one
    Allocation.SEQUENTIAL: {_Kind.SEQUENTIAL},
    Allocation.RANDOM: {_Kind.RANDOM},
    Allocation.UNKNOWN: {_Kind.SEQUENTIAL, _Kind.RANDOM},
}


def _possible_kinds(facts: NatFacts) -> set[_Kind]:
    """Return every kind that fits what is known."""
    if facts.udp_blocked:
        return {_Kind.BLOCKED}
    if facts.port_mapped:
        return {_Kind.OPEN}
    if facts.mapping in (Mapping.NONE, Mapping.ENDPOINT_INDEPENDENT):
        return _FILTERED[facts.filtering]
    dependent = {_Kind.POOLED} if facts.pooled else _ALLOCATED[facts.allocation]
    if facts.mapping is not Mapping.UNKNOWN:
        return dependent
    blocked = {_Kind.BLOCKED} if facts.udp_blocked is None else set()
    return _FILTERED[facts.filtering] | dependent | blocked


def _possible_outcomes(ours: set[_Kind], theirs: set[_Kind]) -> set[Outcome]:
    return {
        _OUTCOMES.get(min(pair), {}).get(max(pair), Outcome.RELAY)
        for pair in itertools.product(ours, theirs)
    }


def _only(outcomes: set[Outcome]) -> Outcome | None:
    return next(iter(outcomes)) if len(outcomes) == 1 else None


def forecast_pair(ours: NatFacts, theirs: NatFacts) -> Outcome | None:
    """Return how two sides will be connected; None where too little was measured."""
    return _only(_possible_outcomes(_possible_kinds(ours), _possible_kinds(theirs)))


def forecast(facts: NatFacts) -> dict[str, str | None]:
    """Return the outcome against each kind of peer; None where it is not known."""
    ours = _possible_kinds(facts)
    outcomes = {
        name: _only(_possible_outcomes(ours, {kind})) for name, kind in _PEERS.items()
    }
    return {name: outcome and outcome.value for name, outcome in outcomes.items()}


def verdict(facts: NatFacts) -> Verdict:
    """Return what to expect of direct calls."""
    if facts.udp_blocked:
        return Verdict.BLOCKED
    outcomes = _possible_outcomes(_possible_kinds(facts), {_Kind.PORT_FILTERED})
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
    Verdict.BLOCKED: "Direct calls: no, UDP is blocked here; calls go by relay",
    Verdict.UNKNOWN: "Direct calls: unknown, too few servers answered",
}


def summary(verdict: Verdict) -> str:
    """Return the verdict as the one sentence that users read first."""
    return _SUMMARIES[verdict]
