import re

from wzp_cli.cli.view.drawing.painter import Line, Painter


def line(text: str) -> Line:
    return Line(text, len(text))


def rows_drawn(sent: str) -> list[int]:
    return [int(row) for row in re.findall(r"\x1b\[(\d+);1H(?!\x1b\[J)", sent)]


def test_the_first_frame_is_whole_and_comes_in_one_piece() -> None:
    sent = Painter().paint([line("one"), line("two")], 80)
    assert sent == (
        "\x1b[?2026h\x1b[H\x1b[2J"
        "\x1b[1;1Hone\x1b[m\x1b[K\x1b[2;1Htwo\x1b[m\x1b[K"
        "\x1b[?2026l"
    )


def test_what_stands_there_already_is_not_sent_again() -> None:
    painter = Painter()
    painter.paint([line("one"), line("two"), line("three")], 80)
    assert painter.paint([line("one"), line("two"), line("three")], 80) == ""
    assert rows_drawn(painter.paint([line("one"), line("2"), line("three")], 80)) == [2]


def test_a_torn_screen_is_drawn_whole() -> None:
    painter = Painter()
    first = painter.paint([line("one")], 80)
    painter.forget()
    assert painter.paint([line("one")], 80) == first


def test_a_long_line_is_one_paragraph_and_the_others_stand_below_it() -> None:
    painter = Painter()
    sent = painter.paint([line("a"), line("x" * 25), line("b")], 10)
    assert rows_drawn(sent) == [1, 2, 5]
    assert "x" * 25 in sent, "the terminal wraps it: it is copied as one line"
    assert rows_drawn(painter.paint([line("a"), line("y"), line("b")], 10)) == [2, 3]


def test_a_full_row_is_not_followed_by_an_erasure() -> None:
    sent = Painter().paint([line("x" * 20), line("y" * 19)], 10)
    assert "x\x1b[m\x1b[3;1H" in sent, "the cursor is still on the last cell"
    assert sent.count("\x1b[K") == 1


def test_fewer_lines_leave_nothing_below() -> None:
    painter = Painter()
    painter.paint([line("a"), line("b")], 10)
    assert "\x1b[2;1H\x1b[J" in painter.paint([line("a")], 10)
    assert painter.paint([line("a")], 10) == ""
