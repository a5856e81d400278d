from dataclasses import replace

from wzp_cli.protocol.nat.diagnosis import Diagnosis
from wzp_cli.protocol.nat.expectation import (
    MEASURED,
    MEASURED_IPV6,
    MEASURED_LAN,
    expected,
)
from wzp_cli.protocol.nat.facts import (
    Allocation,
    Filtering,
    Ipv6Facts,
    Mapping,
    NatFacts,
)
from wzp_cli.protocol.nat.forecast import Kind, Outcome
from wzp_cli.protocol.nat.pair import PairForecast, forecast_between, kinds_forecast

PORT = NatFacts(
    Mapping.ENDPOINT_INDEPENDENT,
    Filtering.ADDRESS_AND_PORT_DEPENDENT,
    udp_blocked=False,
)
RANDOM = NatFacts(
    Mapping.ADDRESS_AND_PORT_DEPENDENT, allocation=Allocation.RANDOM, udp_blocked=False
)
OPEN = NatFacts(Mapping.NONE, Filtering.NONE, udp_blocked=False)
ALICE = Diagnosis(PORT, local=("192.168.1.10",), reflexive="203.0.113.7")
BOB = Diagnosis(RANDOM, local=("192.168.1.20",), reflexive="198.51.100.9")
V6 = Ipv6Facts(reachable=True)


def test_by_both_nats() -> None:
    found = forecast_between(ALICE, BOB)
    row = MEASURED[Kind.PORT_FILTERED, Kind.RANDOM]
    assert found == PairForecast("ipv4", (Outcome.SEARCH,), row)
    assert found == forecast_between(BOB, ALICE)
    assert found.outcome is Outcome.SEARCH


def test_what_was_not_measured_leaves_several() -> None:
    found = forecast_between(ALICE, replace(BOB, facts=NatFacts()))
    assert found.outcome is None
    assert found.measured is None
    assert found.possible[0] is Outcome.DIRECT
    assert Outcome.RELAY in found.possible


def test_ipv6_needs_no_nat() -> None:
    both = replace(ALICE, ipv6=V6), replace(BOB, ipv6=V6)
    assert forecast_between(*both) == PairForecast(
        "ipv6", (Outcome.DIRECT,), MEASURED_IPV6
    )
    assert forecast_between(both[0], BOB).over == "ipv4"


def test_one_network_inside_one_nat() -> None:
    near = replace(BOB, reflexive=ALICE.reflexive)
    assert forecast_between(ALICE, near) == PairForecast(
        "lan", (Outcome.DIRECT,), MEASURED_LAN, same_address=True
    )


def test_one_address_and_two_networks_may_be_a_carriers() -> None:
    apart = replace(BOB, reflexive=ALICE.reflexive, local=("10.0.0.5",))
    found = forecast_between(ALICE, apart)
    assert (found.over, found.same_address) == ("ipv4", True)


def test_two_homes_behind_one_carrier_may_look_like_one() -> None:
    near = replace(BOB, reflexive=ALICE.reflexive, carrier_nat=True)
    found = forecast_between(ALICE, near)
    assert (found.over, found.same_address) == ("ipv4", True)


def test_two_homes_with_the_same_private_network_are_not_one() -> None:
    assert forecast_between(ALICE, BOB).over == "ipv4"


def test_blocked() -> None:
    blocked = replace(BOB, facts=NatFacts(udp_blocked=True), ipv6=V6)
    found = forecast_between(replace(ALICE, ipv6=V6), blocked)
    assert (found.blocked, found.outcome) == (True, Outcome.RELAY)


def test_with_a_kind_of_peer() -> None:
    assert kinds_forecast(PORT, Kind.SEQUENTIAL).outcome is Outcome.PREDICTION
    no_row = kinds_forecast(OPEN, Kind.PORT_FILTERED)
    assert no_row.measured == expected(Outcome.DIRECT)
    several = kinds_forecast(NatFacts(Mapping.ENDPOINT_INDEPENDENT), Kind.RANDOM)
    assert several.outcome is None
