"""The one cleaner for words that a stranger wrote, before anybody sees them.

Names, reasons and versions of peers and relays end up in terminals, logs and pages.
What could move a cursor, turn the reading direction, hide, or pretend to be a line of
wzp's own is taken out here. The result still has to be shown as literal text: it may
hold "[bold]" or "<b>".
"""

import unicodedata
from collections.abc import Iterator
from typing import Final

from wzp_cli.defaults.program import MAX_TEXT_CHARACTERS

__all__ = ["clean"]

_INVISIBLE: Final = frozenset(
    {
        0x034F,  # combining grapheme joiner
        0x115F,  # Hangul fillers
        0x1160,
        0x3164,
        0xFFA0,
        0x17B4,  # Khmer inherent vowels
        0x17B5,
        0x2800,  # blank Braille pattern
        *range(0x180B, 0x1810),  # Mongolian variation selectors
        *range(0xFE00, 0xFE10),  # variation selectors
        *range(0xE0100, 0xE01F0),
    }
)
"""Assigned as letters, marks or symbols, but drawn as nothing."""

_MAX_MARKS_IN_A_ROW = 3  # Hebrew and Vietnamese need three; more paint over other lines
_LOOK_AT_CHARACTERS_PER_KEPT = 16  # normalising a long run of marks is quadratic


def _is_shown(character: str) -> bool:
    """Return False for controls, formats, surrogates, private use and unassigned."""
    if character.isspace():
        return True
    is_other = unicodedata.category(character).startswith("C")
    return not is_other and ord(character) not in _INVISIBLE


def _without_mark_towers(text: str) -> Iterator[str]:
    """Yield `text`, whitespace as spaces, with few marks on each letter, none alone."""
    room = 0
    for character in text:
        if character.isspace():
            room = 0
            yield " "
        elif not unicodedata.category(character).startswith("M"):
            room = _MAX_MARKS_IN_A_ROW
            yield character
        elif room:
            room -= 1
            yield character


def clean(text: str, limit: int = MAX_TEXT_CHARACTERS) -> str:
    """Return `text` as one short line that is safe to print; may be empty.

    Args:
        text: Anything, lone surrogates included.
        limit: Most characters (code points) of the result.
    """
    looked_at = text[: limit * _LOOK_AT_CHARACTERS_PER_KEPT]
    shown = "".join(filter(_is_shown, looked_at))
    normal = unicodedata.normalize("NFC", shown)
    line = " ".join("".join(_without_mark_towers(normal)).split())
    return line[:limit].rstrip()
