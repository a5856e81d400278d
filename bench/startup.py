"""What it costs to start: modules loaded, CPU and elapsed time of small commands."""

import resource
import statistics
import subprocess
import sys
import time

from bench._stage import WZP, introduce, show

RUNS = 15
COMMANDS = ("--version", "--help", "detect-nat --help", "call --help")
BARE = (sys.executable, "-c", "pass")
COUNT = (
    "import os, sys\nfrom wzp_cli.cli.app import run\n"
    "run(sys.argv[1:], os.environ)\nsys.stderr.write(f'\\n{len(sys.modules)}')"
)


def main() -> None:
    """Run each command RUNS times and print medians."""
    introduce("startup", f"{len(COMMANDS)} commands {RUNS} times each, files cached")
    rows = [["python -c pass", "-", *_times(BARE)]]
    for words in COMMANDS:
        command = (*WZP, *words.split())
        rows.append([f"wzp {words}", _modules(words), *_times(command)])
    show("start-up, medians", ["", "modules", "CPU ms", "elapsed ms"], rows)


def _modules(words: str) -> str:
    command = [sys.executable, "-c", COUNT, *words.split()]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return ran.stderr.split()[-1]


def _times(command: tuple[str, ...]) -> list[str]:
    """Return CPU time and elapsed time in milliseconds, as cells."""
    cpu_ms, elapsed_ms = [], []
    for _ in range(RUNS):
        began_s, before_s = time.perf_counter(), _children_cpu_s()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        cpu_ms.append(1000 * (_children_cpu_s() - before_s))
        elapsed_ms.append(1000 * (time.perf_counter() - began_s))
    return [f"{statistics.median(values):.0f}" for values in (cpu_ms, elapsed_ms)]


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
