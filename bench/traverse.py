"""Which pairs of NATs talk directly, and how soon: real processes, real NATs, 80 ms.

Each run is a new caller and a new listener (so: new ports, no mapping of a run before)
in a laboratory of network namespaces: 80 ms between the peers, 40 ms to the relay. Each
finished run is a line in the results; running again adds what is missing.
"""

import argparse
import math
import os
import queue
import statistics
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from bench import _rivals
from bench._heat_map import draw
from bench._results import Results, commit, markdown
from bench._stage import introduce, percentile, show
from bench._traverse import BESIDE, ROWS, Row, laboratory
from tests.netlab.nats import KINDS

HEAD = ["pair", "kinds", "n", "direct", "95 %", "median", "p95", "first sound", "heard"]
HEAD.append("told")
EVERY = [kind for kind in KINDS if kind != "udp-blocked"]
QUICK = ("A x X", "R x R", "Rp x Rp", "R x Q", "X x X", "same LAN")


def main() -> None:
    """Run what is missing, and print the table."""
    options = _options()
    rows = _rows(options)
    label = options.label or commit()
    results = Results(options.results, label)
    who = {"wzp": results}
    for rival in options.rivals:
        who[rival] = Results(options.results, f"{label} {rival}")
    if not options.report:
        introduce("traverse", "wzp listen, wzp call between two NATs, 80 ms apart")
        for rival in options.rivals:
            if (reason := _rivals.why_not(rival)) is not None:
                sys.exit(f"{rival}: {reason}")
        _run_all(rows, options, who)
    if options.rivals:
        _compare(rows, who, as_markdown=options.markdown)
        return
    lines = [_line(row, results.of(row)) for row in rows]
    if options.every:
        draw(options.picture, EVERY, {row.name: results.of(row) for row in rows})
    elif options.markdown:
        sys.stdout.write(markdown(lines, HEAD, 2))
    else:
        show("direct calls", HEAD, lines)
    if options.quick:
        _judge(rows, results)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py bench traverse", description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--labs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--rows", nargs="+", metavar="PAIR", help="as 'R x X'")
    parser.add_argument("--every", action="store_true", help="every kind x every kind")
    parser.add_argument("--quick", action="store_true", help="six rows, two runs")
    parser.add_argument(
        "--rivals",
        nargs="*",
        default=[],
        choices=_rivals.NAMES,
        help="run these in the same laboratories, and compare",
    )
    parser.add_argument("--report", action="store_true", help="run nothing")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--label", help="what is measured (default: the commit)")
    parser.add_argument("--results", type=Path, default=Path("build/traverse.jsonl"))
    parser.add_argument("--picture", type=Path, default=Path("docs/traverse.svg"))
    return parser.parse_args()


def _rows(options: argparse.Namespace) -> list[Row]:
    if options.every:
        options.runs = 1
        pairs = [(a, b) for n, a in enumerate(EVERY) for b in EVERY[n:]]
        return [Row(f"{a} x {b}", a, b, 0.0) for a, b in pairs]
    if options.quick:
        options.runs, options.rows = 2, QUICK
    everything = (*ROWS, *BESIDE)
    return [row for row in everything if not options.rows or row.pair in options.rows]


def _run_all(
    rows: Sequence[Row], options: argparse.Namespace, who: dict[str, Results]
) -> None:
    """Work through the rows in several laboratories side by side."""
    waiting: queue.SimpleQueue[tuple[Row, str]] = queue.SimpleQueue()
    for row in rows:
        for name in who:
            waiting.put((row, name))

    def work() -> None:
        while True:
            try:
                row, name = waiting.get_nowait()
            except queue.Empty:
                return
            _run_row(row, name, options.runs, who[name])

    threads = [threading.Thread(target=work) for _ in range(options.labs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _run_row(row: Row, who: str, runs: int, to: Results) -> None:
    missing = [number for number in range(1, runs + 1) if not to.has(row, number)]
    if not missing:
        return
    with (
        tempfile.TemporaryDirectory(prefix="wzp-traverse-") as folder,
        laboratory(row, Path(folder), who) as pair,
    ):
        for number in missing:
            try:
                if who == "wzp":
                    to.add(row, number, pair.call(number))
                else:
                    to.add(row, number, pair.connect(who, number))
            except AssertionError as error:  # no call at all: that counts
                reason = str(error).splitlines()[0]
                to.add(row, number, {"exit": -1, "why_not_direct": reason})


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a share (Wilson 1927)."""
    z, share = 1.96, hits / n
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    least, most = centre - spread, centre + spread
    return max(0.0, least) / (1 + z * z / n), most / (1 + z * z / n)


def _line(row: Row, runs: list[dict]) -> list[str]:
    direct = [r["time_to_direct_ms"] for r in runs if r.get("time_to_direct_ms")]
    heard = [r["first_audio_ms"] for r in runs if r.get("first_audio_ms") is not None]
    vain = [r["planned_ms"] for r in runs if r.get("strategy") == "relay"]
    names = [row.pair, row.name]
    if not runs:
        return [*names, "0", *["-"] * (len(HEAD) - 3)]
    low, high = wilson(len(direct), len(runs))
    times = ["-", "-"]
    if direct:
        times = [f"{statistics.median(direct):.0f}", f"{percentile(direct, 0.95):.0f}"]
    return [
        *names,
        str(len(runs)),
        f"{100 * len(direct) / len(runs):.0f} %",
        f"{100 * low:.0f}-{100 * high:.0f}",
        *times,
        f"{statistics.median(heard):.0f}" if heard else "-",
        f"{100 * len(heard) / len(runs):.0f} %",
        f"{percentile(vain, 0.95):.0f}" if vain else "-",
    ]


def _compare(
    rows: Sequence[Row], who: dict[str, Results], *, as_markdown: bool
) -> None:
    """Print shares of successes and medians, one column for each program."""
    head = ["pair", *who]
    lines = [
        [row.pair, *(_summary(results.of(row)) for results in who.values())]
        for row in rows
    ]
    if as_markdown:
        sys.stdout.write(markdown(lines, head, 1))
    else:
        show("direct, of tries: milliseconds in the median", head, lines)


def _summary(runs: list[dict]) -> str:
    direct = [r["time_to_direct_ms"] for r in runs if r.get("time_to_direct_ms")]
    share = f"{len(direct)} of {len(runs)}"
    return f"{share}: {statistics.median(direct):.0f}" if direct else share


def _judge(rows: Sequence[Row], results: Results) -> None:
    """Exit 1 where a row that must go direct has not, or a call was silent.

    And where none can, if that was not said within a second.
    """
    for row in rows:
        runs = results.of(row)
        direct = [run for run in runs if run.get("time_to_direct_ms")]
        if row.goal and len(direct) < len(runs):
            sys.exit(f"{row.pair}: {[run['why_not_direct'] for run in runs]}")
        if any(run.get("first_audio_ms") is None for run in runs):
            sys.exit(f"{row.pair}: a call without sound")
        vain = [r["planned_ms"] for r in runs if r.get("strategy") == "relay"]
        if vain and statistics.median(vain) > 1000:
            sys.exit(f"{row.pair}: that it stays relayed was told after {vain} ms")


if __name__ == "__main__":
    main()
