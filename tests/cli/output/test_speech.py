import json
import os
import sys
from pathlib import Path

import pytest

from wzp_cli.cli.command import Outcome
from wzp_cli.cli.output.speech import Speech
from wzp_cli.errors import PeerBusy
from wzp_cli.events import Ended, Event, Ringing


def speech(*, json: bool, stream: bool) -> Speech:
    def closed(error: BaseException) -> None:
        raise AssertionError(error)

    return Speech("call", json=json, stream=stream, quiet=False, closed=closed)


def test_a_person_hears_sentences(capfd: pytest.CaptureFixture[str]) -> None:
    spoken = speech(json=False, stream=True)
    spoken.report(Ringing(peer="bob"))
    assert spoken.close(None, None) == 0
    assert capfd.readouterr() == ("", "Ringing at bob.\n")


def test_a_script_reads_a_stream(capfd: pytest.CaptureFixture[str]) -> None:
    spoken = speech(json=True, stream=True)
    spoken.report(Ringing(peer="bob"))
    assert spoken.close(None, PeerBusy()) == 5
    out, err = capfd.readouterr()
    names = [json.loads(line)["event"] for line in out.splitlines()]
    assert names == ["hello", "ringing", "error", "end"]
    assert err == ""


def test_a_script_reads_a_document(capfd: pytest.CaptureFixture[str]) -> None:
    spoken = speech(json=True, stream=False)
    spoken.report(Ringing(peer="bob"))
    assert spoken.close(Outcome({"a": 1}, "text"), None) == 0
    assert json.loads(capfd.readouterr().out)["result"] == {"a": 1}


def test_a_reported_end_decides_the_exit_code_of_what_went_well(
    capfd: pytest.CaptureFixture[str],
) -> None:
    spoken = speech(json=False, stream=True)
    spoken.report(Ended(ok=False, exit=5))
    assert spoken.close(None, None) == 5
    assert speech(json=False, stream=True).close(None, KeyboardInterrupt()) == 130
    assert capfd.readouterr() == ("", "")


def test_events_go_aside_too(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    spoken = speech(json=False, stream=True)
    spoken.also_to(str(tmp_path / "events"))
    spoken.report(Ringing(peer="bob"))
    spoken.close(None, PeerBusy("busy"))
    lines = map(json.loads, (tmp_path / "events").read_text().splitlines())
    assert [line["event"] for line in lines] == ["hello", "ringing", "error", "end"]
    assert capfd.readouterr().err.splitlines()[0] == "Ringing at bob."


def test_a_lost_reader_aside_is_a_warning(capfd: pytest.CaptureFixture[str]) -> None:
    reading, writing = os.pipe()
    spoken = speech(json=False, stream=True)
    spoken.also_to(f"fd:{writing}")
    os.close(writing)
    os.close(reading)
    for _ in range(2):
        spoken.report(Ringing(peer="bob"))
    assert spoken.close(None, None) == 0
    talk = capfd.readouterr().err.splitlines()
    assert talk == [
        "Ringing at bob.",
        "Warning: --events takes no more: Broken pipe.",
        "Ringing at bob.",
    ]


class Kept:
    """A voice that keeps what it is to tell."""

    def __init__(self) -> None:
        self.told: list[Event] = []
        self.report = self.told.append

    def close(self, outcome: Outcome | None, error: BaseException | None) -> None:
        raise AssertionError("who lends a voice closes it")


def test_another_voice_talks_to_the_person_for_a_while(
    capfd: pytest.CaptureFixture[str],
) -> None:
    other = Kept()
    spoken = speech(json=False, stream=True)
    assert spoken.lend is not None
    with spoken.lend(other):
        spoken.report(Ringing(peer="bob"))
    spoken.report(Ringing(peer="eve"))
    spoken.close(None, PeerBusy("busy"))
    assert other.told == [Ringing(peer="bob")], "and to nobody else"
    assert capfd.readouterr().err.startswith("Ringing at eve.\nwzp: busy.")


@pytest.mark.parametrize(("as_json", "quiet"), [(True, False), (False, True)])
def test_no_voice_is_lent_where_nobody_is_talked_to(as_json: bool, quiet: bool) -> None:
    def closed(error: BaseException) -> None:
        raise AssertionError(error)

    spoken = Speech("call", json=as_json, stream=True, quiet=quiet, closed=closed)
    assert spoken.lend is None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_that_a_document_has_no_room_is_said_beside_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    speech = Speech("id show", json=True, stream=False, quiet=True, closed=print)
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        speech.close(None, None)
    said = "wzp: standard output takes no more: No space left on device.\n"
    assert capsys.readouterr().err == said
