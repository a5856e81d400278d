"""What holds for one run: flag, `WZP_*` variable, configuration file, default.

The first of these that says something counts. Only here are they laid over each other.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self, TypeVar

import msgspec

from wzp_cli.adapters.disk.config import Config, env_overlay, load_config
from wzp_cli.address import HostPort
from wzp_cli.cli.options import (
    Color,
    Everywhere,
    LogFormat,
    LogLevel,
    parse_duration,
    parse_relay,
    parse_stun,
)
from wzp_cli.defaults.program import RING_TIMEOUT_S
from wzp_cli.errors import ConfigError

__all__ = ["Settings", "is_on", "resolve", "resolve_flags", "ring_timeout_s"]

Value = TypeVar("Value")

_LEVELS: tuple[LogLevel, ...] = ("warning", "info", "debug")
_YES = frozenset({"1", "true", "yes", "on"})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that was said, or is the default, for this run.

    Attributes:
        said: What the file and the variables say, for the options of single commands.
        relays: In the order in which they are tried; may be empty.
        relay_token_file: Has what these relays, and no others, want to see.
        stun: None where nothing was said; () where there shall be none.
        port: Local UDP port; 0 is any, None the remembered one.
        timeout_s: None for the command's own.
        state_dir, config_path: None for the default place.
        no_input: Whether nobody may be asked anything.
    """

    said: Config = field(default_factory=Config)
    relays: tuple[HostPort, ...] = ()
    relay_token_file: Path | None = None
    stun: tuple[HostPort, ...] | None = None
    port: int | None = None
    timeout_s: float | None = None
    state_dir: Path | None = None
    config_path: Path | None = None
    json: bool = False
    events: str | None = None
    quiet: bool = False
    verbose: int = 0
    log_level: LogLevel = "warning"
    log_format: LogFormat = "text"
    log_file: Path | None = None
    no_input: bool = False
    color: Color = "auto"

    def with_servers(
        self,
        *,
        relay: Sequence[HostPort] | None = None,
        stun: Sequence[HostPort] | None = None,
    ) -> Self:
        """Return these settings with a command's --relay and --stun over them."""
        return replace(
            self,
            relays=tuple(relay) if relay else self.relays,
            stun=tuple(stun) if stun else self.stun,
        )


def resolve(flags: Everywhere, environ: Mapping[str, str]) -> Settings:
    """Return the settings of a run.

    Raises:
        ConfigError: The file or a variable is wrong; names it and the key.
    """
    config_path = _config_path(flags, environ)
    file = load_config(config_path, required=config_path is not None)
    said = msgspec.structs.replace(file, **env_overlay(environ))
    return _laid_over(said, flags, environ)


def resolve_flags(flags: Everywhere, environ: Mapping[str, str]) -> Settings:
    """Return the settings of a run as if file and keys' variables said nothing."""
    return _laid_over(Config(), flags, environ)


def _config_path(flags: Everywhere, environ: Mapping[str, str]) -> Path | None:
    return flags.config or _path(environ, "WZP_CONFIG")


def _laid_over(said: Config, flags: Everywhere, environ: Mapping[str, str]) -> Settings:
    return Settings(
        said=said,
        relays=_read("relay", said.relays, parse_relay),
        relay_token_file=flags.relay_token_file or _said_path(said.relay_token_file),
        stun=_stun(said),
        port=said.port if flags.port is None else flags.port,
        timeout_s=flags.timeout or _timeout_s(said),
        state_dir=flags.state_dir or _path(environ, "WZP_STATE_DIR"),
        config_path=_config_path(flags, environ),
        json=is_on(flags.json, environ, "WZP_JSON"),
        events=flags.events or environ.get("WZP_EVENTS") or None,
        quiet=is_on(flags.quiet, environ, "WZP_QUIET"),
        verbose=flags.verbose,
        log_level=flags.log_level or said.log_level or _level(flags.verbose),
        log_format=flags.log_format or said.log_format or "text",
        log_file=flags.log_file or (Path(said.log_file) if said.log_file else None),
        no_input=is_on(flags.no_input, environ, "WZP_NO_INPUT"),
        color=flags.color or said.color or _color(environ),
    )


def ring_timeout_s(settings: Settings, flag: float | None) -> float:
    """Return how long to ring: --ring-timeout, the file's, --timeout, the default.

    Raises:
        ConfigError: The file's or the variable's is no duration.
    """
    said = settings.said.ring_timeout
    given = _read("ring-timeout", () if said is None else (said,), parse_duration)
    return flag or next(iter(given), None) or settings.timeout_s or RING_TIMEOUT_S


def is_on(flag: bool | None, environ: Mapping[str, str], variable: str) -> bool:
    """Return whether a switch is on: by its flag, or by 1, true, yes, on."""
    return bool(flag) or environ.get(variable, "").strip().lower() in _YES


def _path(environ: Mapping[str, str], variable: str) -> Path | None:
    return Path(environ[variable]) if environ.get(variable) else None


def _said_path(said: str | None) -> Path | None:
    return None if said is None else Path(said).expanduser()


def _level(verbose: int) -> LogLevel:
    return _LEVELS[min(verbose, len(_LEVELS) - 1)]


def _color(environ: Mapping[str, str]) -> Color:
    return "never" if environ.get("NO_COLOR") else "auto"


def _timeout_s(said: Config) -> float | None:
    given = () if said.timeout is None else (said.timeout,)
    return next(iter(_read("timeout", given, parse_duration)), None)


def _stun(said: Config) -> tuple[HostPort, ...] | None:
    given = said.stun_servers
    return None if given is None else _read("stun", given, parse_stun)


def _read(
    key: str, texts: Sequence[str], parse: Callable[[str], Value]
) -> tuple[Value, ...]:
    """Return the values of `key`; ConfigError with the parser's words."""
    try:
        return tuple(parse(text) for text in texts)
    except ValueError as error:
        raise ConfigError(f"{key}: {error}") from error
