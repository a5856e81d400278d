"""What beyond openers and checks connects two NATs, and which side does what.

The side whose NAT gives each destination another port (the harder one) opens spare
sockets; the easier side keeps its one socket and probes for one of them. A spare that
is hit serves the route from then on.
"""

import enum
from dataclasses import dataclass, replace

from wzp_cli.defaults.paths import MUTUAL_SPARES, PREDICTION_SPARES, SEARCH_SPARES
from wzp_cli.protocol.nat import (
    Allocation,
    Filtering,
    Mapping,
    NatFacts,
    Outcome,
    forecast_pair,
)

__all__ = ["Plan", "Role", "choose"]


class Role(enum.Enum):
    """What this side does for a direct route."""

    CHECK = "openers and checks"
    OPEN = "open spare sockets for the peer to find"
    PROBE = "look for one of the peer's spare sockets"
    MEET = "open spare sockets toward the peer's predicted ports"
    REST = "nothing: no search can find a way"


@dataclass(frozen=True, slots=True)
class Plan:
    """What this side does, and with how many spare sockets.

    Attributes:
        spares: Sockets to open (OPEN, MEET).
        predicts: The harder side's next ports can be told from its last ones.
        reason: Of REST: why, in words for the user.
    """

    role: Role
    spares: int = 0
    predicts: bool = False
    reason: str = ""


_DEPENDENT = (
    Mapping.ADDRESS_DEPENDENT,
    Mapping.ADDRESS_AND_PORT_DEPENDENT,
    Mapping.ENDPOINT_DEPENDENT,
)

_PLANS = {
    Outcome.PREDICTION: (PREDICTION_SPARES, True),
    Outcome.SEARCH: (SEARCH_SPARES, False),
}


def choose(ours: NatFacts, theirs: NatFacts) -> Plan:
    """Return what this side does. Both sides come to plans that fit together.

    What was not measured counts as what needs the least of the other side (mapping)
    or the most of us (filtering, allocation): a search that is not needed ends when
    the checks come through.
    """
    outcome = forecast_pair(_supposed(ours), _supposed(theirs))
    if outcome is Outcome.RELAY:
        return Plan(Role.REST, reason=_why_relay(ours, theirs))
    if outcome is Outcome.MUTUAL_PREDICTION:
        return Plan(Role.MEET, MUTUAL_SPARES, predicts=True)
    if outcome not in _PLANS:
        return Plan(Role.CHECK)
    spares, predicts = _PLANS[outcome]
    if ours.mapping in _DEPENDENT:
        return Plan(Role.OPEN, spares, predicts)
    return Plan(Role.PROBE, predicts=predicts)


def _supposed(facts: NatFacts) -> NatFacts:
    mapping, filtering = facts.mapping, facts.filtering
    if mapping is Mapping.UNKNOWN:
        mapping = Mapping.ENDPOINT_INDEPENDENT
    if filtering is Filtering.UNKNOWN:  # without NAT, too: a firewall may stand there
        filtering = Filtering.ADDRESS_AND_PORT_DEPENDENT
    allocation = facts.allocation
    if allocation in (Allocation.UNKNOWN, Allocation.PRESERVING):
        allocation = Allocation.RANDOM
    return replace(
        facts,
        mapping=mapping,
        filtering=filtering,
        allocation=allocation,
        udp_blocked=bool(facts.udp_blocked),
    )


def _why_relay(ours: NatFacts, theirs: NatFacts) -> str:
    if ours.udp_blocked or theirs.udp_blocked:
        whose = "our" if ours.udp_blocked else "the peer's"
        return f"{whose} network lets no UDP out"
    if ours.pooled or theirs.pooled:
        whose = "our" if ours.pooled else "the peer's"
        return f"{whose} NAT gives each destination another public address"
    sides = [_behaviour("ours", ours), _behaviour("the peer's", theirs)]
    return "both NATs give each destination another port: " + ", ".join(sides)


def _behaviour(whose: str, facts: NatFacts) -> str:
    sequential = facts.allocation is Allocation.SEQUENTIAL
    return f"{whose} {'in sequence' if sequential else 'at random'}"
