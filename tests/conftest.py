"""Rules of all tests: what is required (WZP_TESTS_REQUIRE) is never skipped.

No test of properties fails because the machine was busy: Hypothesis has no deadline.
"""

import signal
from collections.abc import Generator, Iterator

import pytest
from hypothesis import settings

from tests.support.requirements import broken_requirement

__all__: list[str] = []

settings.register_profile("wzp", deadline=None)
settings.load_profile("wzp")


@pytest.fixture(scope="session", autouse=True)
def _programs_heed_ctrl_c() -> Iterator[None]:
    """Also where we don't: a shell's `pytest &` ignores it, and passes that on."""
    before = signal.getsignal(signal.SIGINT)
    if before == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the skip of something required into a failure."""
    report = yield
    markers = [mark.name for mark in item.iter_markers()]
    _insist(report, markers)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[
    None, pytest.CollectReport, pytest.CollectReport
]:
    """The same for a whole module that skips itself."""
    report = yield
    _insist(report, [])
    return report


def _insist(
    report: pytest.TestReport | pytest.CollectReport, markers: list[str]
) -> None:
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
    name = broken_requirement(markers, reason)
    if name is not None:
        report.outcome = "failed"
        report.longrepr = f"{name} is required (WZP_TESTS_REQUIRE), but: {reason}"
