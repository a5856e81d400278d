"""What the tests of commands start from: a clean log, a home, processes, one relay."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli import probe
from tests.support.processes import Processes
from tests.support.tmux import Tmux, need_tmux
from wzp_cli.cli import app

__all__: list[str] = []


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    handlers, level = list(logging.root.handlers), logging.root.level
    yield
    for handler in set(logging.root.handlers) - set(handlers):
        logging.root.removeHandler(handler)
        handler.close()
    logging.root.setLevel(level)


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment in which nothing of this machine's user is touched."""
    homes = {
        "HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "WZP_FORWARDERS": "0",  # a process less for each relay
        "WZP_PORTMAP": "false",  # this machine's router is nobody's test
        "WZP_PUBLIC_STUN": "false",  # nor are other people's servers
    }
    for name, value in homes.items():
        monkeypatch.setenv(name, value)
    return homes


@pytest.fixture
def with_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adds the commands of `tests.cli.probe` to those of wzp."""
    monkeypatch.setattr(app, "COMMANDS", {**app.COMMANDS, "probe": probe.__name__})


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


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    """Terminals that end with the test."""
    need_tmux()
    with Tmux(tmp_path) as tmux:
        yield tmux
