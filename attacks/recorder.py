"""A plugin of pytest's: one line of JSON for each test that ran, failed or was skipped.

pytest -p attacks.recorder --record-to FILE
"""

import json
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

__all__ = ["pytest_addoption", "pytest_runtest_makereport"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take --record-to."""
    parser.addoption("--record-to", type=Path, required=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Write down how a test ended, and by which kinds of errors."""
    report = yield
    if report.when == "call" or report.outcome != "passed":
        line = {
            "test": item.nodeid.partition("[")[0],
            "when": report.when,
            "outcome": report.outcome,
            "seconds": call.duration,
            "errors": sorted(set(_kinds(call.excinfo and call.excinfo.value))),
            "said": _said(report),
        }
        with item.config.getoption("--record-to").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    return report


def _kinds(error: BaseException | None) -> Iterator[str]:
    """Yield the names of what went wrong; of a group, of each in it."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _kinds(each)
    elif error is not None:
        late = str(error).startswith("Timeout")
        yield "Timeout" if late else type(error).__name__


def _said(report: pytest.TestReport) -> str:
    """Return the last line of what went wrong, or why it was skipped."""
    said: Any = report.longrepr
    if isinstance(said, tuple):
        return str(said[2]).removeprefix("Skipped: ")
    crash = getattr(said, "reprcrash", None)
    return str(crash.message).splitlines()[0] if crash is not None else ""
