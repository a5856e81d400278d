"""Calls through real sound devices: PulseAudio's null sinks, PortAudio, two processes.

What is played into the sink "mic" is what a caller's microphone hears; what a
listener's speaker plays comes out of the sink "spk".
"""

import bisect
import os
import re
import signal
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.processes import Processes, Program, User
from tests.support.pulse import Pulse
from tests.support.speech import RATE_HZ, pesq_wb, speech

pytestmark = pytest.mark.pulse

SPEECH_S = 6.0
_WAIT_S = 20.0


@pytest.fixture
def pulse(tmp_path: Path) -> Iterator[Pulse]:
    home = tmp_path / "pulse"
    home.mkdir()
    with Pulse(home) as pulse:
        yield pulse


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path) as processes:
        yield processes


def person(processes: Processes, pulse: Pulse, name: str) -> User:
    """Return somebody who uses the sinks of `pulse`."""
    user = processes.user(name)
    for variable in ("XDG_RUNTIME_DIR", "PULSE_SINK", "PULSE_SOURCE"):
        if variable in pulse.environment:
            user.environment[variable] = pulse.environment[variable]
    return user


def wide(narrow: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """Return sound of 16 kHz at 48 kHz."""
    spectrum = np.fft.rfft(narrow)
    return np.asarray(np.fft.irfft(spectrum, 3 * len(narrow)) * 3, np.int16)


def narrow(sound: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    spectrum = np.fft.rfft(sound)[: len(sound) // 6 + 1]
    return np.asarray(np.fft.irfft(spectrum, len(sound) // 3) / 3, np.int16)


def in_call(
    processes: Processes, pulse: Pulse, *words: str, ears: Pulse | None = None
) -> tuple[Program, Program]:
    """Return a caller whose microphone is "mic", and a listener who plays to "spk".

    Args:
        processes: Starts them.
        pulse: Has both sinks; or "mic" alone, and `ears` has "spk".
        words: More for the listener.
        ears: Another sound server, for the listener.
    """
    bob = person(processes, ears or pulse, "bob")
    alice = person(processes, pulse, "alice")
    listening = bob.start(
        "listen", "--once", "--auto-answer", "all", "--in", "null", *words,
    )  # fmt: skip
    listening.wait_for("ready")
    port = listening.wait_for("bound")["port"]
    calling = alice.start(
        "call", f"127.0.0.1:{port}", "--out", "null", "--no-noise-suppression",
        "--no-gain-control",
    )  # fmt: skip
    listening.wait_for("media.started")
    return calling, listening


@contextmanager
def apart(folder: Path, *speakers: str) -> Iterator[tuple[Pulse, Pulse]]:
    """Yield a sound server with a noisy microphone, and one with these speakers.

    Two, as the sound of a speaker that goes would be given to another sink of its own.
    """
    homes = folder / "mouth", folder / "ears"
    for home in homes:
        home.mkdir()
    noise = np.random.default_rng(1).integers(-9_000, 9_000, 48_000 * 60, np.int16)
    with (
        Pulse(homes[0], "mic") as mouth,
        Pulse(homes[1], *speakers) as ears,
        mouth.playing("mic", noise.tobytes()),
    ):
        yield mouth, ears


class Recorder:
    """Hears the monitor of a sink, and keeps when it heard what."""

    def __init__(self, pulse: Pulse, sink: str) -> None:
        self._process = pulse.popen(
            "parec",
            "-d",
            f"{sink}.monitor",
            "--latency-msec=10",
            stdout=subprocess.PIPE,
        )
        self._pieces: list[bytes] = []
        self._came: list[tuple[int, float]] = [(0, time.monotonic())]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def hear(self, seconds: float) -> None:
        """Wait until so much was heard."""
        deadline = time.monotonic() + _WAIT_S
        while self._came[-1][0] < seconds * 48_000:
            assert time.monotonic() < deadline, "nothing is heard"
            time.sleep(0.05)

    def end(self) -> npt.NDArray[np.int16]:
        """Stop, and return what was heard."""
        self._process.terminate()
        self._thread.join(10)
        self._process.wait(10)
        return np.frombuffer(b"".join(self._pieces), "<i2")

    def time_s(self, sample: int) -> float:
        """Return when a sample came."""
        counts = [count for count, _ in self._came]
        after = min(bisect.bisect_left(counts, sample), len(counts) - 1)
        count, at_s = self._came[after]
        return at_s - (count - sample) / 48_000

    def _run(self) -> None:
        assert self._process.stdout is not None
        count = 0
        with self._process.stdout as stream:
            while piece := os.read(stream.fileno(), 65_536):
                self._pieces.append(piece)
                count += len(piece) // 2
                self._came.append((count, time.monotonic()))


def begins(said: npt.NDArray[np.int16], heard: npt.NDArray[np.int16]) -> int:
    """Return at which sample of what was heard `said` begins."""
    size = len(said) + len(heard)
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(said, size))
    return int(np.argmax(np.fft.irfft(spectrum, size)[: len(heard)]))


def test_speech_goes_from_microphone_to_speaker(
    processes: Processes, pulse: Pulse
) -> None:
    calling, listening = in_call(processes, pulse)
    said = speech(SPEECH_S)
    into, out = Recorder(pulse, "mic"), Recorder(pulse, "spk")
    pulse.play_to_end("mic", bytes(192_000) + wide(said).tobytes() + bytes(96_000))
    spoken, heard = into.end(), out.end()
    calling.send(signal.SIGINT)
    assert calling.wait_end()["exit"] == 130
    listening.wait_end()

    # The delay, a second at a time: the jitter buffer may move it in between.
    delays_ms = []
    for start in range(0, len(said) - RATE_HZ, RATE_HZ):
        piece = wide(said[start : start + RATE_HZ])
        delay_s = out.time_s(begins(piece, heard)) - into.time_s(begins(piece, spoken))
        delays_ms.append(round(delay_s * 1000))
    quality = pesq_wb(said, narrow(heard[: len(heard) // 6 * 6]))
    buffers = [event["buffer_ms"] for event in listening.all("stats")]
    print(  # noqa: T201 - shown with -rP
        f"PESQ {quality:.2f}; null sink to null sink {delays_ms} ms, of it in the "
        f"jitter buffer {buffers}"
    )
    assert quality > 3.0
    assert statistics.median(delays_ms) > 0, "how late it is depends on the machine"


def test_a_speaker_that_goes_and_comes_back_in_mid_call(
    processes: Processes, tmp_path: Path
) -> None:
    with apart(tmp_path, "spk") as (mouth, pulse):
        calling, listening = in_call(processes, mouth, ears=pulse)
        pulse.unplug("spk")
        gone = listening.wait_for("warning", code="device_lost")
        assert "goes on in silence" in gone["message"]
        listening.wait_for("stats")
        listening.wait_for("stats")
        pulse.plug("spk")
        listening.wait_for("warning", code="device_back")
        recorder = Recorder(pulse, "spk")
        recorder.hear(2.0)
        heard = recorder.end()
        assert np.abs(heard.astype(int)).max() > 2_000, "the peer is heard again"
        calling.send(signal.SIGINT)
        assert calling.wait_end()["exit"] == 130
        assert listening.wait_end()["exit"] == 0
        assert listening.talk() == "", "PortAudio and ALSA are kept off the terminal"


def test_another_default_speaker_in_mid_call_is_the_one_that_is_heard(
    processes: Processes, tmp_path: Path
) -> None:
    with apart(tmp_path, "spk", "headset") as (mouth, pulse):
        pulse.make_default("spk")
        del pulse.environment["PULSE_SINK"]
        calling, listening = in_call(processes, mouth, ears=pulse)
        for sink in ("spk", "headset"):
            pulse.make_default(sink)
            listening.wait_for("stats")
            recorder = Recorder(pulse, sink)
            recorder.hear(1.0)
            heard = recorder.end()
            assert np.abs(heard.astype(int)).max() > 2_000, sink
        calling.send(signal.SIGINT)
        calling.wait_end()
        assert listening.wait_end()["exit"] == 0
        assert not listening.all("warning", code="device_lost")


def test_a_caller_hears_that_it_rings_and_a_callee_that_it_is_called(
    processes: Processes, pulse: Pulse
) -> None:
    bob, alice = person(processes, pulse, "bob"), person(processes, pulse, "alice")
    called = bob.at_terminal("listen", "--in", "null", "--direct", "anyone")
    called.wait_for("Using UDP port ")
    called.wait_for("Ready for calls")
    found = re.search(r"Using UDP port (\d+)", called.text)
    assert found
    for speakers, words, hz in (
        ("the callee's", ["--out", "null"], 450),
        ("both", ["--out", "speaker"], 425),
    ):
        recorder = Recorder(pulse, "spk")
        recorder.hear(0.1)
        calling = alice.start(
            "call", f"127.0.0.1:{found[1]}", "--in", "null", *words,
            "--ring-timeout", "2500ms",
        )  # fmt: skip
        assert calling.wait_end()["exit"] == 5
        heard = recorder.end().astype(float)
        spectrum = np.abs(np.fft.rfft(heard))
        at = round(hz * len(heard) / 48_000)
        assert spectrum[at - 20 : at + 20].max() > 50 * np.median(spectrum), speakers
    called.send(signal.SIGINT)
    called.wait_end()
