"""What the benchmarks share: wzp as processes, their events, a table on the screen."""

import json
import os
import platform
import queue
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

WZP = (sys.executable, "-m", "wzp_cli")
HERTZ = os.sysconf("SC_CLK_TCK")


class Program:
    """A running wzp that tells its events on standard output.

    A thread reads all of them: a pipe that nobody reads fills up and stops wzp.
    """

    def __init__(self, process: subprocess.Popen) -> None:
        self.pid = process.pid
        self.events: list[dict] = []
        self._process = process
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def until(self, kind: str) -> dict:
        """Return the next event of this kind; exit with what it said if it ends."""
        while line := self._lines.get():
            self.events.append(json.loads(line))
            if self.events[-1]["event"] == kind:
                return self.events[-1]
        told = [event for event in self.events if event["event"] == "error"]
        sys.exit(f"{' '.join(self._process.args)}\nended without {kind}: {told}")

    def _read(self) -> None:
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def cpu_s(self) -> float:
        """Return the CPU time of it and of its children so far."""
        return cpu_s(self.pid)

    def resident_mib(self) -> float:
        """Return the memory that it occupies now."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process's threads, and of its children that run."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            number, _, rest = path.read_text().rpartition(")")
        except OSError:  # it has ended meanwhile
            continue
        fields = rest.split()
        if int(number.split()[0]) == pid or int(fields[1]) == pid:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / HERTZ


@contextmanager
def running(
    *words: str, command: Sequence[str] = WZP, **variables: str
) -> Iterator[Program]:
    """Run `wzp WORDS --json`, unconfigured but for `variables`; stop it at the end."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("WZP_")}
    environ |= {"XDG_CONFIG_HOME": "/nowhere", **variables}
    process = subprocess.Popen(
        [*command, *words, "--json"], stdout=subprocess.PIPE, text=True, env=environ
    )
    try:
        yield Program(process)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def folder() -> Iterator[Path]:
    """Make a folder for identities, and take it away."""
    with tempfile.TemporaryDirectory(prefix="wzp-bench-") as path:
        yield Path(path)


@contextmanager
def relay(
    home: Path, command: Sequence[str] = WZP, *more: str
) -> Iterator[tuple[Program, str]]:
    """Run a relay on any port of loopback; yield it and its address."""
    words = ("relay", "--state-dir", str(home / "r"), "--listen", "127.0.0.1:0")
    with running(*words, *more, command=command) as program:
        yield program, f"127.0.0.1:{program.until('relay.ready')['port']}"


@contextmanager
def listener(home: Path, server: str) -> Iterator[tuple[Program, str]]:
    """Run a listener that answers everybody with a tone; yield it and its identity."""
    words = ("--auto-answer", "all", "--in", "tone", "--out", "null")
    where = ("--state-dir", str(home / "b"), "--relay", server)
    with running("listen", *words, *where) as program:
        yield program, program.until("ready")["id"]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that `share` of all do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * 100) * len(ordered) // 100) - 1)]


def median_p95(values: Sequence[float]) -> list[str]:
    """Return two cells."""
    if not values:
        return ["-", "-"]
    return [f"{statistics.median(values):.1f}", f"{percentile(values, 0.95):.1f}"]


def show(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: first column to the left, figures to the right."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    lines = [
        "  ".join(
            [cells[0].ljust(widths[0])]
            + [
                cell.rjust(width)
                for cell, width in zip(cells[1:], widths[1:], strict=True)
            ]
        )
        for cells in (head, *rows)
    ]
    sys.stdout.write("\n".join(["", title, "", *lines, ""]) + "\n")
    sys.stdout.flush()


def introduce(name: str, command: str) -> None:
    """Print how to run it again, what is run, and where."""
    sys.stdout.write(
        f"python3 dev.py bench {name}\n"
        f"runs: {command}\n"
        f"here: Python {platform.python_version()}, {platform.platform()}, "
        f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.2f}\n"
    )
    sys.stdout.flush()
