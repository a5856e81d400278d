"""`wzp status`: what the wzp that runs on this state directory is doing."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import typer

from wzp_cli.cli.command import Outcome, Session, command, command_app
from wzp_cli.cli.options import RelayOption
from wzp_cli.errors import RequirementNotMet
from wzp_cli.events import Event, Report, Warned
from wzp_cli.protocol.traversal.standing import CallStanding, MissedCall, Standing

if TYPE_CHECKING:
    from wzp_cli.adapters.disk.state import State

__all__ = ["ContactPresence", "RunningState", "app", "status"]


class ContactPresence(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a contact could be called now; null: not known."""

    name: str
    id: str
    online: bool | None


class RunningState(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a wzp runs on this state directory, and what it is doing.

    `contacts`: null unless they were asked for.
    """

    running: bool
    process: Standing | None
    contacts: list[ContactPresence] | None = None


app = command_app()


@command(app, "status", result=RunningState)
async def status(
    session: Session,
    require: Annotated[
        Literal["running", "registered", "idle"] | None,
        typer.Option("--require", help="Exit 3 if it is not so."),
    ] = None,
    contacts: Annotated[
        bool, typer.Option("--contacts", help="Ask the relay which contacts are there.")
    ] = False,
    relay: RelayOption = None,
) -> Outcome:
    """Say what the listen, register or call that runs here is doing."""
    from wzp_cli.adapters.disk.state import open_state
    from wzp_cli.cli.control.asking import asked_running
    from wzp_cli.protocol.messages.control import AskStatus

    state = open_state(session.settings.state_dir)
    standing = await asked_running(state, AskStatus(), Standing, session.report)
    present = await _presence(session, state, relay) if contacts else None
    running = standing is not None
    found = RunningState(running=running, process=standing, contacts=present)
    text = "\n".join([_text(standing), *_presence_lines(present)])
    return Outcome(found, text, _failure(standing, require))


async def _presence(
    session: Session, state: "State", relay: RelayOption
) -> list[ContactPresence]:
    """Ask our relay for the contacts that are at home there; others are not known."""
    from wzp_cli.cli import compose
    from wzp_cli.services.relays.presence import who_is_online

    people, blocked = state.contacts.all(), state.blocked.all()
    # A socket of its own: the remembered one is the running listener's.
    settings = replace(session.settings.with_servers(relay=relay), port=0)
    quiet = replace(session, settings=settings, report=_only_warnings(session.report))
    async with (
        compose.endpoint_of(quiet, state) as endpoint,
        compose.registered(
            quiet, state, endpoint, settings.relays, publishes=False
        ) as registration,
    ):
        home = registration.relay
        asked = [
            each.identity
            for each in people
            if each.relay in (None, home) and each.identity not in blocked
        ]
        online = await who_is_online(registration, asked)
    return [
        ContactPresence(
            name=each.name, id=str(each.identity), online=online.get(each.identity)
        )
        for each in people
    ]


def _only_warnings(report: Report) -> Report:
    def told(event: Event) -> None:
        if isinstance(event, Warned):
            report(event)

    return told


def _presence_lines(present: list[ContactPresence] | None) -> list[str]:
    words = {True: "online", False: "offline", None: "not known"}
    return [
        *(["contacts:"] if present else []),
        *(f"  {each.name}: {words[each.online]}" for each in present or ()),
    ]


def _failure(
    standing: Standing | None, require: str | None
) -> RequirementNotMet | None:
    if require is None:
        return None
    if standing is None:
        return RequirementNotMet("no wzp runs on this state directory")
    if require == "registered" and not standing.relay_up:
        return RequirementNotMet("it is not registered at a relay now")
    if require == "idle" and standing.call is not None:
        return RequirementNotMet(f"it is in a call with {standing.call.peer}")
    return None


def _text(standing: Standing | None) -> str:
    if standing is None:
        return "No wzp runs on this state directory."
    rows = [
        ("process", f"{standing.pid}, since {standing.since}"),
        ("UDP port", "not open yet" if standing.port is None else str(standing.port)),
        ("from outside", standing.reflexive or "unknown"),
        ("router's port", standing.mapped or "none"),
        ("relay", _relay(standing)),
        ("call", "none" if standing.call is None else _call(standing.call)),
    ]
    if standing.missed:
        rows.append(("missed calls", str(standing.missed)))
    lines = [f"  {name + ':':<15}{value}" for name, value in rows]
    lines += [f"    {_missed(call)}" for call in standing.missed_calls]
    if standing.ticket is not None:
        lines += ["to be called:", f"  wzp call '{standing.ticket}'"]
    return "\n".join([_verdict(standing), *lines])


def _verdict(standing: Standing) -> str:
    if standing.call is not None:
        return f"wzp {standing.command} runs: {_doing(standing.call)}"
    if standing.command == "listen":
        return f"wzp listen runs: {'ready for calls' if standing.ready else 'starting'}"
    return f"wzp {standing.command} runs"


def _relay(standing: Standing) -> str:
    if standing.relay is None:
        return "none"
    return standing.relay if standing.relay_up else f"{standing.relay}, lost"


def _doing(call: CallStanding) -> str:
    if call.state == "talking":
        return "in a call"
    if call.state == "calling":
        return "calling"
    if call.incoming:
        return "a call rings: wzp answer, or wzp hangup"
    return "it rings there"


def _who(call: CallStanding) -> list[str]:
    if call.contact is not None:
        return [f"{call.contact} ({'' if call.verified else 'not '}verified)"]
    return [f'"{call.name}" (not verified)'] if call.name else []


def _call(call: CallStanding) -> str:
    facts = [
        call.peer,
        *_who(call),
        _lasted(call, datetime.now(UTC)),
        *([f"{call.path}, {call.remote}"] if call.path else []),
        *(["muted"] if call.muted else []),
        *(["on hold"] if call.held else []),
        *([f"{call.rtt_ms:.0f} ms"] if call.rtt_ms is not None else []),
        *([f"{call.loss_pct:.1f} % lost"] if call.loss_pct is not None else []),
        *([f"quality {call.mos_est:.1f} of 4.35"] if call.mos_est is not None else []),
    ]
    return ", ".join(filter(None, facts))


def _lasted(call: CallStanding, now: datetime) -> str:
    """Return how long it has lasted, as 0:07 or 1:02:09; "" where it is unknown.

    An older wzp tells only since when, which a clock that is set makes wrong.
    """
    lasted_s = call.lasted_s
    if lasted_s is None:
        try:
            lasted_s = (now - datetime.fromisoformat(call.since)).total_seconds()
        except ValueError:
            return ""
    minutes, seconds = divmod(max(0, round(lasted_s)), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{seconds:02}"
    return f"{minutes}:{seconds:02}"


def _missed(call: MissedCall) -> str:
    name = f' "{call.name}" (not verified)' if call.name else ""
    return f"{call.at} {call.peer}{name}: {call.reason}"
