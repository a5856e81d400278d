"""What is typed, as keys; and what a key does, as one table.

Pasted text and the sequences of arrows and function keys are no keys here: a paste
must not hang up.
"""

import codecs
from typing import Final, Literal

from wzp_cli.cli.view.model import Phase

__all__ = ["ACTIONS", "PASTE_OFF", "PASTE_ON", "Action", "Keyboard", "action"]

Action = Literal[
    "answer",
    "back",
    "decline",
    "devices",
    "hang_up",
    "help",
    "hold",
    "mute",
    "path",
    "quit",
    "redraw",
    "talk",
]

PASTE_ON: Final = "\x1b[?2004h"  # the terminal brackets what is pasted
PASTE_OFF: Final = "\x1b[?2004l"

_ESCAPE: Final = "\x1b"
_PASTE_BEGINS: Final = "\x1b[200~"
_PASTE_ENDS: Final = "\x1b[201~"

_ALWAYS: Final[dict[str, Action]] = {
    "?": "help",
    "d": "devices",
    "p": "path",
    _ESCAPE: "back",
    "\x0c": "redraw",  # Ctrl-L
}
_QUIT: Final[dict[str, Action]] = {**_ALWAYS, "q": "quit"}
ACTIONS: Final[dict[Phase, dict[str, Action]]] = {
    "starting": _QUIT,
    "listening": _QUIT,
    "calling": _QUIT,
    "incoming": {**_ALWAYS, "y": "answer", "a": "answer", "n": "decline"},
    "talking": {**_ALWAYS, "m": "mute", "h": "hold", " ": "talk", "q": "hang_up"},
    "over": _QUIT,
}
"""What each key does, by what is going on."""


def action(phase: Phase, key: str) -> Action | None:
    """Return what `key` does now; None: nothing. Capital letters do the same."""
    return ACTIONS[phase].get(key.lower())


class Keyboard:
    """Makes keys of what a terminal sends, however it comes in pieces."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def typed(self, sent: bytes) -> list[str]:
        """Return the keys in `sent`, in order; "\\x1b" is Escape alone."""
        text = self._rest + self._decoder.decode(sent)
        self._rest = ""
        keys = []
        while text:
            if text.startswith(_PASTE_BEGINS):
                _, ends, after = text.partition(_PASTE_ENDS)
                if not ends:  # the end of the paste may be cut as well
                    self._rest = _PASTE_BEGINS + text[-len(_PASTE_ENDS) + 1 :]
                text = after
                continue
            key, rest = _first(text)
            if rest is None:
                self._rest = text
                break
            keys += [key] if key else []
            text = rest
        return keys


def _first(text: str) -> tuple[str, str | None]:
    """Return the first key, "" for one that means nothing here, and what follows.

    None follows where the key is not whole yet.
    """
    if not text.startswith(_ESCAPE) or text == _ESCAPE:
        return text[0], text[1:]
    if text[1] not in "[O":
        return "", text[2:]  # Alt and a key
    end = next((i for i, c in enumerate(text[2:], 2) if "@" <= c <= "~"), None)
    return "", None if end is None else text[end + 1 :]
