"""The screen of a call: the thin shell around a model that is drawn.

Events go into the model (`model.py`), the model makes lines (`layout.py`), lines go to
the terminal (`painter.py`, `terminal.py`); keys go to the call's own switches.
"""

import asyncio
import contextlib
import io
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, Final, TypeVar

from rich.console import Console
from rich.text import Text

from wzp_cli.cli.command import Outcome
from wzp_cli.cli.view.board import Board, Switches
from wzp_cli.cli.view.drawing.layout import lines
from wzp_cli.cli.view.drawing.meters import ASCII, UNICODE
from wzp_cli.cli.view.drawing.painter import Line, Painter
from wzp_cli.cli.view.keys import Action, Keyboard, action
from wzp_cli.cli.view.levels import Levels
from wzp_cli.cli.view.model import At, Model, after, idle, levels, turned_to
from wzp_cli.cli.view.stage import Stage
from wzp_cli.cli.view.terminal import Terminal
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.program import (
    SCREEN_BELL_S,
    SCREEN_IDLE_TICK_S,
    SCREEN_QUIT_GUARD_S,
    SCREEN_TICK_S,
    TALK_KEY_HELD_S,
    TALK_KEY_REPEATED_S,
)
from wzp_cli.events import Event, Loudness
from wzp_cli.ports import OpenRecording

__all__ = ["Screen"]

T = TypeVar("T")

_BELL: Final = "\a"


class Screen(Stage):
    """A screen that is drawn whenever something has changed; fits `speech.Voice`.

    Attributes:
        model: What it shows.
    """

    shows = True

    def __init__(self, model: Model, board: Board, color: str, *, rings: bool) -> None:
        self.model = model
        self._board = board
        self._console = _console(color)
        self._rings = rings
        self._glyphs = UNICODE if _speaks_unicode() else ASCII
        self._painter = Painter()
        self._drawn: dict[str, tuple[Text, Line]] = {}
        self._changed = asyncio.Event()
        self._levels = Levels()
        self._terminal: Terminal | None = None
        self._answer: asyncio.Future[bool] | None = None
        self._release: asyncio.TimerHandle | None = None
        self._quit: Callable[[], object] = lambda: signal.raise_signal(signal.SIGINT)
        self._quits_from_s = self._bell_from_s = 0.0

    # -- what a command wants

    def report(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, Loudness):  # of a call in another process
            self._levels.told(event.said_dbfs, event.heard_dbfs)
            return
        self.model = after(self.model, event, _now())
        self._changed.set()

    def close(self, outcome: Outcome | None, error: BaseException | None) -> None:
        """Nothing: who lent the voice tells how it ended."""

    def beside(self, open_recording: OpenRecording | None) -> OpenRecording | None:
        """Listen in, for the meters."""
        return self._levels.beside(open_recording)

    async def ask(self) -> bool:
        """Return whether y or n was pressed; may be cancelled."""
        self._answer = asyncio.get_running_loop().create_future()
        if self._terminal is not None:
            self._terminal.forget_typed()
        try:
            return await self._answer
        finally:
            self._answer = None

    async def until_quit(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Await `work`, until somebody presses q with no call to hang up."""
        quits = False
        async with task_group() as group:
            task = group.create_task(work)

            def quit_() -> None:
                nonlocal quits
                quits = True
                task.cancel()

            self._quit = quit_
            try:
                return await task
            except asyncio.CancelledError:
                if not quits:
                    raise
        return None

    # -- drawing

    async def run(self, terminal: Terminal) -> None:
        """Draw and take keys, until cancelled."""
        self._terminal = terminal
        loop = asyncio.get_running_loop()
        keyboard = Keyboard()
        loop.add_reader(terminal.keyboard, self._read, terminal, keyboard)
        try:
            while True:
                self._draw(terminal)
                self._ring(terminal)
                await self._something()
        finally:
            loop.remove_reader(terminal.keyboard)
            if self._release is not None:
                self._release.cancel()

    def torn(self) -> None:
        """Draw all of it anew."""
        self._painter.forget()
        self._changed.set()

    async def _something(self) -> None:
        """Wait until there may be something new to see."""
        talking = self.model.phase == "talking"
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(
                SCREEN_TICK_S if talking else SCREEN_IDLE_TICK_S
            ):
                await self._changed.wait()

    def _draw(self, terminal: Terminal) -> None:
        """Show what is so now, unless the terminal is still busy with what was."""
        if not terminal.is_idle:
            return
        if self.model.phase == "talking":
            heard = self._levels.said_dbfs, self._levels.heard_dbfs
            self.model = levels(self.model, *heard)
        if self._board.line is None:
            self.model = idle(self.model)
        size = terminal.size
        shown = lines(self.model, size, _now(), self._glyphs)
        changes = self._painter.paint(self._as_lines(shown), size.columns)
        if changes:
            terminal.show(changes)

    def _as_lines(self, shown: list[Text]) -> list[Line]:
        """Return the lines with their colours; those of before are not made again."""
        before, self._drawn = self._drawn, {}
        made = []
        for text in shown:
            found = before.get(text.plain)
            if found is None or found[0] != text:
                found = text, Line(self._ansi(text), text.cell_len)
            self._drawn[text.plain] = found
            made.append(found[1])
        return made

    def _ansi(self, text: Text) -> str:
        with self._console.capture() as capture:
            self._console.print(text, end="", soft_wrap=True, highlight=False)
        return capture.get()

    def _ring(self, terminal: Terminal) -> None:
        """Ring the terminal's bell, while somebody is asked."""
        now_s = time.monotonic()
        if self._rings and self._answer is not None and now_s >= self._bell_from_s:
            self._bell_from_s = now_s + SCREEN_BELL_S
            terminal.show(_BELL)

    # -- keys

    def _read(self, terminal: Terminal, keyboard: Keyboard) -> None:
        try:
            sent = os.read(terminal.keyboard, 1024)
        except OSError:
            sent = b""
        if not sent:  # the terminal has gone; SIGHUP tells
            asyncio.get_running_loop().remove_reader(terminal.keyboard)
        for key in keyboard.typed(sent):
            what = action(self.model.phase, key)
            if what is not None:
                self._do(what)
        self._changed.set()

    def _do(self, what: Action) -> None:
        match what:
            case "path" | "devices" | "help":
                self.model = turned_to(self.model, what)
            case "back":
                self.model = turned_to(self.model, "call")
            case "redraw":
                self.torn()
            case "answer" | "decline":
                if self._answer is not None and not self._answer.done():
                    self._answer.set_result(what == "answer")
            case "quit" if time.monotonic() >= self._quits_from_s:
                line = self._board.line
                if line is not None and self.model.command == "listen":
                    line.hang_up()  # a call that it places for somebody
                else:
                    self._quit()
            case "mute" | "hold" | "talk" | "hang_up":
                line = self._board.line
                if line is not None and line.controls is not None:
                    self._switch(line.controls, what)

    def _switch(self, controls: Switches, what: Action) -> None:
        """Do what a key means in a call."""
        match what:
            case "mute":
                controls.switch_mute(None)
            case "hold":
                controls.hold(not controls.held)
            case "talk":
                self._talk(controls)
            case "hang_up":
                self._quits_from_s = time.monotonic() + SCREEN_QUIT_GUARD_S
                controls.hang_up()

    def _talk(self, controls: Switches) -> None:
        """Space is pressed, or repeated as it is held: terminals tell no release."""
        loop = asyncio.get_running_loop()
        until = loop.time() + TALK_KEY_HELD_S
        if self._release is not None:
            self._release.cancel()
            until = max(self._release.when(), loop.time() + TALK_KEY_REPEATED_S)
        controls.talk()
        self._release = loop.call_at(until, self._released, controls)

    def _released(self, controls: Switches) -> None:
        self._release = None
        controls.talk(False)


def _now() -> At:
    now = datetime.now().astimezone()
    return At(time.monotonic(), now.strftime("%H:%M"), now.strftime("%a"))


def _console(color: str) -> Console:
    """Return what makes escape sequences of colours; it writes nowhere."""
    return Console(
        file=io.StringIO(),
        force_terminal=True,
        no_color=color == "never",
        highlight=False,
        markup=False,
        emoji=False,
        width=4096,
    )


def _speaks_unicode() -> bool:
    return sys.stderr.encoding.lower().replace("-", "").startswith("utf")
