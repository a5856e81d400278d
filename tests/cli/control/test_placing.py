"""Calls placed through a listener that runs: one address, one port, two commands."""

import signal
import wave
from pathlib import Path

import pytest

from tests.cli.control.test_steering import asked, raw
from tests.cli.test_schema import fits
from tests.support.processes import Processes, Program, User
from wzp_cli.adapters.disk.config import Config
from wzp_cli.address import HostPort
from wzp_cli.cli.command import Session
from wzp_cli.cli.control.placing import call_request
from wzp_cli.cli.options import SoundFlags
from wzp_cli.cli.settings import Settings

SILENCE = ("--in", "null", "--out", "null")


def names(program: Program) -> list[str]:
    often = {"stats", "candidate", "path.planned", "path.tried", "path.changed"}
    names = [event["event"] for event in program.events]
    return [name for name in names if name not in often]


@pytest.fixture
def two(processes: Processes, relay: str) -> tuple[User, Program, User, Program]:
    """Two who listen, where nobody sits."""
    alice = processes.user("alice", WZP_RELAY=relay, WZP_NAME="Alice")
    bob = processes.user("bob", WZP_RELAY=relay)
    here = alice.start("listen", "--in", "tone", "--out", "null")
    there = bob.start("listen", *SILENCE)
    here.wait_for("ready")
    there.wait_for("ready")
    return alice, here, bob, there


def test_two_listeners_are_steered_through_whole_calls(
    two: tuple[User, Program, User, Program], tmp_path: Path
) -> None:
    alice, here, bob, there = two
    recording = tmp_path / "call.wav"
    calling = alice.start("call", bob.id, "--record", str(recording))
    incoming = there.wait_for("incoming")
    assert (incoming["peer"], incoming["name"]) == (alice.id, "Alice")
    assert here.wait_for("calling")["peer"] == bob.id
    here.wait_for("ringing")
    now = alice.ask("status").result["process"]
    assert (now["command"], now["call"]["state"]) == ("listen", "ringing")
    assert now["call"]["incoming"] is False
    assert "a call rings: wzp answer" in bob.run("status").stdout

    bob.run("answer")
    calling.wait_for("media.started")
    assert calling.wait_for("bound")["port"] == here.wait_for("bound")["port"]
    again = alice.start("call", bob.id)
    assert again.wait_end()["exit"] == 1
    assert again.all("error")[0]["code"] == "in_call"
    bob.run("hold")
    assert calling.wait_for("held")["by"] == "peer"
    bob.run("hold", "off")
    alice.run("mute")
    calling.wait_for("muted")
    calling.wait_for("stats")
    assert alice.ask("status").result["process"]["call"]["muted"] is True
    calling.send(signal.SIGINT)
    end = calling.wait_end()
    assert (end["exit"], end["peer"], end["frames"]["sent"] > 0) == (130, bob.id, True)
    assert names(calling)[-3:] == ["hangup", "verdict", "end"]
    assert names(calling)[:3] == ["hello", "bound", "calling"]
    assert here.wait_for("hangup")["by"] == "local"
    there.wait_for("hangup")
    with wave.open(str(recording), "rb") as file:
        assert file.getnframes() > 0

    # and the other way round, with the same two
    back = bob.start("call", alice.id, *SILENCE, "--duration", "500ms")
    here.wait_for("incoming")
    alice.run("answer")
    end = back.wait_end()
    assert (end["exit"], end["ok"]) == (0, True)
    assert end["remote"] != ""
    assert alice.ask("status", "--require", "idle").result["process"]["calls"] == 2
    for program in (here, there, calling, back, again):
        for event in program.events:
            fits(event, "events.json")


def test_a_caller_that_goes_away_in_any_way_hangs_up(
    two: tuple[User, Program, User, Program],
) -> None:
    alice, here, bob, there = two
    killed = alice.start("call", bob.id)
    there.wait_for("incoming")
    killed.kill()
    assert there.wait_for("missed")["reason"] == "withdrawn"
    assert here.wait_for("hangup")["reason"] == "withdrawn"

    stopped = alice.start("call", bob.id)
    there.wait_for("incoming")
    stopped.send(signal.SIGINT)
    assert stopped.wait_end()["exit"] == 130
    there.wait_for("missed")

    withdrawn = alice.start("call", bob.id)
    there.wait_for("incoming")
    assert alice.run("hangup").stdout == f"No longer calling {bob.id}.\n"
    assert withdrawn.wait_end()["exit"] == 1
    assert withdrawn.all("error")[0]["code"] == "withdrawn"

    declined = alice.start("call", bob.id)
    there.wait_for("incoming")
    bob.run("hangup")
    assert declined.wait_end()["exit"] == 5
    assert declined.all("error")[0]["code"] == "peer_declined"
    here.wait_for("hangup", reason="peer_declined")
    assert alice.ask("status").result["process"]["call"] is None
    missed = bob.ask("status").result["process"]
    assert (missed["missed"], missed["missed_calls"][0]["peer"]) == (3, alice.id)
    assert "missed calls:  3\n" in bob.run("status").stdout

    cut = alice.start("call", bob.id)
    there.wait_for("incoming")
    bob.run("answer")
    cut.wait_for("media.started")
    here.kill()
    assert cut.wait_end()["exit"] == 1
    assert cut.all("error")[0]["code"] == "control_ended"


def test_hostile_and_hasty_clients_end_no_call(
    two: tuple[User, Program, User, Program],
) -> None:
    alice, _, bob, there = two
    calling = alice.start("call", bob.id)
    there.wait_for("incoming")
    bob.run("answer")
    calling.wait_for("media.started")
    for line in (
        b'{"type":"call","peer":"wzp1nonsense"}\n',
        b'{"type":"call","peer":"\\u0000"}\n',
        b'{"type":"call","peer":"x","sound":{"source":"loud"}}\n',
        b'{"type":"call","peer":7}\n',
        b'{"type":"call","peer":"127.0.0.1:1"}\n',
        b'{"type":"mute","on":"maybe"}\n',
        b'{"type":"answer"}\n',
    ):
        assert asked(alice, line)[-1]["type"] == "error"
    with raw(alice) as hasty:  # asks for a call, and is gone before the answer
        hasty.sendall(b'{"type":"call","peer":"127.0.0.1:1"}\n')
    followers = [raw(alice) for _ in range(40)]
    for each in followers:
        each.sendall(b'{"type":"events"}\n')
    assert alice.ask("status").result["process"]["call"]["state"] == "talking"
    for each in followers:
        each.close()
    calling.wait_for("stats")
    alice.run("hangup")
    assert calling.wait_end()["exit"] == 0


def test_what_takes_a_process_of_its_own_has_one(
    two: tuple[User, Program, User, Program],
) -> None:
    """Such as a port that was asked for."""
    alice, here, bob, there = two
    calling = alice.start("call", bob.id, *SILENCE, "--port", "0")
    there.wait_for("incoming")
    assert calling.wait_for("bound")["port"] != here.wait_for("bound")["port"]
    calling.send(signal.SIGTERM)
    assert calling.wait_end()["exit"] == 143


# --- What is asked for ----------------------------------------------------------


def session(**settings: object) -> Session:
    return Session(Settings(**settings), lambda event: None)  # type: ignore[arg-type]


def test_the_sound_is_what_was_said_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = session(said=Config(source="tone:300", gain_out=3.0))
    flags = SoundFlags(sink="file:heard.wav", gain_out=6.0)
    relays = [HostPort("r.example", 4433)]
    request = call_request(said, "bob", relays, flags, "call.wav")
    assert request is not None
    assert (request.peer, request.relay) == ("bob", ("r.example:4433",))
    assert request.sound.source == "tone:300"
    assert request.sound.sink == f"file:{tmp_path / 'heard.wav'}"
    assert (request.sound.gain_in, request.sound.gain_out) == (None, 6.0)
    assert request.record == str(tmp_path / "call.wav")


@pytest.mark.parametrize(
    ("flags", "settings"),
    [
        (SoundFlags(source="-"), {}),
        (SoundFlags(sink="-"), {}),
        (SoundFlags(), {"port": 0}),
        (SoundFlags(), {"said": Config(source="-")}),
    ],
)
def test_what_no_other_process_could_do(
    flags: SoundFlags, settings: dict[str, object]
) -> None:
    assert call_request(session(**settings), "bob", None, flags, None) is None
