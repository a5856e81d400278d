"""`wzp talk`; with a call: test_placed_call.py."""

import pytest

from wzp_cli.cli.app import run


@pytest.mark.parametrize(("words", "code"), [([], 1), (["off"], 1), (["maybe"], 2)])
def test_which_words_it_takes(
    words: list[str],
    code: int,
    environ: dict[str, str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert run(["talk", *words], environ) == code
    said = capfd.readouterr().err
    assert ("No wzp is running" in said) == (code == 1)
    assert ("'on', 'off', 'toggle'" in said) == (code == 2)
