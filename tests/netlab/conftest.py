"""What tests in a laboratory start from: a reason to skip, and `make_lab`."""

import contextlib
import os
from collections.abc import Iterator
from typing import Protocol

import pytest

from tests.netlab.lab import Lab, SiteSpec
from tests.netlab.namespaces import why_not

__all__ = ["MakeLab", "make_lab"]


class MakeLab(Protocol):
    """Builds a laboratory that is removed when the test is over; arguments of Lab."""

    def __call__(
        self, *sites: str | SiteSpec, hops: int = 1, ipv6: bool = False
    ) -> Lab: ...


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a laboratory where none can be built, unless it is demanded."""
    if item.get_closest_marker("netlab") is None or (reason := why_not()) is None:
        return
    if "netlab" in os.environ.get("WZP_TESTS_REQUIRE", "").split(","):
        pytest.fail(f"netlab is required, but: {reason}", pytrace=False)
    pytest.skip(f"netlab: {reason}")


@pytest.fixture
def make_lab() -> Iterator[MakeLab]:
    """A factory of laboratories; a test may make several."""
    with contextlib.ExitStack() as stack:

        def make(*sites: str | SiteSpec, hops: int = 1, ipv6: bool = False) -> Lab:
            return stack.enter_context(Lab(*sites, hops=hops, ipv6=ipv6))

        yield make
