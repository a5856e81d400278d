import itertools
from collections.abc import Callable, Iterable

import pytest

from wzp_cli.address import Address
from wzp_cli.protocol.nat.evidence import (
    FilterEvidence,
    accepts_unsolicited_input,
    address_pooled,
    classify_allocation,
    classify_filtering,
    classify_mapping,
    merge_filtering,
    port_preserving,
)
from wzp_cli.protocol.nat.facts import Allocation, Filtering, Mapping, Reflection

OWN = (Address("192.168.1.2", 5000), Address("10.8.0.2", 5000))
A1, A2 = Address("192.0.2.1", 1), Address("192.0.2.1", 2)
B1, B2 = Address("192.0.2.2", 1), Address("192.0.2.2", 2)
SERVERS = (A1, A2, B1, B2)
LAN = Address("192.168.1.9", 4433)

EI, AD = Mapping.ENDPOINT_INDEPENDENT, Mapping.ADDRESS_DEPENDENT
APD, ED = Mapping.ADDRESS_AND_PORT_DEPENDENT, Mapping.ENDPOINT_DEPENDENT


def external(port: int, host: str = "198.51.100.7") -> Address:
    return Address(host, port)


def answers(*pairs: tuple[Address, Address]) -> list[Reflection]:
    return [Reflection(server, reflexive, 0.02) for server, reflexive in pairs]


def samples(*ports: int) -> list[Reflection]:
    """Answers of as many servers, in the order asked."""
    return [
        Reflection(Address("192.0.2.1", 1 + i), external(port), 0.02)
        for i, port in enumerate(ports)
    ]


NATS: dict[Mapping, Callable[[Address], Address]] = {
    EI: lambda server: external(40_000),
    AD: lambda server: external(40_000 + int(server.ip) % 256),
    APD: lambda server: external(40_000 + int(server.ip) % 256 * 10 + server.port),
    Mapping.NONE: lambda server: OWN[0],
}
"""What a server sees through each kind of NAT."""


def every_choice() -> Iterable[tuple[Address, ...]]:
    for size in range(len(SERVERS) + 1):
        yield from itertools.permutations(SERVERS, size)


@pytest.mark.parametrize("truth", NATS)
def test_a_mapping_is_named_right_or_not_at_all(truth: Mapping) -> None:
    for servers in every_choice():
        seen = answers(*((server, NATS[truth](server)) for server in servers))
        found = classify_mapping(OWN, seen)
        unsure = {ED} if truth in (AD, APD) else set()
        assert found in {truth, Mapping.UNKNOWN, *unsure}, servers
        if len(servers) == 4:
            assert found is truth


@pytest.mark.parametrize(
    ("servers", "truth", "found"),
    [
        ((), EI, Mapping.UNKNOWN),
        ((A1,), EI, Mapping.UNKNOWN),
        ((A1, A2), EI, Mapping.UNKNOWN),
        ((A1, A2), AD, Mapping.UNKNOWN),
        ((A1, A2), APD, APD),
        ((A1, B1), EI, EI),
        ((A1, B1), AD, ED),
        ((A1, B1), APD, ED),
        ((A1, B2, B1), AD, AD),
        ((A1,), Mapping.NONE, Mapping.NONE),
    ],
)
def test_how_many_servers_it_takes(
    servers: tuple[Address, ...], truth: Mapping, found: Mapping
) -> None:
    seen = answers(*((server, NATS[truth](server)) for server in servers))
    assert classify_mapping(OWN, seen) is found


def test_answers_to_several_tries_are_one_answer() -> None:
    seen = answers((A1, external(1)), (A1, external(1)), (B1, external(1)))
    assert classify_mapping(OWN, seen) is EI


def test_a_mapping_lost_in_between_proves_nothing() -> None:
    seen = answers((A1, external(1)), (B1, external(1)), (A1, external(2)))
    assert classify_mapping(OWN, seen) is Mapping.UNKNOWN


def test_a_machine_with_several_addresses_and_no_nat() -> None:
    assert classify_mapping(OWN, answers((A1, OWN[0]), (B1, OWN[1]))) is Mapping.NONE


def test_the_same_host_with_another_port_is_translated() -> None:
    moved = Address(OWN[0].host, 5001)
    assert classify_mapping(OWN, answers((A1, moved), (B1, moved))) is EI


def test_a_relay_in_front_of_the_nat_does_not_count() -> None:
    seen = answers((LAN, OWN[0]), (A1, external(9)))
    assert classify_mapping(OWN, seen) is Mapping.UNKNOWN
    assert classify_mapping(OWN, [*seen, *answers((B1, external(9)))]) is EI
    assert port_preserving(OWN, seen) is False
    assert not address_pooled(seen)


def test_where_only_the_own_network_answers_it_is_judged() -> None:
    loopback = Address("127.0.0.1", 4433)
    seen = answers((LAN, OWN[0]), (loopback, Address("127.0.0.1", 5000)))
    assert classify_mapping(OWN, seen) is Mapping.NONE
    assert port_preserving(OWN, seen) is True


def test_the_families_are_judged_apart() -> None:
    own = (*OWN, own6 := Address("2001:db8::2", 5000))
    a6 = Address("2001:db8:1::1", 1)
    seen = answers((A1, external(7)), (a6, own6), (B1, external(7)))
    assert classify_mapping(own, seen) is EI
    assert classify_mapping(own, seen, v6=True) is Mapping.NONE
    assert classify_mapping(own, seen[1:2]) is Mapping.UNKNOWN
    assert port_preserving(own, seen) is False
    assert port_preserving(own, seen, v6=True) is True
    assert not address_pooled(seen)


@pytest.mark.parametrize(
    ("other_port", "other_address", "found"),
    [
        (True, True, Filtering.ENDPOINT_INDEPENDENT),
        (False, True, Filtering.ENDPOINT_INDEPENDENT),  # the first one was lost
        (None, True, Filtering.ENDPOINT_INDEPENDENT),
        (True, False, Filtering.ADDRESS_DEPENDENT),
        (False, False, Filtering.ADDRESS_AND_PORT_DEPENDENT),
        (False, None, Filtering.ADDRESS_AND_PORT_DEPENDENT),
        (None, False, Filtering.ENDPOINT_DEPENDENT),
        (True, None, Filtering.UNKNOWN),
        (None, None, Filtering.UNKNOWN),
    ],
)
def test_filtering(
    other_port: bool | None, other_address: bool | None, found: Filtering
) -> None:
    for mapping in Mapping:
        judged = classify_filtering(
            mapping, other_port=other_port, other_address=other_address
        )
        open_host = mapping is Mapping.NONE and other_address
        assert judged is (Filtering.NONE if open_host else found)


def test_port_preservation_has_three_values() -> None:
    assert port_preserving(OWN, []) is None
    assert port_preserving((), samples(5000)) is None
    assert port_preserving(OWN, samples(5000, 5000)) is True
    assert port_preserving(OWN, samples(5000, 5001)) is False


@pytest.mark.parametrize(
    ("ports", "allocation", "step"),
    [
        ((), Allocation.UNKNOWN, None),
        ((5000,), Allocation.PRESERVING, None),
        ((5000, 5000, 5000), Allocation.PRESERVING, None),
        ((40_000, 40_000, 40_000, 40_000), Allocation.UNKNOWN, None),
        ((40_000, 40_001), Allocation.UNKNOWN, None),
        ((40_000, 40_001, 40_002), Allocation.SEQUENTIAL, 1),
        ((40_000, 40_000, 40_001, 40_002), Allocation.SEQUENTIAL, 1),
        ((5000, 5001, 5002), Allocation.SEQUENTIAL, 1),
        ((40_000, 40_002, 40_004), Allocation.SEQUENTIAL, 2),
        ((40_000, 40_002, 40_008), Allocation.SEQUENTIAL, 2),
        ((40_000, 40_003, 40_005), Allocation.SEQUENTIAL, 1),
        ((40_000, 40_002, 40_001, 40_003), Allocation.SEQUENTIAL, 1),
        ((40_004, 40_002, 40_000), Allocation.SEQUENTIAL, -2),
        ((40_000, 40_064, 40_128), Allocation.SEQUENTIAL, 64),
        ((40_000, 40_065, 40_130), Allocation.RANDOM, None),
        ((40_000, 12_345, 60_001), Allocation.RANDOM, None),
        ((5000, 12_345, 60_001), Allocation.RANDOM, None),
        ((40_000, 40_001, 60_001, 12_345), Allocation.RANDOM, None),
        ((40_000, 40_001, 60_001, 60_002), Allocation.UNKNOWN, None),
        ((40_000, 40_001, 60_001), Allocation.UNKNOWN, None),
        ((65_535, 1024, 1025), Allocation.UNKNOWN, None),
        ((65_535, 1024, 1025, 1026), Allocation.SEQUENTIAL, 1),
        ((40_159, 40_160, 40_161, 40_078, 40_162), Allocation.SEQUENTIAL, 1),
        ((40_159, 40_160, 12_345, 60_001, 40_162), Allocation.UNKNOWN, None),
    ],
)
def test_allocation(
    ports: tuple[int, ...], allocation: Allocation, step: int | None
) -> None:
    assert classify_allocation(OWN, samples(*ports)) == (allocation, step)


def test_ports_of_several_external_hosts_tell_nothing() -> None:
    seen = answers(
        (A1, external(40_000)),
        (A2, external(40_001)),
        (B1, external(40_002, "1.1.1.1")),
    )
    assert address_pooled(seen)
    assert classify_allocation(OWN, seen) == (Allocation.UNKNOWN, None)


def kept_out(*after: tuple[Address, int]) -> FilterEvidence:
    """A fresh socket asked A1 and was seen at port 5; then these saw it."""
    seen = tuple(Reflection(at, external(port), 0.02) for at, port in after)
    return FilterEvidence(False, False, Reflection(A1, external(5), 0.02), after=seen)


STEADY = answers(*((server, external(1)) for server in SERVERS))
ONE_HOST = answers((A1, external(1)), (A2, external(1)))


@pytest.mark.parametrize(
    ("seen", "mapping", "evidence", "spoilt"),
    [
        (STEADY, EI, kept_out((A2, 5), (B1, 5)), False),
        (STEADY, EI, kept_out((A2, 6), (B1, 7)), True),
        (STEADY, EI, kept_out((B1, 7)), True),
        (STEADY, EI, kept_out(), None),
        (STEADY, EI, FilterEvidence(), None),
        (ONE_HOST, Mapping.UNKNOWN, kept_out((A2, 6)), True),
        (ONE_HOST, Mapping.UNKNOWN, kept_out((A2, 5), (B1, 7)), False),
        (ONE_HOST[:1], Mapping.UNKNOWN, kept_out((A2, 6)), None),
        (STEADY, APD, kept_out((A2, 6), (B1, 7)), None),
        (STEADY, AD, kept_out((B1, 7)), None),
        (
            STEADY,
            EI,
            FilterEvidence(True, True, Reflection(A1, external(5), 0.02)),
            False,
        ),
    ],
)
def test_whether_unsolicited_packets_spoil_a_mapping(
    seen: list[Reflection],
    mapping: Mapping,
    evidence: FilterEvidence,
    spoilt: bool | None,
) -> None:
    if mapping in (APD, AD):
        seen = answers((A1, external(1)), (A2, external(2)))
    assert accepts_unsolicited_input(seen, mapping, evidence) is spoilt


def test_what_came_in_once_can_come_in() -> None:
    assert merge_filtering([]) == (None, None)
    out, half, none = (
        FilterEvidence(False, False),
        FilterEvidence(True, None),
        FilterEvidence(),
    )
    assert merge_filtering([out, none]) == (False, False)
    assert merge_filtering([out, half]) == (True, False)
    assert merge_filtering([none, half]) == (True, None)
