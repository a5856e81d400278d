"""`wzp hold`; with a call: test_answer.py."""

from collections.abc import Callable


def test_which_words_it_takes(takes_on_off_toggle: Callable[[str], None]) -> None:
    takes_on_off_toggle("hold")
