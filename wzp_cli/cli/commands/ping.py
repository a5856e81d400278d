"""`wzp ping`: is there a direct path to somebody, and how long does it take?"""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from wzp_cli.cli.command import Outcome, Session, command, command_app
from wzp_cli.cli.options import PeerArgument, PortmapOption, RelayOption, RequireOption

if TYPE_CHECKING:
    from wzp_cli.services.ping import PingOutcome, PingSettings

__all__ = ["app", "ping", "probe"]

app = command_app()


@command(app, "ping", stream=True)
async def ping(
    session: Session,
    peer: PeerArgument,
    relay: RelayOption = None,
    count: Annotated[
        int, typer.Option("--count", "-c", min=1, help="Pings, one each second.")
    ] = 10,
    until_direct: Annotated[
        bool, typer.Option("--until-direct", help="Stop when the path is direct.")
    ] = False,
    require: RequireOption = None,
    portmap: PortmapOption = None,
) -> Outcome | None:
    """Ping PEER without ringing: over the relay, and directly where there is a way."""
    from wzp_cli.services.ping import PingSettings

    how = PingSettings(count=count, until_direct=until_direct)
    await probe(session, peer, relay, require, portmap, how)
    return None


async def probe(
    session: Session,
    peer: str,
    relay: RelayOption,
    require: RequireOption,
    portmap: PortmapOption,
    how: "PingSettings",
) -> None:
    """Ping whom the words name, and report what came of it.

    Args:
        session: The command's.
        peer: PEER as it was said, as the options after it.
        relay: --relay.
        require: --require.
        portmap: --portmap.
        how: How many pings; the rest follows from what is said for all calls.

    Raises:
        UsageError: They name nobody, or ourselves.
        RequirementNotMet: `require` says direct, and it never was.
    """
    from wzp_cli.cli import compose

    said = session.settings.said
    direct = said.privacy != "always-relay"
    how = replace(how, name=said.name or "", direct=direct)
    outcome = await _probe(session, peer, relay, portmap, how)
    session.report(compose.pinged(outcome))
    compose.required_path(outcome, require)


async def _probe(
    session: Session,
    peer: str,
    relay: RelayOption,
    portmap: PortmapOption,
    how: "PingSettings",
) -> "PingOutcome":
    from wzp_cli.cli import compose
    from wzp_cli.cli.peers import find_other, met
    from wzp_cli.services.ping import ping_address, ping_identity

    state = compose.own_state(session)
    target = await met(find_other(peer, state), state)
    find, report = compose.find_interfaces, session.report
    async with (
        compose.endpoint_of(session, state) as endpoint,
        compose.port_mapped(session, endpoint, portmap) as mapping,
        compose.way_to(session, state, endpoint, target, relay) as way,
    ):
        how = replace(how, port_mapping=mapping, policy=state.policies())
        if isinstance(way, list):
            return await ping_address(endpoint, way, target.identity, how, find, report)
        identity, registration = way
        return await ping_identity(endpoint, registration, identity, how, find, report)
