"""The configuration file and the environment: understood, or refused in a sentence.

The first byte says which: a file, a variable, or setting keys in a file as it stands.
"""

import math
import tomllib
from pathlib import Path
from typing import Any

from fuzz._script import Script
from wzp_cli.adapters.disk.config import config_keys, env_overlay, parse_config
from wzp_cli.adapters.disk.config_file import Setting, edited
from wzp_cli.errors import ConfigError

__all__ = ["MAX_BYTES", "SEEDS", "one"]

MAX_BYTES = 512
_PATH = Path("/home/alice/.config/wzp/config.toml")
_KEYS = tuple(config_keys())
_VALUES: tuple[Setting, ...] = ("x", 'a"\\\n\x7f', 5, True, 2.5, ["a", "b"])

SEEDS = (
    b'\0name = "Al\xc3\xacce"\nrelay = ["a:1", "b"]\nport = 0\nportmap = true # no\n',
    b'\0[on]\nincoming = ["notify", "x"]\nringing = """a\nb"""\n',
    b"\0gain-in = -3.5\ngain-out = 1e400\nring-timeout = '30s'\ndrain = 1979-05-27\n",
    b'\0log-level = "debug"\nunknown = {a = {b = [1, [2]]}}\n',
    b"\0port = 0x" + b"f" * 40,
    b"\1\1" + b"65536",
    b"\1\2" + b"1.5m",
    b'\2\0\2\1name = "x" # mine\n\nrelay = [\n  "a",\n  "b", # two\n]\n[on]\nx = "y"\n',
)


def one(data: bytes) -> None:
    """Read one file, or one variable."""
    script = Script(data)
    (_read_file, _read_variable, _set_keys)[script.byte() % 3](script)


def _text(script: Script) -> str:
    return script.rest().decode("utf-8", "replace")


def _read_file(script: Script) -> None:
    try:
        config = parse_config(_PATH, _text(script))
    except ConfigError as error:
        assert str(error).startswith(str(_PATH))
        return
    assert isinstance(config.relays + config.clusters + config.advertised, tuple)


def _read_variable(script: Script) -> None:
    key = script.pick(_KEYS)
    variable = f"WZP_{key.upper().replace('-', '_')}"
    value = script.rest().decode("utf-8", "surrogateescape")
    try:
        overlay = env_overlay({variable: value, "WZP_ELSE": "?"})
    except ConfigError as error:
        assert str(error).startswith(variable)
        return
    assert set(overlay) <= {config_keys()[key]}


def _set_keys(script: Script) -> None:
    """A key that is set is as it was set, and all others are as they were."""
    key, value = script.pick(_KEYS), script.pick(_VALUES)
    text = "\n".join(_text(script).splitlines())
    before = _values(text)
    if before is None or ("on" in before and not isinstance(before["on"], dict)):
        return
    after = _values(edited(text, {key: value}))
    if any(isinstance(each, dict) for each in before.values()):
        return  # a key set after a table's head: `write_config` refuses what came of it
    assert after is not None, "what was TOML is none any more"
    assert _same(after, {**before, key: value})


def _values(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return None


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return bool(one == other)
