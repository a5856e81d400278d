"""Bars and sparklines: numbers as a few characters, in colours that mean the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.text import Text

from wzp_cli.defaults.program import (
    SCREEN_DELAY_FULL_MS,
    SCREEN_DELAY_LONG_MS,
    SCREEN_DELAY_SLOW_MS,
    SCREEN_LEVEL_FLOOR_DBFS,
    SCREEN_LEVEL_HIGH_DBFS,
    SCREEN_LEVEL_LOUD_DBFS,
    SCREEN_LOSS_FULL_PCT,
    SCREEN_LOSS_HIGH_PCT,
    SCREEN_LOSS_SOME_PCT,
)

__all__ = ["ASCII", "UNICODE", "Glyphs", "delays", "level_bar", "losses"]


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The characters that a terminal can show.

    Attributes:
        steps: A bar's last cell, filled more and more; the last one is full.
        heights: A sparkline's cells, the lowest first.
    """

    steps: str
    heights: str
    rest: str
    dot: str
    ring: str
    dash: str
    ellipsis: str


UNICODE: Final = Glyphs("╸━", "▁▂▃▄▅▆▇█", "─", "●", "○", "·", "…")
ASCII: Final = Glyphs("#", "_.:-=+*#", ".", "*", "o", "-", "~")


def level_bar(dbfs: float | None, cells: int, glyphs: Glyphs) -> Text:
    """Return a level of `SCREEN_LEVEL_FLOOR_DBFS` to 0 dBFS as a bar so wide."""
    steps = len(glyphs.steps)
    full, part = divmod(round(_share(dbfs) * cells * steps), steps)
    bar = glyphs.steps[-1] * full + (glyphs.steps[part - 1] if part else "")
    text = Text()
    for at, cell in enumerate(bar):
        text.append(cell, _level_style(at / cells))
    return text.append(glyphs.rest * (cells - len(bar)), "bright_black")


def losses(pcts: Sequence[float], cells: int, glyphs: Glyphs) -> Text:
    """Return the loss of the last seconds, the newest on the right."""
    limits = SCREEN_LOSS_SOME_PCT, SCREEN_LOSS_HIGH_PCT
    return _sparkline(pcts, SCREEN_LOSS_FULL_PCT, limits, cells, glyphs)


def delays(ms: Sequence[float], cells: int, glyphs: Glyphs) -> Text:
    """Return the delay from mouth to ear of the last seconds."""
    limits = SCREEN_DELAY_SLOW_MS, SCREEN_DELAY_LONG_MS
    return _sparkline(ms, SCREEN_DELAY_FULL_MS, limits, cells, glyphs)


def _sparkline(
    values: Sequence[float],
    full: float,
    limits: tuple[float, float],
    cells: int,
    glyphs: Glyphs,
) -> Text:
    """Return the newest values; where there are none yet, nothing is drawn."""
    shown = values[-cells:]
    text = Text(" " * (cells - len(shown)))
    for value in shown:
        text.append(_height(value / full, glyphs), _style(value, limits))
    return text


def _height(share: float, glyphs: Glyphs) -> str:
    """Return the cell for a share; what is not nothing does not look like it."""
    top = len(glyphs.heights) - 1
    height = min(top, round(share * top))
    return glyphs.heights[max(height, 1) if share > 0 else 0]


def _style(value: float, limits: tuple[float, float]) -> str:
    some, much = limits
    return "green" if value < some else "yellow" if value < much else "red"


def _share(dbfs: float | None) -> float:
    """Return how much of a bar is filled."""
    if dbfs is None:
        return 0.0
    return min(1.0, max(0.0, 1 - dbfs / SCREEN_LEVEL_FLOOR_DBFS))


def _level_style(share: float) -> str:
    if share >= _share(SCREEN_LEVEL_LOUD_DBFS):
        return "red"
    return "yellow" if share >= _share(SCREEN_LEVEL_HIGH_DBFS) else "green"
