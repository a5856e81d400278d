"""Writing the configuration file: single keys are set, all else stays as it was.

Comments and order are the user's. What was written is read again before it replaces the
file, so a file that can't be understood is never left behind.
"""

import contextlib
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from wzp_cli.adapters.disk.config import Config, parse_config
from wzp_cli.adapters.disk.private_files import replace_file
from wzp_cli.errors import EnvironmentFault, StateUnusable

__all__ = ["Setting", "edited", "read_config_text", "write_config"]

Setting = str | int | float | bool | list[str]


def read_config_text(path: Path) -> str:
    """Return what the file holds; "" where there is none. Raises OSError."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return path.read_text("utf-8-sig")
    return ""


def edited(text: str, settings: Mapping[str, Setting]) -> str:
    """Return the TOML `text` with these keys set.

    A key that is there is replaced where it stands; others go to the end.
    """
    left = dict(settings)
    blocks = [
        _assignment(key, left.pop(key)) if key in left else block
        for key, block in _blocks(text)
    ]
    kept = "".join(blocks)
    if left and kept and not kept.endswith("\n"):
        kept += "\n"
    return kept + "".join(_assignment(key, value) for key, value in left.items())


def write_config(path: Path, text: str) -> Config:
    """Make the file hold `text`, which only its user can read; return what it says.

    Raises:
        ConfigError: It is not right; the file is as before.
        EnvironmentFault: It can't be written.
    """
    config = parse_config(path, text)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        target = Path(os.path.realpath(path))  # a link into somebody's dotfiles stays
        replace_file(target, text.encode("utf-8"))
    except OSError as error:
        why = error.strerror or str(error)
        raise EnvironmentFault(
            f"{path} can't be written: {why}. Name another file with --config."
        ) from error
    except StateUnusable as error:
        why = getattr(error.__cause__, "strerror", None) or str(error.__cause__)
        raise EnvironmentFault(
            f"{path} can't be written: {why}. Name another with --config."
        ) from error
    return config


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """Yield each assignment, as many lines as it has, and each other line ("")."""
    lines = text.splitlines(keepends=True)
    while lines:
        for count in range(1, len(lines) + 1):
            block = "".join(lines[:count])
            try:
                key = next(iter(tomllib.loads(block)), "")
            except tomllib.TOMLDecodeError:
                continue  # a list that goes on
            break
        else:
            key, count = "", 1  # not TOML: `write_config` says so
        yield key, "".join(lines[:count])
        lines = lines[count:]


def _assignment(key: str, value: Setting) -> str:
    return f"{key} = {_toml(value)}\n"


def _toml(value: Setting) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str):
        return f'"{"".join(map(_escaped, value))}"'
    return repr(value)


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    is_control = ord(character) < 0x20 or ord(character) == 0x7F
    return f"\\u{ord(character):04x}" if is_control else character
