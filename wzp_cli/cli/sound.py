"""The words about sound put together: what is opened, and what is done with it.

As `compose.py` does for the network, this is where sound's adapters meet the services.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import TypeVar

from wzp_cli.adapters.sound import (
    UNTREATED,
    Treatment,
    check_words,
    open_sound,
    preload,
)
from wzp_cli.adapters.voice.cleaning import Cleaning
from wzp_cli.adapters.voice.gain import check_gain
from wzp_cli.cli.command import Session
from wzp_cli.cli.options import SoundFlags
from wzp_cli.errors import UsageError
from wzp_cli.events import Report
from wzp_cli.ports import OpenSound

__all__ = ["SoundWords", "keep_open", "sound_opener"]

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class SoundWords:
    """--in and --out, checked, and what is done with the sound between them."""

    source: str
    sink: str
    treatment: Treatment = UNTREATED

    @classmethod
    def choose(cls, session: Session, flags: SoundFlags) -> "SoundWords":
        """Return what was said, else microphone and speaker.

        Raises:
            UsageError: A word is none that --in or --out takes, or a gain too much.
        """
        said = session.settings.said
        words = cls(
            flags.source or said.source or "mic",
            flags.sink or said.sink or "speaker",
            _treatment(session, flags),
        )
        check_words(words.source, words.sink)
        if words.sink == "-" and session.settings.json:
            raise UsageError(
                "--json and --out - both want standard output: say --events FILE"
            )
        return words

    @property
    def devices(self) -> "SoundWords":
        """The same, without what would be used up or overwritten by being opened."""
        source = "null" if self.source == "-" else self.source
        return SoundWords(source, self.sink if self.speaks else "null")

    @property
    def hears(self) -> bool:
        """Whether a microphone is opened."""
        return self.source.partition(":")[0] == "mic"

    @property
    def speaks(self) -> bool:
        """Whether a speaker is opened."""
        return self.sink.partition(":")[0] == "speaker"

    @property
    def ringing(self) -> "SoundWords":
        """The speaker alone, with nothing done to what it plays but its gain."""
        gain_db = self.treatment.gain_out_db
        return SoundWords("null", self.sink, replace(UNTREATED, gain_out_db=gain_db))


def _treatment(session: Session, flags: SoundFlags) -> Treatment:
    said = session.settings.said
    return Treatment(
        gain_in_db=check_gain("--gain-in", _first(flags.gain_in, said.gain_in, 0.0)),
        gain_out_db=check_gain(
            "--gain-out", _first(flags.gain_out, said.gain_out, 0.0)
        ),
        cleaning=Cleaning(
            echo=_first(flags.echo_cancel, said.echo_cancel, True),
            noise=_first(flags.noise_suppression, said.noise_suppression, True),
            gain=_first(flags.gain_control, said.gain_control, True),
        ),
    )


def _first(flag: Value | None, said: Value | None, default: Value) -> Value:
    """Return what was said first in this order."""
    if flag is not None:
        return flag
    return default if said is None else said


def sound_opener(words: SoundWords, report: Report = lambda event: None) -> OpenSound:
    """Return what opens the sound for one call."""
    return lambda: open_sound(words.source, words.sink, words.treatment, report)


@asynccontextmanager
async def keep_open(
    words: SoundWords, report: Report = lambda event: None
) -> AsyncIterator[OpenSound]:
    """Open the sound now, so that a missing device is told before anybody is rung."""
    preload()
    async with sound_opener(words, report)() as sound:
        yield lambda: nullcontext(sound)
