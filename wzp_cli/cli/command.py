"""How a command is declared: its own options, and the flags of every command.

A module of a command holds `app = command_app(...)` and functions such as

    @command(app, "register", result=Registration, stream="watch")
    async def register(session: Session, relay: RelayOption = None) -> Outcome: ...

Typer only reads the words. What it returns is a `Job`, which `execution.execute` runs,
so that nothing of typer's stands between a command and its errors, signals and output.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Annotated, Any, Protocol, get_type_hints

import typer

from wzp_cli import __version__
from wzp_cli.cli.options import Everywhere

if TYPE_CHECKING:  # `wzp --version` need not load them
    from wzp_cli.cli.settings import Settings
    from wzp_cli.errors import WzpError
    from wzp_cli.events import Event, Report

__all__ = [
    "Command",
    "Job",
    "Lend",
    "Outcome",
    "Session",
    "Voice",
    "command",
    "command_app",
    "declared",
    "everywhere_callback",
]

_KEYWORD = inspect.Parameter.KEYWORD_ONLY
_FLAGS = get_type_hints(Everywhere, include_extras=True)


class Voice(Protocol):
    """One way to tell what happens."""

    def report(self, event: "Event") -> None:
        """Tell one event."""
        ...

    def close(self, outcome: "Outcome | None", error: BaseException | None) -> None:
        """Tell how it ended. Called once, last."""
        ...


Lend = Callable[[Voice], AbstractContextManager[None]]
"""Has another voice tell a person what happens, as long as a block runs."""


@dataclass(frozen=True)
class Session:
    """What every command is given: its settings, and whom to tell about progress.

    `reread` returns the settings anew, from file and variables as they are then. `lend`
    has another voice talk to the person; None where there is nobody to be talked to.
    """

    settings: "Settings"
    report: "Report"
    reread: "Callable[[], Settings] | None" = None
    lend: Lend | None = None


@dataclass(frozen=True)
class Outcome:
    """What a one-shot command found.

    `result` is a msgspec struct for --json, `text` the same for a person. `error` is a
    stated requirement that was not met, beside the result.
    """

    result: Any
    text: str
    error: "WzpError | None" = None


Run = Callable[..., Outcome | Awaitable[Outcome | None] | None]


@dataclass(frozen=True)
class Command:
    """A declared command.

    `name` has the words after `wzp`. `result` is the type of the document's result,
    None where the command only streams. `stream` says whether --json is a stream of
    events: always, never, or when the option of that name is given. `always_json`: JSON
    is what it is for, with or without --json. `mends`: it is there to find what is
    wrong, so it runs where the configuration is not right, too. `answers`: what it
    tells on the way stands in its answer, too: a person hears that at once, first.
    """

    name: str
    run: Run
    result: type | None
    stream: bool | str
    always_json: bool = False
    mends: bool = False
    answers: bool = False

    def streams(self, arguments: Mapping[str, Any]) -> bool:
        """Return whether a call with `arguments` prints a stream under --json."""
        if isinstance(self.stream, str):
            return bool(arguments.get(self.stream))
        return self.stream


@dataclass(frozen=True)
class Job:
    """A command with its words read, ready to be run."""

    command: Command
    everywhere: Everywhere
    arguments: Mapping[str, Any] = field(default_factory=dict)


def command_app(*, help: str | None = None) -> typer.Typer:
    """Return the typer app of a command's module; with `help`, one of subcommands."""
    app = typer.Typer(
        help=help,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        no_args_is_help=help is not None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    if help is not None:
        app.callback()(everywhere_callback())
    return app


def command(
    app: typer.Typer,
    name: str,
    *,
    result: type | None = None,
    stream: bool | str = False,
    always_json: bool = False,
    is_group: bool = False,
    mends: bool = False,
    answers: bool = False,
) -> Callable[[Run], Run]:
    """Register the decorated function in `app` as the command `wzp NAME`.

    Its first parameter is the `Session`; the others are typer's, or a dataclass whose
    fields are. The flags of every command are added to them. `is_group`: the app has
    subcommands, and the function is what runs where none of them is named.
    """

    def register(run: Run) -> Run:
        declaration = Command(name, run, result, stream, always_json, mends, answers)

        def read(ctx: typer.Context, **words: Any) -> Job:
            everywhere = _take_everywhere(ctx, words)
            if is_group:
                ctx.obj = everywhere  # for the subcommand, if one is named
            for name, group in groups.items():
                fields_of = {f.name: words.pop(f.name) for f in fields(group)}
                words[name] = group(**fields_of)
            return Job(declaration, everywhere, words)

        own = list(inspect.signature(run).parameters.values())[1:]
        hints = get_type_hints(run, include_extras=True)
        groups = {p.name: hints[p.name] for p in own if is_dataclass(hints[p.name])}
        own = [p.replace(annotation=hints[p.name], kind=_KEYWORD) for p in own]
        _give_signature(read, [each for p in own for each in _spread(p)])
        read.__doc__ = run.__doc__
        read.declaration = declaration  # type: ignore[attr-defined]
        if is_group:
            app.callback(invoke_without_command=True, help=run.__doc__)(read)
        else:
            app.command(name.split()[-1])(read)
        return run

    return register


def declared(callback: object) -> Command | None:
    """Return the command whose words `callback` (typer's) reads."""
    found = getattr(callback, "declaration", None)
    return found if isinstance(found, Command) else None


def everywhere_callback() -> Callable[..., None]:
    """Return a callback for a group: its flags count for the commands below it."""

    def keep(ctx: typer.Context, **words: Any) -> None:
        ctx.obj = _take_everywhere(ctx, words)

    _give_signature(keep, [])
    return keep


def _print_version(wanted: bool | None) -> None:
    if wanted:
        typer.echo(f"wzp {__version__}")
        raise typer.Exit


_VersionOption = Annotated[
    bool | None,
    typer.Option(
        "--version", is_eager=True, callback=_print_version, help="Print the version."
    ),
]


def _take_everywhere(ctx: typer.Context, words: dict[str, Any]) -> Everywhere:
    """Move the flags of every command out of `words`; those of groups hold below."""
    del words["version"]  # printed, or not asked for
    said = Everywhere(**{f.name: words.pop(f.name) for f in fields(Everywhere)})
    above = ctx.parent.obj if ctx.parent else None
    return said.over(above) if isinstance(above, Everywhere) else said


def _spread(parameter: inspect.Parameter) -> list[inspect.Parameter]:
    """Return the parameter, or in place of a dataclass its fields."""
    group = parameter.annotation
    if not is_dataclass(group):
        return [parameter]
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(f.name, _KEYWORD, annotation=hints[f.name], default=f.default)
        for f in fields(group)
    ]


def _give_signature(reader: Callable[..., Any], own: list[inspect.Parameter]) -> None:
    """Show typer the parameters `own`, then the flags of every command."""
    context = inspect.Parameter(
        "ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
    )
    flags = [
        inspect.Parameter(
            f.name, _KEYWORD, annotation=_FLAGS[f.name], default=f.default
        )
        for f in fields(Everywhere)
    ]
    version = inspect.Parameter(
        "version", _KEYWORD, annotation=_VersionOption, default=None
    )
    parameters = [context, *own, *flags, version]
    reader.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    reader.__annotations__ = {p.name: p.annotation for p in parameters}
