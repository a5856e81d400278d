"""The configuration file, TOML, in `$XDG_CONFIG_HOME/wzp/config.toml`.

Each key is a long flag without its dashes, each `WZP_*` variable the same in upper
case: `--ring-timeout 30s`, `ring-timeout = "30s"`, `WZP_RING_TIMEOUT=30s`. What is not
said is None, so that the command line can tell it from a default.
"""

import difflib
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from wzp_cli.errors import ConfigError

__all__ = [
    "Config",
    "config_keys",
    "default_config_path",
    "env_overlay",
    "load_config",
    "parse_config",
]

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Duration = Annotated[str, msgspec.Meta(pattern=r"^[0-9]+(\.[0-9]+)?(ms|s|m)\Z")]
Servers = str | list[str]


class Config(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename="kebab",
):
    """What a user may say once for all commands; each value as its flag takes it."""

    name: str | None = None
    port: Port | None = None
    timeout: Duration | None = None
    log_level: Literal["debug", "info", "warning", "error"] | None = None
    log_format: Literal["text", "json"] | None = None
    log_file: str | None = None
    color: Literal["auto", "always", "never"] | None = None

    relay: Servers | None = None
    relay_token_file: str | None = None
    stun: Servers | None = None
    listen: str | None = None
    key_file: str | None = None
    metrics: str | None = None
    tcp: str | None = None
    turn: str | None = None
    turn_secret_file: str | None = None
    turn_tcp: Port | None = None
    turn_tls: Port | None = None
    turn_ca: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    token_file: str | None = None
    allow_file: str | None = None
    block_file: str | None = None
    drain: Duration | None = None
    forwarders: Annotated[int, msgspec.Meta(ge=0, le=64)] | None = None
    cluster: Servers | None = None
    cluster_ca: str | None = None
    cluster_creds: str | None = None
    advertise: Servers | None = None
    public_stun: bool | None = None
    portmap: bool | None = None
    lan: bool | None = None

    privacy: Literal["always-relay", "after-answer", "contacts-early"] | None = None
    direct: Literal["anyone", "ticket", "off"] | None = None
    auto_answer: Literal["contacts", "all", "off"] | None = None
    open_mic: bool | None = None
    ring_timeout: Duration | None = None
    source: str | None = msgspec.field(default=None, name="in")
    sink: str | None = msgspec.field(default=None, name="out")
    gain_in: float | None = None
    gain_out: float | None = None
    echo_cancel: bool | None = None
    noise_suppression: bool | None = None
    gain_control: bool | None = None
    ring: bool | None = None
    plain: bool | None = None
    on: dict[str, str | list[str]] | None = None

    @property
    def relays(self) -> tuple[str, ...]:
        """`relay`, whether one or several were named."""
        return _several(self.relay)

    @property
    def stun_servers(self) -> tuple[str, ...] | None:
        """`stun` likewise; () means none at all, None that nothing was said."""
        return None if self.stun is None else _several(self.stun)

    @property
    def clusters(self) -> tuple[str, ...]:
        """`cluster`, whether one or several servers were named."""
        return _several(self.cluster)

    @property
    def advertised(self) -> tuple[str, ...]:
        """`advertise` likewise."""
        return _several(self.advertise)


def _several(servers: Servers | None) -> tuple[str, ...]:
    if isinstance(servers, str):
        servers = [server.strip() for server in servers.split(",") if server.strip()]
    return tuple(servers or ())


_KEYS = {field.encode_name: field.name for field in msgspec.structs.fields(Config)}
_TYPES = {field.encode_name: field.type for field in msgspec.structs.fields(Config)}


def config_keys() -> Mapping[str, str]:
    """Return each key of the file, and the field of Config that holds it."""
    return _KEYS


def default_config_path() -> Path:
    """Return `$XDG_CONFIG_HOME/wzp/config.toml`, or the system's own place for it."""
    from platformdirs import user_config_path

    return user_config_path("wzp", appauthor=False) / "config.toml"


def load_config(path: Path | None = None, *, required: bool = False) -> Config:
    """Return what the file at `path` (None: the default) says.

    Args:
        path: The file.
        required: Whether it must be there, as one named with --config must.

    Raises:
        ConfigError: The file is missing, unreadable or wrong; names file and key.
    """
    path = path or default_config_path()
    text = _read(path, required=required)
    return Config() if text is None else parse_config(path, text)


def _read(path: Path, *, required: bool) -> str | None:
    try:
        return path.read_text("utf-8-sig")  # Windows editors put a mark in front
    except (FileNotFoundError, NotADirectoryError) as error:
        if required:
            raise ConfigError(f"{path}: there is no such file") from error
        return None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text") from error


def parse_config(path: Path, text: str) -> Config:
    """Return what `text`, the file at `path`, says.

    Raises:
        ConfigError: It is wrong; names file and key.
    """
    import tomllib

    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also numbers without end
        raise ConfigError(f"{path}: not TOML: {error}") from error
    for key in values:
        if key not in _KEYS:
            raise ConfigError(f"{path}: unknown key {key!r}{_suggestion(key)}")
    for key, value in values.items():
        _convert(key, value, f"{path}: {key}", strict=True)
    return msgspec.convert(values, Config)


def _suggestion(key: str) -> str:
    near = difflib.get_close_matches(key.replace("_", "-").lower(), _KEYS, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _convert(key: str, value: object, where: str, *, strict: bool) -> Any:
    """Return `value` as the field of `key` holds it; ConfigError at `where`."""
    try:
        config = msgspec.convert({key: value}, Config, strict=strict)
    except UnicodeEncodeError as error:
        raise ConfigError(f"{where}: not UTF-8 text") from error
    except msgspec.ValidationError as error:
        reason = _wanted(key) or str(error).replace(f" - at `$.{key}`", "")
        raise ConfigError(f"{where}: {reason}") from error
    return getattr(config, _KEYS[key])


def _wanted(key: str) -> str | None:
    """Say what `key` takes, where msgspec's own words would leave the user guessing."""
    for kind in typing.get_args(_TYPES[key]):
        if typing.get_origin(kind) is Literal:
            return "expected one of " + ", ".join(typing.get_args(kind))
        if kind is bool:
            return "expected true or false"
        if kind is float:
            return "expected a number"
        if kind is Port:
            return "expected a port, 0 to 65535"
        if kind is Duration:
            return "expected a duration, as 500ms, 10s or 2m"
    return None


def env_overlay(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return what the `WZP_*` variables say: field names of Config, and values.

    Lists are separated by commas; an empty variable says nothing. Names that are no key
    are left alone, they may be another program's.

    Raises:
        ConfigError: A variable has a wrong value; names the variable.
    """
    variables = {f"WZP_{name.upper().replace('-', '_')}": name for name in _KEYS}
    return {
        _KEYS[key]: _convert(key, environ[variable], variable, strict=False)
        for variable, key in variables.items()
        if environ.get(variable)
    }
