"""`python3 dev.py fuzz NAME`: fuzz one target, or keep what was found (`--pack`)."""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from fuzz._corpus import longest, names, pack, unpack

_WORK = Path(__file__).parent.parent / ".fuzz"
_PROGRESS = re.compile(r"^#(\d+)\s.*cov: (\d+) ft: (\d+) corp: (\S+)", re.MULTILINE)
_RATE = re.compile(r"^stat::average_exec_per_sec:\s+(\d+)", re.MULTILINE)
_RUNS = re.compile(r"^stat::number_of_executed_units:\s+(\d+)", re.MULTILINE)
_SLOWEST_S = 20
_MEMORY_MB = 2048


def main() -> int:
    """Run what the command line asks for; return libFuzzer's exit code."""
    options = _options()
    work = _WORK / options.name
    unpack(options.name, work)
    if options.pack:
        return _pack(options.name, work)
    limits = [f"-runs={options.runs}", f"-max_total_time={options.seconds}"]
    code, said = _libfuzzer(options.name, *limits, str(work))
    sys.stderr.write(said[-4000:] if code else "")
    sys.stdout.write(_summary(options.name, said))
    return code


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py fuzz", description=__doc__)
    parser.add_argument("name", choices=names())
    parser.add_argument("--runs", type=int, default=1_000_000, help="how many inputs")
    parser.add_argument("--seconds", type=int, default=0, help="at most; 0: no limit")
    parser.add_argument("--pack", action="store_true", help="keep what was found")
    return parser.parse_args()


def _libfuzzer(name: str, *words: str) -> tuple[int, str]:
    """Run libFuzzer; return its exit code and what it said."""
    flags = (
        f"-timeout={_SLOWEST_S}",
        f"-rss_limit_mb={_MEMORY_MB}",
        f"-max_len={longest(name)}",
        "-print_final_stats=1",
        f"-artifact_prefix={_WORK}/{name}-",
    )
    command = [sys.executable, "-m", "fuzz._engine", name, *flags, *words]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    return done.returncode, done.stdout.decode("utf-8", "replace")


def _summary(name: str, said: str) -> str:
    progress, runs, rate = (
        _PROGRESS.findall(said),
        _RUNS.search(said),
        _RATE.search(said),
    )
    _, coverage, features, corpus = progress[-1] if progress else ("", "?", "?", "?")
    inputs, a_second = (found[1] if found else "?" for found in (runs, rate))
    return (
        f"{name}: {inputs} inputs, {a_second} a second, coverage {coverage},"
        f" features {features}, corpus {corpus}\n"
    )


def _pack(name: str, work: Path) -> int:
    """Keep the fewest inputs that reach all that those in `work` reach."""
    with tempfile.TemporaryDirectory() as few:
        code, said = _libfuzzer(name, "-merge=1", few, str(work))
        if code:
            sys.stderr.write(said[-4000:])
            return code
        kept = pack(name, Path(few))
    sys.stdout.write(f"{name}: {kept} inputs kept\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
