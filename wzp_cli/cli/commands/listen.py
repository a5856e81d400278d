"""`wzp listen`: be there for calls."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from wzp_cli.cli.command import Outcome, Session, command, command_app
from wzp_cli.cli.options import (
    DurationOption,
    LanOption,
    PlainOption,
    PortmapOption,
    RecordOption,
    RelayOption,
    RequireOption,
    RingOption,
    RingTimeoutOption,
    SoundFlags,
    TicketExpiresOption,
)
from wzp_cli.errors import UsageError
from wzp_cli.events import Incoming, Ready, Warned

if TYPE_CHECKING:
    from collections.abc import Callable

    from wzp_cli.adapters.disk.state import State
    from wzp_cli.address import Address
    from wzp_cli.cli.sound import SoundWords
    from wzp_cli.cli.view.stage import Stage
    from wzp_cli.endpoint.endpoint import Endpoint
    from wzp_cli.protocol.names.policy import Answering
    from wzp_cli.services.calls.listen import AskHuman
    from wzp_cli.services.relays.registration import Registration

__all__ = ["app", "listen"]

app = command_app()

AutoAnswer = Literal["contacts", "all", "off"]
Direct = Literal["anyone", "off"]


@command(app, "listen", stream=True)
async def listen(
    session: Session,
    relay: RelayOption = None,
    auto_answer: Annotated[
        AutoAnswer | None,
        typer.Option("--auto-answer", help="Whose calls to take without asking."),
    ] = None,
    open_mic: Annotated[
        bool, typer.Option("--open-mic", help="Let --auto-answer all hear this room.")
    ] = False,
    direct: Annotated[
        Direct | None,
        typer.Option("--direct", help="Who may dial this port without a relay."),
    ] = None,
    sound: SoundFlags = SoundFlags(),  # noqa: B008 - frozen
    echo: Annotated[
        bool, typer.Option("--echo", help="Let callers hear themselves: a test.")
    ] = False,
    record: RecordOption = None,
    once: Annotated[
        bool, typer.Option("--once", help="Stop after the first call.")
    ] = False,
    duration: DurationOption = None,
    ring: RingOption = None,
    ring_timeout: RingTimeoutOption = None,
    require: RequireOption = None,
    portmap: PortmapOption = None,
    lan: LanOption = None,
    on: Annotated[
        list[str] | None,
        typer.Option(
            "--on", metavar="EVENT=CMD", help="Run CMD at each such event; again."
        ),
    ] = None,
    plain: PlainOption = None,
    qr: Annotated[
        bool, typer.Option("--qr", help="Draw the ticket as a QR code.")
    ] = False,
    ticket_expires: TicketExpiresOption = None,
) -> Outcome | None:
    """Take calls, from the relay and from whoever dials this port, until stopped."""
    from wzp_cli.adapters.qr_code import drawn_qr_code
    from wzp_cli.adapters.sound import open_codec
    from wzp_cli.cli import compose
    from wzp_cli.cli import sound as sounding
    from wzp_cli.cli.control import steering
    from wzp_cli.cli.control.placing import CallPlacer
    from wzp_cli.cli.hooking import hooked
    from wzp_cli.cli.lan import announcing, wants_lan
    from wzp_cli.cli.output.channels import say
    from wzp_cli.cli.settings import ring_timeout_s
    from wzp_cli.cli.view.shown import seen, shown
    from wzp_cli.protocol.messages.control import AskCall, AskPing
    from wzp_cli.services.calls.listen import ListenSettings
    from wzp_cli.services.calls.listen import listen as serve_calls
    from wzp_cli.services.calls.switchboard import Switchboard

    settings = session.settings.with_servers(relay=relay)
    session, watch = steering.watched(session, "listen")
    state = compose.own_state(session)
    session, hooks = hooked(session, on or (), state)
    words = sounding.SoundWords.choose(session, sound, echo=echo)
    if qr:
        drawn_qr_code(f"wzp:{state.keypair.identity}")  # what is missing is told now
    state.policies()  # a file that can't be read is told now, not when somebody calls
    answers = _answering(auto_answer or settings.said.auto_answer)
    opens = open_mic or bool(settings.said.open_mic)
    _check_answering(session, state, answers, words, opens)
    switchboard = Switchboard()
    dialled = (direct or settings.said.direct or "anyone") == "anyone"
    is_announced = wants_lan(settings, lan, dialled=dialled)
    if not (settings.relays or dialled):
        raise UsageError(
            "nobody could call: no relay is known (--relay), and --direct is off"
        )
    listen_settings = ListenSettings(
        name=settings.said.name or "",
        direct=settings.said.privacy != "always-relay",
        strangers_dial=dialled,
        auto_answer=answers,
        policy=state.policy,
        namesake=state.contacts.namesake,
        once=once,
        ring_timeout_s=ring_timeout_s(settings, ring_timeout),
        duration_s=duration,
        on_outcome=lambda outcome: session.report(compose.ended(outcome)),
        play_tone=sounding.ring(session, words, ring),
        switchboard=switchboard,
    )
    record_to = sounding.recorder(record, session.report, numbered=not once)
    async with sounding.keep_open(words.devices):
        pass  # what is missing is told now, not when somebody calls
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(hooks.running())
        screen = await stack.enter_async_context(
            shown(
                session,
                seen("listen", state, words, answers=answers),
                switchboard,
                plain=plain or qr or None,  # the picture is to stay
                bell=settings.said.ring is not False and ring is not False,
            )
        )
        endpoint = await stack.enter_async_context(compose.endpoint_of(session, state))
        placer = CallPlacer(session, state, endpoint, switchboard, sound, ring)
        is_steered = await stack.enter_async_context(
            steering.steered(
                watch,
                state,
                endpoint,
                switchboard,
                {AskCall: placer.place, AskPing: placer.ping},
            )
        )
        if _needs_somebody(state, answers):
            _check_somebody_answers(session, is_steered)
        registration = None
        if settings.relays:
            entering = compose.registered(
                *(session, state, endpoint, settings.relays),
                publishes=True,
                goes_on=is_announced,
            )
            registration = await stack.enter_async_context(entering)
        if is_announced:
            await stack.enter_async_context(announcing(session, state, endpoint))
        mapping = await stack.enter_async_context(
            compose.port_mapped(session, endpoint, portmap)
        )
        placer.registration, placer.mapping = registration, mapping
        expires = compose.expiry(ticket_expires)
        ticket = _report_ready(session, state, endpoint, registration, expires)
        if qr:
            say(drawn_qr_code(ticket))
        listen_settings = replace(
            listen_settings,
            port_mapping=mapping,
            open_recording=screen.beside(record_to),
        )
        outcome = await screen.until_quit(
            serve_calls(
                endpoint,
                registration,
                listen_settings,
                _asker(session, is_steered, screen),
                sounding.sound_opener(words, session.report),
                open_codec,
                compose.find_interfaces,
                session.report,
            )
        )
    compose.connection_kept(outcome)
    compose.required_path(outcome, require)
    return None


def _answering(said: AutoAnswer | None) -> "Answering":
    """Return whose calls are taken without asking: "off" is nobody's, whoever it is."""
    match said:
        case None:
            return "chosen"
        case "off":
            return "nobody"
        case _:
            return said


def _check_answering(
    session: Session,
    state: "State",
    answers: "Answering",
    words: "SoundWords",
    open_mic: bool,
) -> None:
    """A stranger never reaches a microphone without a human answer."""
    if answers == "all" and words.hears and not open_mic:
        raise UsageError(
            "--auto-answer all would let any stranger hear this room; choose another "
            "--in, or say --open-mic"
        )
    if _needs_somebody(state, answers) and session.settings.no_input:
        raise UsageError(
            "nobody could answer here (--no-input): say --auto-answer contacts or all"
        )


def _needs_somebody(state: "State", answers: "Answering") -> bool:
    """Return whether no call at all would be taken without a person."""
    chosen = any(contact.auto_answer for contact in state.contacts.all())
    return answers == "nobody" or (answers == "chosen" and not chosen)


def _check_somebody_answers(session: Session, is_steered: bool) -> None:
    """Check that there is a terminal, or that `wzp answer` reaches us."""
    if not (is_steered or _can_ask(session)):
        raise UsageError(
            "nobody could answer here: there is no terminal, and `wzp answer` reaches "
            "another wzp that runs on this state directory; stop that one, or say "
            "--auto-answer contacts or all"
        )


def _can_ask(session: Session) -> bool:
    from wzp_cli.cli.output.prompt import can_ask

    return can_ask() and not session.settings.no_input


def _asker(session: Session, is_steered: bool, screen: "Stage") -> "AskHuman":
    """Return what asks the person here.

    Where there is no terminal, it rings until `wzp answer` or `wzp hangup` says how it
    goes on; where neither can reach us, calls are declined.
    """
    from wzp_cli.cli.output.prompt import ask_at_terminal
    from wzp_cli.protocol.names.identity import Identity

    async def ask(incoming: Incoming) -> bool:
        if is_steered and not (session.settings.no_input or _can_ask(session)):
            await asyncio.Event().wait()
        if not _can_ask(session):
            message = "that call was declined: nobody can be asked here"
            session.report(Warned(code="nobody_to_ask", message=message))
            return False
        if screen.shows:
            return await screen.ask()
        identity = Identity.parse(incoming.peer)
        who = identity.short
        if incoming.contact is not None:
            verified = "verified" if incoming.verified else "not verified"
            who = f"{incoming.contact}, a contact ({verified}),"
        if incoming.namesake is not None:
            who += f" (NOT the key of your contact {incoming.namesake})"
        return await ask_at_terminal(f"{who} calls. Answer?")

    return ask


def _report_ready(
    session: Session,
    state: "State",
    endpoint: "Endpoint",
    registration: "Registration | None",
    expires: int | None,
) -> str:
    """Tell that we take calls, and by which ticket; return that.

    It is told again, with another ticket, once a relay that was silent has answered.
    """
    from wzp_cli.protocol.names.ticket import Ticket

    identity = state.keypair.identity
    if registration is not None and registration.is_up:
        relay = state.known_relays.told(registration.relay)
        ticket = Ticket(identity, relay=relay, expires=expires)
    else:
        direct = tuple(_direct_addresses(endpoint))
        where = " or ".join(map(str, direct)) or "an address of this machine"
        message = f"no relay: only who reaches {where} can call"
        if registration is not None:
            message += f", until {registration.relay} answers; it is called again"
            _once_up(
                registration,
                lambda: _report_ready(session, state, endpoint, registration, expires),
            )
        session.report(Warned(code="no_relay", message=message))
        ticket = Ticket(identity, direct=direct, expires=expires)
    text = ticket.format(state.keypair)
    session.report(Ready(id=str(identity), ticket=text))
    return text


def _direct_addresses(endpoint: "Endpoint") -> "list[Address]":
    from wzp_cli.address import Address
    from wzp_cli.cli.compose import find_interfaces
    from wzp_cli.defaults.paths import MAX_CANDIDATES

    hosts = [each.host for each in find_interfaces()][:MAX_CANDIDATES]
    return [Address(host, endpoint.local.port) for host in hosts]


def _once_up(registration: "Registration", act: "Callable[[], object]") -> None:
    """Act once, when the relay has answered, and that was told."""
    loop = asyncio.get_running_loop()

    def look() -> None:
        if registration.is_up:
            registration.watchers.discard(look)
            loop.call_soon(act)

    registration.watchers.add(look)
