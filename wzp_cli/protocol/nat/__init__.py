"""NATs: words for what they do, how to tell it from evidence, what follows from it."""

from wzp_cli.protocol.nat.evidence import (
    address_pooled,
    classify_allocation,
    classify_filtering,
    classify_mapping,
    port_preserving,
)
from wzp_cli.protocol.nat.facts import (
    Allocation,
    Filtering,
    Ipv6Facts,
    Mapping,
    NatFacts,
    Reflection,
    RouterOffers,
)
from wzp_cli.protocol.nat.forecast import (
    PEERS,
    Kind,
    Outcome,
    Verdict,
    forecast,
    forecast_pair,
    possible_kinds,
    possible_outcomes,
    summary,
    verdict,
)

__all__ = [
    "PEERS",
    "Allocation",
    "Filtering",
    "Ipv6Facts",
    "Kind",
    "Mapping",
    "NatFacts",
    "Outcome",
    "Reflection",
    "RouterOffers",
    "Verdict",
    "address_pooled",
    "classify_allocation",
    "classify_filtering",
    "classify_mapping",
    "forecast",
    "forecast_pair",
    "port_preserving",
    "possible_kinds",
    "possible_outcomes",
    "summary",
    "verdict",
]
