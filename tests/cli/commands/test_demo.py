"""`wzp demo` as it is run: real sockets on loopback, real time."""

import json
import wave
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.test_schema import shipped, validate
from tests.services.demo.samples import GOOD
from wzp_cli.cli.app import run
from wzp_cli.cli.commands.demo import _text
from wzp_cli.defaults.media import MEDIA_CLOCK_HZ, MEDIA_FRAME_BYTES
from wzp_cli.protocol.media.babble import babble
from wzp_cli.services.demo.report import DemoCall, DemoReport

CALL = replace(
    GOOD,
    correlation=0.987,
    setup_ms=1234.5,
    time_to_direct_ms=1119.0,
    delay_ms=160.2,
    sent=3020,
    received=3019,
    concealed=1012,
)
VERDICT = DemoReport(
    codec="opus",
    listener="127.0.0.1:55555",
    over_relay=CALL,
    direct=CALL,
    relay_datagrams=12345,
    relay_read_sound=False,
    problems=[],
)
BAD_CALL = DemoCall(
    path="relay",
    remote="127.0.0.1:4433",
    setup_ms=None,
    first_audio_ms=None,
    time_to_direct_ms=None,
    why_not_direct="no answer from 127.0.0.1:55555, [fd00::1234]:55555 in 12.3 s",
    correlation=0.0,
    delay_ms=None,
    sent=100,
    received=0,
    concealed=50,
)


def wav(path: Path, sound: bytes) -> str:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(MEDIA_CLOCK_HZ)
        file.writeframes(sound)
    return str(path)


def test_a_recording_goes_in_and_comes_out(
    environ: dict[str, str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    said = wav(tmp_path / "said.wav", babble()[: 120 * MEDIA_FRAME_BYTES])
    heard = tmp_path / "heard.wav"
    code = run(["demo", "--json", "--in", said, "--out", str(heard)], environ)
    document = json.loads(capfd.readouterr().out)
    assert (code, document["error"]) == (0, None), document["result"]
    result = document["result"]
    assert result["problems"] == []
    assert result["over_relay"]["path"] == "relay"
    assert result["direct"]["remote"] == result["listener"]
    assert result["relay_read_sound"] is False
    with wave.open(str(heard)) as file:
        assert file.getnframes() >= 120 * 960
    assert not (tmp_path / "state").exists(), "an identity was kept"
    validate(document, shipped("demo.json"))


def test_silence_proves_nothing(
    environ: dict[str, str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    said = wav(tmp_path / "silence.wav", bytes(MEDIA_FRAME_BYTES))
    assert run(["demo", "--in", said], environ) == 1
    out, err = capfd.readouterr()
    assert out.startswith("Calls do not work on this machine\n")
    assert "problem: only silence was sent over the relay: there is nothing" in out
    assert err.endswith("wzp: A call on this machine did not go as it should.\n")


def test_a_missing_file_is_told_before_anything_is_called(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["demo", "--in", "/nowhere/a.wav"], environ) == 7
    assert "/nowhere/a.wav can't be read" in capfd.readouterr().err


def test_a_file_is_not_read_and_written_at_once(environ: dict[str, str]) -> None:
    assert run(["demo", "--in", "a.wav", "--out", "a.wav"], environ) == 2
    assert not Path("a.wav").exists()


def test_what_was_shown_is_told_in_plain_lines() -> None:
    lines = _text(VERDICT).splitlines()
    assert lines[0] == "Calls work on this machine"
    assert lines[3:] == [
        "  call 1:  over the relay: answered after 1234 ms",
        "           heard as sent (correlation 0.99), 160 ms late, 1012 of 3020 "
        "concealed",
        "  relay:   passed on 12345 datagrams, all opaque to it",
        "  call 2:  answered after 1234 ms, direct 1119 ms later, to 127.0.0.1:55555",
        "           heard as sent (correlation 0.99), 160 ms late, 1012 of 3020 "
        "concealed",
    ]


@pytest.mark.parametrize(
    "verdict",
    [
        VERDICT,
        DemoReport(
            codec="pcmu",
            listener="127.0.0.1:55555",
            over_relay=BAD_CALL,
            direct=BAD_CALL,
            relay_datagrams=0,
            relay_read_sound=True,
            problems=["the second call " + "did not go direct " * 9],
        ),
        DemoReport(
            codec=None,
            listener=None,
            over_relay=None,
            direct=None,
            relay_datagrams=0,
            relay_read_sound=None,
            problems=["the calls could not be made"],
        ),
    ],
    ids=["good", "bad", "nothing"],
)
def test_lines_fit_a_terminal(verdict: DemoReport) -> None:
    text = _text(verdict)
    assert max(map(len, text.splitlines())) <= 80
    for problem in verdict.problems:
        assert problem.split()[-1] in text
