"""`wzp detect-nat`: what the NAT in front of this machine does."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from wzp_cli.address import Address
from wzp_cli.cli.command import Outcome, Session, command, command_app
from wzp_cli.cli.options import RelayOption, StunOption
from wzp_cli.defaults import DETECT_TIMEOUT_S
from wzp_cli.errors import RelayUnreachable, RequirementNotMet, UsageError, WzpError
from wzp_cli.protocol.nat import Mapping, forecast, summary, verdict

if TYPE_CHECKING:
    from wzp_cli.events import MappingProtocol
    from wzp_cli.services.detect_nat import NatReport, ServerAnswer

__all__ = ["AskedServer", "DetectedNat", "PortMappings", "app", "detect_nat"]


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
    """The report. None, or "unknown", is "not measured"."""

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


app = command_app()


@command(app, "detect-nat", result=DetectedNat)
async def detect_nat(
    session: Session,
    relay: RelayOption = None,
    stun: StunOption = None,
    expect: Annotated[
        str | None,
        typer.Option("--expect", metavar="MAPPING", help="Exit 3 if it is another."),
    ] = None,
    portmap: Annotated[
        bool, typer.Option("--portmap", help="Ask the router if it maps ports, too.")
    ] = False,
) -> Outcome:
    """Say how the NAT treats the one socket, and what that means for calls."""
    from wzp_cli.adapters.port_mapping.keeper import ask_router
    from wzp_cli.cli.compose import endpoint_of, find_interfaces, own_state
    from wzp_cli.concurrency import task_group
    from wzp_cli.services.detect_nat import Server
    from wzp_cli.services.detect_nat import detect_nat as measure

    settings = session.settings.with_servers(relay=relay, stun=stun)
    _check_expected(expect)
    servers = [Server(name, "relay") for name in settings.relays]
    servers += [Server(name, "stun") for name in settings.stun or ()]
    if not servers:
        raise UsageError("nobody to ask; name a relay (--relay) or two (--stun)")
    state = own_state(session)
    async with endpoint_of(session, state) as endpoint, task_group() as group:
        asking = group.create_task(ask_router()) if portmap else None
        report = await measure(
            endpoint,
            servers,
            state.known_relays,
            find_interfaces,
            session.report,
            timeout_s=settings.timeout_s or DETECT_TIMEOUT_S,
        )
        answers = None if asking is None else await asking
    detected = _detected(report, answers)
    return Outcome(detected, _text(detected), _failure(detected, report, expect))


def _check_expected(mapping: str | None) -> None:
    known = [each.value for each in Mapping]
    if mapping is not None and mapping not in known:
        raise UsageError(f"--expect {mapping}: not one of {', '.join(known)}")


def _detected(
    report: "NatReport", router: "dict[MappingProtocol, bool | None] | None"
) -> DetectedNat:
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


def _failure(
    detected: DetectedNat, report: "NatReport", expect: str | None
) -> WzpError | None:
    if all(answer.reflection is None for answer in report.answers):
        return RelayUnreachable("no server answered; is UDP blocked here?")
    if expect is not None and expect != detected.mapping:
        return RequirementNotMet(f"the mapping is {detected.mapping}, not {expect}")
    return None


def _text(detected: DetectedNat) -> str:
    rows = [
        ("reflexive address", detected.reflexive or detected.reflexive_v6 or "unknown"),
        ("mapping", detected.mapping),
        ("filtering", detected.filtering),
        ("port preservation", _yes_no(detected.port_preserving)),
    ]
    if detected.port_mapping != PortMappings():
        rows.append(("port mapping", _port_mapping(detected.port_mapping)))
    facts = [f"  {name + ':':<20}{value}" for name, value in rows]
    servers = [f"  {_server_line(each)}" for each in detected.servers]
    return "\n".join([detected.summary, *facts, "asked:", *servers])


def _port_mapping(mappings: PortMappings) -> str:
    answers = {
        "PCP": mappings.pcp,
        "NAT-PMP": mappings.nat_pmp,
        "UPnP": mappings.upnp,
    }
    offered = ", ".join(name for name, answer in answers.items() if answer)
    if mappings.upnp is None:
        return f"{offered or 'none'} (for UPnP, install wzp[upnp])"
    return offered or "none"


def _server_line(asked: AskedServer) -> str:
    if asked.error is not None:
        return f"{asked.server}: {asked.error}"
    return f"{asked.server} sees {asked.reflexive} ({asked.rtt_ms:.0f} ms)"


def _yes_no(value: bool | None) -> str:
    return "unknown" if value is None else "yes" if value else "no"


def _text_of(address: Address | None) -> str | None:
    return None if address is None else str(address)
