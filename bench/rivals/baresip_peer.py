"""An end of a call by Debian's baresip 1.0, which has no audio device that keeps times.

    python baresip_peer.py --role calls|answers --at ADDRESS --peer ADDRESS --speech WAV

The caller's source is the file. The other end's player is a bridge that plays into its
own source, so what it heard goes back to the caller, who plays nothing. In between,
`sndfile` writes what each source gives, frame by frame: at the caller that is the
speech as it is said, at the other end what the player took. The files' growth is
watched each millisecond. So one direction is measured.
"""

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import threading
import time
import wave
from pathlib import Path

from voice_end import (
    FRAME_BYTES,
    FRAME_S,
    FRAME_SAMPLES,
    TAIL_S,
    Meter,
    options,
    say,
    told,
    write,
)

MODULES = "/usr/lib/baresip/modules"
PORT = 5060
HEADER_BYTES = 44
LOOK_EACH_S = 0.001
UP_S = 20.0


def main() -> None:
    """Call or answer, watch, and end."""
    parser = options(argparse.ArgumentParser(description=__doc__))
    parser.add_argument("--role", choices=("calls", "answers"), required=True)
    parser.add_argument("--at", required=True)
    parser.add_argument("--peer", required=True)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wzp-baresip-") as name:
        end = _End(given, Path(name))
        try:
            end.run()
        finally:
            end.close()


class _End:
    def __init__(self, given: argparse.Namespace, folder: Path) -> None:
        self._given, self._folder = given, folder
        self._calls = given.role == "calls"
        _configure(folder, given, calls=self._calls)
        self._meter = Meter(lambda: [self._process.pid])
        self._times: list[tuple[int, float]] = []
        self._closing = False
        if not self._calls:
            self._start()

    def run(self) -> None:
        say(connected=True)
        told()  # go
        if self._calls:
            self._start("-e", f"/dial sip:b@{self._given.peer}:{PORT}")
        source = self._source()
        threading.Thread(target=self._watch, args=(source,), daemon=True).start()
        for moment_s in (self._given.from_s, self._given.from_s + self._given.for_s):
            self._wait_until(moment_s)
            self._meter.mark()
        time.sleep(TAIL_S)
        say(over=True)
        told()  # stop
        self._closing = True
        sound = source.read_bytes()[HEADER_BYTES:]
        said = []
        if self._calls:
            said = _by_frame(self._times)
        write(self._given, sound, self._times, said, self._meter.figures())

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()

    def _start(self, *words: str) -> None:
        self._process = subprocess.Popen(
            ["baresip", "-4", "-f", str(self._folder), *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _source(self) -> Path:
        """Wait for the file that grows with what the source gives."""
        deadline = time.monotonic() + UP_S
        while time.monotonic() < deadline:
            for path in self._folder.glob("*-enc.wav"):
                if path.stat().st_size >= HEADER_BYTES + FRAME_BYTES:
                    return path
            time.sleep(LOOK_EACH_S)
        say(failed="no call")
        sys.exit(1)

    def _watch(self, path: Path) -> None:
        """Note when how many samples are there (thread)."""
        seen = HEADER_BYTES
        descriptor = os.open(path, os.O_RDONLY)
        while not self._closing:
            size = os.fstat(descriptor).st_size
            if size > seen:
                self._times.append(((seen - HEADER_BYTES) // 2, time.monotonic()))
                seen = size
            time.sleep(LOOK_EACH_S)

    def _wait_until(self, moment_s: float) -> None:
        samples = round(moment_s / FRAME_S) * FRAME_SAMPLES
        while not self._times or self._times[-1][0] < samples:
            time.sleep(FRAME_S / 4)


def _by_frame(times: list[tuple[int, float]]) -> list[float]:
    """When each frame was there, also where two were seen at one look."""
    said: list[float] = []
    for (first, at), (after, _) in itertools.pairwise(times):
        said += [at] * ((after - first) // FRAME_SAMPLES)
    return said


def _configure(folder: Path, given: argparse.Namespace, *, calls: bool) -> None:
    """Write its configuration: the template's values, with in-band FEC."""
    source = f"aufile,{_padded(folder, given.speech)}" if calls else "aubridge,ear"
    player = "aubridge,nobody" if calls else "aubridge,ear"
    modules = ("opus.so", "aufile.so", "aubridge.so", "sndfile.so")
    lines = [
        f"module_path {MODULES}",
        *(f"module {name}" for name in modules),
        "module_tmp account.so",
        "module_app menu.so",
        f"sip_listen {given.at}:{PORT}",
        f"audio_source {source}",
        f"audio_player {player}",
        f"snd_path {folder}",
        "jitter_buffer_delay 5-10",
        "opus_bitrate 28000",
        "opus_stereo no",
        "opus_sprop_stereo no",
        "opus_inbandfec yes",
        "opus_packet_loss 10",
    ]
    (folder / "config").write_text("\n".join(lines) + "\n")
    name = "a" if calls else "b"
    account = f"<sip:{name}@{given.at}>;regint=0;answermode=auto"
    (folder / "accounts").write_text(f"{account};audio_codecs=opus/48000/2\n")


def _padded(folder: Path, speech: Path) -> Path:
    """The speech with a long silence after it: at a file's end the source stops."""
    padded = folder / "said.wav"
    with wave.open(str(speech), "rb") as file:
        said, parameters = file.readframes(file.getnframes()), file.getparams()
    with wave.open(str(padded), "wb") as file:
        file.setparams(parameters)
        file.writeframes(said + bytes(FRAME_BYTES * 3000))
    return padded


if __name__ == "__main__":
    main()
