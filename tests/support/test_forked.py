import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.forked import Forked, Forks


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    with Forks() as forks:
        yield forks


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    return {"HOME": str(tmp_path), "WZP_STATE_DIR": str(tmp_path / "state")}


def started(
    forks: Forks, at: Path, environment: Mapping[str, str], *words: str
) -> Forked:
    with at.open("wb") as said:
        return forks.start(words, environment, said.fileno(), said.fileno())


def test_a_copy_says_and_ends_as_a_program_that_was_started(
    forks: Forks, tmp_path: Path, environment: Mapping[str, str]
) -> None:
    first, second = (
        started(forks, tmp_path / name, environment, *words)
        for name, words in (
            ("shown", ("id", "show", "--json")),
            ("refused", ("listen", "--nonsense")),
        )
    )
    assert (first.wait(20), second.wait(20)) == (0, 2)
    assert json.loads((tmp_path / "shown").read_text())["result"]["id"]
    assert "--nonsense" in (tmp_path / "refused").read_text()


def test_one_that_is_killed_is_gone_and_another_is_not(
    forks: Forks, tmp_path: Path, environment: Mapping[str, str]
) -> None:
    one, other = (
        started(forks, tmp_path / name, environment, "relay", "--listen", "127.0.0.1:0")
        for name in ("one", "other")
    )
    one.kill()
    assert one.wait(20) == one.poll() == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        os.kill(one.pid, 0)
    assert other.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        other.wait(0.0)
    other.kill()
    assert other.wait(20) == -signal.SIGKILL
