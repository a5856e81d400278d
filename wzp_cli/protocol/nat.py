"""Name a NAT's behaviour from what servers saw of ONE socket, and what follows from it.

Words: RFC 4787 sections 4.1, 4.2 and 5. Method: RFC 5780 sections 4.3 and 4.4. What was
not measured is UNKNOWN or None, never a guess: a forecast is given only where every
NAT that fits the evidence has the same one.
"""

import enum
import ipaddress
import itertools
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from wzp_cli.address import Address
from wzp_cli.defaults import (
    NAT_ALLOCATION_MIN_SAMPLES,
    NAT_SEQUENTIAL_MAX_GAP_PORTS,
)

__all__ = [
    "Allocation",
    "Filtering",
    "Mapping",
    "NatFacts",
    "Outcome",
    "Reflection",
    "Verdict",
    "address_pooled",
    "classify_allocation",
    "classify_filtering",
    "classify_mapping",
    "forecast",
    "forecast_pair",
    "port_preserving",
    "summary",
    "verdict",
]


class Mapping(enum.Enum):
    """On what the external address of one socket depends."""

    ENDPOINT_INDEPENDENT = "endpoint-independent"
    ADDRESS_DEPENDENT = "address-dependent"
    ADDRESS_AND_PORT_DEPENDENT = "address-and-port-dependent"
    ENDPOINT_DEPENDENT = "endpoint-dependent"
    NONE = "none"
    UNKNOWN = "unknown"


class Filtering(enum.Enum):
    """From whom packets to a mapping are let in."""

    ENDPOINT_INDEPENDENT = "endpoint-independent"
    ADDRESS_DEPENDENT = "address-dependent"
    ADDRESS_AND_PORT_DEPENDENT = "address-and-port-dependent"
    ENDPOINT_DEPENDENT = "endpoint-dependent"
    NONE = "none"
    UNKNOWN = "unknown"


class Allocation(enum.Enum):
    """Which external port a new mapping gets."""

    PRESERVING = "preserving"
    SEQUENTIAL = "sequential"
    RANDOM = "random"
    UNKNOWN = "unknown"


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


@dataclass(frozen=True, slots=True)
class Reflection:
    """One server's answer to "what is my address"."""

    server: Address
    reflexive: Address
    rtt_s: float


@dataclass(frozen=True, slots=True)
class NatFacts:
    """What is known of one side's NAT.

    Attributes:
        pooled: The external address, not only the port, was seen to change.
        port_mapped: The router forwards our port on request; None: not asked.
        udp_blocked: No UDP comes back at all; None: not measured.
    """

    mapping: Mapping = Mapping.UNKNOWN
    filtering: Filtering = Filtering.UNKNOWN
    allocation: Allocation = Allocation.UNKNOWN
    pooled: bool = False
    port_mapped: bool | None = None
    udp_blocked: bool | None = None


# --- Evidence -------------------------------------------------------------------

_LOCAL_NETWORKS = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"),
        *("127.0.0.0/8", "169.254.0.0/16", "::1/128", "fe80::/10", "fc00::/7"),
    )
)


def _is_local(address: Address) -> bool:
    return any(address.ip in network for network in _LOCAL_NETWORKS)


def _comparable(reflections: Iterable[Reflection], *, v6: bool) -> list[Reflection]:
    """Return the answers of one family that have crossed the same NATs.

    A relay on our own network sees us in front of the NAT: it has a say only where no
    server behind the NAT has answered.
    """
    family = [r for r in reflections if r.reflexive.is_v6 == v6]
    return [r for r in family if not _is_local(r.server)] or family


def classify_mapping(
    own_addresses: Collection[Address],
    reflections: Iterable[Reflection],
    *,
    v6: bool = False,
) -> Mapping:
    """Name the mapping behaviour, for reflexive addresses of one family.

    Args:
        own_addresses: The socket's own addresses, one for each interface.
        reflections: Answers to this one socket.
        v6: Judge the IPv6 answers; otherwise the IPv4 ones.

    Returns:
        UNKNOWN where one server host alone has answered (unless that is enough), or
        where one server saw two addresses: the mapping was lost in between.
    """
    seen: dict[str, dict[int, Address]] = {}
    for answer in _comparable(reflections, v6=v6):
        ports = seen.setdefault(answer.server.host, {})
        if ports.setdefault(answer.server.port, answer.reflexive) != answer.reflexive:
            return Mapping.UNKNOWN
    by_host = [set(ports.values()) for ports in seen.values()]
    every = set().union(*by_host)

    if not every:
        return Mapping.UNKNOWN
    if all(_is_own(address, own_addresses) for address in every):
        return Mapping.NONE
    if any(len(addresses) > 1 for addresses in by_host):
        return Mapping.ADDRESS_AND_PORT_DEPENDENT
    if len(by_host) < 2:
        return Mapping.UNKNOWN
    if len(every) == 1:
        return Mapping.ENDPOINT_INDEPENDENT
    if any(len(ports) > 1 for ports in seen.values()):
        return Mapping.ADDRESS_DEPENDENT
    return Mapping.ENDPOINT_DEPENDENT


def _is_own(address: Address, own_addresses: Collection[Address]) -> bool:
    return address in own_addresses or address.ip.is_loopback


def classify_filtering(
    mapping: Mapping, *, other_port: bool | None, other_address: bool | None
) -> Filtering:
    """Name the filtering behaviour (RFC 5780 section 4.4).

    Args:
        mapping: As judged before; NONE tells "no NAT" from "lets everybody in".
        other_port: Did a packet come in from another port of a server that we had
            asked? None: not tested.
        other_address: And one from a host that this socket has never written to?
    """
    if other_address:
        return (
            Filtering.NONE
            if mapping is Mapping.NONE
            else Filtering.ENDPOINT_INDEPENDENT
        )
    if other_port is False:
        return Filtering.ADDRESS_AND_PORT_DEPENDENT
    if other_address is None:
        return Filtering.UNKNOWN
    return Filtering.ADDRESS_DEPENDENT if other_port else Filtering.ENDPOINT_DEPENDENT


def port_preserving(
    own_addresses: Collection[Address],
    reflections: Iterable[Reflection],
    *,
    v6: bool = False,
) -> bool | None:
    """Return whether every server saw the socket's own port; None without answers."""
    own_ports = {address.port for address in own_addresses}
    answers = _comparable(reflections, v6=v6)
    if not answers or not own_ports:
        return None
    return all(answer.reflexive.port in own_ports for answer in answers)


def address_pooled(reflections: Iterable[Reflection], *, v6: bool = False) -> bool:
    """Return whether servers saw several external hosts ("arbitrary" pooling)."""
    return len({r.reflexive.host for r in _comparable(reflections, v6=v6)}) > 1


def classify_allocation(
    own_addresses: Collection[Address],
    reflections: Sequence[Reflection],
    *,
    v6: bool = False,
) -> tuple[Allocation, int | None]:
    """Name the allocation of external ports.

    Args:
        own_addresses: The socket's own addresses.
        reflections: In the order in which the servers were asked. Only mappings of
            their own are samples, so an endpoint-independent NAT that does not
            preserve the port stays UNKNOWN.
        v6: Judge the IPv6 answers; otherwise the IPv4 ones.

    Returns:
        The allocation, and for SEQUENTIAL the step (negative: downwards).
    """
    if port_preserving(own_addresses, reflections, v6=v6):
        return Allocation.PRESERVING, None
    answers = _comparable(reflections, v6=v6)
    ports = list(dict.fromkeys(answer.reflexive.port for answer in answers))
    if len(ports) < NAT_ALLOCATION_MIN_SAMPLES or address_pooled(answers, v6=v6):
        return Allocation.UNKNOWN, None
    if step := _step(ports):
        return Allocation.SEQUENTIAL, step
    # One may be of a socket that had this number before, and whose mapping still lives.
    if len(ports) > NAT_ALLOCATION_MIN_SAMPLES:
        for without in itertools.combinations(ports, len(ports) - 1):
            if step := _step(without):
                return Allocation.SEQUENTIAL, step
    gaps = _gaps(ports)
    # Most, not all: of eight random ports two are that close in one run of 18.
    if sorted(gaps)[(len(gaps) - 1) // 2] > NAT_SEQUENTIAL_MAX_GAP_PORTS:
        return Allocation.RANDOM, None
    return Allocation.UNKNOWN, None


def _gaps(ports: Sequence[int]) -> list[int]:
    """Sorted, since probes that left together may have been overtaken on the way."""
    return [high - low for low, high in itertools.pairwise(sorted(ports))]


def _step(ports: Sequence[int]) -> int:
    """Return the step of ports that are given in sequence (down: negative), else 0."""
    gaps = _gaps(ports)
    if max(gaps) > NAT_SEQUENTIAL_MAX_GAP_PORTS:
        return 0
    step = math.gcd(*gaps)  # other hosts behind the NAT take ports in between
    return step if ports[-1] > ports[0] else -step


# --- What follows from it -------------------------------------------------------


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
