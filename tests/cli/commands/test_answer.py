"""A listener that nobody sits at, steered from a second terminal, as processes."""

import json

import pytest

from tests.cli.test_schema import fits
from tests.support.processes import Processes, User
from wzp_cli.cli.app import run

SILENCE = ("--in", "null", "--out", "null")


def ordered(user: User, *words: str, expect: int = 0) -> dict[str, object]:
    """Give an order; return its result, or its error."""
    answer = user.ask(*words, expect=expect)
    fits(answer.document, f"{words[0]}.json")
    return answer.document["error"] if expect else answer.result


def test_a_call_from_ringing_to_its_end_by_orders(
    processes: Processes, relay: str
) -> None:
    bob = processes.user("bob", WZP_RELAY=relay)
    alice = processes.user("alice", WZP_RELAY=relay, WZP_NAME="Eve")
    listening = bob.start("listen", *SILENCE)
    listening.wait_for("ready")
    for order in ("answer", "hangup", "mute", "hold"):
        error = ordered(bob, order, expect=1)
        assert (error["code"], error["exit"]) == ("no_call", 1)

    calling = alice.start("call", bob.id, *SILENCE)
    listening.wait_for("incoming")
    answered = ordered(bob, "answer")
    assert answered == {
        "peer": alice.id, "name": "Eve", "state": "ringing", "muted": False,
        "held": False, "push_to_talk": False,
    }  # fmt: skip
    calling.wait_for("answered")
    listening.wait_for("media.started")
    assert ordered(bob, "mute", "toggle")["muted"] is True
    assert ordered(bob, "hold")["held"] is True
    assert calling.wait_for("held")["by"] == "peer"
    assert bob.run("hold", "off").stdout == "The call is not on hold.\n"
    assert bob.run("mute", "off").stdout == "Not muted: we are heard.\n"
    assert ordered(alice, "mute")["peer"] == bob.id, "who calls is steered as well"
    said = bob.run("hangup").stdout
    assert said == f'Hung up on {alice.id} ("Eve", not verified).\n'
    assert calling.wait_end()["exit"] == 0
    assert listening.wait_for("hangup")["by"] == "local"

    calling = alice.start("call", bob.id, *SILENCE)
    listening.wait_for("incoming")
    assert ordered(bob, "hangup")["state"] == "ringing"
    assert calling.wait_end()["exit"] == 5
    assert calling.all("error")[0]["code"] == "peer_declined"

    calling = alice.start("call", bob.id, *SILENCE)
    calling.wait_for("ringing")
    assert ordered(alice, "hangup")["state"] == "calling"
    assert calling.wait_end()["exit"] == 1
    assert calling.all("error")[0]["code"] == "withdrawn"
    assert listening.wait_for("missed")["reason"] == "withdrawn"
    for program in (calling, listening):
        for event in program.events:
            fits(event, "events.json")


def test_an_order_to_the_terminals_question(processes: Processes, relay: str) -> None:
    """Whoever answers first: at the terminal, or from elsewhere."""
    bob = processes.user("bob", WZP_RELAY=relay)
    alice = processes.user("alice", WZP_RELAY=relay)
    screen = bob.at_terminal("listen", *SILENCE)
    screen.wait_for("Ready for calls.")
    calling = alice.start("call", bob.id, *SILENCE, "--duration", "300ms")
    screen.wait_for("Answer?")
    bob.run("answer")
    screen.wait_for("answered.")
    assert calling.wait_end()["exit"] == 0


@pytest.mark.parametrize("order", ["answer", "hangup", "mute", "hold", "talk"])
def test_nobody_runs(
    order: str, environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run([order, "--json"], environ) == 1
    document = json.loads(capfd.readouterr().out)
    fits(document, f"{order}.json")
    assert document["error"]["code"] == "not_running"
    assert run([order], environ) == 1
    assert capfd.readouterr().err == (
        "wzp: No wzp is running on this state directory. Start one: `wzp listen`.\n"
    )
