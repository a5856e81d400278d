import signal
from datetime import UTC, datetime

import pytest

from tests.cli.test_schema import fits
from tests.support.processes import Processes
from wzp_cli.cli.commands.status import _lasted
from wzp_cli.protocol.traversal.standing import CallStanding

LISTEN = ("listen", "--auto-answer", "all", "--in", "tone", "--out", "null")


def test_nobody_runs(processes: Processes) -> None:
    alice = processes.user("alice")
    answer = alice.ask("status")
    fits(answer.document, "status.json")
    assert answer.result == {"running": False, "process": None, "contacts": None}
    assert alice.run("status").stdout == "No wzp runs on this state directory.\n"
    failed = alice.ask("status", "--require", "running", expect=3)
    fits(failed.document, "status.json")
    assert failed.document["error"]["code"] == "requirement"


def test_a_listener_before_in_and_after_a_call(
    processes: Processes, relay: str
) -> None:
    bob = processes.user("bob", WZP_RELAY=relay, WZP_NAME="Bob")
    listening = bob.start(*LISTEN)
    ready = listening.wait_for("ready")
    answer = bob.ask("status", "--require", "registered")
    fits(answer.document, "status.json")
    now = answer.result["process"]
    assert (now["command"], now["pid"]) == ("listen", listening.pid)
    assert (now["id"], now["ticket"]) == (ready["id"], ready["ticket"])
    assert (now["relay"], now["relay_up"], now["call"]) == (relay, True, None)
    assert now["reflexive"] == f"127.0.0.1:{now['port']}"
    said = bob.run("status").stdout
    assert said.startswith("wzp listen runs: ready for calls\n")
    assert f"  relay:         {relay}\n" in said

    alice = processes.user("alice", WZP_RELAY=relay)
    calling = alice.start("call", ready["id"], "--in", "tone", "--out", "null")
    listening.wait_for("stats")
    call = bob.ask("status").result["process"]["call"]
    assert (call["state"], call["peer"]) == ("talking", alice.id)
    assert call["path"] in ("relay", "direct")
    assert call["mos_est"] is not None
    assert call["lasted_s"] > 0
    assert "wzp listen runs: in a call\n" in bob.run("status").stdout
    assert bob.ask("status", "--require", "idle", expect=3).result["running"]
    own = alice.ask("status").result["process"]
    assert (own["command"], own["call"]["peer"]) == ("call", ready["id"])

    calling.terminate()
    listening.wait_for("hangup")
    after = bob.ask("status", "--require", "idle").result["process"]
    assert (after["call"], after["calls"]) == (None, 1)


def test_a_listener_that_was_killed_runs_no_more(
    processes: Processes, relay: str
) -> None:
    bob = processes.user("bob", WZP_RELAY=relay)
    first = bob.start(*LISTEN)
    first.wait_for("ready")
    first.kill()
    assert bob.ask("status").result["running"] is False
    second = bob.start(*LISTEN)
    second.wait_for("ready")
    assert bob.ask("status").result["process"]["pid"] == second.pid


def test_a_listener_that_stands_still_is_told(processes: Processes, relay: str) -> None:
    bob = processes.user("bob", WZP_RELAY=relay)
    listening = bob.start(*LISTEN)
    listening.wait_for("ready")
    listening.send(signal.SIGSTOP)
    try:
        answer = bob.ask("status", expect=1)
    finally:
        listening.send(signal.SIGCONT)
    fits(answer.document, "status.json")
    assert answer.document["error"]["code"] == "control_silent"


@pytest.mark.parametrize(
    ("lasted_s", "since", "said"),
    [
        (7.2, "2001-01-01T00:00:00.000Z", "0:07"),
        (3729.0, "", "1:02:09"),
        (None, "2026-11-24T15:59:00.000Z", "1:00"),
        (None, "", ""),
    ],
)
def test_how_long_it_has_lasted(lasted_s: float | None, since: str, said: str) -> None:
    """By what the one in the call says; by the clock where an older one does not."""
    call = CallStanding(state="talking", peer="bob", since=since, lasted_s=lasted_s)
    assert _lasted(call, datetime(2026, 11, 24, 16, tzinfo=UTC)) == said
