import errno

import pytest

from wzp_cli import errors
from wzp_cli.cli.output.failure import (
    OutputClosed,
    Terminated,
    exit_code,
    failed,
    is_stop,
    problem,
    sentence,
)
from wzp_cli.errors import PeerBusy, RelayUnreachable, WzpError
from wzp_cli.events import Failed


def test_an_error_with_words_keeps_them_and_gets_the_hint() -> None:
    told = problem(RelayUnreachable("r1:4433 gave no answer in 5 s"))
    assert told.message == "r1:4433 gave no answer in 5 s"
    assert told.hint == "Check its address, and that UDP may leave here."
    assert (told.code, told.exit) == ("relay_unreachable", 4)


def test_an_error_without_words_says_its_docstring() -> None:
    told = problem(RelayUnreachable())
    assert told.message == "No answer from the relay."
    assert problem(errors.PeerDeclined()).hint is None


def test_a_note_is_the_better_hint() -> None:
    error = PeerBusy("in a call")
    error.add_note("Try at noon.")
    assert problem(error).hint == "Try at noon."


def test_what_it_says_after_its_first_sentence_is_the_hint() -> None:
    error = PeerBusy("in a call. Try at noon.\nOr later.")
    told = problem(error)
    assert (told.message, told.hint) == ("in a call.", "Try at noon. Or later.")
    error.add_note("Or not.")
    assert problem(error).hint == "Try at noon. Or later. Or not."


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_makes_one_sentence_or_two(name: str) -> None:
    kind: type[WzpError] = getattr(errors, name)
    told = problem(kind())
    assert told.exit == kind.exit_code
    line = sentence(told.message, told.hint)
    assert "\n" not in line
    assert line.endswith((".", "?"))


def test_what_is_not_ours_is_a_bug() -> None:
    told = problem(ZeroDivisionError("1/0"))
    assert (told.code, told.exit) == ("internal", 70)
    assert told.message == "internal error: ZeroDivisionError: 1/0"
    assert problem(AssertionError()).message == "internal error: AssertionError"


def test_out_of_task_groups_comes_what_matters() -> None:
    ours = ExceptionGroup("", [PeerBusy("busy"), RelayUnreachable()])
    assert exit_code(ours) == 5
    with_bug = ExceptionGroup("", [PeerBusy(), ExceptionGroup("", [ValueError("x")])])
    assert exit_code(with_bug) == 70


@pytest.mark.parametrize(
    ("error", "code"),
    [(KeyboardInterrupt(), 130), (Terminated(), 143), (OutputClosed(), 141)],
)
def test_a_wish_to_stop_is_no_failure(error: BaseException, code: int) -> None:
    assert is_stop(error)
    assert is_stop(BaseExceptionGroup("", [error]))
    assert exit_code(error) == code
    assert problem(error).code == "interrupted"
    assert not is_stop(PeerBusy())


def test_the_event_says_the_same() -> None:
    told = problem(PeerBusy("busy"))
    assert failed(told) == Failed(
        code="peer_busy", message="busy", hint="Try again later.", exit=5
    )


def test_a_sentence_is_one_line_with_an_end() -> None:
    assert sentence("it\n  broke", None) == "it broke."
    assert sentence("did it?", "See.") == "did it? See."


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EMFILE, "Too many open files", "module.py"),
        OSError(errno.ENOSPC, "No space left on device"),
        MemoryError(),
        ExceptionGroup("", [OSError(errno.ENFILE, "")]),
    ],
)
def test_a_machine_that_has_no_more_is_no_bug_of_ours(error: Exception) -> None:
    told = problem(error)
    assert (told.code, told.exit) == ("resources", 7)
    assert told.hint


def test_other_errors_of_the_system_are() -> None:
    assert problem(OSError(errno.EIO, "I/O error")).exit == 70
