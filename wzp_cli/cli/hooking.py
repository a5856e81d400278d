"""`--on EVENT=CMD` and the table `[on]`: from their words to programs that run.

    session, hooks = hooked(session, words, state)
    async with hooks.running(): ...

The program is given the line that `wzp events` would print, on its standard input.
"""

import os
import shlex
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from wzp_cli.adapters.disk.state import State
from wzp_cli.adapters.hooks import Argv, HookRunner, are_hooks_possible
from wzp_cli.cli.command import Session
from wzp_cli.cli.output.event_stream import enveloped
from wzp_cli.errors import UsageError
from wzp_cli.events import Event, Warned, event_names, name_of

__all__ = ["hooked", "parse_hooks"]


def parse_hooks(
    flags: Iterable[str], table: Mapping[str, str | Sequence[str]]
) -> dict[str, list[Argv]]:
    """Return what to run for each event; of one, flags count before the file.

    Raises:
        UsageError: No such event, no such program, or quotes that do not match.
    """
    flags = tuple(flags)
    if (flags or table) and not are_hooks_possible():
        raise UsageError("hooks (--on) do not work on Windows yet: follow `wzp events`")
    said: dict[str, list[Argv]] = {}
    for words in flags:
        event, equals, command = words.partition("=")
        if not equals:
            raise UsageError(f"--on {words}: write EVENT=CMD")
        said.setdefault(event, []).append(_argv(event, command))
    for event, commands in table.items():
        if event not in said:
            several = [commands] if isinstance(commands, str) else commands
            said[event] = [_argv(event, command) for command in several]
    return said


def _argv(event: str, command: str) -> Argv:
    if event not in event_names():
        there = ", ".join(event_names())
        raise UsageError(f"no event is named {event!r}; there are {there}")
    try:
        argv = tuple(shlex.split(command))
    except ValueError as error:
        raise UsageError(f"--on {event}={command}: {error}") from error
    if not argv or shutil.which(argv[0]) is None:
        program = argv[0] if argv else ""
        raise UsageError(f"--on {event}: there is no program {program!r}")
    return argv


def hooked(
    session: Session, flags: Sequence[str], state: State
) -> tuple[Session, HookRunner]:
    """Return a session whose events also run programs, and what runs them.

    What goes wrong there is told to the session as it was: no hook hears of hooks.

    Raises:
        UsageError: As `parse_hooks`.
    """
    report = session.report
    commands = parse_hooks(flags, session.settings.said.on or {})
    environment = {**os.environ, "WZP_STATE_DIR": str(state.directory.absolute())}
    hooks = HookRunner(
        commands,
        environment,
        lambda message: report(Warned(code="hook", message=message)),
    )
    started_s, seen = time.monotonic(), 0

    def both(event: Event) -> None:
        nonlocal seen
        report(event)
        t_ms = round((time.monotonic() - started_s) * 1000, 1)
        hooks.put(name_of(type(event)), enveloped(event, seen, t_ms))
        seen += 1

    return (replace(session, report=both) if commands else session), hooks
