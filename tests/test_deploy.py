"""What operators install (deploy/) is right: systemd, configuration, container."""

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.adapters.test_nats_bus import certificate
from tests.support.requirements import require
from tests.support.turn_server import SECRET, turn_on_loopback
from wzp_cli.adapters.disk.config import load_config
from wzp_cli.adapters.metrics import exposition
from wzp_cli.address import Address
from wzp_cli.cli.app import app
from wzp_cli.cli.command import Job
from wzp_cli.cli.relay.words import RelayWords
from wzp_cli.endpoint.factory import Bind, open_endpoint
from wzp_cli.errors import TurnUnavailable
from wzp_cli.protocol.names.identity import Keypair
from wzp_cli.protocol.relay_facts import (
    FleetFacts,
    ForwarderFacts,
    Histogram,
    RelayFacts,
)
from wzp_cli.protocol.turn import issue_grant

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UNIT = (DEPLOY / "wzp-relay.service").read_text("utf-8")
LISTENER = (DEPLOY / "wzp-listen.service").read_text("utf-8")
CONTAINER = (DEPLOY / "Containerfile").read_text("utf-8")
HIGHEST_EXPOSURE = 20
"""In tenths: systemd calls up to 2 "OK", and 10 is a service without any fence."""
LISTENERS_HIGHEST_EXPOSURE = 56
"""The same for a user's service. A third of it is capabilities, which no user has."""


def job(words: list[str]) -> Job:
    read = app(words, prog_name="wzp", standalone_mode=False)
    assert isinstance(read, Job)
    return read


def analyze(*words: str, **environment: str) -> str:
    """Run systemd-analyze; return what it says."""
    if shutil.which("systemd-analyze") is None:
        require("systemd", "systemd-analyze is not installed")
    ran = subprocess.run(
        ["systemd-analyze", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
        timeout=60,
    )
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


@pytest.fixture
def unit(tmp_path: Path) -> str:
    """Return the unit with a program that is there: `verify` looks for it."""
    path = tmp_path / "wzp-relay.service"
    path.write_text(UNIT.replace("/opt/wzp/bin/wzp", sys.executable))
    return str(path)


def test_systemd_finds_nothing_wrong_with_the_unit(unit: str) -> None:
    assert analyze("verify", unit) == ""


def test_the_service_is_fenced_in(unit: str) -> None:
    threshold = f"--threshold={HIGHEST_EXPOSURE}"
    said = analyze("security", "--offline=true", threshold, "--no-pager", unit)
    assert "OK" in said.splitlines()[-1]


def test_the_service_runs_what_there_is() -> None:
    (line,) = re.findall(r"^ExecStart=(.*)$", UNIT, re.MULTILINE)
    program, *words = shlex.split(line)
    assert program == "/opt/wzp/bin/wzp"
    assert job(words).command.name == "relay"
    assert job(words).everywhere.log_format == "json"


@pytest.fixture
def listener(tmp_path: Path) -> str:
    """Return the user's unit, with a program that is there."""
    path = tmp_path / "wzp-listen.service"
    path.write_text(LISTENER.replace("%h/.local/bin/wzp", sys.executable))
    return str(path)


def test_systemd_finds_nothing_wrong_with_the_listeners_unit(
    listener: str, tmp_path: Path
) -> None:
    """As the manager of a user reads it, who need not be logged in here."""
    said = analyze("verify", "--user", listener, XDG_RUNTIME_DIR=str(tmp_path))
    assert said == ""


def test_the_listener_is_fenced_in_as_far_as_sound_allows(
    listener: str, tmp_path: Path
) -> None:
    words = ("security", "--user", "--offline=true", "--no-pager")
    threshold = f"--threshold={LISTENERS_HIGHEST_EXPOSURE}"
    said = analyze(*words, threshold, listener, XDG_RUNTIME_DIR=str(tmp_path))
    assert "Overall exposure level" in said, "or else it ends with an error"


def test_the_listener_that_is_run_can_be_answered_from_elsewhere() -> None:
    (line,) = re.findall(r"^ExecStart=(.*)$", LISTENER, re.MULTILINE)
    program, *words = shlex.split(line)
    assert program == "%h/.local/bin/wzp"
    listens = job(words)
    assert listens.command.name == "listen"
    assert not listens.everywhere.no_input, "then it would decline what rings"


def settings_of(text: str, tmp_path: Path) -> RelayWords:
    path = tmp_path / "relay.toml"
    path.write_text(text)
    return RelayWords().over(load_config(path, required=True))


def test_the_configuration_is_read_with_all_that_it_proposes(tmp_path: Path) -> None:
    text = (DEPLOY / "relay.toml").read_text("utf-8")
    plain = settings_of(text, tmp_path)
    assert plain.listen == "[::]:4433"
    assert plain.token_file is None
    assert plain.forwarders == 1
    every = settings_of(re.sub(r"(?m)^#(?=[a-z-]+ = )", "", text), tmp_path)
    assert every.token_file == Path("/run/credentials/wzp-relay.service/tokens")
    assert None not in (every.allow_file, every.block_file, every.key_file)


def test_a_drain_fits_into_the_time_that_systemd_gives(tmp_path: Path) -> None:
    words = settings_of((DEPLOY / "relay.toml").read_text("utf-8"), tmp_path)
    (stops_s,) = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)
    assert words.drain is not None
    assert words.drain + 10 < int(stops_s)


def instructions() -> list[tuple[str, str]]:
    """Return the Containerfile's instructions and their words."""
    lines = [ln for ln in CONTAINER.splitlines() if ln and not ln.startswith("#")]
    pairs = [ln.partition(" ") for ln in lines]
    return [(name, rest) for name, _, rest in pairs]


def test_the_container_is_made_of_what_there_is() -> None:
    known = {
        *("FROM", "WORKDIR", "COPY", "RUN", "USER", "VOLUME", "ENV", "EXPOSE"),
        *("STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"),
    }
    assert {name for name, _ in instructions()} == known
    for name, rest in instructions():
        if name == "COPY" and not rest.startswith("--from"):
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source
    assert [r for n, r in instructions() if n == "STOPSIGNAL"] == ["SIGTERM"]
    assert not [r for n, r in instructions() if n == "USER" and r.startswith("0")]


def test_the_container_runs_what_there_is() -> None:
    said = dict(instructions())
    command = json.loads(said["CMD"])
    assert job(command).command.name == "relay"
    health = said["HEALTHCHECK"].removeprefix("CMD ")
    program, *words = json.loads(health)
    assert program == "/opt/wzp/bin/wzp"
    assert job(words).command.name == "relay status"


def real_metrics() -> set[str]:
    """Return the names of all that a relay of a fleet tells Prometheus."""
    some = {"x": 0}
    facts = RelayFacts(
        version="1",
        id="wzp1x",
        state="serving",
        uptime_s=0.0,
        links=0,
        published=0,
        channels=0,
        half_open=0,
        forwarded_packets=0,
        forwarded_bytes=0,
        dropped=some,
        socket=some,
        entered=some,
        connects=some,
        handshakes=some,
        loop_lag=Histogram(),
        tunnels_refused=some,
        turn_grants=some,
        forwarders=ForwarderFacts(running=0, restarts=0, cpu_s=[0.0]),
        fleet=FleetFacts(up=True, held=0, asked=some, answered=0, joined=0, refused=0),
    )
    text = exposition(facts).decode()
    return set(re.findall(r"^([a-z_]+)(?:\{| )", text, re.MULTILINE))


def metrics_in(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:wzp|process)_[a-z_]+", expression))


def test_the_dashboard_shows_what_there_is() -> None:
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text("utf-8"))
    panels = dashboard["panels"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    asked += [each.get("definition", "") for each in dashboard["templating"]["list"]]
    names = set().union(*map(metrics_in, asked))
    real = real_metrics()
    assert names <= real, names - real
    own = {name for name in real if name.startswith("wzp_")}
    unseen = own - names - {"wzp_relay_uptime_seconds"}
    assert {name for name in unseen if not name.startswith("wzp_relay_event")} == set()


def test_the_dashboard_is_one_that_grafana_loads() -> None:
    """What it cannot do without: places that do not overlap, and one source."""
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text("utf-8"))
    assert {"title", "uid", "schemaVersion", "panels", "templating"} <= set(dashboard)
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert {panel["datasource"]["uid"] for panel in panels} == {"${source}"}
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


def test_alerts_are_about_what_there_is() -> None:
    rules = (DEPLOY / "wzp-alerts.yml").read_text("utf-8")
    expressions = re.findall(r"expr: (.*)$", rules, re.MULTILINE)
    assert len(expressions) == rules.count("- alert:")
    assert set().union(*map(metrics_in, expressions)) <= real_metrics()


def test_nats_takes_its_configuration(tmp_path: Path) -> None:
    if shutil.which("nats-server") is None:
        require("nats", "nats-server is not installed")
    cert, key = certificate(tmp_path)
    text = (DEPLOY / "nats.conf").read_text("utf-8")
    text = text.replace("/etc/nats/cert.pem", str(cert))
    path = tmp_path / "nats.conf"
    path.write_text(text.replace("/etc/nats/key.pem", str(key)))
    ran = subprocess.run(
        ["nats-server", "-t", "-c", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        env={"WZP_NATS_PASSWORD": "sesame", "PATH": "/usr/sbin:/usr/bin:/bin"},
    )
    assert ran.returncode == 0, ran.stdout
    assert "wzp.1.>" in text


REFUSED_PEERS = (
    *("10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1"),
    *("192.168.1.1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "224.0.0.1"),
    *("0.0.0.1", "255.255.255.255"),
)


def now_s() -> float:
    return datetime.now(UTC).timestamp()


async def answers(server: Address, peers: tuple[str, ...]) -> dict[str, str]:
    """Return what coturn says to a channel to each peer (nothing is sent there)."""
    said: dict[str, str] = {}
    grant = issue_grant(str(server), SECRET, "name", now_s() + 60)
    async with (
        open_endpoint(Keypair.generate(), Bind(), print) as endpoint,
        endpoint.turn.open(server, grant) as allocation,
    ):
        for peer in peers:
            try:
                await allocation.bind(Address(peer, 50000))
                said[peer] = "yes"
            except TurnUnavailable as error:
                said[peer] = str(error)
    return said


def test_coturn_starts_with_its_configuration_and_refuses_private_peers(
    tmp_path: Path,
) -> None:
    with turn_on_loopback(tmp_path) as server:
        for some in (REFUSED_PEERS[::2], REFUSED_PEERS[1::2]):  # each a call's peers
            said = asyncio.run(answers(server, ("9.9.9.9", *some)))
            assert said.pop("9.9.9.9") == "yes"
            assert set(said.values()) == {f"{server} refuses: 403 Forbidden IP"}


@pytest.mark.parametrize(("secret", "good_for_s"), [(SECRET, -10), ("another", 60)])
def test_coturn_takes_neither_expired_credentials_nor_another_secret(
    tmp_path: Path, secret: str, good_for_s: float
) -> None:
    async def allocate(server: Address) -> None:
        async with open_endpoint(Keypair.generate(), Bind(), print) as endpoint:
            until_s = now_s() + good_for_s
            grant = issue_grant(str(server), secret, "name", until_s)
            async with endpoint.turn.open(server, grant):
                raise AssertionError

    with (
        turn_on_loopback(tmp_path) as server,
        pytest.raises(TurnUnavailable, match="refuses: 401"),
    ):
        asyncio.run(allocate(server))
