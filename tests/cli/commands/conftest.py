"""What tests of commands share."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_schema import fits
from wzp_cli.adapters.disk.state import State, open_state
from wzp_cli.cli.app import run


@pytest.fixture
def ask_group(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> Callable[[str], Any]:
    """Return what runs `wzp GROUP ... --json` and returns what it says, checked."""

    def of(group: str) -> Any:
        def asked(*words: str, expect: int = 0) -> Any:
            assert run([group, *words, "--json"], environ) == expect
            document = json.loads(capfd.readouterr().out)
            fits(document, f"{group}-{words[0]}.json")
            return document["result"] if expect == 0 else document["error"]

        return asked

    return of


@pytest.fixture
def state(environ: dict[str, str]) -> State:
    """Return the state directory that the commands use."""
    return open_state(Path(environ["XDG_STATE_HOME"]) / "wzp")


@pytest.fixture
def takes_on_off_toggle(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> Callable[[str], None]:
    """Return what sees that a switch of a call takes its words, and no others."""

    def check(command: str) -> None:
        for words, code in ([], 1), (["off"], 1), (["maybe"], 2):
            assert run([command, *words], environ) == code
            said = capfd.readouterr().err
            assert ("No wzp is running" in said) == (code == 1)
            assert ("'on', 'off', 'toggle'" in said) == (code == 2)

    return check
