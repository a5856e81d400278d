"""libFuzzer at work on one target: `python -m fuzz._engine NAME [its flags] FOLDER`.

A process of its own, since libFuzzer ends the one that it is in.
"""

import logging
import sys

import atheris

__all__ = ["main"]

_DIALS_ONE_IN = 8
"""Handshakes would take four fifths of the time (endpoint, relay)."""

_WATCHED = ["wzp_cli", "aioice", "aioquic", "websockets", "async_upnp_client"]
"""Packages whose branches guide it."""


def main(words: list[str]) -> None:
    """Fuzz the target that `words` start with; the rest is libFuzzer's."""
    name, flags = words[0], words[1:]
    with atheris.instrument_imports(include=_WATCHED):
        from fuzz._corpus import target
        from fuzz._hostile import Hostile

        one = target(name)
    Hostile.dials_one_in = _DIALS_ONE_IN
    logging.disable()  # aioquic tells of each broken rule
    # What libFuzzer starts of itself (to merge) it starts by this name.
    itself = f"{sys.executable} -m fuzz._engine {name}"
    atheris.Setup([itself, *flags], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
