import signal
import socket
from pathlib import Path

import pytest

from tests.cli.test_schema import fits
from tests.support.processes import Processes
from wzp_cli.adapters.disk.state import open_state
from wzp_cli.cli.app import run
from wzp_cli.protocol.names.identity import Keypair

SILENT = "127.0.0.1:1"


def test_one_document_with_the_address_that_later_takes_calls(
    processes: Processes, relay: str
) -> None:
    alice = processes.user("alice")
    first = alice.ask("register", "--relay", relay)
    fits(first.document, "register.json")
    result = first.result
    assert result["reflexive"] == f"127.0.0.1:{result['port']}"
    assert (result["id"], result["relay"]) == (alice.id, relay)
    said = alice.run("register", "--relay", relay)  # the port was remembered
    assert said.stdout == f"{result['reflexive']}\n"
    assert f"Registered at relay {relay}." in said.stderr


def test_watching_goes_on_and_another_process_takes_another_port(
    processes: Processes, relay: str
) -> None:
    alice = processes.user("alice", WZP_RELAY=relay)
    watching = alice.start("register", "--watch")
    port = watching.wait_for("bound")["port"]
    watching.wait_for("registered")
    second = alice.ask("register")
    assert [warning["code"] for warning in second.document["warnings"]] == [
        "second_process"
    ]
    assert second.result["port"] != port
    watching.send(signal.SIGINT)
    assert watching.wait_end()["exit"] == 130
    events = watching.events
    names = [event["event"] for event in events]
    assert names == ["hello", "bound", "reflexive", "registered", "end"]
    assert [event["seq"] for event in events] == list(range(5))
    assert events[0]["id"] == alice.id
    for event in events:
        fits(event, "events.json")


def test_flag_over_variable_over_file(processes: Processes, relay: str) -> None:
    alice = processes.user("alice", WZP_CONFIG="config.toml", WZP_RELAY=SILENT)
    config = alice.state / "config.toml"
    config.write_text('relay = "127.0.0.1:2"\ntimeout = "200ms"\n')
    alice.environment["WZP_CONFIG"] = str(config)
    answer = alice.ask("register", expect=4)
    assert answer.document["error"]["message"].endswith(f"{SILENT}")
    fits(answer.document, "register.json")
    words = ["register", "--timeout", "3s", "--relay", relay]
    assert alice.ask(*words).result["relay"] == relay


def test_the_next_relay_is_tried(processes: Processes, relay: str) -> None:
    answer = processes.user("alice").ask(
        "register", "--relay", SILENT, "--relay", relay, "--timeout", "3s"
    )
    assert answer.result["relay"] == relay
    (warning,) = answer.document["warnings"]
    assert warning["code"] == "relay_unreachable"
    assert SILENT in warning["message"]


def test_a_relay_with_another_key_is_refused_until_it_is_forgotten(
    processes: Processes, relay: str
) -> None:
    alice = processes.user("alice")
    known = open_state(alice.state).known_relays
    known.pin(relay, Keypair.generate().identity.key)
    refused = alice.ask("register", "--relay", relay, expect=6)
    error = refused.document["error"]
    assert error["code"] == "key_changed"
    assert relay in error["message"]
    assert "wzp id forget" in error["hint"]
    forgotten = alice.ask("id", "forget", relay).result
    assert forgotten == {"relay": relay, "name": None, "known": True}
    found = alice.ask("register", "--relay", relay).result
    assert str(known.all()[relay]) == found["relay_id"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "no relay is known; name one: --relay HOST"),
        (["--relay", SILENT, "--timeout", "200ms"], 4, SILENT),
        (["--relay", "nowhere..invalid"], 4, "no address was found for nowhere..in"),
    ],
)
def test_what_goes_wrong_is_said(
    words: list[str],
    code: int,
    said: str,
    environ: dict[str, str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert run(["register", *words], environ) == code
    out, err = capfd.readouterr()
    assert out == ""
    last = err.splitlines()[-1]
    assert last.startswith("wzp: ")
    assert said in last


def test_a_port_in_use(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other:
        other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        other.bind(("", 0))
        port = str(other.getsockname()[1])
        assert run(["register", "--relay", SILENT, "--port", port], environ) == 7
    assert "Choose another with --port." in capfd.readouterr().err
