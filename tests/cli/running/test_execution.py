import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from wzp_cli.cli.app import run

ROOT = Path(__file__).parents[3]
HOME = {**os.environ, "PYTHONPATH": str(ROOT)}

pytestmark = pytest.mark.usefixtures("with_probe")


def document(capfd: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return the one document on standard output; nothing else is said."""
    out, err = capfd.readouterr()
    assert err == ""
    assert out.count("\n") == 1
    read = json.loads(out)
    assert isinstance(read, dict)
    return read


def started(environ: Mapping[str, str], *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.cli.probe", *words],
        cwd=ROOT,
        env={**HOME, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_person_gets_talk_and_an_answer(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["probe", "answer"], environ) == 0
    out, err = capfd.readouterr()
    assert out == "seen\n"
    assert err.splitlines()[-1] == "Warning: the relay is old."
    assert run(["-q", "probe", "answer"], environ) == 0
    assert capfd.readouterr() == ("seen\n", "")


def test_a_script_gets_one_document(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["probe", "answer", "--relay", "r1", "--json"], environ) == 0
    answer = document(capfd)
    assert list(answer) == [
        "schema", "wzp", "ts", "ok", "elapsed_ms", "result", "warnings", "error",
    ]  # fmt: skip
    assert answer["ok"] is True
    assert answer["result"]["relays"] == ["r1:4433"]
    assert answer["warnings"] == [{"code": "old", "message": "the relay is old"}]


def test_json_may_be_asked_for_by_the_environment(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["probe", "answer"], environ | {"WZP_JSON": "1"}) == 0
    assert document(capfd)["schema"] == "wzp.probe-answer/1"


@pytest.mark.parametrize(
    ("how", "code", "exit_code"),
    [
        ("RelayUnreachable", "relay_unreachable", 4),
        ("PeerBusy", "peer_busy", 5),
        ("KeyChanged", "key_changed", 6),
        ("LocalProtocolError", "internal", 70),
        ("Bug", "internal", 70),
    ],
)
def test_an_error_has_a_sentence_a_document_and_an_exit_code(
    how: str,
    code: str,
    exit_code: int,
    environ: dict[str, str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert run(["probe", "fail", how, "--json"], environ) == exit_code
    answer = document(capfd)
    assert (answer["ok"], answer["result"]) == (False, None)
    assert answer["error"]["code"] == code
    assert answer["error"]["exit"] == exit_code
    assert run(["probe", "fail", how], environ) == exit_code
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("wzp: ")
    assert err.count("\n") == 1


def test_a_traceback_is_for_who_wants_one(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["probe", "fail", "Bug", "-v"], environ) == 70
    assert "ZeroDivisionError" in capfd.readouterr().err
    assert run(["probe", "fail", "PeerBusy", "-v"], environ) == 5
    assert "Traceback" not in capfd.readouterr().err
    assert run(["probe", "fail", "PeerBusy"], environ | {"WZP_DEBUG": "1"}) == 5
    assert "Traceback" in capfd.readouterr().err


def test_a_result_stands_beside_an_unmet_requirement(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["probe", "unmet", "--json"], environ) == 3
    answer = document(capfd)
    assert answer["result"]["relays"] == []
    assert (answer["ok"], answer["error"]["code"]) == (False, "requirement")
    assert run(["probe", "unmet"], environ) == 3
    assert capfd.readouterr() == ("seen\n", "wzp: it is not so.\n")


def test_a_wrong_file_is_told_in_the_form_of_the_command(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["--config", "/nowhere/config.toml", "--json"]
    assert run(["probe", "answer", *words], environ) == 78
    assert document(capfd)["error"]["code"] == "config"
    assert run(["probe", "wait", *words], environ) == 78
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["hello", "error", "end"]
    assert (lines[1]["code"], lines[2]["exit"]) == ("config", 78)


def test_an_option_makes_a_stream_of_it(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["probe", "watch", "--json"], environ) == 0
    assert document(capfd)["schema"] == "wzp.probe-watch/1"
    assert run(["probe", "watch", "--on", "--json"], environ) == 5
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["hello", "end"]
    assert (lines[1]["ok"], lines[1]["exit"]) == (False, 5)


@pytest.mark.parametrize(
    ("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_signal_hangs_up_and_the_end_is_last(
    number: signal.Signals, exit_code: int, environ: dict[str, str]
) -> None:
    with started(environ, "probe", "wait", "--json") as process:
        assert process.stdout is not None
        first = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.send_signal(number)
        out, err = process.communicate()
    lines = [*first, *map(json.loads, out.splitlines())]
    assert [line["event"] for line in lines] == ["hello", "bound", "hangup", "end"]
    assert [line["seq"] for line in lines] == [0, 1, 2, 3]
    assert lines[0]["id"] == "wzp1me"
    assert lines[-1]["exit"] == process.returncode == exit_code
    assert (lines[-1]["ok"], lines[-1]["peer"]) == (False, "wzp1you")
    assert err == ""


def test_a_reader_that_goes_ends_the_command_quietly(environ: dict[str, str]) -> None:
    with started(environ, "probe", "flood", "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 141


def test_a_full_disk_is_told(environ: dict[str, str]) -> None:
    with open("/dev/full", "wb") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "tests.cli.probe", "probe", "answer", "-q"],
            cwd=ROOT,
            env={**HOME, **environ},
            stdout=full,
            stderr=subprocess.PIPE,
        )
    assert ran.returncode == 7
    assert ran.stderr.startswith(b"wzp: standard output takes no more: ")


def test_events_go_to_a_descriptor_beside_the_document(
    environ: dict[str, str], tmp_path: Path
) -> None:
    with (tmp_path / "events").open("wb") as events:
        words = ["probe", "answer", "--json", "--events", f"fd:{events.fileno()}"]
        ran = subprocess.run(
            [sys.executable, "-m", "tests.cli.probe", *words],
            cwd=ROOT,
            env={**HOME, **environ},
            pass_fds=[events.fileno()],
            capture_output=True,
            check=True,
        )
    assert json.loads(ran.stdout)["ok"]
    lines = (tmp_path / "events").read_text().splitlines()
    names = [json.loads(line)["event"] for line in lines]
    assert names == ["hello", "bound", "warning", "end"]
