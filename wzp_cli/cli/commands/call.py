"""`wzp call`: call somebody."""

from typing import TYPE_CHECKING, Annotated

import typer

from wzp_cli.cli.command import Outcome, Session, command, command_app
from wzp_cli.cli.options import (
    DurationOption,
    InOption,
    OutOption,
    RelayOption,
    RequireOption,
    RingTimeoutOption,
)
from wzp_cli.defaults import PROBE_ONLY_PINGS
from wzp_cli.errors import UsageError

if TYPE_CHECKING:
    from wzp_cli.adapters.state import State
    from wzp_cli.cli.compose import Peer
    from wzp_cli.cli.settings import Settings
    from wzp_cli.endpoint.endpoint import Endpoint
    from wzp_cli.ports import OpenSound
    from wzp_cli.services.call import CallSettings
    from wzp_cli.services.talk import CallOutcome

__all__ = ["app", "call"]

app = command_app()


@command(app, "call", stream=True)
async def call(
    session: Session,
    peer: Annotated[
        str,
        typer.Argument(
            metavar="PEER", help="Contact, identity, wzp: ticket, or host:port."
        ),
    ],
    relay: RelayOption = None,
    source: InOption = None,
    sink: OutOption = None,
    duration: DurationOption = None,
    ring_timeout: RingTimeoutOption = None,
    require: RequireOption = None,
    probe_only: Annotated[
        bool, typer.Option("--probe-only", help="Find a path, ring nobody, no sound.")
    ] = False,
) -> Outcome | None:
    """Call PEER: over the relay at once, directly as soon as the NATs are open."""
    from wzp_cli.cli import compose
    from wzp_cli.cli.commands.ping import probe
    from wzp_cli.cli.settings import ring_timeout_s
    from wzp_cli.services.call import CallSettings

    settings = session.settings.with_servers(relay=relay)
    state = compose.own_state(session)
    target = compose.find_peer(peer, state)
    if target.identity == state.keypair.identity:
        error = UsageError("that is your own identity")
        error.add_note("To try it on one machine, be two: --state-dir /tmp/other.")
        raise error
    if probe_only:
        await probe(session, peer, relay, require, PROBE_ONLY_PINGS, until_direct=True)
        return None
    words = compose.SoundWords.choose(session, source, sink)
    call_settings = CallSettings(
        name=settings.said.name or "",
        direct=settings.said.privacy != "always-relay",
        ring_timeout_s=ring_timeout_s(settings, ring_timeout),
        duration_s=duration,
        on_outcome=lambda outcome: session.report(compose.ended(outcome)),
    )
    async with (
        compose.keep_open(words) as sound,
        compose.endpoint_of(session, state) as endpoint,
    ):
        outcome = await _call(
            session,
            state,
            endpoint,
            settings,
            target,
            call_settings,
            sound,
            flagged=bool(relay),
        )
    compose.connection_kept(outcome)
    compose.required_path(outcome, require)
    return None


async def _call(
    session: Session,
    state: "State",
    endpoint: "Endpoint",
    settings: "Settings",
    target: "Peer",
    call_settings: "CallSettings",
    sound: "OpenSound",
    *,
    flagged: bool,
) -> "CallOutcome":
    from wzp_cli.adapters.sound import open_codec
    from wzp_cli.cli import compose
    from wzp_cli.services.call import call_address, call_identity

    addresses = list(target.addresses)
    if target.direct is not None:
        addresses = await endpoint.resolve(target.direct)
    if target.identity is None or (addresses and not target.relay):
        return await call_address(
            endpoint,
            addresses,
            target.identity,
            call_settings,
            sound,
            open_codec,
            compose.find_interfaces,
            session.report,
        )
    # Where the peer says it is; but the flag is the last word.
    relays = settings.relays if flagged or not target.relay else (target.relay,)
    async with compose.registered(
        session, state, endpoint, relays, publishes=False
    ) as registration:
        return await call_identity(
            endpoint,
            registration,
            target.identity,
            call_settings,
            sound,
            open_codec,
            compose.find_interfaces,
            session.report,
        )
