"""All that can be said on the command line, read off the commands themselves.

The manual page, the comments of a new configuration file and the test that every flag
is documented are made from this.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import typer

from wzp_cli.cli.app import app
from wzp_cli.cli.options import Everywhere

__all__ = ["Flag", "Page", "flag_of_key", "pages"]

_EVERYWHERE = frozenset(field.name for field in fields(Everywhere)) | {"version"}


@dataclass(frozen=True, slots=True)
class Flag:
    """One option or argument.

    Attributes:
        names: As they are written, the long one last; of an argument, its metavar.
        value: What stands behind it; None for a switch.
        help: One sentence or two.
        is_argument: Whether it is written without a name.
        everywhere: Whether every command takes it.
    """

    names: tuple[str, ...]
    value: str | None
    help: str
    is_argument: bool = False
    everywhere: bool = False

    @property
    def written(self) -> str:
        """How it is written, with its value."""
        words = ", ".join(self.names)
        return f"{words} {self.value}" if self.value else words


@dataclass(frozen=True, slots=True)
class Page:
    """One command: `name` has the words after `wzp`, "" for wzp alone."""

    name: str
    summary: str
    flags: tuple[Flag, ...]
    is_group: bool

    @property
    def own(self) -> list[Flag]:
        """What only this command takes."""
        return [flag for flag in self.flags if not flag.everywhere]


def pages() -> list[Page]:
    """Return wzp itself, then each command in the order of `wzp --help`."""
    return list(_walk((), typer.main.get_command(app), None))


def flag_of_key(key: str) -> Flag | None:
    """Return what the key of the configuration file is on the command line."""
    flags = (flag for page in pages() for flag in page.flags)
    return next((flag for flag in flags if f"--{key}" in flag.names), None)


def _walk(words: tuple[str, ...], command: Any, parent: Any) -> Iterator[Page]:
    context = typer.Context(
        command, parent=parent, info_name=words[-1] if words else "wzp"
    )
    subcommands: Any = getattr(command, "commands", None)
    flags = [
        _flag(each, context)
        for each in command.get_params(context)
        if not getattr(each, "hidden", False)
    ]
    summary = " ".join((command.help or "").split())
    yield Page(" ".join(words), summary, tuple(flags), subcommands is not None)
    for each in subcommands or ():
        yield from _walk((*words, each), subcommands[each], context)


def _flag(parameter: Any, context: Any) -> Flag:
    is_argument = parameter.param_type_name == "argument"
    value = None
    if not getattr(parameter, "is_flag", False) and not getattr(
        parameter, "count", False
    ):
        value = _value(parameter.make_metavar(context))
    said = " ".join((getattr(parameter, "help", None) or "").split())
    if is_argument:
        return Flag((value or parameter.human_readable_name,), None, said, True)
    names = sorted([*parameter.opts, *parameter.secondary_opts], key=_short_first)
    everywhere = parameter.name in _EVERYWHERE or "--help" in names
    return Flag(tuple(names), value, said, everywhere=everywhere)


def _value(metavar: str) -> str:
    words = metavar.strip("<>")
    return "N" if words.startswith(("int", "float")) else words


def _short_first(name: str) -> bool:
    return name.startswith("--")
