"""Runs the tests that carry attacks out: here, or where a rule has been taken out."""

import ast
import enum
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from attacks.catalogue import ROOT, Attack, Weakening

__all__ = ["Outcome", "Result", "copied", "run", "try_without", "unknown_tests"]

_TEST_S = 60
_RUN_S = 900
_WEAKENED_RUN_S = 100  # without its rule, a call may go on for ever
_NOT_COPIED = (
    *(".git", ".venv", ".hypothesis", ".pytest_cache", ".mypy_cache", ".ruff_cache"),
    *(".import_linter_cache", "dist", "node_modules"),
)
_BROKEN_PATCH = frozenset(
    {
        *("ImportError", "ModuleNotFoundError", "SyntaxError", "NameError"),
        *("UnboundLocalError", "AttributeError", "TypeError", "Timeout"),
    }
)
"""What says that a patch is wrong, and not that a test has noticed it."""


class Outcome(enum.Enum):
    """How an attack ended."""

    HELD = "held"
    BROKEN = "BROKEN"
    NOT_TRIED = "not tried"


@dataclass(slots=True)
class Result:
    """What became of one test, whatever its parameters.

    Attributes:
        errors: The kinds of errors that it failed by; empty if it did not.
        said: What it said then, or why it was skipped.
    """

    ran: bool = False
    failed: bool = False
    seconds: float = 0.0
    errors: set[str] = field(default_factory=set)
    said: str = ""

    @property
    def outcome(self) -> Outcome:
        """In a word."""
        if self.failed:
            return Outcome.BROKEN
        return Outcome.HELD if self.ran else Outcome.NOT_TRIED

    @property
    def is_noticed(self) -> bool:
        """Whether it failed since the attack succeeded: by no error of a patch."""
        return self.failed and not self.errors & _BROKEN_PATCH


def run(
    tests: Iterable[str],
    tree: Path = ROOT,
    options: Sequence[str] = (),
    within_s: float = _RUN_S,
) -> dict[str, Result]:
    """Run tests by pytest in one process; return what became of each."""
    wanted = list(dict.fromkeys(tests))
    with tempfile.TemporaryDirectory(prefix="wzp-attack-") as folder:
        record = Path(folder) / "record"
        record.touch()
        command = [
            *(sys.executable, "-m", "pytest", "-q", "-p", "attacks.recorder"),
            *("-p", "no:cacheprovider", f"--timeout={_TEST_S}"),
            *(f"--record-to={record}", *options, *wanted),
        ]
        with subprocess.Popen(
            command,
            cwd=tree,
            env={**os.environ, "PYTHONPATH": f"{tree}{os.pathsep}{ROOT}"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as ran:
            try:
                ran.wait(within_s)
            except subprocess.TimeoutExpired:
                pass  # what did not end did not run
            finally:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(ran.pid, signal.SIGKILL)  # and what it has started
        return _results(wanted, record.read_text("utf-8").splitlines())


def _results(wanted: Iterable[str], lines: Iterable[str]) -> dict[str, Result]:
    results = {test: Result(said="it did not run") for test in wanted}
    for line in map(json.loads, lines):
        result = results.setdefault(line["test"], Result())
        result.seconds += line["seconds"]
        if line["outcome"] == "passed":
            result.ran = True
        else:
            result.said = line["said"]
        if line["outcome"] == "failed":
            result.failed = True
            result.errors |= set(line["errors"])
            if line["when"] != "call":
                result.errors.add("ImportError")  # it has not even begun
    return results


@contextmanager
def copied() -> Iterator[Path]:
    """Yield a copy of the tree, compiled files and all, for as long as the block."""
    with tempfile.TemporaryDirectory(prefix="wzp-attack-") as folder:
        tree = Path(folder) / "wzp"
        ignored = shutil.ignore_patterns(*_NOT_COPIED)
        shutil.copytree(ROOT, tree, ignore=ignored, symlinks=True)
        yield tree


def try_without(attack: Attack, weakening: Weakening) -> Mapping[str, Result]:
    """Take a rule out of a copy of the tree, and carry the attack out there."""
    with copied() as tree:
        path = tree / weakening.file
        path.write_text(weakening.applied(path.read_text("utf-8")), "utf-8")
        return run(attack.tests, tree, ("-x",), _WEAKENED_RUN_S)


def unknown_tests(tests: Iterable[str]) -> list[str]:
    """Return those that no file of the tree defines."""
    return [test for test in tests if not _is_defined(test)]


def _is_defined(test: str) -> bool:
    file, _, name = test.partition("::")
    path = ROOT / file
    if not path.is_file():
        return False
    body = ast.parse(path.read_text("utf-8")).body
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    is_test = name.startswith("test_")
    return is_test and any(isinstance(n, functions) and n.name == name for n in body)
