"""The document of `wzp detect-nat`: what was measured, as scripts read it."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

import msgspec

from wzp_cli.address import Address
from wzp_cli.cli.nat.pair import ForecastPair
from wzp_cli.cli.nat.words import advised, explained
from wzp_cli.protocol.nat import (
    Allocation,
    Filtering,
    Ipv6Facts,
    Mapping,
    NatFacts,
    RouterOffers,
    forecast,
    summary,
    verdict,
)
from wzp_cli.protocol.nat.advice import advice, reasons
from wzp_cli.protocol.nat.diagnosis import Diagnosis, usable_port

if TYPE_CHECKING:  # `wzp --help` need not load them
    from wzp_cli.events import MappingProtocol
    from wzp_cli.services.detect_nat import NatReport, ServerAnswer

__all__ = [
    "AskedServer",
    "DetectedNat",
    "PortMappings",
    "ToldAdvice",
    "ToldReason",
    "changed_keys",
    "detected",
    "diagnosis_of",
    "judged",
]

Word = TypeVar("Word", Mapping, Filtering, Allocation)


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


class ToldReason(msgspec.Struct, frozen=True, kw_only=True):
    """Why calls go the way they go. `code` is stable, `text` is for people."""

    code: str
    text: str


class ToldAdvice(msgspec.Struct, frozen=True, kw_only=True):
    """What would help. `helps`: with which kinds of peer, as `forecast` names them."""

    code: str
    text: str
    helps: list[str]


class DetectedNat(msgspec.Struct, frozen=True, kw_only=True):
    """The report. None, or "unknown", is "not measured".

    `through`: the command whose socket was measured: its own, or that of the one that
    runs on this state directory. `tcp_relay`: where calls go while UDP is blocked.
    `mapping_lifetime_s`: the longest silence that a mapping outlived; `mapping_lost_s`:
    the shortest that it did not. `names_found`: whether any server's name has led to an
    address.
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
    address_pooled: bool = False
    reasons: list[ToldReason] = []
    advice: list[ToldAdvice] = []
    pair: ForecastPair | None = None
    tcp_relay: str | None = None
    mapping_lost_s: float | None = None
    names_found: bool | None = None


def detected(
    report: "NatReport", router: "dict[MappingProtocol, bool | None] | None"
) -> DetectedNat:
    """Return a report as its document. `router`: which protocols it maps ports by."""
    mappings = PortMappings()
    if router is not None:
        mappings = PortMappings(
            pcp=router["pcp"], nat_pmp=router["nat-pmp"], upnp=router["upnp"]
        )
    document = DetectedNat(
        verdict="",
        summary="",
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
        mapping_lifetime_s=None,
        confidence="measured" if report.reflexive or report.reflexive_v6 else "none",
        forecast={},
        servers=[_asked(answer) for answer in report.answers],
        captive_portal=report.captive_portal,
        ipv6=report.ipv6.reachable,
        filtering_v6=report.ipv6.filtering.value,
        path_mtu_bytes=report.path_mtu_bytes,
        preferred_relay=report.preferred_relay,
        address_pooled=report.facts.pooled,
        tcp_relay=None if report.tcp_relay is None else str(report.tcp_relay),
        names_found=report.names_found,
    )
    return judged(document)


def judged(document: DetectedNat) -> DetectedNat:
    """Return a document with what follows from what was measured."""
    known = diagnosis_of(document)
    outlook = verdict(known.facts)
    return msgspec.structs.replace(
        document,
        verdict=outlook.value,
        summary=_by_tcp(document) or summary(outlook),
        forecast=forecast(known.facts),
        reasons=[
            ToldReason(code=each.why.value, text=explained(each))
            for each in reasons(known)
        ],
        advice=[
            ToldAdvice(code=each.cure.value, text=advised(each), helps=list(each.helps))
            for each in advice(known)
        ],
    )


def _by_tcp(document: DetectedNat) -> str | None:
    """Return the verdict where UDP is blocked and a relay was reached all the same."""
    if not document.udp_blocked or document.tcp_relay is None:
        return None
    relay, _, port = document.tcp_relay.rpartition(":")
    return f"UDP blocked; calls work through TCP {port} of {relay}"


def changed_keys(before: DetectedNat, after: DetectedNat) -> list[str]:
    """Return what is another than before; how long servers took does not count."""
    names = [each.name for each in msgspec.structs.fields(DetectedNat)]
    steady = [name for name in names if name not in _UNSTEADY]
    changed = [n for n in steady if getattr(before, n) != getattr(after, n)]
    if _answered(before) != _answered(after):
        changed.append("servers")
    return changed


_UNSTEADY = ("servers", "reasons", "advice", "pair", "forecast")
"""Compared otherwise, or they follow from the others."""


def _answered(document: DetectedNat) -> set[tuple[str, str | None]]:
    return {(each.server, each.reflexive) for each in document.servers}


def diagnosis_of(document: DetectedNat) -> Diagnosis:
    """Return what a document says, as rules want it.

    A word that only a newer wzp knows is unknown here.
    """
    said = document.port_mapping
    offers = RouterOffers(said.pcp, said.nat_pmp, said.upnp)
    answered = [each for each in document.servers if each.reflexive is not None]
    return Diagnosis(
        facts=NatFacts(
            mapping=_word(Mapping, document.mapping),
            filtering=_word(Filtering, document.filtering),
            allocation=_word(Allocation, document.allocation),
            pooled=document.address_pooled,
            port_mapped=usable_port(offers, document.carrier_nat, document.nat_layers),
            udp_blocked=document.udp_blocked,
        ),
        ipv6=Ipv6Facts(document.ipv6, _word(Filtering, document.filtering_v6)),
        router=offers,
        local=tuple(_hosts(document.local)),
        reflexive=next(_hosts(filter(None, [document.reflexive])), None),
        answers=len(answered),
        online=bool(document.local),
        names_found=document.names_found,
        hops=None if document.hops is None else tuple(document.hops),
        nat_layers=document.nat_layers,
        carrier_nat=document.carrier_nat,
        accepts_unsolicited_input=document.accepts_unsolicited_input,
        captive_portal=document.captive_portal,
    )


def _word(kind: type[Word], text: str) -> Word:
    try:
        return kind(text)
    except ValueError:
        return kind("unknown")


def _hosts(addresses: Iterable[str]) -> Iterator[str]:
    for address in addresses:
        with suppress(ValueError):  # somebody else's report may say anything
            yield Address.parse(address).host


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
