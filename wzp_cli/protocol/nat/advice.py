"""Why a verdict is what it is, and what would make it better, the best first.

Keys and values come out; the command line has the sentences (`cli/nat/words.py`).
How much a change would help is not an opinion: each is tried on the facts, and the
forecast against each kind of peer says what it brings.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass, replace

from wzp_cli.protocol.nat.diagnosis import Diagnosis, carrier_hop, offers_a_port, router
from wzp_cli.protocol.nat.facts import Allocation, Filtering, Mapping, NatFacts
from wzp_cli.protocol.nat.forecast import (
    PEERS,
    Kind,
    Outcome,
    possible_kinds,
    possible_outcomes,
)

__all__ = ["Advice", "Cure", "Reason", "Why", "advice", "reasons"]


class Why(enum.Enum):
    """Why calls go the way they go."""

    CAPTIVE_PORTAL = "captive-portal"
    UDP_BLOCKED = "udp-blocked"
    OFFLINE = "offline"
    NO_NAME_FOUND = "no-name-found"
    NOBODY_ANSWERED = "nobody-answered"
    TOO_FEW_SERVERS = "too-few-servers"
    PORT_MAPPED = "port-mapped"
    NO_NAT = "no-nat"
    MAPPING_INDEPENDENT = "mapping-independent"
    POOLED = "pooled"
    MAPPING_SEQUENTIAL = "mapping-sequential"
    MAPPING_RANDOM = "mapping-random"
    MAPPING_DEPENDENT = "mapping-dependent"
    FILTERING_OPEN = "filtering-open"
    FILTERING_ADDRESS = "filtering-address"
    FILTERING_PORT = "filtering-port"
    FILTERING_DEPENDENT = "filtering-dependent"
    FILTERING_UNKNOWN = "filtering-unknown"
    CARRIER_NAT = "carrier-nat"
    SEVERAL_NATS = "several-nats"
    POISONABLE = "poisonable"
    IPV6 = "ipv6"


class Cure(enum.Enum):
    """What would make it better."""

    GO_ONLINE = "go-online"
    CHECK_NAMES = "check-names"
    LOG_IN = "log-in"
    ALLOW_UDP = "allow-udp"
    ASK_MORE_SERVERS = "ask-more-servers"
    PORT_MAPPING = "port-mapping"
    UPNP_EXTRA = "upnp-extra"
    PUBLIC_ADDRESS = "public-address"
    ONE_NAT = "one-nat"
    IPV6 = "ipv6"
    EASIER_MAPPING = "easier-mapping"
    OPEN_FIREWALL = "open-firewall"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason. `hop`: where it stands on the way, counted from 1; None: unknown."""

    why: Why
    hop: int | None = None
    layers: int | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """One change.

    Attributes:
        router: The router's address, where it is to be made there and is known.
        hop: Where on the way the obstacle stands, counted from 1.
        helps: Against which kinds of peer (the keys of `PEERS`), the easiest first.
    """

    cure: Cure
    router: str | None = None
    hop: int | None = None
    helps: tuple[str, ...] = ()


# --- Why ------------------------------------------------------------------------

_FILTERING = {
    Filtering.ENDPOINT_INDEPENDENT: Why.FILTERING_OPEN,
    Filtering.NONE: Why.FILTERING_OPEN,
    Filtering.ADDRESS_DEPENDENT: Why.FILTERING_ADDRESS,
    Filtering.ADDRESS_AND_PORT_DEPENDENT: Why.FILTERING_PORT,
    Filtering.ENDPOINT_DEPENDENT: Why.FILTERING_DEPENDENT,
    Filtering.UNKNOWN: Why.FILTERING_UNKNOWN,
}
_ALLOCATION = {
    Allocation.SEQUENTIAL: Why.MAPPING_SEQUENTIAL,
    Allocation.RANDOM: Why.MAPPING_RANDOM,
}


def reasons(diagnosis: Diagnosis) -> list[Reason]:
    """Return why calls go the way they go; what decides most comes first."""
    return list(_reasons(diagnosis))


def _reasons(known: Diagnosis) -> Iterator[Reason]:
    facts = known.facts
    if known.captive_portal:
        yield Reason(Why.CAPTIVE_PORTAL)
    if facts.udp_blocked:
        yield Reason(Why.UDP_BLOCKED)
        return
    if not known.answers:
        yield Reason(_of_silence(known))
        return
    if facts.port_mapped:
        yield Reason(Why.PORT_MAPPED)
    yield from map(Reason, _of_mapping(facts))
    if known.carrier_nat:
        yield Reason(Why.CARRIER_NAT, carrier_hop(known), known.nat_layers)
    elif known.nat_layers is not None and known.nat_layers > 1:
        yield Reason(Why.SEVERAL_NATS, layers=known.nat_layers)
    if known.accepts_unsolicited_input:
        yield Reason(Why.POISONABLE)
    if known.ipv6.reachable:
        yield Reason(Why.IPV6)


def _of_silence(known: Diagnosis) -> Why:
    if known.online is False:
        return Why.OFFLINE
    return Why.NO_NAME_FOUND if known.names_found is False else Why.NOBODY_ANSWERED


_CURES_OF_SILENCE = {
    Why.OFFLINE: Cure.GO_ONLINE,
    Why.NO_NAME_FOUND: Cure.CHECK_NAMES,
    Why.NOBODY_ANSWERED: Cure.ALLOW_UDP,
}


def _of_mapping(facts: NatFacts) -> Iterator[Why]:
    match facts.mapping:
        case Mapping.UNKNOWN:
            yield Why.TOO_FEW_SERVERS
        case Mapping.NONE:
            yield Why.NO_NAT
            if facts.filtering is not Filtering.NONE:
                yield _FILTERING[facts.filtering]
        case Mapping.ENDPOINT_INDEPENDENT:
            yield Why.MAPPING_INDEPENDENT
            yield _FILTERING[facts.filtering]
        case _ if facts.pooled:
            yield Why.POOLED
        case _:
            yield _ALLOCATION.get(facts.allocation, Why.MAPPING_DEPENDENT)


# --- What would help ------------------------------------------------------------

_RANKS = {
    Outcome.DIRECT: 0,
    Outcome.PREDICTION: 1,
    Outcome.SEARCH: 2,
    Outcome.MUTUAL_PREDICTION: 3,
    Outcome.RELAY: 4,
}
_PEERS_WITH_IPV6 = 0.5
"""Of all peers, roughly: a change that helps with these alone counts so much."""


def advice(diagnosis: Diagnosis) -> list[Advice]:
    """Return what would help, the most first; nothing that would change nothing."""
    first = _first(diagnosis)
    if first is not None:
        return [Advice(first)]
    ours = diagnosis.facts
    found = []
    for change in _changes(diagnosis):
        helps, gain = _effect(ours, change.after)
        if helps:
            found.append((gain * change.share, replace(change.advice, helps=helps)))
    found.sort(key=lambda each: -each[0])  # stable: equals stay in the order above
    return [advised for _, advised in found]


def _first(known: Diagnosis) -> Cure | None:
    """Return what has to be done before anything else is worth a thought."""
    if known.captive_portal:
        return Cure.LOG_IN
    if known.facts.udp_blocked:
        return Cure.ALLOW_UDP
    if not known.answers:
        return _CURES_OF_SILENCE[_of_silence(known)]
    if known.facts.mapping is Mapping.UNKNOWN and not known.facts.port_mapped:
        return Cure.ASK_MORE_SERVERS
    return None


@dataclass(frozen=True, slots=True)
class _Change:
    """One change, the facts after it, and the share of peers that it can help with."""

    advice: Advice
    after: NatFacts
    share: float = 1.0


def _changes(known: Diagnosis) -> Iterator[_Change]:
    facts = known.facts
    opened = replace(facts, port_mapped=True)
    behind_others = known.carrier_nat or (known.nat_layers or 0) > 1
    if known.carrier_nat:
        yield _Change(Advice(Cure.PUBLIC_ADDRESS, hop=carrier_hop(known)), opened)
    elif behind_others:
        yield _Change(Advice(Cure.ONE_NAT, router(known)), opened)
    elif facts.mapping is not Mapping.NONE:
        if known.router.upnp is None and offers_a_port(known.router) is False:
            yield _Change(Advice(Cure.UPNP_EXTRA, router(known)), opened)
        yield _Change(Advice(Cure.PORT_MAPPING, router(known)), opened)
    if facts.mapping is Mapping.NONE and facts.filtering is not Filtering.UNKNOWN:
        yield _Change(Advice(Cure.OPEN_FIREWALL), opened)
    if not known.ipv6.reachable and facts.mapping is not Mapping.NONE:
        yield _Change(Advice(Cure.IPV6), opened, _PEERS_WITH_IPV6)
    if min(possible_kinds(facts)) >= Kind.SEQUENTIAL and not known.carrier_nat:
        easier = replace(facts, mapping=Mapping.ENDPOINT_INDEPENDENT, pooled=False)
        yield _Change(Advice(Cure.EASIER_MAPPING, router(known)), easier)


def _effect(before: NatFacts, after: NatFacts) -> tuple[tuple[str, ...], int]:
    """Return with which kinds of peer a change helps, and how much in all."""
    gains = {
        name: _rank(before, kind) - _rank(after, kind) for name, kind in PEERS.items()
    }
    helped = tuple(name for name, gain in gains.items() if gain > 0)
    return helped, sum(gains.values())


def _rank(facts: NatFacts, peer: Kind) -> int:
    """Return how well a call can go at worst: 0 is best."""
    outcomes = possible_outcomes(possible_kinds(facts), {peer})
    return max(_RANKS[outcome] for outcome in outcomes)
