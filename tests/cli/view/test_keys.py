import pytest

from wzp_cli.cli.view.keys import ACTIONS, Keyboard, action


def typed(*pieces: bytes) -> list[str]:
    keyboard = Keyboard()
    return [key for piece in pieces for key in keyboard.typed(piece)]


def test_keys_one_by_one_and_several_at_once() -> None:
    assert typed(b"m", b"h q", "ü".encode()) == ["m", "h", " ", "q", "ü"]


def test_a_letter_may_come_in_two_pieces() -> None:
    assert typed(b"\xc3", b"\xbc") == ["ü"]


def test_escape_alone_is_a_key() -> None:
    assert typed(b"\x1b") == ["\x1b"]


@pytest.mark.parametrize(
    "sequence",
    [b"\x1b[A", b"\x1bOP", b"\x1b[15~", b"\x1b[1;5C", b"\x1bq", b"\x1b[<0;10;5M"],
    ids=["up", "F1", "F5", "ctrl-right", "alt-q", "mouse"],
)
def test_arrows_functions_and_alt_are_no_keys_here(sequence: bytes) -> None:
    assert typed(sequence + b"m") == ["m"]
    if sequence[1:2] in b"[O":
        assert typed(sequence[:2], sequence[2:], b"m") == ["m"], "in two pieces"


def test_what_is_pasted_presses_no_key() -> None:
    pasted = b"m\x1b[200~quit y q\x1b[A q\x1b[201~h"
    assert typed(pasted) == ["m", "h"]
    for cut in range(1, len(pasted)):
        if pasted[cut - 1 : cut] != b"\x1b":  # a lone Escape is one
            assert typed(pasted[:cut], pasted[cut:]) == ["m", "h"], cut


def test_what_is_no_utf8_harms_nothing() -> None:
    assert typed(b"\xff\xfe", b"m")[-1] == "m"


def test_what_a_key_does_depends_on_what_goes_on() -> None:
    assert action("incoming", "y") == "answer"
    assert action("listening", "y") is None
    assert action("talking", "q") == "hang_up"
    assert action("listening", "Q") == "quit"
    assert action("incoming", "q") is None, "who means to stop must not decline"
    assert action("talking", " ") == "talk"
    assert action("talking", "x") is None


def test_help_is_always_one_key_away() -> None:
    assert {keys["?"] for keys in ACTIONS.values()} == {"help"}
