"""Whether two names look alike to a person in a hurry.

A stranger may call itself as a contact is called. Compared is what the eye takes in:
without case, accents, spaces and punctuation, compatibility forms as what they stand
for, and Cyrillic and Greek letters as the Latin ones that they are drawn like.
"""

import unicodedata
from typing import Final

__all__ = ["look_alike"]

_DRAWN_LIKE: Final = str.maketrans(
    "авекмнорстухіјѕһӏԁԛԝ" + "αβεικνορτυχ" + "01",
    "abekmhopctyxijshldqw" + "abeikvoptux" + "ol",
)
"""After folding the case: Cyrillic, Greek, and two digits. (Unicode TR 39 has more.)"""


def look_alike(one: str, other: str) -> bool:
    """Return whether two names may be taken for each other; empty ones never are."""
    seen = _skeleton(one)
    return bool(seen) and seen == _skeleton(other)


def _skeleton(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).casefold()
    letters = (each for each in plain if unicodedata.category(each)[0] in "LN")
    return "".join(letters).translate(_DRAWN_LIKE).replace("i", "l")
