"""What calls between two kinds of NAT came to in the laboratory, and what to expect.

The figures are those of docs/nat.md (`python3 dev.py bench traverse`): 80 ms between
the peers, 40 ms to the relay. Where several laboratories make one pair of kinds, the
slowest counts. Pairs without a row go by what was measured of the same technique.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from wzp_cli.protocol.nat.forecast import Kind, Outcome

__all__ = [
    "MEASURED",
    "MEASURED_IPV6",
    "MEASURED_LAN",
    "Measured",
    "Technique",
    "expected",
    "technique",
]

Technique = Literal["checks", "prediction", "mutual-prediction", "search", "relay"]
"""As the event `path.planned` has them."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What became of a series of calls.

    Attributes:
        direct_pct: How many went direct.
        median_ms: From the answer until they did.
        p95_ms: Of 95 in 100 of them.
    """

    direct_pct: int
    median_ms: int | None = None
    p95_ms: int | None = None


MEASURED: Final[Mapping[tuple[Kind, Kind], Measured]] = {
    (Kind.OPEN, Kind.RANDOM): Measured(100, 176, 187),
    (Kind.ADDRESS_FILTERED, Kind.ADDRESS_FILTERED): Measured(100, 177, 189),
    (Kind.ADDRESS_FILTERED, Kind.PORT_FILTERED): Measured(100, 176, 190),
    (Kind.ADDRESS_FILTERED, Kind.SEQUENTIAL): Measured(100, 175, 189),
    (Kind.ADDRESS_FILTERED, Kind.RANDOM): Measured(100, 179, 194),
    (Kind.PORT_FILTERED, Kind.PORT_FILTERED): Measured(100, 174, 192),
    (Kind.PORT_FILTERED, Kind.SEQUENTIAL): Measured(100, 591, 680),
    (Kind.PORT_FILTERED, Kind.RANDOM): Measured(99, 2454, 7721),
    (Kind.SEQUENTIAL, Kind.SEQUENTIAL): Measured(91, 884, 942),
    (Kind.SEQUENTIAL, Kind.RANDOM): Measured(0),
    (Kind.RANDOM, Kind.RANDOM): Measured(0),
}
"""Easier kind, harder kind."""

MEASURED_LAN: Final = Measured(100, 10, 21)
MEASURED_IPV6: Final = Measured(100, 60, 92)

_TECHNIQUES: dict[Outcome, Technique] = {
    Outcome.DIRECT: "checks",
    Outcome.PREDICTION: "prediction",
    Outcome.MUTUAL_PREDICTION: "mutual-prediction",
    Outcome.SEARCH: "search",
    Outcome.RELAY: "relay",
}

_TYPICAL: dict[Outcome, Measured] = {
    Outcome.DIRECT: MEASURED[Kind.ADDRESS_FILTERED, Kind.RANDOM],
    Outcome.PREDICTION: MEASURED[Kind.PORT_FILTERED, Kind.SEQUENTIAL],
    Outcome.MUTUAL_PREDICTION: MEASURED[Kind.SEQUENTIAL, Kind.SEQUENTIAL],
    Outcome.SEARCH: MEASURED[Kind.PORT_FILTERED, Kind.RANDOM],
    Outcome.RELAY: Measured(0),
}


def technique(outcome: Outcome) -> Technique:
    """Return how wzp connects a pair with that outcome."""
    return _TECHNIQUES[outcome]


def expected(outcome: Outcome) -> Measured:
    """Return what was measured of an outcome, where the pair itself was not."""
    return _TYPICAL[outcome]
