import itertools

import pytest

from tests.cli.nat.samples import BLOCKED, HOME, MAPPED, PHONE, SAMPLES, SEQUENTIAL
from wzp_cli.cli.nat.document import DetectedNat, diagnosis_of
from wzp_cli.cli.nat.pair import ForecastPair, Side, forecast_pair_document


def between(ours: DetectedNat, theirs: DetectedNat) -> ForecastPair:
    return forecast_pair_document(diagnosis_of(ours), diagnosis_of(theirs))


@pytest.mark.parametrize(
    ("ours", "theirs", "outcome", "technique", "expected_ms"),
    [
        (HOME, PHONE, "search", "search", 2454),
        (HOME, SEQUENTIAL, "direct", "prediction", 591),
        (SEQUENTIAL, SEQUENTIAL, "direct", "checks", 10),  # one network
        (PHONE, MAPPED, "direct", "checks", 176),
        (PHONE, SEQUENTIAL, "relay", "relay", None),
        (HOME, SAMPLES["unknown"], "direct", "checks", 10),  # one network
        (PHONE, SAMPLES["unknown"], "unknown", None, None),
        (HOME, BLOCKED, "relay", "relay", None),
    ],
)
def test_pairs(
    ours: DetectedNat,
    theirs: DetectedNat,
    outcome: str,
    technique: str | None,
    expected_ms: int | None,
) -> None:
    found = between(ours, theirs)
    assert (found.outcome, found.technique) == (outcome, technique)
    assert found.expected_ms == expected_ms
    assert found.reasons
    other = between(theirs, ours)
    assert (other.outcome, other.technique) == (outcome, technique)
    assert other.sides == found.sides[::-1]


def test_who_does_what() -> None:
    assert between(HOME, PHONE).sides == [
        Side(role="probes", spare_sockets=0),
        Side(role="opens", spare_sockets=256),
    ]
    assert between(HOME, HOME).sides == 2 * [Side(role="checks", spare_sockets=0)]


def test_why_it_goes_by_relay() -> None:
    (how, why, after) = between(PHONE, SEQUENTIAL).reasons
    assert "port of a router's or IPv6" in how
    assert "ours at random, the peer's in sequence" in why
    assert "over the relay at once" in after


def test_every_pair_reads_well() -> None:
    for ours, theirs in itertools.product(SAMPLES.values(), repeat=2):
        found = between(ours, theirs)
        assert found.summary.startswith("This pair: ")
        for reason in found.reasons:
            assert reason.endswith(".")
            assert "None" not in reason
        assert (found.expected_ms is None) == (
            found.outcome in ("relay", "no-call", "unknown")
        )


def test_where_it_was_measured() -> None:
    assert any(
        "Measured on one network" in each for each in between(HOME, HOME).reasons
    )
    over_nats = between(HOME, PHONE).reasons
    assert any("Measured with 80 ms between" in each for each in over_nats)
