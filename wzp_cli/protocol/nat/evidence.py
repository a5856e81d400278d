"""Name a NAT's behaviour from what servers saw of ONE socket.

Method: RFC 5780 sections 4.3 and 4.4.
"""

import ipaddress
import itertools
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from wzp_cli.address import Address
from wzp_cli.defaults.diagnosis import (
    NAT_ALLOCATION_MIN_SAMPLES,
    NAT_SEQUENTIAL_MAX_GAP_PORTS,
)
from wzp_cli.protocol.nat.facts import Allocation, Filtering, Mapping, Reflection

__all__ = [
    "FilterEvidence",
    "accepts_unsolicited_input",
    "address_pooled",
    "classify_allocation",
    "classify_filtering",
    "classify_mapping",
    "merge_filtering",
    "port_preserving",
]

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


@dataclass(frozen=True, slots=True)
class FilterEvidence:
    """What became of unsolicited packets to a fresh socket's mapping.

    Attributes:
        other_port: Whether one came in from another port of the host that had been
            asked; None: not tested.
        other_address: And from a host that the socket had never written to.
        before: The mapping, as the host that was asked saw it.
        after: As those saw it whose packets had been kept out before.
    """

    other_port: bool | None = None
    other_address: bool | None = None
    before: Reflection | None = None
    after: tuple[Reflection, ...] = ()


def merge_filtering(
    evidence: Iterable[FilterEvidence],
) -> tuple[bool | None, bool | None]:
    """Return `other_port` and `other_address` of several tests.

    What came in has come in; what did not may have been kept out by somebody else.
    """
    every = list(evidence)
    ports = {each.other_port for each in every}
    addresses = {each.other_address for each in every}
    return _any_of(ports), _any_of(addresses)


def _any_of(values: set[bool | None]) -> bool | None:
    return True if True in values else False if False in values else None


def accepts_unsolicited_input(
    reflections: Collection[Reflection], mapping: Mapping, evidence: FilterEvidence
) -> bool | None:
    """Return whether unsolicited packets spoilt a mapping ("poisonable").

    Only a mapping that would have been the same without them tells: the one socket's
    answers, which nothing unsolicited was sent to, say which are.

    Args:
        reflections: Answers to the one socket.
        mapping: As judged from them.
        evidence: Of a fresh socket.
    """
    if evidence.before is None:
        return None
    if True in (evidence.other_port, evidence.other_address) and not evidence.after:
        return False
    near = evidence.before.server.host
    of_near = [r.reflexive for r in reflections if r.server.host == near]
    same_at_ports = len(of_near) > 1 and len(set(of_near)) == 1
    everywhere = mapping in (Mapping.ENDPOINT_INDEPENDENT, Mapping.NONE)
    told = [
        each.reflexive != evidence.before.reflexive
        for each in evidence.after
        if everywhere or (each.server.host == near and same_at_ports)
    ]
    return any(told) if told else None
