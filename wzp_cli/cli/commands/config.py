"""`wzp config`: the configuration file made, found, and shown as it counts."""

import os
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from wzp_cli.cli.command import Outcome, Session, command, command_app
from wzp_cli.errors import WzpError

__all__ = [
    "ConfigMade",
    "ConfigPlace",
    "ConfigShown",
    "ShownSetting",
    "app",
    "init",
    "path",
    "show",
    "template",
]

_COLUMNS = 88
_NO_FLAG = {
    "name": "What others are shown when we call.",
    "turn-ca": "Who must have signed a TURN server's certificate, in PEM.",
    "privacy": '"always-relay": tell the peer no address, stay on the relay.',
}
"""Keys that are no flag of any command."""

_ForceOption = Annotated[
    bool, typer.Option("--force", help="Replace a file that is there.")
]


class ConfigMade(msgspec.Struct, frozen=True, kw_only=True):
    """The file that was made."""

    path: str


class ConfigPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where the file is, or would be."""

    path: str
    exists: bool


class ShownSetting(msgspec.Struct, frozen=True, kw_only=True):
    """One key. `origin`: what said it; `value` None: nobody, wzp's default counts."""

    key: str
    value: str | int | float | bool | list[str] | None
    origin: Literal["variable", "file", "default"]


class ConfigShown(msgspec.Struct, frozen=True, kw_only=True):
    """All that the file and the variables say."""

    path: str
    exists: bool
    settings: list[ShownSetting]


app = command_app(help="Make, find or show the configuration file.")


@command(app, "config init", result=ConfigMade, mends=True)
def init(session: Session, force: _ForceOption = False) -> Outcome:
    """Make a configuration file with every key, each explained and turned off."""
    from wzp_cli.adapters.disk.config_file import write_config

    place = place_of(session)
    if place.exists() and not force:
        raise WzpError(f"{place} is there already. Edit it, or say --force.")
    write_config(place, template())
    told = os.fspath(place)
    return Outcome(ConfigMade(path=told), f"made: {told}")


@command(app, "config path", result=ConfigPlace, mends=True)
def path(session: Session) -> Outcome:
    """Print where the configuration file is, or would be."""
    place = place_of(session)
    found = ConfigPlace(path=os.fspath(place), exists=place.exists())
    return Outcome(found, found.path)


@command(app, "config show", result=ConfigShown)
def show(session: Session) -> Outcome:
    """Show what the file and the WZP_* variables say, and which of them said it."""
    place = place_of(session)
    shown = ConfigShown(
        path=os.fspath(place),
        exists=place.exists(),
        settings=_settings(place, os.environ),
    )
    return Outcome(shown, _text(shown))


def place_of(session: Session) -> Path:
    """Return where the file is: --config, WZP_CONFIG, or the system's own place."""
    from wzp_cli.adapters.disk.config import default_config_path

    return (session.settings.config_path or default_config_path()).absolute()


def template() -> str:
    """Return a file with all keys, each with what its flag says, turned off."""
    from wzp_cli.adapters.disk.config import config_keys

    head = "# wzp's configuration: take away the # before a key to set it.\n"
    return head + "".join(f"\n{_explained(key)}\n#{key} =\n" for key in config_keys())


def _explained(key: str) -> str:
    from wzp_cli.cli.manual import flag_of_key

    flag = flag_of_key(key)
    told = _NO_FLAG.get(key, "") if flag is None else flag.help
    if flag is not None and flag.value:
        told = f"{told.rstrip('.')}: {flag.value}"
    return textwrap.fill(told, _COLUMNS, initial_indent="# ", subsequent_indent="#   ")


def _settings(place: Path, environ: Mapping[str, str]) -> list[ShownSetting]:
    from wzp_cli.adapters.disk.config import config_keys, env_overlay, load_config

    file, variables = load_config(place), env_overlay(environ)
    shown = []
    for key, name in config_keys().items():
        value, origin = getattr(file, name), "file"
        if name in variables:
            value, origin = variables[name], "variable"
        if value is None:
            origin = "default"
        shown.append(
            msgspec.convert(
                {"key": key, "value": value, "origin": origin}, ShownSetting
            )
        )
    return shown


def _text(shown: ConfigShown) -> str:
    where = shown.path if shown.exists else f"{shown.path} (not there: wzp config init)"
    said = [each for each in shown.settings if each.value is not None]
    wide = max((len(each.key) for each in said), default=0)
    rows = [f"  {each.key:<{wide}}  {_value(each)}" for each in said]
    return "\n".join([f"file: {where}", *(rows or ["  nothing is set"])])


def _value(setting: ShownSetting) -> str:
    value = setting.value
    if isinstance(value, bool):
        value = "true" if value else "false"
    words = ", ".join(value) if isinstance(value, list) else str(value)
    if setting.origin == "variable":
        words += f"  (WZP_{setting.key.upper().replace('-', '_')})"
    return words
