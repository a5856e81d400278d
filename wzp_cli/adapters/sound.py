"""Sound by the words of the command line: what `--in` and `--out` name, opened.

SRC   mic[:dev]  tone[:hz]  file:P  -  null
DST   speaker[:dev]         file:P  -  null
"""

import contextlib
import importlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, TypeVar

from wzp_cli.adapters.codecs.opus import open_opus
from wzp_cli.adapters.sound_card.card import Card, open_card
from wzp_cli.adapters.sound_files.decoded import DecodedSource, open_file
from wzp_cli.adapters.sound_files.pace import NullSink, NullSource, ToneSource
from wzp_cli.adapters.sound_files.pipe import PipeSink, PipeSource
from wzp_cli.adapters.sound_files.wav import WavSink, WavSource
from wzp_cli.adapters.voice.cleaning import Cleaning, CleanSource, can_clean
from wzp_cli.adapters.voice.gain import GainSink, GainSource
from wzp_cli.defaults.media import FALLBACK_CODEC
from wzp_cli.defaults.sound import TONE_DEFAULT_HZ, TONE_MAX_HZ, TONE_MIN_HZ
from wzp_cli.errors import CodecMissing, SoundError, UsageError
from wzp_cli.events import Report, Warned
from wzp_cli.ports import Codec, FrameSink, FrameSource

__all__ = [
    "UNTREATED",
    "Sound",
    "Treatment",
    "check_words",
    "open_codec",
    "open_sound",
    "preload",
]

_Side = TypeVar("_Side", FrameSource, FrameSink)

_ECHO: Final = (
    "no echo cancellation here, so with a loudspeaker the other side hears itself: "
    "wear headphones, or pip install 'wzp[audio]'"
)


@dataclass(frozen=True, slots=True)
class Treatment:
    """What is done with sound on its way.

    Attributes:
        gain_in_db: Gain of the source.
        gain_out_db: Gain of the sink.
        cleaning: What is done with a microphone's sound, where the library is there.
    """

    gain_in_db: float = 0.0
    gain_out_db: float = 0.0
    cleaning: Cleaning = field(default_factory=Cleaning)


UNTREATED: Final = Treatment(cleaning=Cleaning(echo=False, noise=False, gain=False))
_FORMS: Final = {
    "--in": ("mic", "mic:DEVICE", "tone", "tone:HZ", "file:PATH", "-", "null"),
    "--out": ("speaker", "speaker:DEVICE", "file:PATH", "-", "null"),
}


@dataclass(frozen=True)
class Sound:
    """Where a call's sound comes from and where it goes."""

    source: FrameSource
    sink: FrameSink
    card: Card | None = None

    def begin(self) -> None:
        """Forget what a microphone has heard until now, before the call."""
        if self.card is not None:
            self.card.begin()

    @property
    def failed(self) -> SoundError | None:
        """Why one of them stopped working during the call, or None."""
        sides = (self.source, self.sink)
        errors: list[SoundError | None] = [getattr(s, "failed", None) for s in sides]
        return next(filter(None, errors), None)


@contextlib.asynccontextmanager
async def open_sound(
    source: str,
    sink: str,
    treatment: Treatment = UNTREATED,
    report: Report = lambda event: None,
) -> AsyncIterator[Sound]:
    """Open what two words of the command line name, and close it at the end.

    A disk that fills up does not end the block: `Sound.failed` tells at once, and the
    error is raised when the block is left without another. A sound card that goes away
    is waited for.

    Args:
        source: SRC.
        sink: DST.
        treatment: What is done with the sound on its way.
        report: Told what a person may want to know.

    Raises:
        UsageError: A word is none of SRC or DST.
        SoundError: It does not open, or it failed during the call.
    """
    check_words(source, sink)
    heard, played = _Word.split(source), _Word.split(sink)
    async with contextlib.AsyncExitStack() as stack:
        card = await stack.enter_async_context(
            open_card(
                mic=heard.rest if heard.kind == "mic" else None,
                speaker=played.rest if played.kind == "speaker" else None,
                report=report,
            )
        )
        microphone = None if card.source is None else _cleaned(card, treatment, report)
        sound = Sound(
            microphone or _closed_later(stack, _open_source(heard)),
            card.sink or _closed_later(stack, _open_sink(played)),
            card,
        )
        yield _amplified(sound, treatment)
    if sound.failed:
        raise sound.failed


def check_words(source: str, sink: str) -> None:
    """Check SRC and DST without opening anything.

    Raises:
        UsageError: A word is not one of the forms, or both name the same file.
    """
    heard, _ = _checked(source, "--in"), _checked(sink, "--out")
    if heard.kind == "tone" and heard.rest and not _hz(heard.rest):
        raise UsageError(
            f"--in {source}: HZ is a whole number from {TONE_MIN_HZ} to {TONE_MAX_HZ}"
        )
    if source == sink and heard.kind == "file":
        raise UsageError(f"--in and --out are the same file: {heard.rest}")


def preload() -> None:
    """Load what sound will need, so that no call waits for it (numpy: 100 ms)."""
    importlib.import_module("numpy")


def open_codec(name: str | None = None) -> tuple[Codec, str | None]:
    """Return the codec of that name; without one, the best that there is.

    Returns:
        The codec, and a sentence for the user where libopus was wanted and is missing.

    Raises:
        CodecMissing: "opus" by name, and there is no libopus.
    """
    from wzp_cli.adapters.codecs.g711 import G711Codec

    if name == FALLBACK_CODEC:
        return G711Codec(), None
    try:
        return open_opus(), None
    except CodecMissing as error:
        if name is not None:
            raise
        return G711Codec(), f"{error} Until then, calls have telephone quality (G.711)."


class _Word(NamedTuple):
    """A word of SRC or DST: "mic:2" is kind "mic", rest "2"."""

    kind: str
    rest: str

    @classmethod
    def split(cls, word: str) -> "_Word":
        kind, _, rest = word.partition(":")
        return cls(kind, rest)


def _checked(word: str, option: str) -> _Word:
    kind, colon, rest = word.partition(":")
    forms = [form.partition(":")[:2] for form in _FORMS[option]]
    if (kind, colon) not in forms or bool(colon) != bool(rest):
        raise UsageError(f"{option} {word}: not one of {', '.join(_FORMS[option])}")
    return _Word(kind, rest)


def _hz(text: str) -> int | None:
    """Return a frequency that can be heard, None for any other text."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 5):
        return None
    return int(text) if TONE_MIN_HZ <= int(text) <= TONE_MAX_HZ else None


def _closed_later(stack: contextlib.AsyncExitStack, side: _Side) -> _Side:
    """Have the stack close what has to be closed; return the side."""
    match side:
        case WavSource() | DecodedSource() | WavSink() | PipeSource():
            stack.callback(side.close)
        case PipeSink():
            stack.push_async_callback(side.close)
    return side


def _cleaned(card: Card, treatment: Treatment, report: Report) -> FrameSource:
    """Return the card's microphone, cleaned as far as that is wanted and possible."""
    assert card.source is not None
    wanted = treatment.cleaning
    if wanted and can_clean():
        return CleanSource(card.source, card.played if card.sink else None, wanted)
    if wanted.echo and card.sink is not None:
        report(Warned(code="echo", message=_ECHO))
    return card.source


def _amplified(sound: Sound, treatment: Treatment) -> Sound:
    source, sink = sound.source, sound.sink
    if treatment.gain_in_db:
        source = GainSource(source, treatment.gain_in_db)
    if treatment.gain_out_db:
        sink = GainSink(sink, treatment.gain_out_db)
    return replace(sound, source=source, sink=sink)


def _open_source(word: _Word) -> FrameSource:
    kinds: dict[str, Callable[[], FrameSource]] = {
        "tone": lambda: ToneSource(_hz(word.rest) or TONE_DEFAULT_HZ),
        "file": lambda: open_file(word.rest),
        "-": PipeSource,
        "null": NullSource,
    }
    return kinds[word.kind]()


def _open_sink(word: _Word) -> FrameSink:
    kinds: dict[str, Callable[[], FrameSink]] = {
        "file": lambda: WavSink(word.rest),
        "-": PipeSink,
        "null": NullSink,
    }
    return kinds[word.kind]()
