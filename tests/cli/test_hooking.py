"""`--on EVENT=CMD`: its words, and a listener whose callers try to get into them."""

import json
import re
import shlex
import sys
from pathlib import Path

import pytest

from tests.cli.test_schema import fits
from tests.support.processes import Processes
from wzp_cli.cli.app import run
from wzp_cli.cli.hooking import parse_hooks
from wzp_cli.errors import UsageError

LISTEN = ("listen", "--in", "null", "--out", "null")


def test_words_become_argv_without_a_shell() -> None:
    said = parse_hooks(
        ["incoming=cat '$HOME' \"a b\" *", "incoming=true", "hangup=sh -c 'a;b=c'"],
        {"incoming": "false", "missed": ["true 1", "true 2"]},
    )
    assert said == {
        "incoming": [("cat", "$HOME", "a b", "*"), ("true",)],
        "hangup": [("sh", "-c", "a;b=c")],
        "missed": [("true", "1"), ("true", "2")],
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("incoming", "write EVENT=CMD"),
        ("song=true", "no event is named 'song'; there are answered,"),
        ("incoming=cat 'x", "No closing quotation"),
        ("incoming=", "there is no program ''"),
        ("incoming=no-such-program-here", "no program 'no-such-program-here'"),
    ],
)
def test_words_that_are_none(
    words: str,
    said: str,
    environ: dict[str, str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        parse_hooks([words], {})
    assert run([*LISTEN, "--on", words], environ) == 2
    assert said in " ".join(capfd.readouterr().err.split())


def test_a_callers_name_is_in_the_event_and_nowhere_else(
    processes: Processes, relay: str, tmp_path: Path
) -> None:
    """A hook answers; the name of who calls tries a shell, an option and a new line."""
    out, owned = tmp_path / "out", tmp_path / "owned"
    evil = f"$(touch {owned})`touch {owned}`;touch {owned}\n--help"
    text = (
        "import json, os, sys; from pathlib import Path\n"
        "said = [sys.argv[1:], sys.stdin.read(), str(dict(os.environ))]\n"
        f"Path({str(out)!r}).write_text(json.dumps(said))"
    )
    words = shlex.join([sys.executable, "-c", text, "fixed"])
    answer = shlex.join([sys.executable, "-m", "wzp_cli", "answer"])
    bob = processes.user("bob", WZP_RELAY=relay)
    alice = processes.user("alice", WZP_RELAY=relay, WZP_NAME=evil)
    listening = bob.start(
        *LISTEN, "--on", f"incoming={words}", "--on", f"incoming={answer}"
    )
    listening.wait_for("ready")
    calling = alice.start(
        "call", bob.id, "--in", "null", "--out", "null", "--duration", "300ms"
    )
    assert calling.wait_end()["exit"] == 0, "the second hook has answered"
    argv, stdin, environment = json.loads(out.read_text())
    assert argv == ["fixed"]
    assert not owned.exists()
    event = json.loads(stdin)
    fits(event, "events.json")
    assert stdin.count("\n") == 1
    assert (event["event"], event["peer"]) == ("incoming", alice.id)
    assert event["name"].startswith("$(touch ")
    assert "$(touch" not in environment
    assert str(bob.state) in environment
    assert listening.all("warning", code="hook") == []


def test_a_hook_that_hangs_or_fails_holds_nothing_up(
    processes: Processes, relay: str, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        '[on]\nincoming = "sleep 99"\nwarning = "false"\nmissed="false"\n'
    )
    bob = processes.user("bob", WZP_RELAY=relay, WZP_CONFIG=str(config))
    alice = processes.user("alice", WZP_RELAY=relay)
    listening = bob.start(*LISTEN)
    listening.wait_for("ready")
    for _ in range(2):
        calling = alice.start("call", bob.id, "--in", "null", "--out", "null")
        calling.wait_for("ringing")
        listening.wait_for("incoming")
        calling.terminate()
        calling.wait_end()
        message = listening.wait_for("warning", code="hook")["message"]
        assert message == "the hook of missed ended with exit code 1"
    listening.terminate()
    assert listening.wait_end()["exit"] == 143
