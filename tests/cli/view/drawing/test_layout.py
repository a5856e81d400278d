"""The lines of the screen, whatever its size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.view.stories import LISTENING, REACHED, RINGS, TALKING, listener, told
from wzp_cli.cli.view.drawing.layout import Size, lines
from wzp_cli.cli.view.drawing.meters import ASCII, UNICODE
from wzp_cli.cli.view.model import At, Model, Page, turned_to
from wzp_cli.protocol.names.text import clean

NOW = At(60.0, "12:05", "Tue")
MODELS = {
    "start": listener(),
    "listening": told(listener(), LISTENING),
    "incoming": told(listener(), [*LISTENING, RINGS]),
    "talking": told(listener(), TALKING),
    "calling": told(listener("call", "bob"), REACHED[:5]),
}


def shown(model: Model, columns: int = 80, rows: int = 24) -> list[str]:
    return [line.plain for line in lines(model, Size(columns, rows), NOW, UNICODE)]


def height(model: Model, columns: int, rows: int) -> int:
    """How many rows the terminal takes for it."""
    drawn = lines(model, Size(columns, rows), NOW, UNICODE)
    return sum(max(1, -(-line.cell_len // columns)) for line in drawn)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("page", ["call", "path", "devices", "help"])
def test_it_fits_and_fills_any_screen(name: str, page: Page) -> None:
    model = turned_to(MODELS[name], page)
    for columns in (1, 2, 5, 20, 39, 80, 120, 300):
        for rows in (1, 2, 3, 5, 8, 24, 60):
            drawn = shown(model, columns, rows)
            assert len(drawn) <= rows
            if columns >= 20:
                assert height(model, columns, rows) == rows, (columns, rows)


def test_the_frame_says_what_runs_when_it_is_and_what_keys_do() -> None:
    drawn = shown(MODELS["talking"])
    assert drawn[0].split() == ["wzp", "listen", "12:05"]
    assert drawn[-1].split("  ")[:3] == [" m mute", "h hold", "space talk"]
    assert drawn[-1].rstrip().endswith("? help  q hang up")


@pytest.mark.parametrize("columns", [60, 50, 40, 30, 20])
def test_how_to_hang_up_and_help_are_the_last_keys_to_go(columns: int) -> None:
    assert shown(MODELS["talking"], columns)[-1].rstrip().endswith("? help  q hang up")


def test_what_matters_least_goes_first() -> None:
    few = "\n".join(shown(MODELS["talking"], 80, 8))
    for needed in ("alice", "path", "state", "you ", "peer", "q hang up"):
        assert needed in few
    for luxury in ("delay", "loss", "Al [b]x", "answered"):
        assert luxury not in few


def test_a_line_that_is_too_long_ends_in_dots() -> None:
    drawn = shown(MODELS["talking"], 40)
    assert any(line.endswith("…") for line in drawn)
    assert max(map(len, drawn)) < 40


def test_another_page_offers_the_way_back() -> None:
    assert shown(turned_to(MODELS["talking"], "help"))[-1].split("  ")[0] == " esc back"


def test_without_unicode_nothing_of_ours_is_outside_of_ascii() -> None:
    for model in MODELS.values():
        for line in lines(model, Size(50, 24), NOW, ASCII):
            assert line.plain.isascii(), line.plain


@given(st.text(max_size=200))
def test_whatever_a_stranger_is_called_is_literal_text_in_one_line(name: str) -> None:
    import msgspec

    rings = msgspec.structs.replace(RINGS, name=clean(name))
    model = told(listener(), [*LISTENING, rings])
    drawn = lines(model, Size(80, 24), NOW, UNICODE)
    assert len(drawn) == 24
    assert all(line.cell_len < 80 for line in drawn)
    assert all("\n" not in line.plain and "\x1b" not in line.plain for line in drawn)
