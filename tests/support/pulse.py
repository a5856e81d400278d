"""A PulseAudio of our own, with null sinks for a loudspeaker and a microphone.

    with Pulse(tmp_path) as pulse:      # sinks "spk" and "mic", no real device
        pulse.environment               # to reach it, and to use spk and mic.monitor
        pulse.unplug("spk"); pulse.plug("spk")

What needs PortAudio runs in a process of its own: PortAudio reads the environment once,
when it starts.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from ctypes.util import find_library
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.support.requirements import require

__all__ = ["Pulse", "need_sound"]

_WAIT_S: Final = 20.0
_PRIORITY: Final = -15

# Without norewinds=1 the null sink starts with 1.7 s of silence.
_NULL_SINK: Final = "module-null-sink sink_name={} rate=48000 channels=1 norewinds=1"


def need_sound(*programs: str) -> None:
    """Skip the test where PortAudio or one of these programs is missing."""
    missing = [program for program in programs if not shutil.which(program)]
    if not find_library("portaudio"):
        missing.append("libportaudio2")
    if missing:
        require("pulse", f"missing: {', '.join(missing)}")


class Pulse:
    """A sound server with null sinks: what is played into one, its monitor hears."""

    def __init__(self, home: Path, *sinks: str) -> None:
        need_sound("pulseaudio", "pactl", "pacat", "parec")
        self.home = home
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("PULSE_")},
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home),
            "PULSE_SINK": "spk",
            "PULSE_SOURCE": "mic.monitor",
        }
        self._sinks = sinks or ("spk", "mic")
        self._modules: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._priority = _first_in_line()
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        os.setpriority(os.PRIO_PROCESS, 0, self._priority)

    def start(self) -> None:
        """Start the server; returns when it answers and all sinks are there."""
        command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1"]
        self.process = subprocess.Popen(
            [*command, "-L", "module-native-protocol-unix"],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._wait_until_it_answers()
            for sink in self._sinks:
                self.plug(sink)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Kill it: all devices are gone at once."""
        self.process.kill()
        self.process.wait()

    def plug(self, sink: str) -> None:
        """Make a null sink."""
        made = self._pactl("load-module", *_NULL_SINK.format(sink).split())
        self._modules[sink] = made.stdout.strip()

    def unplug(self, sink: str) -> None:
        """Take a null sink away."""
        self._pactl("unload-module", self._modules.pop(sink))

    def make_default(self, sink: str) -> None:
        """Let what asked for no certain sink play there."""
        self._pactl("set-default-sink", sink)

    def popen(self, *words: str, **how: Any) -> subprocess.Popen[bytes]:
        """Start one of its programs; raw sound is 16 bits, mono, 48 kHz."""
        raw = ["--raw", "--rate=48000", "--channels=1", "--format=s16le"]
        return subprocess.Popen([*words, *raw], env=self.environment, **how)

    @contextlib.contextmanager
    def playing(self, sink: str, pcm: bytes) -> Iterator[None]:
        """Play raw sound into a sink, for as long as the block lasts at most."""
        with tempfile.TemporaryFile() as file:
            file.write(pcm)
            file.seek(0)
            process = self.popen("pacat", "--playback", "-d", sink, stdin=file)
        try:
            yield
        finally:
            process.kill()
            process.wait()

    def play_to_end(self, sink: str, pcm: bytes) -> None:
        """Play raw sound into a sink, all of it."""
        with self.popen("pacat", "--playback", "-d", sink, stdin=subprocess.PIPE) as it:
            it.communicate(pcm, timeout=len(pcm) / 96_000 + _WAIT_S)

    def _pactl(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pactl", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=_WAIT_S,
        )

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + _WAIT_S
        while time.monotonic() < deadline:
            assert self.process.poll() is None, "PulseAudio ended"
            try:
                self._pactl("info")
            except subprocess.CalledProcessError:
                continue
            return
        raise AssertionError("PulseAudio does not answer")


def _first_in_line() -> int:
    """Let what is started from now on run before what else the machine does.

    Sound servers ask the system for as much; without it, tests of sound would measure
    the machine's load. Returns the priority before.
    """
    before = os.getpriority(os.PRIO_PROCESS, 0)
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, _PRIORITY)
    return before
