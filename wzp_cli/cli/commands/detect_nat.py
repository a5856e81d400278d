"""`wzp detect-nat`: what the NAT in front of this machine does."""

from typing import TYPE_CHECKING, Annotated

import typer

from wzp_cli import __version__
from wzp_cli.cli.command import Outcome, Session, command, command_app
from wzp_cli.cli.nat_document import AskedServer, DetectedNat, PortMappings
from wzp_cli.cli.options import RelayOption, StunOption
from wzp_cli.defaults import DETECT_TIMEOUT_S
from wzp_cli.errors import RelayUnreachable, RequirementNotMet, UsageError, WzpError
from wzp_cli.events import Hello, Warned
from wzp_cli.protocol.nat import Mapping

if TYPE_CHECKING:
    from wzp_cli.adapters.state import State
    from wzp_cli.cli.settings import Settings
    from wzp_cli.protocol.control_messages import AskDetectNat, NamedServer

__all__ = ["app", "detect_nat"]

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
    from wzp_cli.cli.compose import own_state
    from wzp_cli.protocol.control_messages import AskDetectNat

    settings = session.settings.with_servers(relay=relay, stun=stun)
    _check_expected(expect)
    request = AskDetectNat(
        servers=_named(settings),
        timeout_s=settings.timeout_s or DETECT_TIMEOUT_S,
        portmap=portmap,
    )
    if not request.servers:
        raise UsageError("nobody to ask; name a relay (--relay) or two (--stun)")
    state = own_state(session)
    detected = None
    if settings.port is None:
        detected = await _through_running(session, state, request)
    if detected is None:
        detected = await _through_own(session, state, request)
    return Outcome(detected, _text(detected), _failure(detected, expect))


def _named(settings: "Settings") -> "list[NamedServer]":
    from wzp_cli.protocol.control_messages import NamedServer

    relays = [NamedServer(name=str(name), kind="relay") for name in settings.relays]
    servers = [NamedServer(name=str(name), kind="stun") for name in settings.stun or ()]
    return relays + servers


async def _through_running(
    session: Session, state: "State", request: "AskDetectNat"
) -> DetectedNat | None:
    """Have the wzp that holds the remembered port measure, if one runs and can."""
    from wzp_cli.cli.steering import asked_running
    from wzp_cli.errors import ControlSilent, ControlUnknown, RemoteProtocolError

    session.report(Hello(id=str(state.keypair.identity), version=__version__))
    patience_s = 2 * request.timeout_s
    try:
        return await asked_running(
            state, request, DetectedNat, session.report, patience_s=patience_s
        )
    except (ControlSilent, ControlUnknown, RemoteProtocolError) as error:
        why = str(error) or "the wzp that runs on this state directory can't measure"
        session.report(Warned(code=error.code, message=why))
        return None


async def _through_own(
    session: Session, state: "State", request: "AskDetectNat"
) -> DetectedNat:
    from wzp_cli.cli.compose import endpoint_of
    from wzp_cli.cli.steering import measured

    async with endpoint_of(session, state) as endpoint:
        return await measured(endpoint, state.known_relays, request, session.report)


def _check_expected(mapping: str | None) -> None:
    known = [each.value for each in Mapping]
    if mapping is not None and mapping not in known:
        raise UsageError(f"--expect {mapping}: not one of {', '.join(known)}")


def _failure(detected: DetectedNat, expect: str | None) -> WzpError | None:
    if all(answer.reflexive is None for answer in detected.servers):
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
    if detected.through != "detect-nat":
        rows.append(("socket", f"that of the running wzp {detected.through}"))
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
