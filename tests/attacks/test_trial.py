"""Tests that are run for what they show: real processes, each with its outcome."""

from pathlib import Path

from attacks.trial import Outcome, copied, run, unknown_tests

TESTS = """
import pytest

@pytest.mark.parametrize("number", [1, 2])
def test_it_holds(number):
    assert number

@pytest.mark.parametrize("number", [1, 2])
def test_it_does_not(number):
    assert number < 2, "the attack succeeded"

def test_the_patch_is_wrong():
    raise NameError("x")

def test_a_group_of_errors():
    raise ExceptionGroup("", [ValueError(), ExceptionGroup("", [AssertionError()])])

@pytest.fixture
def broken():
    raise ValueError

def test_it_never_begins(broken): ...

def test_it_needs_more():
    pytest.skip("no root here")
"""


def test_how_each_test_ended(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(TESTS)
    names = (
        *("it_holds", "it_does_not", "the_patch_is_wrong", "a_group_of_errors"),
        *("it_never_begins", "it_needs_more"),
    )
    results = run((f"test_some.py::test_{name}" for name in names), tmp_path)
    by_name = {test.rpartition("::test_")[2]: each for test, each in results.items()}
    assert {name: each.outcome for name, each in by_name.items()} == {
        "it_holds": Outcome.HELD,
        "it_does_not": Outcome.BROKEN,
        "the_patch_is_wrong": Outcome.BROKEN,
        "a_group_of_errors": Outcome.BROKEN,
        "it_never_begins": Outcome.BROKEN,
        "it_needs_more": Outcome.NOT_TRIED,
    }
    noticed = {name for name, each in by_name.items() if each.is_noticed}
    assert noticed == {"it_does_not", "a_group_of_errors"}
    assert "the attack succeeded" in by_name["it_does_not"].said
    assert by_name["it_needs_more"].said == "no root here"


def test_a_copy_is_a_tree_of_its_own_and_leaves_nothing() -> None:
    with copied() as tree:
        assert (tree / "wzp_cli/endpoint/links/quic.py").is_file()
        assert (tree / "attacks/rules").is_dir()
        assert not (tree / ".git").exists()
    assert not tree.exists()


def test_names_of_tests_that_nothing_defines() -> None:
    here = "tests/attacks/test_trial.py"
    known = f"{here}::test_names_of_tests_that_nothing_defines"
    unknown = [f"{here}::test_no", f"{here}::copied", "tests/no.py::test_no", here]
    assert unknown_tests([known, *unknown]) == unknown
