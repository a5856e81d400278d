import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_schema import fits
from tests.support.processes import Processes
from wzp_cli.adapters.disk.state import open_state
from wzp_cli.address import HostPort
from wzp_cli.cli.app import run
from wzp_cli.protocol.names.identity import Keypair
from wzp_cli.protocol.names.ticket import Ticket

SILENCE = ["--in", "null", "--out", "null"]
SILENT = "127.0.0.1:1"


def ticket() -> str:
    keypair = Keypair.generate()
    return Ticket(keypair.identity, HostPort("127.0.0.1", 1)).format(keypair)


def stream(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    out, err = capfd.readouterr()
    assert err == ""
    events = [json.loads(line) for line in out.splitlines()]
    for event in events:
        fits(event, "events.json")
    return events


def test_a_peer_that_is_not_there(
    processes: Processes, relay: str, tmp_path: Path
) -> None:
    alice = processes.user("alice")
    nobody = str(Keypair.generate().identity)
    words = [
        "call",
        nobody,
        "--relay",
        relay,
        *SILENCE,
        "--events",
        str(tmp_path / "e"),
    ]
    said = alice.run(*words, expect=5)
    assert said.stdout == ""
    *_, last = said.stderr.splitlines()
    assert last.endswith("Ask them to run `wzp listen`.")
    events = [json.loads(line) for line in (tmp_path / "e").read_text().splitlines()]
    assert [event["event"] for event in events] == [
        "hello", "bound", "reflexive", "registered", "error", "end",
    ]  # fmt: skip
    assert events[0]["id"] == alice.id
    assert (events[-2]["code"], events[-1]["exit"]) == ("peer_offline", 5)
    for event in events:
        fits(event, "events.json")


def test_a_signal_ends_the_ringing(processes: Processes) -> None:
    calling = processes.user("alice").start("call", SILENT, *SILENCE)
    calling.wait_for("bound")
    calling.send(signal.SIGTERM)
    end = calling.wait_end()
    assert (end["exit"], end["peer"]) == (143, None)
    assert [event["event"] for event in calling.events] == ["hello", "bound", "end"]


def test_nobody_answers_a_direct_dial(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["call", SILENT, *SILENCE, "--ring-timeout", "200ms", "--json"]
    assert run(words, environ) == 4
    events = stream(capfd)
    assert [event["event"] for event in events] == ["hello", "bound", "error", "end"]
    assert events[2]["code"] == "peer_unreachable"


@pytest.mark.parametrize(
    ("peer", "code", "said", "hint"),
    [
        ("bob", 2, "no contact is named 'bob'", "wzp call --help"),
        ("wzp1abc", 2, "An identity has 59 characters", "wzp call --help"),
        (str(Keypair.generate().identity), 2, "no relay is known", "wzp call --help"),
        ("wzp:x", 2, 'An identity starts with "wzp1".', "wzp call --help"),
        (ticket()[:-4] + "AAAA", 6, "The ticket's signature is wrong", None),
        (ticket().partition("&")[0], 6, "is not signed", "In a shell, put the ticket"),
        (ticket(), 4, "no answer from the relay 127.0.0.1:1", "Check its address"),
        ("nowhere..invalid:4433", 4, "nowhere..invalid", "Check its spelling"),
    ],
)
def test_a_peer_that_cannot_be_called(
    peer: str,
    code: int,
    said: str,
    hint: str | None,
    environ: dict[str, str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    words = ["call", peer, *SILENCE, "--timeout", "300ms", "--json"]
    assert run(words, environ) == code
    events = stream(capfd)
    *_, error, end = events
    assert (events[0]["event"], end["event"], end["exit"]) == ("hello", "end", code)
    assert said in error["message"]
    assert (hint or "") in (error["hint"] or "")


def test_nobody_calls_themselves(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["call", str(open_state().keypair.identity), "--json"], environ) == 2
    assert "your own identity" in stream(capfd)[1]["message"]


def test_a_missing_sound_device_is_told_before_anybody_is_rung(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["call", SILENT, "--in", "mic:no such device", "--out", "null"]
    assert run(words, environ) == 7
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("wzp: ")
    assert "--in" in line


def test_sound_by_flag_over_variable_over_file(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text('in = "file:/in-the-file.wav"\nout = "null"\n')
    words = ["call", SILENT, "--json", "--config", str(config)]
    environ_too = environ | {"WZP_IN": "file:/in-the-variable.wav"}
    for variables, flags, name in [
        (environ, [], "/in-the-file.wav"),
        (environ_too, [], "/in-the-variable.wav"),
        (environ_too, ["--in", "file:/in-the-flag.wav"], "/in-the-flag.wav"),
    ]:
        assert run([*words, *flags], variables) == 7
        assert stream(capfd)[1]["message"].startswith(name)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Missing argument 'PEER'"),
        ([SILENT, "--out", "-"], "--events FILE"),
        ([SILENT, "--in", "loud"], "not one of mic, mic:DEVICE"),
        ([SILENT, "--in", "file:a", "--out", "file:a"], "the same file"),
        ([SILENT, "--duration", "3"], "not a duration"),
        ([SILENT, "--events", "fd:99"], "--events fd:99"),
    ],
)
def test_wrong_words(
    words: list[str],
    said: str,
    environ: dict[str, str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert run(["call", *words, "--json"], environ) == 2
    events = stream(capfd)
    assert [event["event"] for event in events] == ["hello", "error", "end"]
    assert said in events[1]["message"]
    assert "wzp call --help" in events[1]["hint"]
