"""Commands to test commands with: `wzp probe ...`, one for each way to end.

`python -m tests.cli.probe WORDS` runs `wzp WORDS` with these commands added.
"""

import asyncio
import itertools

import msgspec

from wzp_cli import errors
from wzp_cli.cli import app as app_module
from wzp_cli.cli.command import Outcome, Session, command, command_app
from wzp_cli.cli.options import RelayOption
from wzp_cli.events import Bound, Ended, Hangup, Hello, Warned

__all__ = ["Seen", "answer", "app", "fail", "flood", "unmet", "wait", "watch"]

app = command_app(help="Ways to end.")


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the command was given."""

    relays: list[str]
    timeout_s: float | None
    port: int | None


@command(app, "probe answer", result=Seen)
def answer(session: Session, relay: RelayOption = None) -> Outcome:
    """Answer at once, with a warning."""
    session.report(Bound(port=1, addresses=[]))
    session.report(Warned(code="old", message="the relay is old"))
    settings = session.settings.with_servers(relay=relay)
    relays = [str(each) for each in settings.relays]
    seen = Seen(relays=relays, timeout_s=settings.timeout_s, port=settings.port)
    return Outcome(seen, "seen")


@command(app, "probe unmet", result=Seen)
def unmet(session: Session) -> Outcome:
    """Measure, and find a requirement broken."""
    seen = Seen(relays=[], timeout_s=None, port=None)
    return Outcome(seen, "seen", errors.RequirementNotMet("it is not so"))


@command(app, "probe fail", result=Seen)
async def fail(session: Session, how: str) -> Outcome:
    """Raise the error of that name, out of a task."""

    async def break_down() -> None:
        kind = getattr(errors, how, None)
        raise ZeroDivisionError("1/0") if kind is None else kind("it broke")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(break_down())
    raise AssertionError


@command(app, "probe wait", stream=True)
async def wait(session: Session) -> None:
    """Wait until stopped, and hang up then."""
    session.report(Hello(id="wzp1me", version="1"))
    session.report(Bound(port=4, addresses=["192.0.2.1:4"]))
    try:
        await asyncio.Event().wait()
    finally:
        session.report(Hangup(reason="stopped", by="local"))
        session.report(Ended(ok=True, exit=0, peer="wzp1you"))


@command(app, "probe flood", stream=True)
async def flood(session: Session) -> None:
    """Say something for ever."""
    for number in itertools.count():
        session.report(Warned(code="more", message=f"number {number}"))
        await asyncio.sleep(0)


@command(app, "probe watch", result=Seen, stream="on")
def watch(session: Session, on: bool = False) -> Outcome | None:
    """Answer once, or with --on in a stream."""
    if on:
        session.report(Ended(ok=False, exit=5))
        return None
    return Outcome(Seen(relays=[], timeout_s=None, port=None), "")


if __name__ == "__main__":
    app_module.COMMANDS = {**app_module.COMMANDS, "probe": "tests.cli.probe"}
    app_module.main()
