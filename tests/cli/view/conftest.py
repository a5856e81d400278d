"""Terminals for the screen: a tmux server, a relay, and people who sit there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.tmux import Tmux, need_tmux

__all__: list[str] = []


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    """A tmux server that ends with the test."""
    need_tmux()
    with Tmux(tmp_path) as server:
        yield server
