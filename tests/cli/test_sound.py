"""Words about sound, as flags and as the file has them, put together."""

import asyncio

import pytest

from wzp_cli.adapters.config import Config
from wzp_cli.adapters.sound import Treatment
from wzp_cli.adapters.voice.cleaning import Cleaning
from wzp_cli.cli import sound
from wzp_cli.cli.command import Session
from wzp_cli.cli.options import SoundFlags
from wzp_cli.cli.settings import Settings
from wzp_cli.cli.sound import SoundWords
from wzp_cli.errors import UsageError

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
