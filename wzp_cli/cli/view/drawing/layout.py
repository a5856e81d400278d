"""A model as lines: the frame around the page that is open, and what fits into it.

    shown = lines(model, Size(80, 24), now_s, UNICODE)

Pure: the same model at the same moment makes the same lines. Where a screen is small,
what matters least goes first (`Block.rank`); a line that is too long ends in "…".
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from rich.text import Text

from wzp_cli.cli.view.drawing.meters import Glyphs
from wzp_cli.cli.view.drawing.pages import Block, page
from wzp_cli.cli.view.keys import ACTIONS, Action
from wzp_cli.cli.view.model import At, Model, Phase
from wzp_cli.defaults.program import SCREEN_MAX_COLUMNS

__all__ = ["Size", "lines"]


class Size(NamedTuple):
    """Of the terminal."""

    columns: int
    rows: int


_MARGIN: Final = 2
_ELLIPSIS: Final = "…"  # rich's
_WORDS: Final[dict[Action, str]] = {
    "answer": "answer",
    "decline": "decline",
    "mute": "mute",
    "hold": "hold",
    "talk": "talk",
    "path": "path",
    "devices": "devices",
    "help": "help",
    "back": "back",
}
_GOES_FIRST: Final[tuple[Action, ...]] = ("devices", "path", "talk", "hold", "mute")
_QUITS: Final[dict[Phase, str]] = {
    "starting": "give up",
    "calling": "give up",
    "listening": "stop",
    "talking": "hang up",
    "over": "leave",
}
_KEY_NAMES: Final = {" ": "space", "\x1b": "esc"}


def lines(model: Model, size: Size, at: At, glyphs: Glyphs) -> list[Text]:
    """Return what the screen shows, top to bottom; at most `size.rows` rows.

    A paragraph to be copied may be longer than the screen is wide.
    """
    width = max(1, min(size.columns - 1, SCREEN_MAX_COLUMNS))
    top, bottom = _header(model, at, width), _footer(model, width)
    if size.rows < 3:
        return [_spelt(line, glyphs) for line in (top, bottom)][: size.rows]
    blocks = page(model, max(1, width - 2 * _MARGIN), at, glyphs)
    room = size.rows - 2
    body = _fitting(blocks, room, size.columns)
    shown = [
        text if block.is_paragraph else _indented(text, width)
        for block in body
        for text in block.lines
    ]
    used = sum(_rows(block, size.columns) for block in body)
    if used > room:  # nothing that is left may go: cut it
        shown, used = shown[:room], min(len(shown), room)
    whole = [top, *shown, *[Text()] * (room - used), bottom]
    return [_spelt(line, glyphs) for line in whole]


def _fitting(blocks: Sequence[Block], room: int, columns: int) -> list[Block]:
    """Return the blocks that fit, without those that matter least."""
    left = list(blocks)
    while sum(_rows(block, columns) for block in left) > room:
        least = max(left, key=lambda block: block.rank)
        if least.rank == 0:
            break
        left.remove(least)
    return left


def _rows(block: Block, columns: int) -> int:
    if not block.is_paragraph:
        return len(block.lines)
    return sum(max(1, -(-text.cell_len // columns)) for text in block.lines)


def _indented(text: Text, width: int) -> Text:
    whole = Text(" " * _MARGIN).append_text(text) if text else Text()
    whole.truncate(width, overflow="ellipsis")
    return whole


def _spelt(text: Text, glyphs: Glyphs) -> Text:
    """Return the text with the dots of what was cut as the terminal has them."""
    if glyphs.ellipsis != _ELLIPSIS and _ELLIPSIS in text.plain:
        text.plain = text.plain.replace(_ELLIPSIS, glyphs.ellipsis)
    return text


def _header(model: Model, at: At, width: int) -> Text:
    left = Text(f" wzp {model.command}")
    if len(left) + len(at.clock) + 2 > width:
        return Text(f" wzp {model.command}"[:width], "bold")
    gap = " " * (width - len(left) - len(at.clock) - 1)
    return Text.assemble((left.plain, "bold"), (f"{gap}{at.clock} ", "dim"))


def _footer(model: Model, width: int) -> Text:
    """Return the keys that do something now; those that don't fit are in help."""
    keys: dict[Action, str] = {}
    for key, what in ACTIONS[model.phase].items():
        keys.setdefault(what, key)
    offered: list[Action] = ["back"]
    if model.page == "call":
        offered = [what for what in _WORDS if what in keys and what != "back"]
    ends: tuple[Action, ...] = ("hang_up", "quit")
    offered += [what for what in ends if what in keys]
    for what in _GOES_FIRST:
        if sum(_cells(keys[each], each, model) for each in offered) <= width:
            break
        if what in offered:
            offered.remove(what)
    text = Text(" ")
    for what in offered:
        text.append(_name(keys[what]), "bold")
        text.append(f" {_word(what, model)}  ", "dim")
    text.truncate(width)
    return text


def _cells(key: str, what: Action, model: Model) -> int:
    return len(f"{_name(key)} {_word(what, model)}  ")


def _name(key: str) -> str:
    return _KEY_NAMES.get(key, key)


def _word(what: Action, model: Model) -> str:
    return _QUITS[model.phase] if what in ("hang_up", "quit") else _WORDS[what]
