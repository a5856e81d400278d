import asyncio
import os
from collections.abc import Iterator

import pytest

from wzp_cli.cli.output.prompt import ask_at_terminal, can_ask


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A terminal as standard input; what is written here is typed there."""
    keys, terminal = os.openpty()
    with os.fdopen(terminal, "r") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        yield keys
    os.close(keys)


def asked(keyboard: int, *typed: bytes) -> bool:
    """Ask, and type once the question is there."""

    async def scenario() -> bool:
        async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(ask_at_terminal("Answer?"))
            await asyncio.sleep(0)  # now it waits
            for keys in typed:
                os.write(keyboard, keys)
        return asking.result()

    return asyncio.run(scenario())


@pytest.mark.parametrize("typed", [b"y\n", b"YES\n", b" a\n", b"nx\x7f\x7fy\n"])
def test_yes(typed: bytes, keyboard: int, capfd: pytest.CaptureFixture[str]) -> None:
    assert asked(keyboard, typed)
    assert capfd.readouterr() == ("", "Answer? Type y or n, then Enter.\n")


@pytest.mark.parametrize("typed", [b"n\n", b" No\n", b"\x04"])
def test_no(typed: bytes, keyboard: int) -> None:
    assert not asked(keyboard, typed)


@pytest.mark.parametrize("typed", [b"\n", b"yellow\n", b"yn\n"])
def test_what_is_neither_is_asked_again(
    typed: bytes, keyboard: int, capfd: pytest.CaptureFixture[str]
) -> None:
    assert asked(keyboard, typed, b"y\n")
    assert capfd.readouterr().err.count("Answer? Type y or n") == 2


def test_an_answer_comes_in_pieces(keyboard: int) -> None:
    assert asked(keyboard, b"y", b"es", b"\n")


def test_what_was_typed_before_the_question_is_no_answer(keyboard: int) -> None:
    os.write(keyboard, b"y\ny\nye")
    assert not asked(keyboard, b"n\n")


def test_one_question_leaves_nothing_to_the_next(keyboard: int) -> None:
    assert not asked(keyboard, b"n\ny\n")
    assert asked(keyboard, b"y\n")


def test_cancelling_stops_the_asking(keyboard: int) -> None:
    async def scenario() -> None:
        async with asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(ask_at_terminal("Answer?"))
            await asyncio.sleep(0)
            asking.cancel()
        assert asking.cancelled()
        assert not asyncio.get_running_loop().remove_reader(keyboard)

    asyncio.run(scenario())
    assert asked(keyboard, b"y\n")


def test_only_a_terminal_can_be_asked(
    keyboard: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert can_ask()
    with open(os.devnull) as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        assert not can_ask()
    monkeypatch.setattr("sys.stdin", None)
    assert not can_ask()
