"""`wzp setup`: name, relay and sound devices, once; then a test call to oneself."""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from wzp_cli.address import HostPort
from wzp_cli.cli.command import Outcome, Session, command, command_app
from wzp_cli.cli.options import InOption, OutOption, RelayOption
from wzp_cli.errors import WzpError

if TYPE_CHECKING:
    from wzp_cli.cli.doctor.relays import Visit

__all__ = ["RelayMet", "SetUp", "app", "setup"]


class RelayMet(msgspec.Struct, frozen=True, kw_only=True):
    """A relay that was knocked at. `seen`: our address, as it sees it."""

    relay: str
    seen: str | None
    error: str | None


class SetUp(msgspec.Struct, frozen=True, kw_only=True):
    """What was set, and what the tests found. None: not tested."""

    path: str
    id: str
    settings: dict[str, str | list[str]]
    test_call: bool | None
    codec: str | None
    relays: list[RelayMet]


app = command_app()


@command(app, "setup", result=SetUp, mends=True)
async def setup(
    session: Session,
    name: Annotated[
        str | None, typer.Option("--name", help="What others are shown.")
    ] = None,
    relay: RelayOption = None,
    source: InOption = None,
    sink: OutOption = None,
    test: Annotated[
        bool, typer.Option("--test/--no-test", help="Make a call to yourself.")
    ] = True,
) -> Outcome:
    """Ask for name, relay and devices, keep them, and make a test call to yourself."""
    from wzp_cli.adapters.disk.config import parse_config
    from wzp_cli.adapters.disk.config_file import edited, read_config_text, write_config
    from wzp_cli.cli.commands.config import place_of
    from wzp_cli.cli.compose import own_state
    from wzp_cli.cli.first_run.questions import Answers, answered, may_ask

    place, state = place_of(session), own_state(session)
    text = read_config_text(place)
    parse_config(place, text)  # what is wrong already is told before any question
    given = Answers(name, tuple(relay or ()), source, sink)
    answers = await answered(given, session.settings, asks=may_ask(session.settings))
    settings = _settings(answers.name, answers.relays, answers.source, answers.sink)
    write_config(place, edited(text, settings))
    call = await _test_call(session) if test else None
    visits = await _met(session, answers.relays) if test else []
    done = SetUp(
        path=os.fspath(place),
        id=str(state.keypair.identity),
        settings=dict(settings),
        test_call=None if call is None else call.error is None,
        codec=None if call is None else call.result.codec,
        relays=[_shown(visit) for visit in visits],
    )
    return Outcome(done, _text(done, answers.relays), _failure(call, visits))


def _settings(
    name: str | None,
    relays: tuple[HostPort, ...],
    source: str | None,
    sink: str | None,
) -> "dict[str, str | list[str]]":
    """Return what goes into the file; what was not said stays as it is there."""
    servers = [str(each) for each in relays]
    said: Mapping[str, str | list[str] | None] = {
        "name": name,
        "relay": servers[0] if len(servers) == 1 else servers or None,
        "in": source,
        "out": sink,
    }
    return {key: value for key, value in said.items() if value is not None}


async def _test_call(session: Session) -> Outcome:
    """Call from this machine to this machine, as `wzp demo` does."""
    from wzp_cli.cli.commands.demo import demo

    quiet = replace(session, report=lambda event: None)
    outcome = await demo(quiet)  # type: ignore[misc]
    assert isinstance(outcome, Outcome)
    return outcome


async def _met(session: Session, relays: tuple[HostPort, ...]) -> "list[Visit]":
    from wzp_cli.cli.doctor.relays import visits_to

    settings = session.settings.with_servers(relay=relays)
    return await visits_to(settings) if settings.relays else []


def _shown(visit: "Visit") -> RelayMet:
    from wzp_cli.cli.output.failure import problem

    error = None if visit.error is None else problem(visit.error).message
    return RelayMet(relay=str(visit.relay), seen=visit.seen, error=error)


def _failure(call: Outcome | None, visits: "list[Visit]") -> WzpError | None:
    if call is not None and call.error is not None:
        return call.error
    if any(visit.seen for visit in visits):
        return None
    return next((visit.error for visit in visits if visit.error is not None), None)


def _text(done: SetUp, relays: tuple[HostPort, ...]) -> str:
    from wzp_cli.cli.first_run.next_steps import Here, steps_text

    rows = [f"written: {done.path}"]
    for key, value in done.settings.items():
        words = ", ".join(value) if isinstance(value, list) else value
        rows.append(f"  {key} = {words}")
    if done.test_call is not None:
        went = f"works, codec {done.codec}" if done.test_call else "failed: wzp demo"
        rows.append(f"test call to yourself: {went}")
    for met in done.relays:
        found = f"sees you at {met.seen}" if met.seen else f"no: {met.error}"
        rows.append(f"relay {met.relay}: {found}")
    here = Here(relay=next(map(str, relays), None), settled=True)
    return "\n".join([*rows, "", steps_text(here)])
