"""The forecast for one pair, as scripts and people read it."""

from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from wzp_cli.cli.nat.words import seconds
from wzp_cli.protocol.nat.diagnosis import Diagnosis
from wzp_cli.protocol.nat.expectation import Technique, technique
from wzp_cli.protocol.nat.forecast import Outcome
from wzp_cli.protocol.nat.pair import Over, PairForecast, forecast_between
from wzp_cli.protocol.traversal.strategy import Plan, Role, choose

__all__ = ["ForecastPair", "Side", "forecast_pair_document"]

SideRole = Literal["checks", "opens", "probes", "meets", "rests"]


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """What one side does for a direct path. `spare_sockets`: that it opens."""

    role: SideRole
    spare_sockets: int


class ForecastPair(msgspec.Struct, frozen=True, kw_only=True):
    """How a call between two sides will go. None: not known.

    `outcome`: `direct`, `search` (direct in `direct_pct` of 100 calls, else by relay),
    `relay`, `no-call` or `unknown`. `technique`: what wzp does, as `path.planned` tells
    it; `possible`: each that fits what is known. `over`: the way of a direct path.
    Times from the answer, as measured with 80 ms between the peers.
    """

    outcome: Literal["direct", "search", "relay", "no-call", "unknown"]
    summary: str
    technique: Technique | None
    over: Over
    direct_pct: int | None
    expected_ms: int | None
    expected_p95_ms: int | None
    possible: list[Technique]
    same_address: bool
    sides: list[Side]
    reasons: list[str]


_OUTCOMES: dict[Outcome, Literal["direct", "search", "relay"]] = {
    Outcome.DIRECT: "direct",
    Outcome.PREDICTION: "direct",
    Outcome.MUTUAL_PREDICTION: "search",
    Outcome.SEARCH: "search",
    Outcome.RELAY: "relay",
}
_ROLES: dict[Role, SideRole] = {
    Role.CHECK: "checks",
    Role.OPEN: "opens",
    Role.PROBE: "probes",
    Role.MEET: "meets",
    Role.REST: "rests",
}
_HOW: Final[dict[Technique, str]] = {
    "checks": "Both sides open their NATs and check the way; that is all it takes.",
    "prediction": "One side's NAT counts its ports up: the next ones are predicted.",
    "mutual-prediction": "Both NATs count their ports up: both sides predict.",
    "search": "One side's NAT draws ports at random: it opens many sockets, and the "
    "other looks for one of them.",
    "relay": "Nothing but a port of a router's or IPv6 could connect them directly.",
}


def forecast_pair_document(ours: Diagnosis, theirs: Diagnosis) -> ForecastPair:
    """Return what to expect of a call between two sides."""
    pair = forecast_between(ours, theirs)
    plans = [choose(ours.facts, theirs.facts), choose(theirs.facts, ours.facts)]
    if pair.over != "ipv4":  # no NAT is in that way
        plans = [Plan(Role.CHECK), Plan(Role.CHECK)]
    outcome = Outcome.RELAY if pair.blocked else pair.outcome
    measured = None if pair.blocked else pair.measured
    return ForecastPair(
        outcome=_OUTCOMES[outcome] if outcome else "unknown",
        summary=_summary(pair),
        technique=None if outcome is None else technique(outcome),
        over=pair.over,
        direct_pct=None if measured is None else measured.direct_pct,
        expected_ms=None if measured is None else measured.median_ms,
        expected_p95_ms=None if measured is None else measured.p95_ms,
        possible=[technique(each) for each in pair.possible],
        same_address=pair.same_address,
        sides=[Side(role=_ROLES[p.role], spare_sockets=p.spares) for p in plans],
        reasons=list(_reasons(pair, plans[0])),
    )


def _summary(pair: PairForecast) -> str:
    if pair.blocked:
        return "This pair: by a relay's TCP port, UDP is blocked on one side"
    if pair.outcome is None:
        return "This pair: not known, too little was measured"
    if pair.outcome is Outcome.RELAY:
        return "This pair: by relay"
    took = ""
    if pair.measured is not None and pair.measured.median_ms is not None:
        took = f" after {seconds(pair.measured.median_ms)}"
    match pair.outcome:
        case Outcome.SEARCH:
            return f"This pair: direct{took}, by a search"
        case Outcome.PREDICTION:
            return f"This pair: direct{took}, by predicting ports"
        case Outcome.MUTUAL_PREDICTION:
            return f"This pair: most likely direct{took}, by predicting ports"
    return f"This pair: direct{took}"


def _reasons(pair: PairForecast, ours: Plan) -> Iterator[str]:
    if pair.blocked:
        yield "The relay has to serve TCP: wzp relay --tcp."
        return
    if pair.over == "lan":
        yield "Both come from one public address and one network: they meet inside it."
    elif pair.over == "ipv6":
        yield "Both have IPv6, where nobody translates."
    elif pair.outcome is not None:
        yield _HOW[technique(pair.outcome)]
    if pair.outcome is Outcome.RELAY and ours.reason:
        yield f"In detail: {ours.reason}."
    if pair.outcome is None:
        likely = " or ".join(technique(each) for each in pair.possible)
        yield f"What is known leaves: {likely}. wzp begins with what finds most."
    if pair.same_address and pair.over == "ipv4":
        yield (
            "Both come from one public address: on one network they meet inside it, "
            "else the NAT has to hairpin."
        )
    if pair.measured is not None and pair.measured.median_ms is not None:
        slow = "" if pair.measured.p95_ms is None else seconds(pair.measured.p95_ms)
        where = (
            "on one network" if pair.over == "lan" else "with 80 ms between the peers"
        )
        yield (
            f"Measured {where}: {pair.measured.direct_pct} of 100 "
            f"calls went direct, half of them within "
            f"{seconds(pair.measured.median_ms)} of the answer, 95 % within {slow}."
        )
    if pair.outcome is not Outcome.DIRECT:
        yield "A call starts over the relay at once, whatever comes of it."
