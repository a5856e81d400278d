"""The document of `wzp detect-nat`: what was measured, as scripts read it."""

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from wzp_cli.address import Address
from wzp_cli.protocol.nat import forecast, summary, verdict

if TYPE_CHECKING:  # `wzp --help` need not load them
    from wzp_cli.events import MappingProtocol
    from wzp_cli.services.detect_nat import NatReport, ServerAnswer

__all__ = ["AskedServer", "DetectedNat", "PortMappings", "detected"]


class PortMappings(msgspec.Struct, frozen=True, kw_only=True):
    """Which protocols the router maps ports by; None: not asked."""

    pcp: bool | None = None
    nat_pmp: bool | None = None
    upnp: bool | None = None


class AskedServer(msgspec.Struct, frozen=True, kw_only=True):
    """One server, and what it answered."""

    server: str
    kind: str
    reflexive: str | None
    rtt_ms: float | None
    error: str | None
    public: bool = False


class DetectedNat(msgspec.Struct, frozen=True, kw_only=True):
    """The report. None, or "unknown", is "not measured".

    `through`: the command whose socket was measured: its own, or that of the one that
    runs on this state directory.
    """

    verdict: str
    summary: str
    local: list[str]
    reflexive: str | None
    reflexive_v6: str | None
    mapping: str
    filtering: str
    port_preserving: bool | None
    allocation: str
    port_delta: int | None
    hairpinning: bool | None
    udp_blocked: bool | None
    carrier_nat: bool | None
    nat_layers: int | None
    hops: list[str | None] | None
    accepts_unsolicited_input: bool | None
    port_mapping: PortMappings
    mapping_lifetime_s: float | None
    confidence: str
    forecast: dict[str, str | None]
    servers: list[AskedServer]
    captive_portal: bool | None = None
    ipv6: bool | None = None
    filtering_v6: str = "unknown"
    path_mtu_bytes: int | None = None
    preferred_relay: str | None = None
    through: str = "detect-nat"


def detected(
    report: "NatReport", router: "dict[MappingProtocol, bool | None] | None"
) -> DetectedNat:
    """Return a report as its document. `router`: which protocols it maps ports by."""
    facts, mappings = report.facts, PortMappings()
    if router is not None:
        mappings = PortMappings(
            pcp=router["pcp"], nat_pmp=router["nat-pmp"], upnp=router["upnp"]
        )
        facts = replace(facts, port_mapped=any(router.values()))
    judged = verdict(facts)
    return DetectedNat(
        verdict=judged.value,
        summary=summary(judged),
        local=[str(address) for address in report.local],
        reflexive=_text_of(report.reflexive),
        reflexive_v6=_text_of(report.reflexive_v6),
        mapping=report.facts.mapping.value,
        filtering=report.facts.filtering.value,
        port_preserving=report.port_preserving,
        allocation=report.facts.allocation.value,
        port_delta=report.port_delta,
        hairpinning=report.hairpinning,
        udp_blocked=report.facts.udp_blocked,
        carrier_nat=report.carrier_nat,
        nat_layers=report.nat_layers,
        hops=None if report.hops is None else list(report.hops),
        accepts_unsolicited_input=report.accepts_unsolicited_input,
        port_mapping=mappings,
        mapping_lifetime_s=report.mapping_lifetime_s,
        confidence="measured" if report.reflexive or report.reflexive_v6 else "none",
        forecast=forecast(facts),
        servers=[_asked(answer) for answer in report.answers],
        captive_portal=report.captive_portal,
        ipv6=report.ipv6.reachable,
        filtering_v6=report.ipv6.filtering.value,
        path_mtu_bytes=report.path_mtu_bytes,
        preferred_relay=report.preferred_relay,
    )


def _asked(answer: "ServerAnswer") -> AskedServer:
    seen = answer.reflection
    return AskedServer(
        server=answer.server,
        kind=answer.kind,
        reflexive=None if seen is None else str(seen.reflexive),
        rtt_ms=None if seen is None else round(seen.rtt_s * 1000, 1),
        error=answer.error,
        public=answer.public,
    )


def _text_of(address: Address | None) -> str | None:
    return None if address is None else str(address)
