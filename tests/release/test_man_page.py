import shutil
import subprocess

import pytest

from release.man_page import man_page
from tests.support.requirements import require
from wzp_cli.cli.manual import pages

PAGE = man_page("2026-11-24")


@pytest.fixture(scope="module")
def shown() -> str:
    """The page as a terminal shows it."""
    if shutil.which("groff") is None:
        require("groff", "there is no groff")
    ran = subprocess.run(
        ["groff", "-man", "-ww", "-Tascii", "-P-c", "-P-b", "-P-u", "-rLL=200n"],
        input=PAGE,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stderr == "", "groff has nothing to complain about"
    return ran.stdout


def test_each_command_and_flag_is_shown(shown: str) -> None:
    for page in pages():
        assert f"wzp {page.name}".strip() in shown
        for flag in page.flags:
            assert all(name in shown for name in flag.names), flag.written


def test_what_roff_would_take_for_its_own_is_shown(shown: str) -> None:
    assert "WZP(1)" in shown
    assert "--in SRC" in shown
    assert "Take the speaker's sound out of the microphone's." in shown
    assert "130, 141, 143" in shown
