"""Words about sound, as flags and as the file has them, put together."""

import asyncio
from contextlib import nullcontext
from pathlib import Path

import pytest

from wzp_cli.adapters.disk.config import Config
from wzp_cli.adapters.sound import Sound, Treatment
from wzp_cli.adapters.sound_files.pace import NullSink, NullSource
from wzp_cli.adapters.voice.cleaning import Cleaning
from wzp_cli.cli import sound
from wzp_cli.cli.command import Session
from wzp_cli.cli.options import SoundFlags
from wzp_cli.cli.settings import Settings
from wzp_cli.cli.sound import SoundWords
from wzp_cli.errors import SoundError, UsageError
from wzp_cli.events import Event, Warned

NOTHING = SoundFlags()


def session(said: Config | None = None, *, json: bool = False) -> tuple[Session, None]:
    settings = Settings(said=said or Config(), json=json)
    return Session(settings, lambda event: None), None


def test_flags_count_more_than_what_was_said_than_the_defaults() -> None:
    nothing, _ = session()
    assert SoundWords.choose(nothing, NOTHING) == SoundWords(
        "mic", "speaker", Treatment()
    )
    said, _ = session(said=Config(source="tone", sink="null"))
    assert SoundWords.choose(said, NOTHING) == SoundWords("tone", "null", Treatment())
    flags = SoundFlags(source="null", sink="-")
    assert SoundWords.choose(said, flags) == SoundWords("null", "-", Treatment())


def test_standard_output_is_not_for_two() -> None:
    json, _ = session(json=True)
    with pytest.raises(UsageError, match="--events"):
        SoundWords.choose(json, SoundFlags(source="tone", sink="-"))


@pytest.mark.parametrize(
    ("words", "devices", "hears"),
    [
        (("mic", "speaker"), ("mic", "speaker"), True),
        (("mic:2", "file:out.wav"), ("mic:2", "null"), True),
        (("file:in.wav", "-"), ("file:in.wav", "null"), False),
        (("-", "speaker:3"), ("null", "speaker:3"), False),
    ],
)
def test_what_may_be_opened_to_try_it(
    words: tuple[str, str], devices: tuple[str, str], hears: bool
) -> None:
    assert SoundWords(*words).devices == SoundWords(*devices)
    assert SoundWords(*words).hears is hears


def test_opened_sound_is_kept_for_the_call() -> None:
    async def scenario() -> None:
        async with sound.keep_open(SoundWords("null", "null")) as again:
            async with again() as first:
                pass
            async with again() as second:
                assert second is first
        async with sound.sound_opener(SoundWords("tone", "null"))() as opened:
            assert await opened.source.read()

    asyncio.run(scenario())


def test_what_is_done_with_the_sound_is_said_by_flag_or_file() -> None:
    said = Config(gain_in=3.0, gain_out=-6.0, echo_cancel=False, gain_control=False)
    flags = SoundFlags(gain_in=0.0, echo_cancel=True, noise_suppression=False)
    chosen = SoundWords.choose(session(said)[0], flags)
    cleaning = Cleaning(echo=True, noise=False, gain=False)
    assert chosen.treatment == Treatment(0.0, -6.0, cleaning)


@pytest.mark.parametrize("gain_db", [41.0, -61.0, float("nan")])
def test_a_gain_beyond_reason_is_refused(gain_db: float) -> None:
    with pytest.raises(UsageError, match=r"--gain-out .*-60 to 40 dB"):
        SoundWords.choose(session()[0], SoundFlags(gain_out=gain_db))


def test_to_ring_opens_the_speaker_alone() -> None:
    words = SoundWords("mic", "speaker:2", Treatment(gain_in_db=3, gain_out_db=6))
    ringing = words.ringing
    assert (ringing.source, ringing.sink) == ("null", "speaker:2")
    assert ringing.treatment.gain_out_db == 6
    assert not ringing.treatment.gain_in_db
    assert not ringing.treatment.cleaning


def test_echo_needs_no_device_and_takes_none() -> None:
    chosen = SoundWords.choose(session()[0], NOTHING, echo=True)
    assert (chosen.hears, chosen.speaks) == (False, False)
    with pytest.raises(UsageError, match="--echo"):
        SoundWords.choose(session()[0], SoundFlags(source="tone"), echo=True)

    async def scenario() -> None:
        async with sound.sound_opener(chosen)() as opened:
            opened.sink.write(b"\1\2" * 960)
            assert await opened.source.read() == b"\1\2" * 960

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("sink", "flag", "said", "heard"),
    [
        ("speaker", None, None, True),
        ("speaker:2", None, True, True),
        ("speaker", False, True, False),
        ("speaker", None, False, False),
        ("file:a.wav", True, True, False),
        ("null", None, None, False),
    ],
)
def test_it_rings_by_a_speaker_unless_that_is_unwanted(
    sink: str, flag: bool | None, said: bool | None, heard: bool
) -> None:
    ada = session(Config(ring=said))[0]
    tone = sound.ring(ada, SoundWords("null", sink), flag)
    assert (tone is not nullcontext) is heard


def test_a_speaker_that_does_not_open_does_not_keep_a_call_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[Event] = []

    def broken(*_: object) -> None:
        raise SoundError("no such speaker")

    monkeypatch.setattr(sound, "open_sound", broken)
    ada = Session(Settings(), told.append)

    async def scenario() -> None:
        async with sound.ring(ada, SoundWords("null", "speaker"), None)():
            pass

    asyncio.run(scenario())
    (warned,) = told
    assert isinstance(warned, Warned)
    assert warned.message == "it can't ring: no such speaker"


def test_the_ring_back_tone_is_played_through_the_calls_own_sound() -> None:
    class Ear(NullSink):
        def __init__(self) -> None:
            super().__init__()
            self.loud = asyncio.Event()

        def write(self, pcm: bytes) -> None:
            if any(pcm):
                self.loud.set()

    async def scenario() -> None:
        ear = Ear()
        kept = sound.KeptSound(Sound(NullSource(), ear))
        words = SoundWords("null", "speaker")
        async with (
            asyncio.timeout(5),
            sound.ring_back(session()[0], words, None, kept)(),
        ):
            await ear.loud.wait()
        assert sound.ring_back(session()[0], words, False, kept) is nullcontext

    asyncio.run(scenario())


def test_no_recording_unless_it_is_asked_for(tmp_path: Path) -> None:
    def ignore(event: Event) -> None: ...

    assert sound.recorder(None, ignore, numbered=False) is None
    assert sound.recorder(str(tmp_path / "a.wav"), ignore, numbered=False) is not None
    with pytest.raises(UsageError, match="--record"):
        sound.recorder(str(tmp_path / "a.txt"), ignore, numbered=False)
