"""Speech through live calls on bad networks: wzp, and others beside it in the same run.

Each round lets every stack call at the same time, each in a laboratory of its own with
the same impairment and seed; speech goes both ways. Each finished call is a line in the
results; running again adds what is missing for this commit.
"""

import argparse
import os
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import _voice_long, _voice_rivals
from bench._results import Results, commit, markdown
from bench._stage import introduce, show
from bench._voice import ROWS, STACKS, NoCall, Row, Script, round_of, temporary
from bench._voice_curves import draw
from bench._voice_figures import HEARD_PIECES, figures, script, why_not

QUICK_ROWS = ("no loss", "10 % in threes")
QUICK_STACKS = ("wzp relay", "wzp direct")

Cell = Callable[[list[dict]], str]


def main() -> None:
    """Run what is missing, and print the tables."""
    options = _options()
    if options.long:
        _voice_long.main(options.long)
        return
    rows = [row for row in ROWS if not options.rows or row.name in options.rows]
    label = options.label or commit()
    results = {s: Results(options.results, f"{label} {s}") for s in options.stacks}
    if not options.report:
        _check(options.stacks)
        introduce("voice", "two ends of a call in two network namespaces, real speech")
        rivals = [name for name in _voice_rivals.NAMES if name in options.stacks]
        for name, version in _voice_rivals.versions(rivals).items():
            sys.stdout.write(f"beside it: {name} {version}\n")
        for number in range(1, options.runs + 1):
            for row in rows:
                _run(row, number, results)
    _print(rows, results, as_markdown=options.markdown)
    if options.picture:
        runs = {s: {r.name: results[s].of(r) for r in rows} for s in results}
        draw(options.picture, rows, runs)
    if options.quick:
        _judge(rows, results)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py bench voice", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    names = [row.name for row in ROWS]
    parser.add_argument("--rows", nargs="+", metavar="ROW", choices=names)
    parser.add_argument("--stacks", nargs="+", choices=STACKS, default=STACKS)
    parser.add_argument("--quick", action="store_true", help="two rows, wzp, one run")
    parser.add_argument(
        "--long", type=float, metavar="S", help="one call: does delay or memory grow?"
    )
    parser.add_argument("--report", action="store_true", help="run nothing")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--label", help="what is measured (default: the commit)")
    parser.add_argument("--results", type=Path, default=Path("build/voice.jsonl"))
    parser.add_argument("--picture", type=Path, metavar="SVG", help="draw the curves")
    options = parser.parse_args()
    if options.quick:
        options.rows, options.stacks, options.runs = QUICK_ROWS, QUICK_STACKS, 1
        options.results = Path(os.devnull)
    return options


def _check(stacks: Sequence[str]) -> None:
    if (reason := why_not()) is not None:
        sys.exit(reason)
    for stack in stacks:
        is_rival = stack in _voice_rivals.NAMES
        if is_rival and (reason := _voice_rivals.why_not(stack)) is not None:
            sys.exit(f"{stack}: {reason}")


def _run(row: Row, number: int, results: dict[str, Results]) -> None:
    """Let the stacks call that have not yet."""
    missing = [stack for stack, kept in results.items() if not kept.has(row, number)]
    if not missing:
        return
    with temporary() as name:
        folder = Path(name)
        said = script(folder)
        load = os.getloadavg()[0]
        calls = round_of(row, missing, number, said, folder)
        for stack in missing:
            run = _run_figures(calls[stack], said)
            results[stack].add(row, number, {"load": load, **run})
            _tell(row, number, stack, run)


def _run_figures(call: object, said: Script) -> dict[str, object]:
    if isinstance(call, NoCall):
        return {"no_call": str(call)}
    return figures(call, said)


def _tell(row: Row, number: int, stack: str, run: dict) -> None:
    keys = ("no_call", "pesq", "delay_ms", "kbps", "cpu_pct", "concealed_pct")
    words = {key: run[key] for key in keys if key in run}
    sys.stderr.write(f"{row.name}, run {number}, {stack}: {words}\n")


def _print(
    rows: Sequence[Row], results: dict[str, Results], *, as_markdown: bool
) -> None:
    tables: list[tuple[str, Cell, Callable[[Row], str]]] = [
        ("PESQ-WB: median, lowest to highest", _pesq, lambda row: _goal(row.pesq)),
        ("added delay, ms: median", _delay, lambda row: _goal(row.delay_ms)),
        ("on the wire, kbit/s each way", _median("kbps"), lambda row: ""),
        ("CPU of an end, % of a core", _median("cpu_pct"), lambda row: ""),
        ("concealed, %", _concealed, lambda row: ""),
    ]
    for title, cell, goal in tables:
        goals = [goal(row) for row in rows]
        head = ["", *(["goal"] if any(goals) else []), *results]
        lines = [
            [row.name, *([aim] if any(goals) else [])]
            + [cell(kept.of(row)) for kept in results.values()]
            for row, aim in zip(rows, goals, strict=True)
        ]
        if as_markdown:
            sys.stdout.write(f"\n{title}\n\n{markdown(lines, head, 1)}")
        else:
            show(title, head, lines)


def _goal(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _called(runs: list[dict]) -> list[dict]:
    return [run for run in runs if "no_call" not in run]


def _pesq(runs: list[dict]) -> str:
    scores = [score for run in _called(runs) for score in run["pesq"]]
    failed = [run["no_call"] for run in runs if "no_call" in run]
    broke = sum(reason.startswith("no over") for reason in failed)
    told = [f"{broke} broke off"] if broke else []
    told += [f"{len(failed) - broke} no call"] if len(failed) > broke else []
    if scores:
        spread = f"{min(scores):.2f}-{max(scores):.2f}"
        told.insert(0, f"{statistics.median(scores):.2f} ({spread})")
    return ", ".join(told) or "-"


def _delay(runs: list[dict]) -> str:
    delays = [r["delay_ms"] for r in _called(runs) if r["delay_ms"] is not None]
    return f"{statistics.median(delays):.0f}" if delays else "-"


def _concealed(runs: list[dict]) -> str:
    shares = [run["concealed_pct"] for run in _called(runs)]
    known = [share for share in shares if share is not None]
    return f"{statistics.median(known):.1f}" if known else "-"


def _median(key: str) -> Cell:
    def cell(runs: list[dict]) -> str:
        values = [value for run in _called(runs) for value in run[key]]
        return f"{statistics.median(values):.1f}" if values else "-"

    return cell


def _judge(rows: Sequence[Row], results: dict[str, Results]) -> None:
    """Exit 1 where there was no call, or the speech was not heard."""
    for row in rows:
        for stack, kept in results.items():
            for run in kept.of(row):
                if "no_call" in run:
                    sys.exit(f"{row.name}, {stack}: {run['no_call']}")
                if run["pieces"] < HEARD_PIECES:
                    sys.exit(f"{row.name}, {stack}: the speech was not heard: {run}")


if __name__ == "__main__":
    main()
