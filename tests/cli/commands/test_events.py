import json
import signal
from collections.abc import Iterator

import pytest

from tests.cli.control.test_steering import raw
from tests.cli.test_schema import fits
from tests.support.processes import Processes, User
from wzp_cli.cli.app import run
from wzp_cli.defaults.program import CONTROL_MAX_FOLLOWERS

LISTEN = ("listen", "--auto-answer", "all", "--in", "tone", "--out", "null")


def test_a_follower_sees_a_whole_call(processes: Processes, relay: str) -> None:
    bob = processes.user("bob", WZP_RELAY=relay)
    alice = processes.user("alice", WZP_RELAY=relay, WZP_NAME="Eve")
    listening = bob.start(*LISTEN)
    listening.wait_for("ready")
    following = bob.start("events")
    assert following.wait_for("hello")["id"] == bob.id
    words = ("--only", "incoming", "--only", "hangup", "--until", "hangup")
    some = bob.start("events", *words)
    some.wait_for("hello")
    call = alice.start(
        "call", bob.id, "--in", "null", "--out", "null", "--duration", "300ms"
    )
    end = some.wait_end()
    assert [event["event"] for event in some.events] == [
        "hello", "incoming", "hangup", "end"
    ]  # fmt: skip
    assert end["exit"] == 0
    assert call.wait_end()["exit"] == 0
    assert following.wait_for("incoming")["name"] == "Eve"
    following.wait_for("verdict")
    for event in following.events:
        fits(event, "events.json")

    following.send(signal.SIGINT)
    assert following.wait_end()["exit"] == 130
    last = bob.start("events")
    last.wait_for("hello")
    listening.terminate()
    assert last.wait_end()["exit"] == 1
    assert last.all("error")[0]["code"] == "control_ended"


def test_time_is_up_for_who_only_looks_and_for_who_waits(
    processes: Processes, relay: str
) -> None:
    bob = processes.user("bob", WZP_RELAY=relay)
    bob.start(*LISTEN).wait_for("ready")
    looked = bob.run("events", "--duration", "100ms").stdout.splitlines()
    assert [json.loads(line)["event"] for line in looked] == ["hello", "end"]
    waited = bob.run("events", "--duration", "100ms", "--until", "incoming", expect=3)
    assert "there was no incoming" in waited.stdout


@pytest.fixture
def followers(processes: Processes, relay: str) -> Iterator[User]:
    """As many follow as may."""
    bob = processes.user("bob", WZP_RELAY=relay)
    bob.start(*LISTEN).wait_for("ready")
    connections = [raw(bob) for _ in range(CONTROL_MAX_FOLLOWERS)]
    for each in connections:
        each.sendall(b'{"type":"events"}\n')
        assert each.recv(1) == b"{"
    yield bob
    for each in connections:
        each.close()


def test_followers_leave_room_for_orders(followers: User) -> None:
    refused = followers.start("events")
    assert refused.wait_end()["exit"] == 1
    assert refused.all("error")[0]["code"] == "control_busy"
    assert followers.ask("status").result["running"] is True
    assert followers.run("hangup", expect=1).stderr.startswith("wzp: there is no call")


def test_json_is_what_it_speaks(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["events"], environ) == 1
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["hello", "error", "end"]
    assert lines[1]["code"] == "not_running"
    assert run(["events", "--only", "song"], environ) == 2
    said = capfd.readouterr().out
    assert "no event is named 'song'; there are answered, bound," in said
    assert run(["events", "--nonsense"], environ) == 2
    assert capfd.readouterr().out.startswith('{"v":1,')
