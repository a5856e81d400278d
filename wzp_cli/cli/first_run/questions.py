"""What `wzp setup` asks, and what it takes for an answer."""

import getpass
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from wzp_cli.adapters.sound import check_words
from wzp_cli.adapters.sound_card.devices import Direction, SoundDevice, list_devices
from wzp_cli.address import HostPort
from wzp_cli.cli.options import parse_relay
from wzp_cli.cli.output.channels import say
from wzp_cli.cli.output.failure import problem
from wzp_cli.cli.output.prompt import ask_line, can_ask
from wzp_cli.cli.settings import Settings
from wzp_cli.errors import SoundError, UsageError
from wzp_cli.protocol.names.text import clean

__all__ = ["Answers", "Ask", "answered", "may_ask"]

Ask = Callable[[str, str], Awaitable[str]]
"""Question and what an empty answer means; returns what was typed."""

_WORD: Final[dict[Direction, str]] = {"microphone": "mic", "speaker": "speaker"}


@dataclass(frozen=True, slots=True)
class Answers:
    """What was said, by flags or to questions. None and () where nothing was."""

    name: str | None
    relays: tuple[HostPort, ...]
    source: str | None
    sink: str | None


def may_ask(settings: Settings) -> bool:
    """Return whether somebody is there to be asked, and wants to be."""
    return can_ask() and not settings.no_input and not settings.json


async def answered(
    given: Answers, settings: Settings, *, asks: bool, ask: Ask = ask_line
) -> Answers:
    """Return what the flags said, and for the rest what is answered.

    Args:
        given: The flags.
        settings: What holds so far: the answer that Enter alone gives.
        asks: Whether anybody may be asked.
        ask: Asks one question.

    Raises:
        UsageError: A flag's value is of no use.
    """
    _check(given)
    if not asks:
        return given
    said = settings.said
    say("Enter alone takes what stands in brackets; Ctrl-C leaves all as it was.")
    name = given.name
    if name is None:
        name = clean(await ask("Your name, as others see it", said.name or _user()))
    relays = given.relays or await _ask_relays(settings, ask)
    source, sink = given.source, given.sink
    if source is None or sink is None:
        devices = _devices()
        if source is None:
            source = await _ask_device("microphone", devices, said.source, ask)
        if sink is None:
            sink = await _ask_device("speaker", devices, said.sink, ask)
    return Answers(name or None, relays, source, sink)


def _check(given: Answers) -> None:
    if given.name is not None and not clean(given.name):
        raise UsageError("--name wants a name that can be shown")
    check_words(given.source or "null", given.sink or "null")


async def _ask_relays(settings: Settings, ask: Ask) -> tuple[HostPort, ...]:
    """Ask until the answer is an address, or nothing."""
    usual = ", ".join(map(str, settings.relays))
    while True:
        typed = await ask("Relay: host, host:port, or - for none", usual or "-")
        if typed == "-":
            return ()
        try:
            return tuple(parse_relay(each) for each in typed.split(","))
        except ValueError as error:
            say(f"{error}.")


async def _ask_device(
    direction: Direction, devices: list[SoundDevice], said: str | None, ask: Ask
) -> str | None:
    """Ask which device; None where the system's own choice shall stay it."""
    able = [device for device in devices if device.can_be(direction)]
    if not able:
        return None
    for device in able:
        say(f"  {device.index:>3}  {device.name}  ({device.driver})")
    word = _WORD[direction]
    while True:
        usual = said or "the system's choice"
        typed = await ask(f"Number of the {direction}", usual)
        if typed == usual:
            return said
        for device in able:
            if typed in (str(device.index), device.name):
                return f"{word}:{device.name}"
        say(f"There is no {direction} {typed}.")


def _devices() -> list[SoundDevice]:
    try:
        return list_devices()
    except SoundError as error:
        told = problem(error)
        say(f"{told.message} {told.hint}")
        return []


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user: a container's
        return "me"
