"""Draws docs/call.svg: the screen of a real call, as a real terminal (tmux) showed it.

`python docs/draw_call_screen.py`, from the repository, by the interpreter in .venv. A
relay, a listener and a caller run on this machine for some seconds; what the listener
sees is kept as it is.
"""

import io
import re
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.support.processes import Processes
from tests.support.tmux import Tmux

__all__ = ["main"]

_PICTURE = Path(__file__).with_name("call.svg")
_COLUMNS, _ROWS = 80, 22
_TALK_S = 12.0
_FETCHED_FONT = re.compile(r"@font-face {.*?}\s*", re.DOTALL)  # the reader's own do


def main() -> None:
    """Make the call and write the picture."""
    _PICTURE.write_text(_drawn(_call()), "utf-8")


def _call() -> str:
    """Return what stands on the listener's terminal, with its colours."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with Processes(directory) as processes, Tmux(directory) as tmux:
            relay = processes.relay()
            bob, alice = processes.user("bob"), processes.user("alice")
            (bob.state / "contacts").write_text(f"{alice.id} - Alice\n")
            window = tmux.window(bob, _COLUMNS, _ROWS)
            sound = ["--in", "tone:500", "--out", "null", "--relay", relay]
            window.wzp("listen", *sound)
            window.wait_for("q stop")
            alice.start("call", bob.id, *sound)
            window.wait_for("Incoming call", "Alice")
            window.press("y")
            window.wait_for("they hear us", "directly with")
            time.sleep(_TALK_S)
            return window.ansi


def _drawn(ansi: str) -> str:
    console = Console(
        record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True
    )
    for line in ansi.splitlines():
        console.print(Text.from_ansi(line), no_wrap=True, crop=True)
    svg = console.export_svg(title="wzp listen", unique_id="wzp")
    return _FETCHED_FONT.sub("", svg)


if __name__ == "__main__":
    main()
