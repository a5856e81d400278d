"""Pings: made here, or through the `listen` on this state directory.

Through it, so that the path is that of a call: the same socket, port and relay link.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from wzp_cli import __version__
from wzp_cli.adapters.disk.state import State
from wzp_cli.address import HostPort
from wzp_cli.cli import compose
from wzp_cli.cli.command import Session
from wzp_cli.cli.control.asking import asked_running
from wzp_cli.cli.peers import Peer, named_relay
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.errors import ControlEnded, ControlSilent, ControlUnknown
from wzp_cli.events import Bound, Ended, Hello, Report, Warned
from wzp_cli.ports import PortMapping
from wzp_cli.protocol.messages.control import AskPing
from wzp_cli.services.calls.ping import (
    PingOutcome,
    PingSettings,
    ping_address,
    ping_identity,
)
from wzp_cli.services.relays.registration import Registration

__all__ = ["Pinger", "make_ping", "pinged_through_running"]


@dataclass(frozen=True)
class Pinger:
    """What pings are made with.

    Attributes:
        registration, mapping: What there is already; None where there is none.
    """

    session: Session
    state: State
    endpoint: Endpoint
    registration: Registration | None = None
    mapping: PortMapping | None = None

    async def ping(self, target: Peer, request: AskPing, report: Report) -> Ended:
        """Ping somebody for another command; tell it, and nobody else.

        Raises:
            UsageError: The request names no relay.
            WzpError: As `make_ping`.
        """
        hosts = [each.host for each in compose.find_interfaces()]
        report(Bound(port=self.endpoint.local.port, addresses=hosts))
        relays = [named_relay(name) for name in request.relay]
        how = PingSettings(count=request.count, until_direct=request.until_direct)
        asker = replace(self, session=replace(self.session, report=report))
        return compose.pinged(await make_ping(asker, target, relays, how))


async def make_ping(
    pinger: Pinger, target: Peer, relays: Sequence[HostPort] | None, how: PingSettings
) -> PingOutcome:
    """Ping somebody; raises as `compose.way_to` and `services.ping` do."""
    session, state, endpoint = pinger.session, pinger.state, pinger.endpoint
    said, find, report = session.settings.said, compose.find_interfaces, session.report
    how = replace(
        how,
        name=said.name or "",
        direct=said.privacy != "always-relay",
        port_mapping=pinger.mapping,
        policy=state.policies(),
    )
    async with compose.way_to(
        session, state, endpoint, target, relays, pinger.registration
    ) as way:
        if isinstance(way, list):
            return await ping_address(endpoint, way, target.identity, how, find, report)
        identity, registration = way
        return await ping_identity(endpoint, registration, identity, how, find, report)


async def pinged_through_running(
    session: Session, state: State, request: AskPing
) -> Ended | None:
    """Have the running listener ping; None where none runs that could.

    Raises:
        WzpError: Why it found nobody.
    """
    session.report(Hello(id=str(state.keypair.identity), version=__version__))
    try:
        return await asked_running(
            state, request, Ended, session.report, patience_s=None
        )
    except ControlEnded:
        raise
    except (ControlUnknown, ControlSilent) as error:
        why = "the wzp that runs on this state directory can't ping for us"
        session.report(Warned(code=error.code, message=why))
        return None
