"""From lines to what a terminal is sent: only what has changed, and in one piece.

A line may be longer than the screen is wide; then it is one paragraph, wrapped by the
terminal itself, so that it is copied as one line (a ticket).
"""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Line", "Painter"]

_SYNCHRONISED = "\x1b[?2026h{}\x1b[?2026l"  # shown at once by terminals that know it
_ERASE_RIGHT = "\x1b[K"
_ERASE_BELOW = "\x1b[J"


@dataclass(frozen=True, slots=True)
class Line:
    """What stands from the left edge on.

    Attributes:
        ansi: The text with its colours.
        cells: How wide it is.
    """

    ansi: str
    cells: int

    def rows(self, columns: int) -> int:
        """Return how many rows it takes."""
        return max(1, -(-self.cells // columns))


class Painter:
    """Knows what stands on the screen."""

    def __init__(self) -> None:
        self._stands: list[tuple[int, Line]] | None = None

    def forget(self) -> None:
        """The screen is not as it was left: the next frame is drawn whole."""
        self._stands = None

    def paint(self, lines: Sequence[Line], columns: int) -> str:
        """Return what makes the screen show `lines`; "" where it does already."""
        placed, row = [], 0
        for line in lines:
            placed.append((row, line))
            row += line.rows(columns)
        before = set(self._stands or ())
        drawn = [_drawn(*each, columns) for each in placed if each not in before]
        if self._stands is None:
            drawn.insert(0, "\x1b[H\x1b[2J")
        elif row < _height(self._stands, columns):
            drawn.append(f"\x1b[{row + 1};1H{_ERASE_BELOW}")
        self._stands = placed
        return _SYNCHRONISED.format("".join(drawn)) if drawn else ""


def _height(placed: list[tuple[int, Line]], columns: int) -> int:
    return max((row + line.rows(columns) for row, line in placed), default=0)


def _drawn(row: int, line: Line, columns: int) -> str:
    """Return one line at its place. A full row leaves nothing to erase."""
    erase = "" if line.cells and line.cells % columns == 0 else _ERASE_RIGHT
    return f"\x1b[{row + 1};1H{line.ansi}\x1b[m{erase}"
