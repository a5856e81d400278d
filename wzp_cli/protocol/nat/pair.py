"""How a call between two sides will go, by what both have measured of themselves."""

import ipaddress
import itertools
from dataclasses import dataclass, replace
from typing import Literal

from wzp_cli.protocol.nat.diagnosis import Diagnosis
from wzp_cli.protocol.nat.expectation import (
    MEASURED,
    MEASURED_IPV6,
    MEASURED_LAN,
    Measured,
    expected,
)
from wzp_cli.protocol.nat.facts import NatFacts
from wzp_cli.protocol.nat.forecast import (
    Kind,
    Outcome,
    possible_kinds,
    possible_outcomes,
)

__all__ = ["Over", "PairForecast", "forecast_between", "kinds_forecast"]

Over = Literal["lan", "ipv6", "ipv4"]


@dataclass(frozen=True, slots=True)
class PairForecast:
    """What to expect of one pair.

    Attributes:
        over: Which way a direct path takes.
        possible: Every outcome that fits what is known, the best first.
        measured: Of the outcome, where there is only one.
        blocked: UDP is blocked on a side: the relay has to serve TCP.
        same_address: Both come from one public address, and may share a NAT.
    """

    over: Over
    possible: tuple[Outcome, ...]
    measured: Measured | None
    blocked: bool = False
    same_address: bool = False

    @property
    def outcome(self) -> Outcome | None:
        """How they will be connected; None where too little was measured."""
        return self.possible[0] if len(self.possible) == 1 else None


def forecast_between(ours: Diagnosis, theirs: Diagnosis) -> PairForecast:
    """Return what to expect of a call between two sides."""
    blocked = bool(ours.facts.udp_blocked or theirs.facts.udp_blocked)
    same = ours.reflexive is not None and ours.reflexive == theirs.reflexive
    if not blocked and same and _share_a_network(ours, theirs):
        return PairForecast("lan", (Outcome.DIRECT,), MEASURED_LAN, same_address=True)
    if not blocked and ours.ipv6.reachable and theirs.ipv6.reachable:
        return PairForecast("ipv6", (Outcome.DIRECT,), MEASURED_IPV6, same_address=same)
    pair = _by_kinds(possible_kinds(ours.facts), possible_kinds(theirs.facts))
    return replace(pair, blocked=blocked, same_address=same)


def kinds_forecast(ours: NatFacts, peer: Kind) -> PairForecast:
    """Return what to expect of a call with a peer of that kind."""
    return _by_kinds(possible_kinds(ours), {peer})


def _by_kinds(ours: set[Kind], theirs: set[Kind]) -> PairForecast:
    outcomes = possible_outcomes(ours, theirs)
    possible = tuple(outcome for outcome in Outcome if outcome in outcomes)
    measured = _measured(ours, theirs) if len(possible) == 1 else None
    return PairForecast("ipv4", possible, measured)


def _measured(ours: set[Kind], theirs: set[Kind]) -> Measured:
    """Return the slowest that was measured of these kinds, else of the technique."""
    pairs = [(min(pair), max(pair)) for pair in itertools.product(ours, theirs)]
    rows = [MEASURED[pair] for pair in pairs if pair in MEASURED]
    if not rows:
        (outcome,) = possible_outcomes(ours, theirs)
        return expected(outcome)
    return max(rows, key=lambda row: row.p95_ms or 0)


def _share_a_network(ours: Diagnosis, theirs: Diagnosis) -> bool:
    """Return whether two hosts seem to be on one network: the mask is not told.

    Behind a carrier's NAT they may as well be in two homes that look alike.
    """
    if ours.carrier_nat or theirs.carrier_nat:
        return False
    return bool(_networks(ours) & _networks(theirs))


def _networks(side: Diagnosis) -> set[object]:
    found: set[object] = set()
    for host in side.local:
        ip = ipaddress.ip_address(host)
        if ip.version == 4 and not ip.is_loopback:
            found.add(ipaddress.ip_network((ip, 24), strict=False))
    return found
