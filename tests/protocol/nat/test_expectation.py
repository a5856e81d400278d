"""The forecast against what the laboratory measured: the table of docs/nat.md."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from wzp_cli.protocol.nat.expectation import (
    MEASURED,
    MEASURED_IPV6,
    MEASURED_LAN,
    Measured,
    expected,
    technique,
)
from wzp_cli.protocol.nat.forecast import Kind, Outcome, possible_outcomes

PAGE = Path(__file__).parents[3] / "docs/nat.md"
KINDS = {
    "P": Kind.OPEN,
    "F": Kind.OPEN,
    "A": Kind.ADDRESS_FILTERED,
    "R": Kind.PORT_FILTERED,
    "Rp": Kind.PORT_FILTERED,
    "D": Kind.PORT_FILTERED,
    "Q": Kind.SEQUENTIAL,
    "X": Kind.RANDOM,
}
"""The letters of docs/nat.md."""


class Row(NamedTuple):
    pair: str
    calls: int
    measured: Measured


def table() -> Iterator[Row]:
    page = PAGE.read_text("utf-8")
    (text,) = re.findall(
        r"<!-- traverse: begin -->\n(.*)<!-- traverse: end -->", page, re.DOTALL
    )
    for line in text.splitlines()[2:]:
        pair, _, calls, direct, _, median, p95, *_ = [
            cell.strip() for cell in line.strip("|").split("|")
        ]
        times = (None if each == "-" else int(each) for each in (median, p95))
        yield Row(pair, int(calls), Measured(int(direct.removesuffix(" %")), *times))


ROWS = list(table())
PAIRS = [row for row in ROWS if " x " in row.pair]


def kinds(row: Row) -> tuple[Kind, Kind]:
    one, two = (KINDS[letter] for letter in row.pair.split(" x "))
    return min(one, two), max(one, two)


def test_the_figures_are_those_of_the_table() -> None:
    slowest: dict[tuple[Kind, Kind], Measured] = {}
    for row in PAIRS:
        before = slowest.get(kinds(row))
        if before is None or (row.measured.p95_ms or 0) > (before.p95_ms or 0):
            slowest[kinds(row)] = row.measured
    assert slowest == MEASURED
    others = {row.pair: row.measured for row in ROWS if row not in PAIRS}
    assert others == {"same LAN": MEASURED_LAN, "IPv6 both": MEASURED_IPV6}


@pytest.mark.parametrize("row", PAIRS, ids=lambda row: row.pair)
def test_the_forecast_is_what_was_measured(row: Row) -> None:
    ours, theirs = kinds(row)
    (outcome,) = possible_outcomes({ours}, {theirs})
    direct_pct = row.measured.direct_pct
    assert row.calls >= 100
    match outcome:
        case Outcome.RELAY:
            assert direct_pct == 0
        case Outcome.MUTUAL_PREDICTION:
            assert 50 < direct_pct < 100
        case Outcome.SEARCH:
            assert direct_pct >= 98
            assert row.measured.p95_ms is not None
            assert row.measured.p95_ms <= 12_000  # "up to 12 s"
        case Outcome.DIRECT | Outcome.PREDICTION:
            assert direct_pct == 100
            assert row.measured.p95_ms is not None
            assert row.measured.p95_ms < 1000


def test_every_outcome_has_a_technique_and_a_figure() -> None:
    names = {technique(outcome) for outcome in Outcome}
    assert len(names) == len(Outcome)
    for outcome in Outcome:
        direct = outcome is not Outcome.RELAY
        assert (expected(outcome).median_ms is not None) == direct
