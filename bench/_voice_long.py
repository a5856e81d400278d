"""A long call over a mildly bad link: its delay and memory from part to part."""

import os
import statistics
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench._stage import introduce, show
from bench._voice import LINK, Call, End, Row, Script, call, temporary
from bench._voice_figures import CLIP_S, CLIPS, delays_ms, measured, script
from tests.support.speech import Samples

LINK_NAME = "1 % loss, 5 ms of jitter"
ROW = Row(LINK_NAME, replace(LINK, loss_pct=1.0, jitter_ms=5.0, jitter="exponential"))
STACK = "wzp direct"
PARTS = 5
GROWTH_MS = 40.0
"""From the first part to the last: beyond it, delay grows. Two frames are what a clock
that drifts, or a stall near the end, may leave for a while."""
GROWTH_MIB = 4.0
"""From the second part to the last: beyond it, memory grows."""


class _Memory:
    """What both programs occupy at the end of each part (thread)."""

    def __init__(self, said: Script) -> None:
        self._said = said
        self.mib: list[list[float]] = []

    def watch(self, ends: Sequence[End]) -> None:
        """Begin; the speech begins now."""
        threading.Thread(target=self._watch, args=(ends,), daemon=True).start()

    def _watch(self, ends: Sequence[End]) -> None:
        time.sleep(self._said.from_s)
        for _ in range(PARTS):
            time.sleep(self._said.for_s / PARTS)
            self.mib.append([_resident_mib(end.program) for end in ends])


def _resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main(seconds: float) -> None:
    """Call for so long; exit 1 where delay or memory has grown."""
    introduce(f"voice --long {seconds:g}", f"{STACK}, speech both ways, {LINK_NAME}")
    times = max(1, round(seconds / (CLIPS * CLIP_S)))
    clip = np.tile(measured(), times)
    with temporary() as name:
        folder = Path(name)
        said = script(folder, times)
        memory = _Memory(said)
        heard = call(STACK, ROW, 1, said, folder, memory.watch)
        delays = _by_part(heard, clip, said)
    head = ["part", "delay, ms", "pieces heard", "caller, MiB", "callee, MiB"]
    rows = [
        [
            f"{number}",
            f"{statistics.median(part):.0f}" if part else "-",
            f"{len(part)}",
            *(f"{mib:.1f}" for mib in memory.mib[number - 1]),
        ]
        for number, part in enumerate(delays, start=1)
    ]
    show(f"a call of {said.for_s:g} s in {PARTS} parts", head, rows)
    if fault := _fault(delays, memory.mib):
        sys.exit(fault)


def _by_part(heard: Call, clip: Samples, said: Script) -> list[list[float]]:
    parts: list[list[float]] = [[] for _ in range(PARTS)]
    for way in heard.directions:
        for second, delay_ms in delays_ms(way, clip, said.from_s):
            parts[int(second / said.for_s * PARTS)].append(delay_ms)
    return parts


def _fault(delays: list[list[float]], memory: list[list[float]]) -> str | None:
    """Say what has grown; what is quiet has failed, too."""
    if not all(delays):
        return "a part in which no speech was heard"
    grown_ms = statistics.median(delays[-1]) - statistics.median(delays[0])
    if grown_ms > GROWTH_MS:
        return f"the delay has grown by {grown_ms:.0f} ms"
    grown_mib = max(now - then for then, now in zip(memory[1], memory[-1], strict=True))
    if grown_mib > GROWTH_MIB:
        return f"memory has grown by {grown_mib:.1f} MiB"
    return None
