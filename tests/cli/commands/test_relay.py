import contextlib
import json
import os
import signal
import socket
import ssl
import sys
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.adapters.test_nats_bus import certificate
from tests.cli.test_schema import fits
from tests.netlab.program import Program
from tests.support.nats_server import nats_server
from tests.support.processes import Processes
from wzp_cli.cli.app import run
from wzp_cli.defaults.relay import RELAY_FORWARDERS


def test_a_relay_tells_where_it_serves_and_whom(processes: Processes) -> None:
    serving = processes.user("relay").start("relay", "--listen", "127.0.0.1:0")
    ready = serving.wait_for("relay.ready")
    where = f"127.0.0.1:{ready['port']}"
    assert ready["addresses"] == [where]
    assert len({ready["port"], *ready["ports"]}) == 4
    alice = processes.user("alice")
    watching = alice.start("register", "--relay", where, "--watch")
    registered = watching.wait_for("registered")
    assert registered["relay_id"] == ready["id"] != alice.id
    serving.wait_for("relay.stats", links=1, published=0)
    serving.terminate()
    assert serving.wait_end()["exit"] == 0
    names = [event["event"] for event in serving.events]
    assert names[:2] == ["hello", "relay.ready"]
    assert serving.events[0]["id"] == ready["id"]
    for event in serving.events:
        fits(event, "events.json")


def test_for_a_person_there_is_a_line_to_pass_on(processes: Processes) -> None:
    user = processes.user("relay")
    screen = user.at_terminal("relay", "--listen", "127.0.0.1:4433", "--port", "0")
    screen.wait_for("To use it:\r\n  --relay 127.0.0.1:")
    screen.wait_for("Connected: 0")
    assert "127.0.0.1:4433" not in screen.text  # --port counts more
    screen.send(signal.SIGINT)
    assert screen.wait_end() == 130


def test_a_port_in_use(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        assert run(["relay", "--listen", f"127.0.0.1:{port}"], environ) == 7
    said = f"wzp: UDP port {port} is in use. Choose another with --port.\n"
    assert capfd.readouterr() == ("", said)


@pytest.mark.parametrize("where", ["host:", ":70000", "127.0.0.1:x"])
def test_an_address_that_is_none(
    where: str, environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    code = run(["relay", "--listen", where, "--json"], environ)
    events = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert (code, events[-1]["event"], events[-1]["exit"]) == (2, "end", 2)
    assert events[-2]["hint"] == "See `wzp relay --help`."


def operator(where: str, path: str) -> int:
    """Return the HTTP status of one of the operator's pages."""
    connection = HTTPConnection(where, timeout=10)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status


def test_an_operator_asks_how_it_is(processes: Processes) -> None:
    boss = processes.user("relay")
    serving = boss.start("relay", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
    ready = serving.wait_for("relay.ready")
    relay = f"127.0.0.1:{ready['port']}"
    watching = processes.user("alice").start("register", "--relay", relay, "--watch")
    watching.wait_for("registered")
    answer = boss.ask("relay", "status", "--metrics", ready["metrics"])
    fits(answer.document, "relay-status.json")
    assert answer.result["id"] == ready["id"]
    assert (answer.result["state"], answer.result["links"]) == ("serving", 1)
    assert answer.result["handshakes"]["ok"] == answer.result["entered"]["welcome"] == 1
    assert operator(ready["metrics"], "/readyz") == 200
    text = boss.run("relay", "status", "--metrics", ready["metrics"]).stdout
    assert "state:      serving, for " in text
    assert "clients:    1, of them ready for calls: 0\n" in text
    serving.terminate()
    assert serving.wait_end()["exit"] == 0
    assert watching.wait_for("warning")["code"] in ("relay_draining", "relay_lost")
    boss.run("relay", "status", "--metrics", ready["metrics"], expect=4)


def test_its_user_asks_how_it_is_without_any_metrics(processes: Processes) -> None:
    boss = processes.user("relay")
    answer = boss.ask("relay", "status", expect=4)
    fits(answer.document, "relay-status.json")
    assert "--state-dir" in answer.document["error"]["hint"]
    serving = boss.start("relay", "--listen", "127.0.0.1:0")
    ready = serving.wait_for("relay.ready")
    answer = boss.ask("relay", "status")
    fits(answer.document, "relay-status.json")
    assert answer.result["id"] == ready["id"]
    assert answer.result["state"] == "serving"


def test_who_may_use_it_and_rules_that_are_reread(
    processes: Processes, tmp_path: Path
) -> None:
    boss, alice, bob = map(processes.user, ("relay", "alice", "bob"))
    tokens, allowed, mine = (tmp_path / each for each in ("tokens", "allowed", "mine"))
    for path, text in ((tokens, "sesame\n"), (allowed, f"{bob.id} Bob\n")):
        path.write_text(text)
        path.chmod(0o600)
    config = tmp_path / "relay.toml"
    config.write_text(f'token-file = "{tokens}"\nallow-file = "{allowed}"\n')
    words = ("relay", "--listen", "127.0.0.1:0", "--config", str(config))
    serving = boss.start(*words)
    relay = f"127.0.0.1:{serving.wait_for('relay.ready')['port']}"
    refused = alice.ask("register", "--relay", relay, expect=6)
    assert refused.document["error"]["code"] == "access_refused"
    mine.write_text("sesame\n")
    mine.chmod(0o600)
    shows = ("--relay-token-file", str(mine))
    watching = alice.start("register", "--relay", relay, "--watch", *shows)
    watching.wait_for("registered")
    bob.ask("register", "--relay", relay)

    tokens.write_text("other\n")
    serving.send(signal.SIGHUP)
    told = serving.wait_for("relay.reloaded")
    assert (told["tokens"], told["allowed"], told["closed"]) == (1, 1, 1)
    watching.wait_for("warning", code="relay_lost")
    watching.wait_for("warning", code="access_refused")

    config.write_text(f'token-file = "{tokens}"\nblock-file = "{allowed}"\n')
    serving.send(signal.SIGHUP)
    told = serving.wait_for("relay.reloaded")
    assert (told["allowed"], told["blocked"]) == (None, 1)
    bob.ask("register", "--relay", relay, expect=6)

    tokens.write_text("two words\n")
    serving.send(signal.SIGHUP)
    told = serving.wait_for("warning", code="reload")
    assert f"nothing was reread: {tokens}, line 1" in told["message"]
    for event in serving.events:
        fits(event, "events.json")


def test_a_token_is_shown_to_relays_that_the_user_named(
    processes: Processes, tmp_path: Path
) -> None:
    """A contact's, or a ticket's, relay is somebody else's."""
    tokens = tmp_path / "tokens"
    tokens.write_text("sesame\n")
    tokens.chmod(0o600)
    words = ("relay", "--listen", "127.0.0.1:0", "--token-file", str(tokens))
    serving = processes.user("relay").start(*words)
    relay = f"127.0.0.1:{serving.wait_for('relay.ready')['port']}"
    alice, bob = processes.user("alice"), processes.user("bob")
    (alice.state / "contacts").write_text(f"{bob.id} {relay} bob\n")
    shows = ("--relay-token-file", str(tokens))
    quietly = ("--in", "null", "--out", "null", *shows)
    alice.run("call", "bob", *quietly, expect=6)
    alice.run("call", "bob", *quietly, "--relay", relay, expect=5)


def test_a_second_sigterm_does_not_wait(processes: Processes) -> None:
    boss, alice, bob = map(processes.user, ("relay", "alice", "bob"))
    serving = boss.start("relay", "--listen", "127.0.0.1:0", "--drain", "10m")
    relay = f"127.0.0.1:{serving.wait_for('relay.ready')['port']}"
    sound = ("--in", "tone", "--out", "null")
    listening = bob.start("listen", "--relay", relay, "--auto-answer", "all", *sound)
    listening.wait_for("ready")
    alice.start("call", bob.id, "--relay", relay, *sound).wait_for("media.started")
    serving.terminate()
    told = serving.wait_for("relay.draining")
    assert (told["channels"], told["within_s"]) == (1, 600.0)
    listening.wait_for("warning", code="relay_draining")
    serving.terminate()
    assert serving.wait_end()["exit"] == 143


def test_its_log_is_json_for_whoever_reads_it_later(processes: Processes) -> None:
    boss = processes.user("relay")
    log = boss.state / "log"
    words = ("--log-format", "json", "--log-level", "info", "--log-file", str(log))
    serving = boss.start("relay", "--listen", "127.0.0.1:0", *words)
    ready = serving.wait_for("relay.ready")
    serving.terminate()
    serving.wait_end()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    told = [line for line in lines if line["logger"] == "wzp.relay"]
    names = [line["event"] for line in told]
    assert names == ["hello", "relay.ready", "relay.draining"]
    assert told[1]["port"] == ready["port"]
    assert all({"ts", "level", "message"} <= line.keys() for line in lines)


def test_relays_of_a_fleet_find_each_others_clients(
    processes: Processes, tmp_path: Path
) -> None:
    boss, alice, bob = map(processes.user, ("relay", "alice", "bob"))
    (boss.state / "relay").mkdir(0o700)
    key = boss.state / "relay" / "identity.key"
    first = boss.start("relay", "--listen", "127.0.0.1:0")
    identity = first.wait_for("relay.ready")["id"]
    first.terminate()
    first.wait_end()
    with nats_server() as nats:
        relays = [
            processes.user(f"relay {n}").start(
                *("relay", "--listen", "127.0.0.1:0", "--key-file", str(key)),
                *("--cluster", nats.url, "--metrics", "127.0.0.1:0"),
            )
            for n in range(2)
        ]
        ready = [each.wait_for("relay.ready") for each in relays]
        assert [each["id"] for each in ready] == [identity, identity]
        where = [f"127.0.0.1:{each['port']}" for each in ready]
        sound = ("--in", "tone", "--out", "null")
        words = ("--relay", where[1], "--auto-answer", "all", "--once", *sound)
        listening = bob.start("listen", *words)
        listening.wait_for("ready")
        calling = alice.start(
            "call", bob.id, "--relay", where[0], *sound, "--duration", "1s"
        )
        calling.wait_for("media.started")
        assert calling.wait_end()["exit"] == listening.wait_end()["exit"] == 0
        answer = boss.ask("relay", "status", "--metrics", ready[0]["metrics"])
        fits(answer.document, "relay-status.json")
        assert answer.result["fleet"]["up"]
        assert answer.result["fleet"]["joined"] == 1


def test_a_relay_serves_tcp_too_and_says_where(
    processes: Processes, tmp_path: Path
) -> None:
    cert, key = certificate(tmp_path)
    words = ("--listen", "127.0.0.1:0", "--tcp", "127.0.0.1:0")
    files = ("--tls-cert", str(cert), "--tls-key", str(key))
    serving = processes.user("relay").start("relay", *words, *files)
    ready = serving.wait_for("relay.ready")
    alice = processes.user("alice")
    registered = alice.ask("register", "--relay", f"127.0.0.1:{ready['port']}")
    assert registered.exit == 0
    told = (alice.state / "relay_tcp_ports").read_text()
    assert told == f"127.0.0.1:{ready['port']} {ready['tcp_port']}\n"

    def shown() -> str:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection(("127.0.0.1", ready["tcp_port"]), 10) as tcp,
            context.wrap_socket(tcp) as tls,
        ):
            return ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True) or b"")

    before = shown()
    assert before == cert.read_text()
    renewed, renewed_key = certificate(tmp_path)
    assert (renewed, renewed_key) == (cert, key)
    serving.send(signal.SIGHUP)
    serving.wait_for("relay.reloaded")
    assert shown() == cert.read_text() != before
    cert.write_text("no PEM")
    serving.send(signal.SIGHUP)
    assert str(cert) in serving.wait_for("warning", code="reload")["message"]
    assert shown() != before
    serving.terminate()
    assert serving.wait_end()["exit"] == 0


def children(pid: int) -> set[int]:
    """Return the processes that a process has started."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            number, _, rest = path.read_text().rpartition(") ")
            state, parent, *_ = rest.split()
            if state != "Z" and int(parent) == pid:
                found.add(int(number.split()[0]))
    return found


def hears_now(side: Program) -> bool:
    """Whether sound comes in a second that begins after this, and not in one before."""
    begins = datetime.now(UTC) + timedelta(seconds=1)
    while datetime.fromisoformat((stats := side.wait_for("stats"))["ts"]) < begins:
        pass
    return bool(stats["rx_bps"])


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone shares a port so")
def test_forwarders_carry_a_call_and_their_death_does_not_end_it(
    processes: Processes,
) -> None:
    """Killed in mid-call; then the relay is stuck; then it drains, and leaves nobody.

    The two sides know the relay at different addresses, and take frames from these.
    """
    boss = processes.user("relay")
    del boss.environment["WZP_FORWARDERS"]
    words = ("--listen", "*:0", "--metrics", "127.0.0.1:0")
    serving = boss.start("relay", *words)
    ready = serving.wait_for("relay.ready")
    here, there = (
        ("--relay", f"127.0.0.{number}:{ready['port']}") for number in (1, 2)
    )
    alice, bob = (
        processes.user(name, WZP_PRIVACY="always-relay") for name in ("alice", "bob")
    )
    sound = ("--in", "tone", "--out", "null")
    listening = bob.start("listen", *there, "--auto-answer", "all", "--once", *sound)
    listening.wait_for("ready")
    calling = alice.start("call", bob.id, *here, *sound, "--duration", "10s")
    calling.wait_for("media.started")
    before = children(serving.pid)
    assert len(before) == RELAY_FORWARDERS
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    for _ in before:
        assert "(-9)" in serving.wait_for("warning", code="forwarder")["message"]
    while not hears_now(calling):
        pass  # the next one is on its way
    serving.send(signal.SIGSTOP)  # as if it had more to do than it can
    assert hears_now(calling), "the sound does not need it"
    serving.send(signal.SIGCONT)
    ends = [each.wait_end() for each in (calling, listening)]
    for end in ends:
        assert (end["exit"], end["path"]) == (0, "relay")
        assert end["frames"]["received"] > 100
    status = boss.ask("relay", "status", "--metrics", ready["metrics"])
    fits(status.document, "relay-status.json")
    assert status.result["forwarders"]["running"] == RELAY_FORWARDERS
    assert status.result["forwarders"]["restarts"] == RELAY_FORWARDERS
    assert status.result["forwarded_packets"] > 200
    after = children(serving.pid)
    assert len(after) == RELAY_FORWARDERS
    for pid in after:
        os.kill(pid, signal.SIGTERM)  # as systemd does, to all of a service
    serving.terminate()
    assert serving.wait_end()["exit"] == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in after)


def test_a_certificate_that_is_none(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    nothing = str(tmp_path / "none.pem")
    words = ["--listen", "127.0.0.1:0", "--tcp", "127.0.0.1:0"]
    files = ["--tls-cert", nothing, "--tls-key", nothing]
    assert run(["relay", *words, *files], environ) == 2
    assert "No such file" in capfd.readouterr().err
    assert run(["relay", *words, *files[:2]], environ) == 2
    assert "go together" in capfd.readouterr().err
