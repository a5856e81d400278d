import sys
from pathlib import Path

import pytest

from wzp_cli.adapters.disk.config import (
    Config,
    default_config_path,
    env_overlay,
    load_config,
)
from wzp_cli.errors import ConfigError

EVERYTHING = """
name = "Ada"
port = 41822
timeout = "1.5m"
log-level = "debug"
log-format = "json"
log-file = "/tmp/wzp.log"
color = "never"
relay = ["r1.example", "r2.example:4433"]
relay-token-file = "/etc/wzp/token"
stun = "stun.example"
public-stun = false
portmap = false
lan = true
listen = "[::]:4433"
key-file = "/etc/wzp/key"
metrics = "9095"
tcp = "[::]:443"
turn = "turn.example"
turn-secret-file = "~/turn-secret"
turn-tcp = 3478
turn-tls = 443
turn-ca = "/etc/wzp/turn-ca.pem"
tls-cert = "/etc/wzp/chain.pem"
tls-key = "/etc/wzp/key.pem"
token-file = "/etc/wzp/tokens"
allow-file = "/etc/wzp/allowed"
block-file = "/etc/wzp/blocked"
drain = "10s"
forwarders = 2
cluster = ["nats://n1.example", "tls://n2.example:4222"]
cluster-ca = "/etc/wzp/nats-ca.pem"
cluster-creds = "/etc/wzp/nats.creds"
advertise = "192.0.2.1:4433"
privacy = "after-answer"
direct = "ticket"
auto-answer = "contacts"
open-mic = false
ring-timeout = "45s"
in = "mic"
out = "null"
gain-in = 3
gain-out = -1.5
echo-cancel = false
noise-suppression = true
gain-control = false
ring = false
plain = true
[on]
incoming = "notify-send call"
missed = ["one", "two"]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def test_the_file_is_where_xdg_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert default_config_path() == tmp_path / "wzp" / "config.toml"
    assert load_config() == Config()


def test_everything_can_be_said(path: Path) -> None:
    path.write_text(EVERYTHING)
    config = load_config(path, required=True)
    assert None not in [getattr(config, name) for name in config.__struct_fields__]
    assert config.relays == ("r1.example", "r2.example:4433")
    assert config.stun_servers == ("stun.example",)
    assert (config.source, config.sink, config.port) == ("mic", "null", 41822)


def test_a_byte_order_mark_is_no_part_of_the_first_key(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbfport = 1")
    assert load_config(path).port == 1


def test_nothing_need_be_said(path: Path) -> None:
    path.write_text("# nothing\n")
    config = load_config(path)
    assert config == Config()
    assert (config.relays, config.stun_servers) == ((), None)


def test_no_stun_is_not_the_same_as_unsaid(path: Path) -> None:
    path.write_text("stun = []")
    assert load_config(path).stun_servers == ()


def test_a_file_that_was_named_must_be_there(path: Path) -> None:
    assert load_config(path) == Config()
    with pytest.raises(ConfigError, match=r"config\.toml: there is no such file"):
        load_config(path, required=True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prot = 1", "unknown key 'prot'; did you mean 'port'"),
        ("auto_answer = 'all'", "did you mean 'auto-answer'"),
        ("xyzzy = 1", "unknown key 'xyzzy'$"),
        ("[server]\nport = 1", "unknown key 'server'"),
        ("port = 'x'", "port: expected a port, 0 to 65535"),
        ("port = 65536", "port: expected a port"),
        ("port = true", "port: expected a port"),
        ("lan = 'maybe'", "lan: expected true or false"),
        ("gain-in = 'loud'", "gain-in: expected a number"),
        ("direct = 'nobody'", "direct: expected one of anyone, ticket, off"),
        ("ring-timeout = 45", "ring-timeout: expected a duration, as 500ms"),
        ("ring-timeout = '45'", "ring-timeout: expected a duration"),
        ("timeout = '5s\\nx'", "timeout: expected a duration"),
        ("relay = [1]", r"relay: .*relay\[0\]"),
        ("relay = ", "not TOML"),
        (f"port = {'1' * 5000}", "not TOML: .*digits"),
        ("port = 1\nport = 2\n", "not TOML: .*line 2"),
        ("timeout = '5s\\n'", "timeout: expected a duration"),
    ],
)
def test_what_is_wrong_is_named_with_its_file_and_key(
    path: Path, text: str, words: str
) -> None:
    path.write_text(text)
    with pytest.raises(ConfigError, match=words) as caught:
        load_config(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_what_is_no_text_is_refused(path: Path) -> None:
    path.write_bytes(b"name = '\xff'")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_config(path)
    with pytest.raises(ConfigError):
        load_config(path.parent)


def test_the_environment_says_the_same_things() -> None:
    overlay = env_overlay(
        {
            "WZP_RELAY": "r1.example, r2.example:4433",
            "WZP_PORT": "41822",
            "WZP_OPEN_MIC": "true",
            "WZP_IN": "tone:440",
            "WZP_RING_TIMEOUT": "30s",
            "WZP_AUTO_ANSWER": "off",
            "WZP_NAME": "",
            "WZP_OPUS_LIB": "/usr/lib/libopus.so",
            "PORT": "1",
        }
    )
    assert overlay == {
        "relay": "r1.example, r2.example:4433",
        "port": 41822,
        "open_mic": True,
        "source": "tone:440",
        "ring_timeout": "30s",
        "auto_answer": "off",
    }
    assert Config(**overlay).relays == ("r1.example", "r2.example:4433")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WZP_PORT", "x"),
        ("WZP_PORT", "-1"),
        ("WZP_DIRECT", "all"),
        ("WZP_TIMEOUT", "1"),
        ("WZP_PORT", "3\udcff"),  # a byte that is no UTF-8
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name}: "):
        env_overlay({name: value})
