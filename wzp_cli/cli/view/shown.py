"""Whether there is a screen, and what a command wants of it.

    async with shown(session, seen("call", state, words), switchboard) as screen:
        settings = CallSettings(..., open_recording=screen.beside(None))
        outcome = await screen.until_quit(call(...))

Where nobody sits at a terminal it is none, and lines are told. What draws is loaded
only where something is drawn.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from wzp_cli.adapters.disk.state import State
from wzp_cli.adapters.voice.cleaning import can_clean
from wzp_cli.cli.command import Session
from wzp_cli.cli.output.sentences import tell
from wzp_cli.cli.sound import SoundWords
from wzp_cli.cli.view.board import Board
from wzp_cli.cli.view.drawing.summary import summary
from wzp_cli.cli.view.model import Model, Sounds, Who
from wzp_cli.cli.view.stage import Stage
from wzp_cli.cli.view.terminal import Hooks, can_hold, held_terminal
from wzp_cli.concurrency import task_group
from wzp_cli.protocol.messages.control import AskCall
from wzp_cli.protocol.names.identity import Identity
from wzp_cli.protocol.names.policy import Answering

__all__ = ["known", "seen", "seen_there", "shown"]


@asynccontextmanager
async def shown(
    session: Session,
    model: Model,
    board: Board,
    *,
    plain: bool | None,
    bell: bool = True,
) -> AsyncIterator[Stage]:
    """Show the screen as long as the block runs, where there is somebody to see it.

    Args:
        session: The command's.
        model: What is known at the start.
        board: Has the call under way, and its switches.
        plain: --plain as it was said.
        bell: Whether the terminal's bell may ring.
    """
    if session.lend is None or not _wanted(session, plain) or not can_hold():
        yield Stage()
        return
    from wzp_cli.cli.view.screen import Screen

    screen = Screen(model, board, session.settings.color, rings=bell)
    soon = asyncio.get_running_loop().call_soon_threadsafe
    try:
        with (
            session.lend(screen),
            held_terminal(Hooks(soon, screen.torn)) as terminal,
        ):
            async with task_group() as group:
                showing = group.create_task(screen.run(terminal))
                try:
                    yield screen
                finally:
                    showing.cancel()
    finally:
        for line in summary(screen.model):
            tell(line)


def seen(
    command: str,
    state: State,
    words: SoundWords,
    *,
    target: str = "",
    answers: Answering = "nobody",
) -> Model:
    """Return what the screen knows before anything has happened."""
    return Model(
        command,
        know=known(state),
        target=target,
        answers=_ANSWERS[answers],
        sounds=_sounds(words),
    )


def seen_there(command: str, state: State, asked: AskCall) -> Model:
    """Return what it knows of a call that the running listener is asked for."""
    sound = asked.sound
    sounds = Sounds(*(_spelt_there(word) for word in (sound.source, sound.sink)))
    return Model(
        command,
        know=known(state),
        target=asked.peer,
        is_elsewhere=True,
        sounds=sounds,
    )


def _spelt_there(word: str | None) -> str:
    return "as `wzp listen` has it" if word is None else _spelt(word)


def known(state: State) -> Callable[[str], Who]:
    """Return what finds out who an identity is, by the contacts of this moment."""

    def know(peer: str) -> Who:
        identity = Identity.parse(peer)
        contact = state.contacts.of(identity)
        if contact is None:
            return Who(identity.short)
        return Who(identity.short, contact.name, contact.verified)

    return know


def _wanted(session: Session, plain: bool | None) -> bool:
    """Return whether a screen is wanted: not by who reads lines, or the log there."""
    settings = session.settings
    reads_log = settings.verbose > 0 and settings.log_file is None
    return not (settings.said.plain if plain is None else plain) and not reads_log


def _sounds(words: SoundWords) -> Sounds:
    if words.echo:
        return Sounds("what the caller says", "back to the caller")
    if not words.hears:
        return Sounds(_spelt(words.source), _spelt(words.sink))
    cleaning = words.treatment.cleaning
    done = [
        name
        for name, on in (
            ("echo cancellation", cleaning.echo),
            ("noise suppression", cleaning.noise),
            ("gain control", cleaning.gain),
        )
        if on and can_clean()
    ]
    return Sounds(_spelt(words.source), _spelt(words.sink), ", ".join(done) or "none")


def _spelt(word: str) -> str:
    """Return a word of --in or --out as people say it."""
    kind, _, rest = word.partition(":")
    return f"{_DEVICES.get(kind, kind)}{f': {rest}' if rest else ''}"


_ANSWERS: Final = {
    "nobody": "you are asked",
    "chosen": "you are asked, but for contacts that you chose",
    "contacts": "contacts without asking; of others you are asked",
    "all": "everybody without asking",
}
_DEVICES: Final = {
    "mic": "microphone",
    "speaker": "speaker",
    "tone": "test tone",
    "null": "nothing",
    "-": "pipe",
}
