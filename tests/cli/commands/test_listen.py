import json
import os
import signal
import wave
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from tests.cli.test_schema import fits
from tests.support.processes import Processes, Program, User
from tests.support.speech import aligned_correlation, heard, speech, write_wav
from wzp_cli.adapters.disk.state import Contact, open_state
from wzp_cli.cli.app import run
from wzp_cli.protocol.names.identity import Identity

SILENCE: Final = ("--in", "null", "--out", "null")
SPEECH_S: Final = 1.5


def knows(user: User, other: User, name: str, relay: str | None = None) -> None:
    """Put `other` into the contacts of `user`."""
    contact = Contact(name, Identity.parse(other.id))
    open_state(user.state).contacts.add(contact)
    if relay is not None:
        path = user.state / "contacts"
        path.write_text(path.read_text().replace(" - ", f" {relay} "))


def names(program: Program) -> list[str]:
    """The order of events, without those that come when they will."""
    often = {"stats", "candidate", "path.planned", "path.tried", "path.changed"}
    often.add("reflexive")
    events = [event["event"] for event in program.events]
    return [name for name in events if name not in often]


def check_stream(program: Program) -> None:
    events = program.events
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert [event["event"] for event in events].count("hello") == 1
    for event in events:
        fits(event, "events.json")


def test_a_call_by_ticket_from_file_to_file(
    processes: Processes, relay: str, tmp_path: Path
) -> None:
    said = write_wav(tmp_path / "said.wav", speech(SPEECH_S))
    recording, aside = tmp_path / "heard.wav", tmp_path / "events"
    bob, alice = processes.user("bob"), processes.user("alice", WZP_NAME="Al\tice")
    listening = bob.start(
        "listen", "--relay", relay, "--once", "--auto-answer", "all", "--in", "null",
        "--out", f"file:{recording}", "--events", str(aside),
    )  # fmt: skip
    ticket = listening.wait_for("ready")["ticket"]
    calling = alice.start("call", ticket, "--in", f"file:{said}", "--out", "null")
    called, took = calling.wait_end(), listening.wait_end()

    assert aligned_correlation(speech(SPEECH_S), heard(recording)) > 0.9
    assert names(calling) == [
        "hello", "bound", "registered", "ringing", "answered", "path.selected",
        "media.started", "hangup", "verdict", "end",
    ]  # fmt: skip
    assert names(listening) == [
        "hello", "bound", "registered", "ready", "incoming", "answered",
        "path.selected", "media.started", "hangup", "verdict", "end",
    ]  # fmt: skip
    check_stream(calling)
    check_stream(listening)
    assert calling.events[0]["id"] == alice.id == took["peer"]
    assert listening.events[0]["id"] == bob.id == called["peer"]
    (incoming,) = listening.all("incoming")
    assert (incoming["peer"], incoming["via"]) == (alice.id, "relay")
    assert incoming["name"] == "Al ice"
    (hangup,) = calling.all("hangup")
    assert (hangup["by"], hangup["reason"]) == ("local", "end of the recording")
    assert listening.all("hangup")[0]["by"] == "peer"
    assert (called["ok"], called["exit"], took["setup_ms"]) == (True, 0, None)
    assert called["setup_ms"] > 0
    assert took["frames"]["received"] >= SPEECH_S * 50 * 0.9
    beside = [json.loads(line) for line in aside.read_text().splitlines()]
    assert [line["event"] for line in beside] == [
        event["event"] for event in listening.events
    ]


def test_raw_sound_through_pipes_without_a_relay(
    processes: Processes, tmp_path: Path
) -> None:
    wav = write_wav(tmp_path / "said.wav", speech(SPEECH_S))
    pcm, recording = tmp_path / "said.pcm", tmp_path / "heard.pcm"
    pcm.write_bytes(wav.read_bytes()[44:])
    bob, alice = processes.user("bob"), processes.user("alice")
    listening = bob.start(
        "listen", "--auto-answer", "all", "--once", "--in", "tone", "--out", "-",
        sink=processes.writing(recording),
    )  # fmt: skip
    assert "only who reaches" in listening.wait_for("warning")["message"]
    port = listening.wait_for("bound")["port"]
    listening.wait_for("ready")
    calling = alice.start(
        "call", f"127.0.0.1:{port}", "--in", "-", "--out", "-",
        source=processes.reading(pcm), sink=processes.writing(tmp_path / "tone.pcm"),
    )  # fmt: skip
    called, took = calling.wait_end(), listening.wait_end()
    check_stream(calling)
    assert (called["path"], took["path"]) == ("direct", "direct")
    assert listening.all("incoming")[0]["via"] == "direct"
    frames = recording.stat().st_size / 1920
    assert frames == int(frames) > SPEECH_S * 50 * 0.9
    assert (tmp_path / "tone.pcm").stat().st_size > 1920 * SPEECH_S * 50 * 0.9


def test_contacts_are_answered_and_strangers_declined(
    processes: Processes, relay: str
) -> None:
    """And: the file of settings, --require, --duration, a contact with its relay."""
    bob, alice = processes.user("bob", WZP_RELAY=relay), processes.user("alice")
    knows(bob, alice, "Alice")
    knows(alice, bob, "Bob", relay)
    config = alice.state / "config.toml"
    config.write_text('privacy = "always-relay"\nin = "tone"\nout = "null"\n')
    words = ["--auto-answer", "contacts", "--no-input"]
    listening = bob.start("listen", *words, *SILENCE)
    listening.wait_for("ready")

    words = ["bob", "--require", "direct", "--duration", "500ms"]
    calling = alice.start("call", *words, "--config", str(config))
    end = calling.wait_end()
    assert (end["exit"], end["ok"], end["path"]) == (3, False, "relay")
    assert end["why_not_direct"] == "this side keeps to the relay"
    assert calling.all("hangup")[0]["reason"] == "time is up"
    (error,) = calling.all("error")
    assert (error["code"], names(calling)[-2:]) == ("requirement", ["error", "end"])
    check_stream(calling)

    carol = processes.user(
        *("carol",), WZP_RELAY=relay, WZP_IN="null", WZP_OUT="null", WZP_NAME="ALÍCE"
    )
    stranger = carol.start("call", bob.id)
    rang = listening.wait_for("incoming", peer=carol.id)
    assert (rang["name"], rang["contact"], rang["namesake"]) == ("ALÍCE", None, "Alice")
    assert stranger.wait_end()["exit"] == 5
    assert stranger.all("error")[0]["code"] == "peer_declined"
    listening.wait_for("warning", code="nobody_to_ask")

    listening.terminate()
    assert listening.wait_end()["exit"] == 143


def test_busy_and_the_hang_up_of_either_side(processes: Processes, relay: str) -> None:
    bob = processes.user("bob", WZP_RELAY=relay)
    alice, carol = (
        processes.user(name, WZP_RELAY=relay, WZP_IN="tone", WZP_OUT="null")
        for name in ("alice", "carol")
    )
    listening = bob.start("listen", "--auto-answer", "all", *SILENCE)
    listening.wait_for("ready")
    calling = alice.start("call", bob.id)
    calling.wait_for("answered")

    refused = carol.start("call", bob.id)
    assert refused.wait_end()["exit"] == 5
    assert refused.all("error")[0]["code"] == "peer_busy"

    calling.wait_for("media.started")
    calling.send(signal.SIGINT)
    end = calling.wait_end()
    assert (end["exit"], end["ok"], end["peer"]) == (130, False, bob.id)
    assert names(calling)[-3:] == ["hangup", "verdict", "end"]
    assert listening.wait_for("hangup")["by"] == "peer"

    calling = carol.start("call", bob.id)
    calling.wait_for("media.started")
    listening.terminate()
    end = listening.wait_end()
    assert (end["exit"], end["peer"]) == (143, carol.id)
    end = calling.wait_end()
    assert (end["exit"], end["ok"]) == (0, True)
    assert calling.all("hangup")[0]["by"] == "peer"
    check_stream(listening)


def test_the_person_at_the_terminal_decides(processes: Processes, relay: str) -> None:
    bob = processes.user("bob", WZP_RELAY=relay)
    alice = processes.user("alice", WZP_RELAY=relay, WZP_NAME="Eve")
    knows(bob, alice, "Alice")
    screen = bob.at_terminal("listen", "--in", "tone", "--out", "null")
    screen.wait_for("Ready for calls. To be called:")
    screen.type("y\n")  # before there is a question

    calling = alice.start("call", bob.id, *SILENCE)
    screen.wait_for("Incoming call from Alice, a contact (not verified), through the")
    screen.wait_for(f"  {alice.id}\r\n")
    screen.wait_for("Alice, a contact (not verified), calls. Answer?")
    calling.wait_for("ringing")
    calling.send(signal.SIGINT)
    assert calling.wait_end()["exit"] == 130
    screen.wait_for("The call is over: the peer hung up (cancelled).")

    calling = alice.start("call", bob.id, *SILENCE)
    screen.wait_for("Answer?")
    screen.type("n\n")
    screen.wait_for("The call is over: we hung up (declined).")
    assert calling.wait_end()["exit"] == 5
    assert calling.all("error")[0]["code"] == "peer_declined"

    calling = alice.start("call", bob.id, *SILENCE, "--duration", "300ms")
    screen.wait_for("Answer?")
    screen.type("y\n")
    assert calling.wait_end()["exit"] == 0
    screen.wait_for("answered.")
    screen.wait_for("The call is over: the peer hung up (time is up).")
    screen.send(signal.SIGINT)
    assert screen.wait_end() == 130
    long = [ln for ln in screen.text.splitlines() if len(ln) > 80 and "wzp:" not in ln]
    assert long == []


def test_a_reader_that_has_gone_ends_it_quietly(processes: Processes) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    words = ["listen", "--auto-answer", "all", *SILENCE, "--json"]
    ran = processes.user("bob").run(*words, stdout=writing, expect=141)
    os.close(writing)
    assert ran.stderr == ""


def test_who_can_be_asked_neither_here_nor_from_elsewhere(
    processes: Processes, relay: str
) -> None:
    """The first listener on a state directory is the one that orders reach."""
    bob = processes.user("bob", WZP_RELAY=relay)
    bob.start("listen", *SILENCE).wait_for("ready")
    second = bob.start("listen", *SILENCE)
    assert second.wait_end()["exit"] == 2
    assert "`wzp answer` reaches another" in second.all("error")[0]["message"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--auto-answer", "all", "--in", "mic"], 2, "any stranger hear this room"),
        ([*SILENCE, "--no-input"], 2, "nobody could answer here"),
        (
            [*SILENCE, "--auto-answer", "all", "--direct", "off"],
            2,
            "nobody could call",
        ),
        (["--auto-answer", "contacts", "--in", "mic:no such"], 7, "sound"),
        (
            ["--auto-answer", "all", "--in", "file:/nowhere", "--out", "null"],
            7,
            "/nowhere can't be re",
        ),
        (["--auto-answer", "all", "--in", "-", "--out", "-"], 2, "--events FILE"),
        (["--auto-answer", "all", "--in", "loud"], 2, "not one of mic, mic:DEVICE"),
        (["--require", "relay"], 2, "'relay' is not"),
    ],
)
def test_what_is_refused_before_anything_is_opened(
    words: list[str],
    code: int,
    said: str,
    environ: dict[str, str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert run(["listen", *words, "--json"], environ) == code
    events = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [event["event"] for event in events] == ["hello", "error", "end"]
    assert (events[1]["exit"], events[2]["exit"]) == (code, code)
    assert said in events[1]["message"]
    assert events[1]["hint"]
    for event in events:
        fits(event, "events.json")


def test_the_echo_service_plays_a_caller_its_own_voice(
    processes: Processes, tmp_path: Path
) -> None:
    """No device, no relay; and the caller records what it says and hears."""
    said = write_wav(tmp_path / "said.wav", speech(SPEECH_S))
    bob, alice = processes.user("bob"), processes.user("alice")
    listening = bob.start("listen", "--once", "--auto-answer", "all", "--echo")
    listening.wait_for("ready")
    port = listening.wait_for("bound")["port"]
    calling = alice.start(
        "call", f"127.0.0.1:{port}", "--in", f"file:{said}",
        "--out", f"file:{tmp_path / 'heard.wav'}", "--duration", "3s",
        "--record", str(tmp_path / "call.wav"),
    )  # fmt: skip
    assert calling.wait_end()["exit"] == listening.wait_end()["exit"] == 0
    check_stream(calling)
    assert calling.all("recording")[0]["path"] == str(tmp_path / "call.wav")
    with wave.open(str(tmp_path / "call.wav"), "rb") as file:
        assert file.getnchannels() == 2
        both = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    ours, theirs = both[:, 0][::3], both[:, 1][::3]  # no more than 8 kHz is in it
    assert aligned_correlation(speech(SPEECH_S), ours) > 0.98
    assert np.abs(theirs.astype(int)).max() > 1_000, "something of it came back"


def test_each_call_to_a_listener_is_recorded_under_its_own_name(
    processes: Processes, tmp_path: Path
) -> None:
    bob, alice = processes.user("bob"), processes.user("alice")
    listening = bob.start(
        "listen", "--auto-answer", "all", *SILENCE,
        "--record", str(tmp_path / "calls.wav"),
    )  # fmt: skip
    port = listening.wait_for("bound")["port"]
    listening.wait_for("ready")
    for number in (1, 2):
        calling = alice.start(
            "call", f"127.0.0.1:{port}", "--in", "tone", "--out", "null",
            "--duration", "500ms",
        )  # fmt: skip
        path = listening.wait_for("recording")["path"]
        assert path == str(tmp_path / f"calls-000{number}.wav")
        assert calling.wait_end()["exit"] == 0
        listening.wait_for("hangup")
    listening.send(signal.SIGTERM)
    listening.wait_end()
    for number in (1, 2):
        path = tmp_path / f"calls-000{number}.wav"
        assert path.stat().st_mode & 0o777 == 0o600
        with wave.open(str(path), "rb") as file:
            assert file.getnframes() > 12_000


def test_a_recording_that_is_there_is_refused_before_the_call(
    environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "a.wav").touch()
    words = ["--record", str(tmp_path / "a.wav"), *SILENCE]
    assert run(["call", "127.0.0.1:1", *words], environ) == 2
    assert run(["listen", "--once", "--auto-answer", "all", *words], environ) == 2
