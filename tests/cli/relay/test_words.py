from datetime import UTC, datetime
from pathlib import Path

import pytest

from wzp_cli.adapters.disk.config import Config
from wzp_cli.address import HostPort
from wzp_cli.cli.relay.words import RelayWords, metrics_address, serving_address
from wzp_cli.cli.settings import Settings
from wzp_cli.defaults.relay import RELAY_DRAIN_S, TURN_GRANT_S
from wzp_cli.errors import ConfigError, UsageError
from wzp_cli.protocol.names.identity import Keypair
from wzp_cli.relay.access import token_digest


def test_options_count_more_than_the_file() -> None:
    said = Config(listen="192.0.2.1:1", metrics="2", drain="3s", token_file="~/t")
    words = RelayWords(metrics="4").over(said)
    assert (words.listen, words.metrics, words.drain) == ("192.0.2.1:1", "4", 3.0)
    assert words.token_file == Path.home() / "t"
    assert RelayWords().over(Config()).drain == RELAY_DRAIN_S
    with pytest.raises(ConfigError, match="drain: not a duration"):
        RelayWords().over(Config(drain="0s"))


def test_without_lists_everybody_is_admitted() -> None:
    access = RelayWords().settings().access
    assert (access.tokens, access.allowed, access.blocked) == (None, None, frozenset())


def test_lists_are_read(tmp_path: Path) -> None:
    alice, bob = Keypair.generate().identity, Keypair.generate().identity
    files = {"tokens": "sesame\n", "allowed": f"{alice}\n", "blocked": f"{bob}\n"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    access = (
        RelayWords(
            token_file=tmp_path / "tokens",
            allow_file=tmp_path / "allowed",
            block_file=tmp_path / "blocked",
        )
        .settings()
        .access
    )
    assert access.tokens == frozenset([token_digest("sesame")])
    assert access.allowed == frozenset([alice.key])
    assert access.blocked == frozenset([bob.key])
    with pytest.raises(ConfigError, match="none"):
        RelayWords(block_file=tmp_path / "none").settings()


def test_tcp_is_served_where_it_is_said_and_a_certificate_is_whole() -> None:
    assert RelayWords().tcp_address() is None
    assert RelayWords(tcp="[::]").tcp_address() == HostPort("", 443)
    assert RelayWords(tcp="127.0.0.1:0").tcp_address() == HostPort("127.0.0.1", 0)
    said = Config(tcp="*:8443", tls_cert="~/c", tls_key="~/k")
    words = RelayWords().over(said)
    assert words.tcp_address() == HostPort("", 8443)
    assert words.tls_cert == Path.home() / "c"
    for wrong, says in (
        (RelayWords(tcp="relay.example"), "in numbers"),
        (RelayWords(tcp="[::]", tls_cert=Path("c")), "go together"),
        (RelayWords(tls_cert=Path("c"), tls_key=Path("k")), "say that, too"),
    ):
        with pytest.raises(UsageError, match=says):
            wrong.tcp_address()


def test_a_turn_server_goes_with_a_secret(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("# shared with coturn\nnorth\n")
    secret.chmod(0o600)
    assert RelayWords().settings().turn is None
    said = Config(turn="turn:turn.example:3479", turn_secret_file=str(secret))
    service = RelayWords().over(said).settings().turn
    assert service is not None
    assert service.server == "turn.example:3479"
    until, _, name = service.grant().username.partition(":")
    assert 0 < int(until) - datetime.now(UTC).timestamp() <= TURN_GRANT_S
    assert service.grant() != service.grant()
    assert name
    secret.chmod(0o644)
    for wrong, says in (
        (RelayWords(turn="turn.example"), "go together"),
        (RelayWords(turn_secret_file=secret), "go together"),
        (RelayWords(turn="a:b:c", turn_secret_file=secret), "--turn a:b:c: "),
        (RelayWords(turn="turn.example", turn_secret_file=secret), "chmod o="),
    ):
        with pytest.raises((UsageError, ConfigError), match=says):
            wrong.settings()


@pytest.mark.parametrize(
    ("listen", "port", "expected"),
    [
        (None, None, HostPort("", 4433)),
        ("*:0", None, HostPort("", 0)),
        ("[::]:1", 2, HostPort("", 2)),
        ("127.0.0.1", None, HostPort("127.0.0.1", 4433)),
        ("[::1]:0", None, HostPort("::1", 0)),
    ],
)
def test_where_to_serve(
    listen: str | None, port: int | None, expected: HostPort
) -> None:
    assert serving_address(listen, Settings(port=port)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("9095", HostPort("127.0.0.1", 9095)),
        ("0.0.0.0:9095", HostPort("0.0.0.0", 9095)),
        ("*:9095", HostPort("0.0.0.0", 9095)),
        ("[::1]:0", HostPort("::1", 0)),
    ],
)
def test_where_to_answer_the_operator(text: str, expected: HostPort) -> None:
    assert metrics_address(text) == expected


@pytest.mark.parametrize("text", ["", "localhost:1", "127.0.0.1", "1:2:3", "99999"])
def test_nowhere_to_answer_the_operator(text: str) -> None:
    with pytest.raises(UsageError, match="--metrics"):
        metrics_address(text)


def test_a_fleet_and_where_its_clients_find_this_relay() -> None:
    single = RelayWords().over(Config())
    assert single.bus() is None
    words = RelayWords().over(Config(cluster="nats://a, tls://b:1"))
    bus = words.bus()
    assert bus is not None
    assert list(bus.servers) == ["nats://a", "tls://b:1"]
    own = [f"192.0.2.{n}:1" for n in range(6)]
    assert words.met_at(own) == tuple(own[:4])
    told = RelayWords(advertise=["198.51.100.1:4433"])
    assert told.met_at(own) == ("198.51.100.1:4433",)
    with pytest.raises(UsageError, match=r"--advertise relay\.example: write IP:PORT"):
        RelayWords(advertise=["relay.example"]).met_at(own)
    with pytest.raises(UsageError, match="no address of its own"):
        words.met_at([])
