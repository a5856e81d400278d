"""`wzp events`: what happens at the wzp that runs here, as lines of JSON."""

import asyncio
from typing import Annotated

import typer

from wzp_cli.cli.command import Outcome, Session, command, command_app
from wzp_cli.cli.options import DurationOption
from wzp_cli.concurrency import task_group
from wzp_cli.errors import NotRunning, RequirementNotMet, UsageError
from wzp_cli.events import Ended, Event, Hello, event_names, name_of

__all__ = ["app", "events"]

app = command_app()


@command(app, "events", stream=True, always_json=True)
async def events(
    session: Session,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="EVENT", help="Nothing else; again for more."),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="EVENT", help="Stop after the first such one."),
    ] = None,
    duration: DurationOption = None,
) -> Outcome | None:
    """Tell what happens at the running listen, register or call, as JSON lines."""
    from wzp_cli.adapters.disk.state import open_state
    from wzp_cli.cli.control.asking import asked_running
    from wzp_cli.protocol.messages.control import AskEvents

    _check_names([*(only or ()), *([until] if until else ())])
    state = open_state(session.settings.state_dir)
    seen = asyncio.Event()

    def tell(event: Event) -> None:
        name = name_of(type(event))
        if seen.is_set():
            return
        if isinstance(event, Hello | Ended) or only is None or name in only:
            session.report(event)
        if name == until:
            seen.set()

    async def follow() -> None:
        if await asked_running(state, AskEvents(), dict, tell, patience_s=None) is None:
            raise NotRunning

    try:
        async with asyncio.timeout(duration), task_group() as group:
            following = group.create_task(follow())
            await seen.wait()
            following.cancel()
    except TimeoutError:
        if until is not None:
            raise RequirementNotMet(f"there was no {until} in that time") from None
    return None


def _check_names(names: list[str]) -> None:
    for name in names:
        if name not in event_names():
            there = ", ".join(event_names())
            raise UsageError(f"no event is named {name!r}; there are {there}")
