"""How NATs are judged: each kind of the laboratory, wzp beside others, in one run.

Three times cold, each from a port that was not used before, and once more from the same
port at once: real processes, 40 ms to each server. Each finished run is a line in the
results; running again adds what is missing.
"""

import argparse
import os
import queue
import statistics
import string
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import _diagnose
from bench._results import Results, commit, markdown
from bench._stage import introduce, show
from tests.netlab.lab import Lab, SiteSpec
from tests.netlab.nats import KINDS
from tests.netlab.program import Stage
from tests.netlab.stun_server import stun_server

COLD = 3
AGAIN = COLD + 1
DELAY_MS = 20
HOPS = 3
RELAYS = ("r1", "r2")
FIRST_PORT = 20_000
PORTS_APART = 20
"""stun-client takes the port after its own as well."""
SITES = dict(zip(KINDS, string.ascii_lowercase, strict=False))


@dataclass(frozen=True)
class Row:
    """One program at one kind."""

    kind: str
    who: str

    @property
    def name(self) -> str:
        """What it is called in the results."""
        return f"{self.kind}: {self.who}"


def main() -> None:
    """Run what is missing, and print the table."""
    options = _options()
    rows = [Row(kind, who) for kind in options.kinds for who in options.who]
    results = Results(options.results, options.label or commit())
    if not options.report:
        introduce("diagnose", f"wzp detect-nat beside {', '.join(options.who[1:])}")
        for who in options.who:
            if (reason := _diagnose.why_not(who)) is not None:
                sys.exit(f"{who}: {reason}")
        _run_all([row for row in rows if not results.has(row, AGAIN)], options, results)
    head = ["kind", "what it is", *options.who]
    lines = [_line(kind, options.who, results) for kind in options.kinds]
    lines.append(_sum(options.kinds, options.who, results))
    if options.markdown:
        sys.stdout.write(markdown(lines, head, 2))
    else:
        show("right of runs (of them at once again): median seconds", head, lines)
        _tell_wrong(rows, results)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py bench diagnose", description=__doc__)
    names = _diagnose.NAMES
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--who", nargs="+", default=list(names), choices=names)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--budget", type=float, metavar="SECONDS", default=3600.0)
    parser.add_argument("--report", action="store_true", help="run nothing")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--label", help="what is measured (default: the commit)")
    parser.add_argument("--results", type=Path, default=Path("build/diagnose.jsonl"))
    return parser.parse_args()


def _run_all(
    rows: Sequence[Row], options: argparse.Namespace, results: Results
) -> None:
    """Work through the rows in one laboratory, several at a time, until time is up."""
    if not rows:
        return
    until = time.monotonic() + options.budget
    patient = [row for row in rows if row.who in _diagnose.PATIENT]
    others = [row for row in rows if row.who not in _diagnose.PATIENT]
    specs = [SiteSpec(SITES[kind], kind, delay_ms=DELAY_MS) for kind in KINDS]
    with (
        tempfile.TemporaryDirectory(prefix="wzp-diagnose-") as folder,
        Lab(*specs, hops=HOPS) as lab,
    ):
        stage = Stage(lab, Path(folder))
        for server in RELAYS:
            stage.relay(server)
        with stun_server(lab.host("r3"), stage.file("coturn")):
            for part, workers in ((others, options.workers), (patient, len(KINDS))):
                waiting = _by_kind(part)
                _beside(workers, partial(_work, waiting, stage, until, results))


def _by_kind(rows: Sequence[Row]) -> "queue.SimpleQueue[list[Row]]":
    """Return the rows so that one kind is never asked by two at once."""
    waiting: queue.SimpleQueue[list[Row]] = queue.SimpleQueue()
    for kind in dict.fromkeys(row.kind for row in rows):
        waiting.put([row for row in rows if row.kind == kind])
    return waiting


def _beside(workers: int, work: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _work(
    waiting: "queue.SimpleQueue[list[Row]]",
    stage: Stage,
    until: float,
    results: Results,
) -> None:
    while True:
        try:
            rows = waiting.get_nowait()
        except queue.Empty:
            return
        for row in rows:
            if time.monotonic() < until:
                _run_row(row, stage, results)


def _run_row(row: Row, stage: Stage, results: Results) -> None:
    """Run a program three times from ports of its own, and at once from the last."""
    lab = stage.lab
    relays = [lab.host(name).address for name in RELAYS]
    host, coturn = lab.host(SITES[row.kind]), lab.host("r3").address
    state = stage.file(row.name.replace(" ", "-"))
    asker = _diagnose.Asker(row.who, row.kind, host, relays, coturn, state)
    first = FIRST_PORT + 100 * _diagnose.NAMES.index(row.who)
    ports = [first + PORTS_APART * min(number, COLD) for number in range(1, AGAIN + 1)]
    runs = [asker.ask(port) for port in ports]
    for number, run in enumerate(runs, 1):  # all or none: a part is no "at once"
        results.add(row, number, run)


def _line(kind: str, who: Sequence[str], results: Results) -> list[str]:
    cells = [_cell(results.of(Row(kind, name))) for name in who]
    return [kind, _diagnose.truth(kind), *cells]


def _sum(kinds: Sequence[str], who: Sequence[str], results: Results) -> list[str]:
    every = [[r for k in kinds for r in results.of(Row(k, name))] for name in who]
    return ["all", "", *(_cell(runs) for runs in every)]


def _cell(runs: Sequence[dict]) -> str:
    """Return how many cold runs were right, how many repeated ones, and the median."""
    if not runs:
        return "-"
    cold = [run["right"] for run in runs if run["number"] <= COLD]
    again = [run["right"] for run in runs if run["number"] > COLD]
    took_s = statistics.median(run["took_s"] for run in runs)
    repeated = f"{sum(again)}/{len(again)}"
    return f"{sum(cold)}/{len(cold)}, {repeated}: {took_s:.1f} s"


def _tell_wrong(rows: Sequence[Row], results: Results) -> None:
    """Say what was wrong, and which of wzp's other fields were."""
    for row in rows:
        for run in results.of(row):
            if not run["right"] or run.get("fields"):
                fields = f" {run['fields']}" if run.get("fields") else ""
                said = f"{row.name} {run['number']}: {run['said']}{fields}\n"
                sys.stdout.write(said)


if __name__ == "__main__":
    main()
