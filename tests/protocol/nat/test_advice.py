import itertools
from dataclasses import replace

import pytest

from wzp_cli.protocol.nat.advice import Advice, Cure, Reason, Why, advice, reasons
from wzp_cli.protocol.nat.diagnosis import Diagnosis
from wzp_cli.protocol.nat.facts import (
    Allocation,
    Filtering,
    Ipv6Facts,
    Mapping,
    NatFacts,
    RouterOffers,
)
from wzp_cli.protocol.nat.forecast import PEERS, forecast

EASY = NatFacts(
    Mapping.ENDPOINT_INDEPENDENT,
    Filtering.ADDRESS_AND_PORT_DEPENDENT,
    Allocation.PRESERVING,
    udp_blocked=False,
)
HARD = NatFacts(
    Mapping.ADDRESS_AND_PORT_DEPENDENT,
    allocation=Allocation.RANDOM,
    udp_blocked=False,
)
COUNTS = replace(HARD, allocation=Allocation.SEQUENTIAL)
OPEN = NatFacts(Mapping.NONE, Filtering.NONE, udp_blocked=False)
HOME = Diagnosis(EASY, answers=2, hops=("192.168.88.1", "203.0.113.1"), nat_layers=1)
PHONE = Diagnosis(
    HARD,
    answers=2,
    hops=("192.168.1.1", "100.64.0.1", "203.0.113.1"),
    nat_layers=2,
    carrier_nat=True,
)
HARDER = ("sequential", "random")


def whys(diagnosis: Diagnosis) -> list[Why]:
    return [each.why for each in reasons(diagnosis)]


def cures(diagnosis: Diagnosis) -> list[Cure]:
    return [each.cure for each in advice(diagnosis)]


def test_why_at_home() -> None:
    assert whys(HOME) == [Why.MAPPING_INDEPENDENT, Why.FILTERING_PORT]


def test_why_behind_a_carrier() -> None:
    assert reasons(PHONE) == [
        Reason(Why.MAPPING_RANDOM),
        Reason(Why.CARRIER_NAT, hop=2, layers=2),
    ]


def test_why_without_any_answer() -> None:
    assert whys(Diagnosis()) == [Why.NOBODY_ANSWERED]
    assert whys(Diagnosis(online=True, names_found=True)) == [Why.NOBODY_ANSWERED]
    assert whys(Diagnosis(online=True, names_found=False)) == [Why.NO_NAME_FOUND]
    assert whys(Diagnosis(online=False, names_found=False)) == [Why.OFFLINE]
    assert whys(Diagnosis(NatFacts(udp_blocked=True))) == [Why.UDP_BLOCKED]
    portal = Diagnosis(NatFacts(udp_blocked=True), captive_portal=True)
    assert whys(portal) == [Why.CAPTIVE_PORTAL, Why.UDP_BLOCKED]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (NatFacts(), [Why.TOO_FEW_SERVERS]),
        (OPEN, [Why.NO_NAT]),
        (NatFacts(Mapping.NONE), [Why.NO_NAT, Why.FILTERING_UNKNOWN]),
        (
            NatFacts(Mapping.NONE, Filtering.ADDRESS_AND_PORT_DEPENDENT),
            [Why.NO_NAT, Why.FILTERING_PORT],
        ),
        (
            NatFacts(Mapping.ENDPOINT_INDEPENDENT),
            [Why.MAPPING_INDEPENDENT, Why.FILTERING_UNKNOWN],
        ),
        (replace(HARD, pooled=True), [Why.POOLED]),
        (COUNTS, [Why.MAPPING_SEQUENTIAL]),
        (NatFacts(Mapping.ENDPOINT_DEPENDENT), [Why.MAPPING_DEPENDENT]),
        (
            replace(EASY, port_mapped=True),
            [Why.PORT_MAPPED, Why.MAPPING_INDEPENDENT, Why.FILTERING_PORT],
        ),
    ],
)
def test_why_by_the_nats_behaviour(facts: NatFacts, expected: list[Why]) -> None:
    assert whys(Diagnosis(facts, answers=2)) == expected


def test_why_tells_of_what_else_stands_on_the_way() -> None:
    two = replace(HOME, nat_layers=2, accepts_unsolicited_input=True)
    assert Reason(Why.SEVERAL_NATS, layers=2) in reasons(two)
    assert Why.POISONABLE in whys(two)
    assert Why.IPV6 in whys(replace(HOME, ipv6=Ipv6Facts(reachable=True)))


def test_what_helps_at_home() -> None:
    assert advice(HOME) == [
        Advice(Cure.PORT_MAPPING, router="192.168.88.1", helps=HARDER),
        Advice(Cure.IPV6, helps=HARDER),
    ]


def test_a_router_that_was_asked_in_vain_may_know_another_protocol() -> None:
    asked = RouterOffers(pcp=False, nat_pmp=False)
    assert cures(replace(HOME, router=asked))[:2] == [
        Cure.UPNP_EXTRA,
        Cure.PORT_MAPPING,
    ]
    everything = replace(asked, upnp=False)
    assert Cure.UPNP_EXTRA not in cures(replace(HOME, router=everything))


def test_behind_a_carrier_no_setting_of_the_routers_helps() -> None:
    assert advice(PHONE) == [
        Advice(
            Cure.PUBLIC_ADDRESS,
            hop=2,
            helps=("address-and-port-dependent", *HARDER),
        ),
        Advice(Cure.IPV6, helps=("address-and-port-dependent", *HARDER)),
    ]


def test_two_nats_of_ones_own() -> None:
    two = replace(HOME, nat_layers=2, carrier_nat=False)
    assert cures(two)[0] is Cure.ONE_NAT
    assert Cure.PORT_MAPPING not in cures(two)


def test_a_symmetric_router_may_be_set_otherwise() -> None:
    hard = Diagnosis(HARD, answers=2)
    assert cures(hard) == [Cure.PORT_MAPPING, Cure.EASIER_MAPPING, Cure.IPV6]


def test_who_has_ipv6_is_not_told_to_turn_it_on() -> None:
    assert Cure.IPV6 not in cures(replace(HOME, ipv6=Ipv6Facts(reachable=True)))


def test_a_public_machine_behind_a_firewall() -> None:
    walled = NatFacts(Mapping.NONE, Filtering.ADDRESS_AND_PORT_DEPENDENT)
    assert advice(Diagnosis(walled, answers=2)) == [
        Advice(Cure.OPEN_FIREWALL, helps=HARDER)
    ]


@pytest.mark.parametrize("facts", [OPEN, replace(EASY, port_mapped=True)])
def test_where_all_is_well_nothing_is_advised(facts: NatFacts) -> None:
    assert advice(Diagnosis(facts, answers=2)) == []


def test_first_things_first() -> None:
    assert cures(replace(HOME, captive_portal=True)) == [Cure.LOG_IN]
    assert cures(Diagnosis(NatFacts(udp_blocked=True))) == [Cure.ALLOW_UDP]
    assert cures(Diagnosis()) == [Cure.ALLOW_UDP]
    assert cures(Diagnosis(names_found=False)) == [Cure.CHECK_NAMES]
    assert cures(Diagnosis(online=False)) == [Cure.GO_ONLINE]
    assert cures(Diagnosis(answers=1)) == [Cure.ASK_MORE_SERVERS]


def every_diagnosis() -> list[Diagnosis]:
    kinds = itertools.product(Mapping, Filtering, Allocation, (None, 1, 2))
    return [
        Diagnosis(
            NatFacts(mapping, filtering, allocation, udp_blocked=False),
            answers=2,
            nat_layers=layers,
            carrier_nat=carrier,
        )
        for mapping, filtering, allocation, layers in kinds
        for carrier in (None, False, True)
    ]


def test_no_advice_without_a_peer_that_it_helps_with() -> None:
    """And who reaches everybody directly needs none."""
    for diagnosis in every_diagnosis():
        told = advice(diagnosis)
        assert len({each.cure for each in told}) == len(told)
        for each in told:
            assert set(each.helps) <= set(PEERS)
            assert each.helps or each.cure is Cure.ASK_MORE_SERVERS
        if set(forecast(diagnosis.facts).values()) == {"direct"}:
            assert told == []
        assert reasons(diagnosis)
