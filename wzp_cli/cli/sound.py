"""The words about sound put together: what is opened, and what is done with it.

As `compose.py` does for the network, this is where sound's adapters meet the services.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import TypeVar

from wzp_cli.adapters.sound import (
    UNTREATED,
    Sound,
    Treatment,
    check_words,
    open_sound,
    preload,
)
from wzp_cli.adapters.sound_files.recording import check_recording, record_call
from wzp_cli.adapters.voice.cleaning import Cleaning
from wzp_cli.adapters.voice.gain import check_gain
from wzp_cli.adapters.voice.loopback import Loopback
from wzp_cli.adapters.voice.ringing import RING, RING_BACK, play
from wzp_cli.cli.command import Session
from wzp_cli.cli.options import SoundFlags
from wzp_cli.errors import SoundError, UsageError
from wzp_cli.events import Report, Warned
from wzp_cli.ports import OpenRecording, OpenSound, PlayTone

__all__ = [
    "KeptSound",
    "SoundWords",
    "keep_open",
    "recorder",
    "ring",
    "ring_back",
    "sound_opener",
]

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class SoundWords:
    """--in and --out, checked, and what is done with the sound between them."""

    source: str
    sink: str
    treatment: Treatment = UNTREATED
    echo: bool = False

    @classmethod
    def choose(
        cls, session: Session, flags: SoundFlags, *, echo: bool = False
    ) -> "SoundWords":
        """Return what was said, else microphone and speaker; for `echo` neither.

        Raises:
            UsageError: A word is none that --in or --out takes, or a gain too much.
        """
        if echo:
            return cls._echoing(flags)
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

    @classmethod
    def _echoing(cls, flags: SoundFlags) -> "SoundWords":
        if flags.source or flags.sink:
            raise UsageError("--echo plays callers their own voice: no --in, no --out")
        return cls("null", "null", echo=True)

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
    if words.echo:
        return _open_echo
    return lambda: open_sound(words.source, words.sink, words.treatment, report)


@dataclass(frozen=True, slots=True)
class KeptSound:
    """Sound that is open already: calling it gives it to a call."""

    sound: Sound

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[Sound]:
        """Begin the call: what the microphone heard before is forgotten."""
        self.sound.begin()
        yield self.sound


@asynccontextmanager
async def keep_open(
    words: SoundWords, report: Report = lambda event: None
) -> AsyncIterator[KeptSound]:
    """Open the sound now, so that a missing device is told before anybody is rung."""
    preload()
    async with open_sound(words.source, words.sink, words.treatment, report) as sound:
        yield KeptSound(sound)


@asynccontextmanager
async def _open_echo() -> AsyncIterator[Loopback]:
    """Open the echo service's sound: it needs no device."""
    yield Loopback()


def ring_back(
    session: Session, words: SoundWords, flag: bool | None, kept: KeptSound
) -> PlayTone:
    """Return what plays a caller that it rings there, through the call's own sound."""
    if not _rings(session, words, flag):
        return nullcontext
    return lambda: play(RING_BACK, kept.sound.sink)


def _rings(session: Session, words: SoundWords, flag: bool | None) -> bool:
    """Return whether ringing is heard: by a speaker, unless it is unwanted."""
    return words.speaks and _first(flag, session.settings.said.ring, True)


def ring(session: Session, words: SoundWords, flag: bool | None) -> PlayTone:
    """Return what plays that somebody calls. A speaker that does not open is told."""
    if not _rings(session, words, flag):
        return nullcontext
    report = session.report

    @asynccontextmanager
    async def ringing() -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            try:
                opened = await stack.enter_async_context(
                    sound_opener(words.ringing, report)()
                )
            except SoundError as error:
                report(Warned(code=error.code, message=f"it can't ring: {error}"))
            else:
                await stack.enter_async_context(play(RING, opened.sink))
            yield

    return ringing


def recorder(
    path: str | None, report: Report, *, numbered: bool
) -> OpenRecording | None:
    """Return what records a call to --record; None where nothing was said.

    Raises:
        UsageError, SoundError: That file can't be made.
    """
    if path is None:
        return None
    check_recording(path, numbered=numbered)
    return lambda: record_call(path, report, numbered=numbered)
