"""Direct calls between real processes where a NAT's ports are not known beforehand."""

from pathlib import Path

import pytest

from tests.netlab.conftest import MakeLab
from tests.netlab.lab import SiteSpec
from tests.netlab.program import Program, Stage

pytestmark = pytest.mark.netlab

SOUND = ("--in", "tone", "--out", "null")
HOPS = 6
SEARCH_S = 60.0


def call(
    make_lab: MakeLab, folder: Path, caller: str, callee: str, *words: str
) -> tuple[Program, Program]:
    """Return the caller and the listener of a call that has been answered."""
    specs = [SiteSpec("a", caller, delay_ms=20), SiteSpec("b", callee, delay_ms=20)]
    stage = Stage(make_lab(*specs, hops=HOPS), folder)
    stage.relay()
    listening = stage.listen("b", *SOUND)
    return stage.call("a", "b", *SOUND, *words), listening


def went_direct(calling: Program, listening: Program) -> None:
    """Wait until both talk directly (a second round comes 20 s after the first)."""
    for program in (calling, listening):
        program.wait_for("path.changed", SEARCH_S, path="direct")
    calling.terminate()
    for program in (calling, listening):
        program.wait_end()
        assert program.events[-1]["path"] == "direct", program.transcript()


@pytest.mark.parametrize(
    ("caller", "callee", "strategy"),
    [
        ("masquerade-drop", "symmetric-sequential", "prediction"),
        ("symmetric-sequential", "masquerade-accept", "prediction"),
        ("symmetric-sequential", "symmetric-sequential", "mutual-prediction"),
    ],
)
def test_ports_that_can_be_predicted(
    make_lab: MakeLab, tmp_path: Path, caller: str, callee: str, strategy: str
) -> None:
    programs = call(make_lab, tmp_path, caller, callee)
    went_direct(*programs)
    for program in programs:
        (planned,) = program.all("path.planned")
        assert planned["strategy"] == strategy


@pytest.mark.parametrize(
    ("caller", "callee"),
    [("fully-random", "masquerade-drop"), ("masquerade-accept", "symmetric-random")],
)
def test_ports_that_have_to_be_searched(
    make_lab: MakeLab, tmp_path: Path, caller: str, callee: str
) -> None:
    programs = call(make_lab, tmp_path, caller, callee)
    went_direct(*programs)
    for program in programs:
        (planned,) = program.all("path.planned")
        assert planned["strategy"] == "search"


def test_a_vain_search_is_not_begun_and_the_reason_is_told_at_once(
    make_lab: MakeLab, tmp_path: Path
) -> None:
    kinds = ("symmetric-random", "fully-random")
    for program in call(make_lab, tmp_path, *kinds, "--duration", "2s"):
        assert program.wait_end()["exit"] == 0, program.transcript()
        (planned,) = program.all("path.planned")
        assert planned["strategy"] == "relay"
        assert "at random" in program.events[-1]["why_not_direct"]
        assert program.all("path.searched") == []
        assert program.events[-1]["frames"]["received"] > 50
