from pathlib import Path

import pytest

from wzp_cli.address import HostPort
from wzp_cli.cli.options import Everywhere
from wzp_cli.cli.settings import Settings, is_on, resolve
from wzp_cli.errors import ConfigError


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(
        'relay = ["r1.example", "[2001:db8::1]:99"]\nport = 7\ntimeout = "2m"\n'
        'log-level = "info"\ncolor = "never"\nin = "tone"\n'
    )
    return path


def test_nothing_said_leaves_the_defaults(environ: dict[str, str]) -> None:
    quiet = {name: word for name, word in environ.items() if name[:4] != "WZP_"}
    assert resolve(Everywhere(), quiet) == Settings()


def test_a_flag_beats_a_variable_beats_the_file(config: Path) -> None:
    file = resolve(Everywhere(config=config), {})
    assert (file.port, file.timeout_s, file.color) == (7, 120.0, "never")
    variables = {"WZP_CONFIG": str(config), "WZP_PORT": "8", "WZP_COLOR": "always"}
    over = resolve(Everywhere(), variables)
    assert (over.port, over.timeout_s, over.color) == (8, 120.0, "always")
    flags = Everywhere(port=0, timeout=1.5, log_level="error")
    last = resolve(flags, variables)
    assert (last.port, last.timeout_s, last.log_level) == (0, 1.5, "error")


def test_servers_come_from_all_levels(config: Path) -> None:
    file = resolve(Everywhere(config=config), {})
    assert file.relays == (HostPort("r1.example", 4433), HostPort("2001:db8::1", 99))
    assert file.stun is None
    over = resolve(Everywhere(), {"WZP_RELAY": "a,b:1", "WZP_STUN": ","})
    assert over.relays == (HostPort("a", 4433), HostPort("b", 1))
    assert over.stun == ()
    flags = over.with_servers(relay=[HostPort("c", 2)], stun=None)
    assert (flags.relays, flags.stun) == ((HostPort("c", 2),), ())


def test_what_single_commands_take_is_kept(config: Path) -> None:
    settings = resolve(Everywhere(config=config), {"WZP_OUT": "null"})
    assert (settings.said.source, settings.said.sink) == ("tone", "null")


def test_places_and_switches(environ: dict[str, str]) -> None:
    environ |= {"WZP_STATE_DIR": "/s", "WZP_NO_INPUT": "yes", "WZP_EVENTS": "fd:3"}
    settings = resolve(Everywhere(quiet=True), environ)
    assert settings.state_dir == Path("/s")
    assert (settings.no_input, settings.quiet, settings.json) == (True, True, False)
    assert settings.events == "fd:3"


@pytest.mark.parametrize(
    ("verbose", "level"), [(0, "warning"), (1, "info"), (2, "debug"), (9, "debug")]
)
def test_verbose_opens_the_log(
    verbose: int, level: str, environ: dict[str, str]
) -> None:
    assert resolve(Everywhere(verbose=verbose), environ).log_level == level


def test_no_color_is_obeyed_unless_color_is_asked_for(environ: dict[str, str]) -> None:
    environ["NO_COLOR"] = "1"
    assert resolve(Everywhere(), environ).color == "never"
    assert resolve(Everywhere(color="always"), environ).color == "always"


@pytest.mark.parametrize(
    ("variable", "value"),
    [("WZP_RELAY", "r1:0"), ("WZP_TIMEOUT", "0s"), ("WZP_PORT", "x")],
)
def test_a_wrong_value_is_refused(
    variable: str, value: str, environ: dict[str, str]
) -> None:
    with pytest.raises(ConfigError):
        resolve(Everywhere(), environ | {variable: value})


def test_a_file_that_was_named_must_be_there() -> None:
    with pytest.raises(ConfigError, match="no such file"):
        resolve(Everywhere(), {"WZP_CONFIG": "/nowhere"})


def test_what_turns_a_switch_on() -> None:
    assert is_on(True, {}, "WZP_JSON")
    assert is_on(None, {"WZP_JSON": "TRUE"}, "WZP_JSON")
    assert not is_on(None, {"WZP_JSON": "0"}, "WZP_JSON")
    assert not is_on(None, {}, "WZP_JSON")
