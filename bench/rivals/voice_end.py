"""What each end of a measured call does, whatever carries its sound; stdlib only.

An end is a program that is given

    --speech WAV  what to say (48 kHz, mono), from the word "go" on; before, faint noise
    --from S      where in it the measured part begins, in seconds
    --for S       how long that is
    --heard PATH  where what was heard goes: PATH.wav, with times in PATH.json

and speaks JSON lines with who started it: `signal` goes to the other end, `event` is
news, `runs` a process it has started, `connected`, `over` (all is said), `done` (all is
written); it is told `signal`, `go` and `stop`. Times are of the monotonic clock, which
all processes here share. A frame is 20 ms; it is said when it is handed over whole,
heard when it is handed out.
"""

import argparse
import json
import os
import random
import sys
import time
import wave
from array import array
from collections.abc import Callable
from pathlib import Path

RATE_HZ = 48_000
FRAME_S = 0.020
FRAME_SAMPLES = 960
FRAME_BYTES = 1920
TAIL_S = 1.5
_TICK = os.sysconf("SC_CLK_TCK")
_ETHERNET_BYTES = 14


def options(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add what every end is given."""
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--from", type=float, required=True, dest="from_s")
    parser.add_argument("--for", type=float, required=True, dest="for_s")
    parser.add_argument("--heard", type=Path, required=True)
    return parser


def say(**words: object) -> None:
    """Tell who started us."""
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def told() -> dict:
    """Wait for what we are told next; `stop` at the end of input."""
    line = sys.stdin.readline()
    return json.loads(line) if line else {"stop": True}


class Meter:
    """CPU time and network load of some processes over the measured part.

    `pids` is asked at both ends: a process may start late.
    """

    def __init__(self, pids: Callable[[], list[int]]) -> None:
        self._pids = pids
        self._marks: list[tuple[float, float, int, int]] = []

    def mark(self) -> None:
        """Take the counters: once as the measured part begins, once as it ends."""
        cpu_s = sum(_cpu_s(pid) for pid in self._pids())
        self._marks.append((time.monotonic(), cpu_s, *_sent()))

    def figures(self) -> dict[str, float]:
        """Return CPU % of a core, and what went out: packets/s, kbit/s with IP.

        Empty if the measured part did not end.
        """
        if len(self._marks) < 2:
            return {}
        (t0, cpu0, bytes0, packets0), (t1, cpu1, bytes1, packets1) = self._marks
        packets = packets1 - packets0
        sent_bytes = bytes1 - bytes0 - _ETHERNET_BYTES * packets
        return {
            "cpu_pct": 100 * (cpu1 - cpu0) / (t1 - t0),
            "kbps": 8 * sent_bytes / (t1 - t0) / 1000,
            "packets_s": packets / (t1 - t0),
        }


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def _sent() -> tuple[int, int]:
    """Bytes and packets that left this namespace, Ethernet headers included."""
    for line in Path("/proc/self/net/dev").read_text().splitlines():
        name, _, counts = line.partition(":")
        if name.strip() == "eth0":
            fields = counts.split()
            return int(fields[8]), int(fields[9])
    return 0, 0


class Mouth:
    """Noise until `going`, then the speech, then noise; when each frame was said.

    `over` is called once, when all is said and had time to arrive.
    """

    def __init__(
        self, given: argparse.Namespace, meter: Meter, over: Callable[[], object]
    ) -> None:
        with wave.open(str(given.speech), "rb") as file:
            assert (file.getframerate(), file.getnchannels()) == (RATE_HZ, 1)
            self._speech = file.readframes(file.getnframes())
        chance = random.Random(0)
        self._noise = array(
            "h", (chance.randint(-2, 2) for _ in range(RATE_HZ))
        ).tobytes()
        self._first = round(given.from_s / FRAME_S)
        self._last = self._first + round(given.for_s / FRAME_S)
        self._meter = meter
        self._over = over
        self._count = 0
        self.going = False
        self.times_s: list[float] = []

    def next(self) -> bytes:
        """Return the frame to hand over now."""
        self._count += 1
        at = FRAME_BYTES * self._count % (len(self._noise) - FRAME_BYTES)
        noise = self._noise[at : at + FRAME_BYTES]
        if not self.going:
            return noise
        number = len(self.times_s)
        self.times_s.append(time.monotonic())
        if number in (self._first, self._last):
            self._meter.mark()
        if number == self._last + round(TAIL_S / FRAME_S):
            self._over()
        frame = self._speech[number * FRAME_BYTES : (number + 1) * FRAME_BYTES]
        return frame if len(frame) == FRAME_BYTES else noise


class Ear:
    """What was heard, and when each piece of it came."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._samples = 0
        self.times: list[tuple[int, float]] = []

    def hear(self, pcm: bytes) -> None:
        """Take int16, 48 kHz, mono that is handed out now."""
        if pcm:
            self.times.append((self._samples, time.monotonic()))
            self._pieces.append(pcm)
            self._samples += len(pcm) // 2

    @property
    def sound(self) -> bytes:
        """All of it."""
        return b"".join(self._pieces)


def write(
    given: argparse.Namespace,
    sound: bytes,
    heard: list[tuple[int, float]],
    said: list[float],
    figures: dict,
) -> None:
    """Write what was heard and measured, and say that it is done."""
    with wave.open(str(given.heard.with_suffix(".wav")), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(sound)
    times = {"heard": heard, "said": said, "figures": figures}
    given.heard.with_suffix(".json").write_text(json.dumps(times))
    say(done=True)
