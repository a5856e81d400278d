"""`wzp call`: call somebody."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import structs

from wzp_cli.cli.command import Outcome, Session, command, command_app
from wzp_cli.cli.options import (
    DurationOption,
    PeerArgument,
    PlainOption,
    PortmapOption,
    RecordOption,
    RelayOption,
    RequireOption,
    RingOption,
    RingTimeoutOption,
    SoundFlags,
)
from wzp_cli.defaults.paths import PROBE_ONLY_PINGS

if TYPE_CHECKING:
    from wzp_cli.adapters.disk.state import State
    from wzp_cli.events import Ended
    from wzp_cli.protocol.messages.control import AskCall

__all__ = ["app", "call"]

app = command_app()


@command(app, "call", stream=True)
async def call(
    session: Session,
    peer: PeerArgument,
    relay: RelayOption = None,
    sound: SoundFlags = SoundFlags(),  # noqa: B008 - frozen
    duration: DurationOption = None,
    record: RecordOption = None,
    ring: RingOption = None,
    ring_timeout: RingTimeoutOption = None,
    require: RequireOption = None,
    portmap: PortmapOption = None,
    plain: PlainOption = None,
    probe_only: Annotated[
        bool, typer.Option("--probe-only", help="Find a path, ring nobody, no sound.")
    ] = False,
) -> Outcome | None:
    """Call PEER: over the relay at once, directly as soon as the NATs are open."""
    from wzp_cli.cli import compose
    from wzp_cli.cli.commands.ping import probe
    from wzp_cli.cli.control import placing, steering
    from wzp_cli.cli.peers import find_other, met
    from wzp_cli.cli.settings import ring_timeout_s
    from wzp_cli.cli.sound import SoundWords, keep_open, recorder, ring_back
    from wzp_cli.cli.view.shown import seen, shown
    from wzp_cli.services.calls.call import CallSettings
    from wzp_cli.services.calls.switchboard import Line, Switchboard
    from wzp_cli.services.calls.talk import CallOutcome

    if probe_only:
        await probe(session, peer, relay, require, portmap, PROBE_ONLY_PINGS, True)
        return None
    state = compose.own_state(session)
    target = find_other(peer, state)
    if portmap is None:
        asked = placing.call_request(session, peer, relay, sound, record)
        if asked is not None:
            asked = structs.replace(
                asked, ring=ring, ring_timeout_s=ring_timeout, duration_s=duration
            )
            found = await _placed(session, state, asked, plain)
            if found is not None:
                compose.required_path(found, require)
                return None
    target = await met(target, state)
    session, watch = steering.watched(session, "call")
    settings = session.settings
    words = SoundWords.choose(session, sound)
    switchboard = Switchboard()
    call_settings = CallSettings(
        name=settings.said.name or "",
        direct=settings.said.privacy != "always-relay",
        policy=state.policies(),
        ring_timeout_s=ring_timeout_s(settings, ring_timeout),
        duration_s=duration,
        on_outcome=lambda outcome: session.report(compose.ended(outcome)),
    )
    record_to = recorder(record, session.report, numbered=False)
    async with (
        shown(
            session,
            seen("call", state, words, target=peer),
            switchboard,
            plain=plain,
        ) as screen,
        keep_open(words, session.report) as open_sound,
        compose.endpoint_of(session, state) as endpoint,
        steering.steered(watch, state, endpoint, switchboard),
        compose.port_mapped(session, endpoint, portmap) as mapping,
        compose.way_to(session, state, endpoint, target, relay) as way,
    ):
        tone = ring_back(session, words, ring, open_sound)
        call_settings = replace(
            call_settings,
            port_mapping=mapping,
            play_tone=tone,
            open_recording=screen.beside(record_to),
        )

        async def make(line: Line) -> CallOutcome:
            how = replace(call_settings, on_controls=line.talks)
            return await placing.make_call(
                session, endpoint, target, way, how, open_sound
            )

        who = peer if target.identity is None else str(target.identity)
        outcome = await switchboard.places(who, target.identity, make)
    compose.connection_kept(outcome)
    compose.required_path(outcome, require)
    return None


async def _placed(
    session: Session, state: "State", asked: "AskCall", plain: bool | None
) -> "Ended | None":
    """Call through the listener that runs, with its screen here; None: it can't be."""
    from wzp_cli.cli.control import placing
    from wzp_cli.cli.control.placed_call import PlacedCall
    from wzp_cli.cli.view.shown import seen_there, shown

    async with placing.running(state) as channel:
        if channel is None:
            return None
        placed = PlacedCall(state, session.report)
        model = seen_there("call", state, asked)
        async with shown(session, model, placed, plain=plain) as screen:
            asked = structs.replace(asked, levels=screen.shows)
            told = replace(session, report=placed.report)
            async with placed.steered():
                return await placing.placed_through_running(told, state, channel, asked)
