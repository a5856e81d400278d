"""What the tests of commands start from: processes, and one relay for all of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import Processes

__all__ = ["processes", "relay"]


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Programs that end with the test."""
    with Processes(tmp_path) as started:
        yield started


@pytest.fixture(scope="session")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A relay on loopback, as --relay takes it."""
    with Processes(tmp_path_factory.mktemp("relay")) as started:
        yield started.relay()
