import pytest

from wzp_cli.cli.view.drawing.meters import ASCII, UNICODE, delays, level_bar, losses


@pytest.mark.parametrize(
    ("dbfs", "bar"),
    [
        (None, "──────────"),
        (-90.0, "──────────"),
        (-60.0, "──────────"),
        (-30.0, "━━━━━─────"),
        (-27.0, "━━━━━╸────"),
        (0.0, "━━━━━━━━━━"),
        (3.0, "━━━━━━━━━━"),
    ],
)
def test_a_level_is_a_bar_from_60_db_below_full_scale(
    dbfs: float | None, bar: str
) -> None:
    assert level_bar(dbfs, 10, UNICODE).plain == bar


def test_a_bar_is_red_only_where_it_clips() -> None:
    assert {str(span.style) for span in level_bar(-20.0, 60, UNICODE).spans} == {
        "green",
        "bright_black",
    }
    loud = [str(span.style) for span in level_bar(0.0, 60, UNICODE).spans]
    assert loud == ["green"] * 48 + ["yellow"] * 9 + ["red"] * 3


def test_the_newest_second_is_on_the_right() -> None:
    line = losses([0, 0, 20, 0.1], 6, UNICODE)
    assert line.plain == "  ▁▁█▂"
    assert [str(span.style) for span in line.spans] == [
        "green",
        "green",
        "red",
        "green",
    ]
    assert losses(range(100), 3, UNICODE).plain == "███"


def test_delays_turn_yellow_where_they_are_felt() -> None:
    line = delays([100, 200, 450, 9000], 4, UNICODE)
    assert [str(span.style) for span in line.spans] == ["green", "yellow", "red", "red"]
    assert line.plain[-1] == "█"


def test_terminals_without_unicode_have_bars_too() -> None:
    drawn = level_bar(-30.0, 10, ASCII).plain + losses([0, 5, 20], 5, ASCII).plain
    assert drawn.isascii()
    assert drawn == "#####.....  _:#"
