"""`wzp` without a command: what is here already, and what to do next.

Looks only: nothing is made, no network is used.
"""

import asyncio
import shlex
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wzp_cli import __version__
from wzp_cli.adapters.control_socket import connect_control, transport
from wzp_cli.adapters.disk.state import State, default_state_directory
from wzp_cli.cli.options import Everywhere
from wzp_cli.cli.settings import Settings, resolve
from wzp_cli.defaults.program import NEXT_STEPS_ASK_S, NEXT_STEPS_CONTACTS
from wzp_cli.errors import ConfigError, WzpError
from wzp_cli.protocol.messages.control import AskStatus
from wzp_cli.protocol.traversal.standing import CallStanding, Standing
from wzp_cli.services.control import ask

__all__ = ["Here", "look_around", "next_steps", "screen", "steps_text"]

Step = tuple[str, str]
"""What to type, and why."""

_DEMO: Step = ("wzp demo", "two calls inside this machine: does it work here?")
_SETUP: Step = ("wzp setup", "your name, a relay, microphone and speaker; once")
_DOCTOR: Step = ("wzp doctor", "what is missing here, and how to get it")
_LISTEN: Step = ("wzp listen", "take calls; prints what others type to call you")
_DIRECT: Step = ("wzp listen", "take calls by host:port; no relay passes others on")
_TEST: Step = ("wzp devices --test", "hear yourself by microphone and speaker")
_HANGUP: Step = ("wzp hangup", "end the call")
_DETECT: Step = ("wzp detect-nat", "will calls go directly from here?")
_STATUS: Step = ("wzp status", "what it is doing, and your ticket")
_NAME: Step = ("wzp contacts add NAME PEER", "give who sent you a ticket a name")
_CALL: Step = ("wzp call PEER", "call: a ticket (wzp:...), identity, or host:port")


@dataclass(frozen=True, kw_only=True)
class Here:
    """What wzp finds on this machine.

    Attributes:
        problem: Why the configuration can't be used; None where it can.
        relay: The relay in use, if one is known.
        contacts: Names of contacts, the first few.
        running: What a wzp on this state directory is doing; None where none runs.
        settled: Whether `wzp setup` has just been through.
    """

    problem: str | None = None
    relay: str | None = None
    contacts: tuple[str, ...] = ()
    running: Standing | None = None
    settled: bool = False


def screen(environ: Mapping[str, str]) -> str:
    """Return what to show where `wzp` was said alone."""
    return next_steps(look_around(environ))


def look_around(environ: Mapping[str, str]) -> Here:
    """Return what is here. Whatever can't be read counts as not there."""
    try:
        settings = resolve(Everywhere(), environ)
    except ConfigError as error:
        return Here(problem=str(error))
    directory = settings.state_dir or default_state_directory()
    contacts: tuple[str, ...] = ()
    with suppress(WzpError):
        names = [each.name for each in State(directory).contacts.all()]
        contacts = tuple(names[:NEXT_STEPS_CONTACTS])
    return Here(
        relay=_relay(settings),
        contacts=contacts,
        running=asyncio.run(_running(directory)),
    )


def _relay(settings: Settings) -> str | None:
    return next(map(str, settings.relays), None)


async def _running(directory: Path) -> Standing | None:
    with suppress(WzpError, TimeoutError):
        async with (
            asyncio.timeout(NEXT_STEPS_ASK_S),
            connect_control(transport(directory)) as channel,
        ):
            if channel is not None:
                return await ask(channel, AskStatus(), Standing, lambda event: None)
    return None


def next_steps(here: Here) -> str:
    """Return one screen: what is here, and the commands that make sense now."""
    head = f"wzp {__version__}: voice calls from one machine to another."
    foot = "All commands: wzp --help. One of them: wzp COMMAND --help."
    return "\n".join([head, "", _standing(here), "", steps_text(here), "", foot])


def steps_text(here: Here) -> str:
    """Return the commands that make sense now, a line each."""
    steps = _steps(here)
    wide = max(len(words) for words, _ in steps)
    return "\n".join(["Next:", *(f"  {words:<{wide}}  {why}" for words, why in steps)])


def _standing(here: Here) -> str:
    if here.problem is not None:
        return f"The configuration is not right:\n  {here.problem}"
    running = here.running
    if running is not None and running.call is not None:
        return f"wzp {running.command} runs here, in a call with {running.call.peer}."
    if running is not None:
        return f"wzp {running.command} runs here."
    if here.relay is None:
        return "No relay is set, so nobody finds you yet. (A relay passes calls on.)"
    return f"Relay {here.relay} is set; nobody can call you before `wzp listen` runs."


def _steps(here: Here) -> list[Step]:
    if here.problem is not None:
        return [("wzp config path", "the file to correct"), _DOCTOR]
    if here.running is not None and here.running.command != "register":
        return [_STATUS, *_in_call(here.running.call), _DETECT]
    calls = [(f"wzp call {_word(name)}", "call a contact") for name in here.contacts]
    if here.settled:
        return [_TEST, *([_LISTEN] if here.relay else [_DIRECT]), _CALL, _NAME]
    if here.relay is None:
        return [_DEMO, _SETUP, _DOCTOR, *calls, _CALL]
    return [_LISTEN, *calls, _CALL, _DETECT, _DOCTOR]


def _in_call(call: CallStanding | None) -> list[Step]:
    if call is None:
        return []
    if call.state == "ringing":
        return [("wzp answer", "take the call that rings"), _HANGUP]
    return [*_whose_key(call), ("wzp mute", "hold your voice back"), _HANGUP]


def _whose_key(call: CallStanding) -> list[Step]:
    """Return what makes sure who that is, while both can read words aloud."""
    if call.verified or call.state != "talking":
        return []
    if call.contact is None:
        return [("wzp contacts add NAME PEER", "give them a name (PEER: see above)")]
    words = f"wzp id verify {_word(call.contact)}"
    return [(words, "read words aloud: is it really their key?")]


def _word(name: str) -> str:
    return shlex.quote(name)
