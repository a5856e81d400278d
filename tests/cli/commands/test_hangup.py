"""`wzp hangup`; with a call: test_answer.py."""

import pytest

from wzp_cli.cli.app import run


def test_it_takes_no_words(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["hangup", "bob"], environ) == 2
    assert "wzp hangup --help" in capfd.readouterr().err
