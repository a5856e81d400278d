"""Recording: what is on disk, under which name, and what goes wrong."""

import asyncio
import os
import stat
import subprocess
import sys
import wave
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.requirements import require
from wzp_cli.adapters.sound_files import recording
from wzp_cli.adapters.sound_files.decoded import can_decode
from wzp_cli.adapters.sound_files.recording import (
    CallRecording,
    check_recording,
    record_call,
)
from wzp_cli.errors import SoundError, UsageError
from wzp_cli.events import Event, Recorded, Warned
from wzp_cli.ports import Recording

ROOT = Path(__file__).parents[3]


def tone(hz: int, seconds: float) -> bytes:
    at_s = np.arange(round(seconds * 48_000)) / 48_000
    return (8_000 * np.sin(2 * np.pi * hz * at_s)).astype("<i2").tobytes()


class QuickLoop(asyncio.SelectorEventLoop):
    """A loop on which time passes when the test says so, and only then."""

    ahead_s = 0.0

    def time(self) -> float:
        return self.ahead_s


def run(scenario: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=QuickLoop) as runner:
        runner.run(scenario)


async def _talk(kept: Recording, seconds: float) -> None:
    """Say 400 Hz and hear 1 kHz: 20 ms each time, and as much time passes."""
    loop = asyncio.get_running_loop()
    said, heard = tone(400, seconds), tone(1_000, seconds)
    for at in range(0, len(said), 1_920):
        if isinstance(loop, QuickLoop):
            loop.ahead_s += 0.020
            await asyncio.sleep(0)
        else:
            await asyncio.sleep(0.020)
        kept.said(said[at : at + 1_920])
        kept.heard(heard[at : at + 1_920])


def recorded(path: Path, seconds: float, *, numbered: bool = False) -> list[Event]:
    """Record a call; return what was told."""
    told: list[Event] = []

    async def scenario() -> None:
        async with record_call(str(path), told.append, numbered=numbered) as kept:
            await _talk(kept, seconds)

    run(scenario())
    return told


def read(path: Path) -> npt.NDArray[np.int16]:
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getframerate()) == (2, 48_000)
        sound = file.readframes(file.getnframes())
    return np.frombuffer(sound, "<i2").reshape(-1, 2)


def pitch_hz(sound: npt.NDArray[np.int16]) -> float:
    spectrum = np.abs(np.fft.rfft(sound.astype(float)))
    return float(np.argmax(spectrum) * 48_000 / len(sound))


# --- What is there --------------------------------------------------------------


def test_ours_is_left_and_the_peers_right(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    assert recorded(path, 3.0) == [Recorded(path=str(path))]
    sound = read(path)
    assert len(sound) == pytest.approx(3 * 48_000, abs=1)
    assert pitch_hz(sound[:, 0]) == pytest.approx(400, abs=1)
    assert pitch_hz(sound[:, 1]) == pytest.approx(1_000, abs=1)


def test_ogg_opus(tmp_path: Path) -> None:
    if not can_decode():
        require("files", "the extra files is not installed")
    import soundfile

    path = tmp_path / "call.opus"
    recorded(path, 3.0)
    sound, rate_hz = soundfile.read(path, dtype="int16")
    assert rate_hz == 48_000
    assert soundfile.info(path).subtype == "OPUS"
    assert pitch_hz(sound[:, 0]) == pytest.approx(400, abs=1)
    assert pitch_hz(sound[:, 1]) == pytest.approx(1_000, abs=1)
    assert path.stat().st_size < 100_000


@pytest.mark.parametrize("name", ["call.wav", "call.opus"])
def test_what_was_said_until_a_second_ago_survives_sigkill(
    tmp_path: Path, name: str
) -> None:
    if name.endswith(".opus") and not can_decode():
        require("files", "the extra files is not installed")
    path = tmp_path / name
    code = (
        "import asyncio, os, signal\n"
        f"from {__name__} import _talk\n"
        "from wzp_cli.adapters.sound_files.recording import record_call\n"
        "async def scenario():\n"
        f"    async with record_call({str(path)!r}, print, numbered=False) as kept:\n"
        "        await _talk(kept, 3.5)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(scenario())\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60)
    assert ended.returncode == -9
    if name.endswith(".wav"):
        sound = read(path)
    else:
        import soundfile

        sound, _ = soundfile.read(path, dtype="int16")
    assert len(sound) >= 1.4 * 48_000
    assert pitch_hz(sound[:, 1]) == pytest.approx(1_000, abs=1)


# --- Under which name -----------------------------------------------------------


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        recorded(tmp_path / "call.wav", 0.1)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "call.wav").stat().st_mode) == 0o600


def test_several_calls_get_numbers_and_none_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "call-0002.wav").write_text("mine")
    for _ in range(2):
        recorded(tmp_path / "call.wav", 0.1, numbered=True)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["call-0001.wav", "call-0002.wav", "call-0003.wav"]
    assert (tmp_path / "call-0002.wav").read_text() == "mine"


@pytest.mark.parametrize("what", ["a file", "a link", "a link to nowhere"])
def test_what_is_there_is_never_written_to(tmp_path: Path, what: str) -> None:
    path, victim = tmp_path / "call.wav", tmp_path / "victim"
    if what != "a link to nowhere":
        victim.write_text("mine")
    path.write_text("mine") if what == "a file" else path.symlink_to(victim)
    (warned,) = recorded(path, 0.1)
    assert isinstance(warned, Warned)
    assert warned.code == "recording"
    assert "the call goes on" in warned.message
    assert victim.exists() is (what != "a link to nowhere")
    if victim.exists():
        assert victim.read_text() == "mine"
    with pytest.raises(UsageError, match="is there already"):
        check_recording(str(path), numbered=False)
    check_recording(str(path), numbered=True)


@pytest.mark.parametrize("name", ["call", "call.mp3", "no/call.wav", "call.WAV2"])
def test_names_that_are_none_are_refused_before_the_call(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(UsageError, match="--record"):
        check_recording(str(tmp_path / name), numbered=False)


def test_ogg_without_its_library_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SoundError, match=r"pip install 'wzp\[files\]'"):
        check_recording(str(tmp_path / "a.opus"), numbered=False)
    check_recording(str(tmp_path / "a.wav"), numbered=False)


# --- What goes wrong ------------------------------------------------------------


def codes(told: list[Event]) -> list[str]:
    return [event.code for event in told if isinstance(event, Warned)]


@pytest.mark.parametrize("name", ["call.wav", "call.opus"])
def test_a_full_disk_ends_the_recording_and_not_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    full = Path("/dev/full")
    if not full.exists() or not can_decode():
        require("files", "no /dev/full, or no extra files")
    monkeypatch.setattr(
        recording,
        "_create_file",
        lambda path, numbered: (os.open(full, os.O_RDWR), path),
    )
    told = recorded(tmp_path / name, 3.0)
    assert codes(told) == ["recording"]


def test_a_disk_that_is_nearly_full_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "RECORDING_FREE_MIN_BYTES", 1 << 60)
    told = recorded(tmp_path / "call.wav", 3.0)
    assert codes(told) == ["recording"]
    assert "MiB are free" in next(e.message for e in told if isinstance(e, Warned))
    assert len(read(tmp_path / "call.wav")) == 0


def test_a_wav_that_holds_no_more_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "WAV_SOUND_MAX_BYTES", 400_000)
    told = recorded(tmp_path / "call.wav", 4.0)
    assert codes(told) == ["recording"]
    assert 0 < 4 * len(read(tmp_path / "call.wav")) <= 400_000


def test_a_disk_that_hangs_costs_parts_of_the_recording_and_no_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Event] = []
    monkeypatch.setattr(recording, "RECORDING_CLOSE_MAX_S", 0.01)

    async def scenario() -> None:
        read_end, write_end = os.pipe()  # nobody reads: writing hangs
        monkeypatch.setattr(
            recording, "_create_file", lambda path, numbered: (write_end, path)
        )
        monkeypatch.setattr(recording, "_leave_room", lambda descriptor: None)
        kept = CallRecording(str(tmp_path / "a.wav"), told.append, numbered=False)
        await _talk(kept, 20)
        assert kept.dropped > 5
        assert codes(told) == ["recording"]
        os.close(read_end)  # now it fails, and the thread ends
        await kept.close()

    run(scenario())
