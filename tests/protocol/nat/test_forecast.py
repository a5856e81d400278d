import itertools

import pytest

from wzp_cli.protocol.nat.facts import Allocation, Filtering, Mapping, NatFacts
from wzp_cli.protocol.nat.forecast import (
    Outcome,
    Verdict,
    forecast,
    forecast_pair,
    summary,
    verdict,
)

EI, AD = Mapping.ENDPOINT_INDEPENDENT, Mapping.ADDRESS_DEPENDENT
APD, ED = Mapping.ADDRESS_AND_PORT_DEPENDENT, Mapping.ENDPOINT_DEPENDENT


def known(mapping: Mapping, filtering: Filtering, allocation: Allocation) -> NatFacts:
    return NatFacts(mapping, filtering, allocation, udp_blocked=False)


_F, _P = Filtering, Allocation.PRESERVING
SIDES = {
    "P": known(Mapping.NONE, _F.NONE, _P),
    "F": known(EI, _F.ENDPOINT_INDEPENDENT, _P),
    "A": known(EI, _F.ADDRESS_DEPENDENT, _P),
    "R": known(EI, _F.ADDRESS_AND_PORT_DEPENDENT, _P),
    "Q": known(APD, _F.ADDRESS_AND_PORT_DEPENDENT, Allocation.SEQUENTIAL),
    "X": known(APD, _F.ADDRESS_AND_PORT_DEPENDENT, Allocation.RANDOM),
    "B": NatFacts(udp_blocked=True),
}
"""The letters of docs/nat.md's matrix."""

MATRIX = """
   P F A R Q X B
P  d d d d d d r
F  d d d d d d r
A  d d d d d d r
R  d d d d p s r
Q  d d d p m r r
X  d d d s r r r
B  r r r r r r r
"""
WORDS = {
    "d": Outcome.DIRECT,
    "p": Outcome.PREDICTION,
    "m": Outcome.MUTUAL_PREDICTION,
    "s": Outcome.SEARCH,
    "r": Outcome.RELAY,
}


def test_the_matrix_of_pairs() -> None:
    head, *rows = [line.split() for line in MATRIX.strip().splitlines()]
    assert head == list(SIDES)
    for name, *row in rows:
        for other, word in zip(head, row, strict=True):
            assert forecast_pair(SIDES[name], SIDES[other]) is WORDS[word], name + other


@pytest.mark.parametrize(
    ("side", "expected"),
    [
        ("P", Verdict.LIKELY),
        ("F", Verdict.LIKELY),
        ("A", Verdict.LIKELY),
        ("R", Verdict.LIKELY),
        ("Q", Verdict.LIMITED),
        ("X", Verdict.LIMITED),
        ("B", Verdict.BLOCKED),
    ],
)
def test_verdict(side: str, expected: Verdict) -> None:
    assert verdict(SIDES[side]) is expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (NatFacts(), Verdict.UNKNOWN),
        (NatFacts(udp_blocked=False), Verdict.UNKNOWN),
        (NatFacts(port_mapped=True), Verdict.LIKELY),
        (NatFacts(APD, allocation=Allocation.RANDOM, port_mapped=True), Verdict.LIKELY),
        (NatFacts(EI), Verdict.LIKELY),
        (NatFacts(Mapping.NONE), Verdict.LIKELY),
        (NatFacts(ED), Verdict.LIMITED),
        (NatFacts(ED, pooled=True), Verdict.RELAY_ONLY),
        (NatFacts(EI, port_mapped=True, udp_blocked=True), Verdict.BLOCKED),
    ],
)
def test_a_verdict_from_part_of_the_facts(facts: NatFacts, expected: Verdict) -> None:
    assert verdict(facts) is expected


def test_a_forecast_names_each_kind_of_peer() -> None:
    assert forecast(SIDES["R"]) == {
        "endpoint-independent": "direct",
        "address-dependent": "direct",
        "address-and-port-dependent": "direct",
        "sequential": "port prediction",
        "random": "search, up to 12 s",
    }


def test_a_forecast_leaves_open_what_was_not_measured() -> None:
    assert forecast(NatFacts(EI)) == {
        "endpoint-independent": "direct",
        "address-dependent": "direct",
        "address-and-port-dependent": "direct",
        "sequential": None,
        "random": None,
    }
    assert set(forecast(NatFacts()).values()) == {None}
    assert forecast(NatFacts(udp_blocked=False))["endpoint-independent"] == "direct"
    assert set(forecast(SIDES["B"]).values()) == {"relay"}


def test_more_facts_never_change_a_forecast_but_fill_it() -> None:
    every = [
        NatFacts(m, f, a, pooled=False, port_mapped=False, udp_blocked=False)
        for m, f, a in itertools.product(Mapping, Filtering, Allocation)
    ]
    for facts in every:
        for less in (
            NatFacts(Mapping.UNKNOWN, facts.filtering, facts.allocation),
            NatFacts(facts.mapping, Filtering.UNKNOWN, facts.allocation),
            NatFacts(facts.mapping, facts.filtering, Allocation.UNKNOWN),
        ):
            for peer, outcome in forecast(less).items():
                assert outcome in (None, forecast(facts)[peer]), (less, facts)


def test_each_verdict_has_its_sentence() -> None:
    sentences = [summary(each) for each in Verdict]
    assert summary(Verdict.LIKELY) == "Direct calls: likely"
    assert all(sentence.startswith("Direct calls: ") for sentence in sentences)
    assert len(set(sentences)) == len(sentences)
