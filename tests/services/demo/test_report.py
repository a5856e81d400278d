"""What does not hold is told in a sentence with its figures."""

from dataclasses import replace

from tests.services.demo.samples import GOOD
from wzp_cli.services.demo.report import path_problems, sound_problems


def test_a_good_call_has_no_problem() -> None:
    assert sound_problems("directly", GOOD) == []
    assert path_problems(GOOD, "127.0.0.1:55555") == []


def test_sound_that_is_not_there_or_not_the_same() -> None:
    [silent] = sound_problems("directly", replace(GOOD, correlation=None))
    assert silent == "only silence was sent directly: there is nothing to compare"
    [unlike] = sound_problems("over the relay", replace(GOOD, correlation=0.2))
    assert "correlation 0.20" in unlike
    assert "149 of 150 frames arrived, 1 were made up" in unlike


def test_a_way_that_is_another_than_the_one_shown() -> None:
    relayed = replace(GOOD, path="relay", why_not_direct="no answer to any check")
    [why] = path_problems(relayed, "127.0.0.1:55555")
    assert why == "the second call did not go direct: no answer to any check"
    [lost] = path_problems(replace(relayed, why_not_direct=None), "127.0.0.1:55555")
    assert "lost again" in lost
    [elsewhere] = path_problems(GOOD, "127.0.0.1:4")
    assert "went to 127.0.0.1:55555, the relay saw 127.0.0.1:4" in elsewhere
