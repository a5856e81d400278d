"""The `wzp` command: which commands there are, and `main`.

A command's module is imported only when that command is named. `main` reads the words,
runs the job that they ask for, and turns whatever happens into an exit code.
"""

import os
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any

import typer
from typer._click.exceptions import NoArgsIsHelpError
from typer.core import TyperGroup

from wzp_cli.cli.command import Command, Job, command_app, declared

__all__ = ["COMMANDS", "COMPLETES", "app", "main", "run"]

COMMANDS: Mapping[str, str] = {
    "setup": "wzp_cli.cli.commands.setup",
    "doctor": "wzp_cli.cli.commands.doctor",
    "demo": "wzp_cli.cli.commands.demo",
    "detect-nat": "wzp_cli.cli.commands.detect_nat",
    "forecast": "wzp_cli.cli.commands.forecast",
    "report": "wzp_cli.cli.commands.report",
    "register": "wzp_cli.cli.commands.register",
    "listen": "wzp_cli.cli.commands.listen",
    "call": "wzp_cli.cli.commands.call",
    "ping": "wzp_cli.cli.commands.ping",
    "status": "wzp_cli.cli.commands.status",
    "events": "wzp_cli.cli.commands.events",
    "answer": "wzp_cli.cli.commands.answer",
    "hangup": "wzp_cli.cli.commands.hangup",
    "mute": "wzp_cli.cli.commands.mute",
    "talk": "wzp_cli.cli.commands.talk",
    "hold": "wzp_cli.cli.commands.hold",
    "relay": "wzp_cli.cli.commands.relay",
    "devices": "wzp_cli.cli.commands.devices",
    "lan": "wzp_cli.cli.commands.lan",
    "contacts": "wzp_cli.cli.commands.contacts",
    "id": "wzp_cli.cli.commands.id",
    "config": "wzp_cli.cli.commands.config",
    "completion": "wzp_cli.cli.commands.completion",
}
"""Each command's module. Its `app` is the command, or the group of that name."""

COMPLETES = "_WZP_COMPLETE"
"""The variable by which a shell asks what may come next (`wzp completion`)."""


class _LazyCommands(MutableMapping[str, Any]):
    """The commands as typer wants them, each loaded when it is looked at."""

    def __init__(self, modules: Mapping[str, str]) -> None:
        self._modules = modules
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self[name] = typer.main.get_command(import_module(self._modules[name]).app)
        return self._loaded[name]

    def __setitem__(self, name: str, command: Any) -> None:
        command.name = name
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        raise TypeError("commands are not taken away")

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)


class _LazyGroup(TyperGroup):
    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _LazyCommands(COMMANDS)


app = command_app(help="Peer-to-peer voice calls and NAT diagnosis.")
app.info.cls = _LazyGroup


def main() -> None:
    """Run `wzp` with the words of this process."""
    sys.exit(run(sys.argv[1:], os.environ))


def run(argv: list[str], environ: Mapping[str, str]) -> int:
    """Run `wzp` with `argv` and return the exit code."""
    command: Command | None = None
    if COMPLETES in environ:
        from typer._completion_classes import completion_init

        completion_init()
    try:
        job = app(argv, prog_name="wzp", standalone_mode=False)
        if not isinstance(job, Job):
            return job if isinstance(job, int) else 0  # --help and --version are done
        command = job.command
        from wzp_cli.cli.running.execution import execute

        return execute(job, environ)
    except typer.TyperException as error:
        return _refused(error, argv, environ)
    except (Exception, KeyboardInterrupt) as error:  # `execute` tells its own errors
        return _tell(command, error, argv, environ)


def _refused(
    error: typer.TyperException, argv: list[str], environ: Mapping[str, str]
) -> int:
    """Tell what is wrong with the words; without any words, what there is to say."""
    from wzp_cli.errors import UsageError

    context = getattr(error, "ctx", None)
    if isinstance(error, NoArgsIsHelpError) and "--json" not in argv:
        typer.echo(_without_words(error, environ), err=True)
        return UsageError.exit_code
    words = UsageError(error.format_message())
    if isinstance(error, NoArgsIsHelpError):
        words = UsageError("no command was given")
    if context is not None:
        words.add_note(f"See `{context.command_path} --help`.")
    command = declared(context.command.callback) if context is not None else None
    return _tell(command, words, argv, environ)


def _without_words(error: NoArgsIsHelpError, environ: Mapping[str, str]) -> str:
    """Return what to do next; below a group, its help."""
    if error.ctx.parent is not None:
        return error.format_message()
    from wzp_cli.cli.first_run.next_steps import screen

    return screen(environ)


def _tell(
    command: Command | None,
    error: BaseException,
    argv: list[str],
    environ: Mapping[str, str],
) -> int:
    """Tell an error from outside of any run; return its exit code."""
    from wzp_cli.cli.running.execution import refuse

    options = argv[: argv.index("--")] if "--" in argv else argv
    return refuse(command, error, json="--json" in options, environ=environ)
