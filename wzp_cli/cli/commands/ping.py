"""`wzp ping`: is there a direct path to somebody, and how long does it take?"""

from typing import Annotated

import typer

from wzp_cli.cli.command import Outcome, Session, command, command_app
from wzp_cli.cli.options import PeerArgument, PortmapOption, RelayOption, RequireOption

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
    await probe(session, peer, relay, require, portmap, count, until_direct)
    return None


async def probe(
    session: Session,
    peer: str,
    relay: RelayOption,
    require: RequireOption,
    portmap: PortmapOption,
    count: int,
    until_direct: bool,
) -> None:
    """Ping whom the words name, and report what came of it; by a listener that runs.

    Args:
        session: The command's.
        peer: PEER as it was said, as the options after it.
        relay: --relay.
        require: --require.
        portmap: --portmap.
        count: How many pings at most.
        until_direct: Whether to stop when the path is direct.

    Raises:
        UsageError: They name nobody, or ourselves.
        RequirementNotMet: `require` says direct, and it never was.
    """
    from wzp_cli.cli import compose
    from wzp_cli.cli.control import pinging
    from wzp_cli.cli.peers import find_other, met
    from wzp_cli.protocol.messages.control import AskPing
    from wzp_cli.services.calls.ping import PingSettings

    state = compose.own_state(session)
    target = find_other(peer, state)
    if portmap is None and session.settings.port is None:
        words = tuple(map(str, relay or ()))
        asked = AskPing(peer=peer, relay=words, count=count, until_direct=until_direct)
        found = await pinging.pinged_through_running(session, state, asked)
        if found is not None:
            session.report(found)
            compose.required_path(found, require)
            return
    target = await met(target, state)
    async with (
        compose.endpoint_of(session, state) as endpoint,
        compose.port_mapped(session, endpoint, portmap) as mapping,
    ):
        how = PingSettings(count=count, until_direct=until_direct)
        pinger = pinging.Pinger(session, state, endpoint, None, mapping)
        outcome = await pinging.make_ping(pinger, target, relay, how)
    session.report(compose.pinged(outcome))
    compose.required_path(outcome, require)
