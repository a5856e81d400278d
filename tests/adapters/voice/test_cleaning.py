"""A loudspeaker in a room, and somebody who speaks there: what is left of both."""

import asyncio
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.support import g722
from tests.support.requirements import require
from tests.support.speech import aligned_correlation, speech, synthetic_voice
from wzp_cli.adapters.sound_card.sides import Played
from wzp_cli.adapters.voice.cleaning import Cleaning, CleanSource, can_clean
from wzp_cli.defaults.media import MEDIA_CLOCK_HZ, MEDIA_FRAME_BYTES

Sound = npt.NDArray[np.float64]

SECONDS = 10
OTHER_VOICE = Path("/usr/share/asterisk/sounds/en_US_f_Allison/demo-instruct.g722")
ALL = Cleaning()
ECHO_ALONE = Cleaning(noise=False, gain=False)


@pytest.fixture(autouse=True)
def _library() -> None:
    if not can_clean():
        require("audio", "the extra audio is not installed")


def wide(narrow: npt.NDArray[np.int16]) -> Sound:
    """Return sound of 16 kHz at 48 kHz."""
    spectrum = np.fft.rfft(narrow)
    return np.asarray(np.fft.irfft(spectrum, 3 * len(narrow)) * 3)


def narrow(sound: Sound) -> npt.NDArray[np.int16]:
    """Return sound of 48 kHz at 16 kHz."""
    spectrum = np.fft.rfft(sound)[: len(sound) // 6 + 1]
    return np.asarray(np.fft.irfft(spectrum, len(sound) // 3) / 3, np.int16)


@cache
def far() -> Sound:
    """What the speaker plays."""
    return wide(speech(SECONDS))


@cache
def near() -> Sound:
    """What is said in the room."""
    if not OTHER_VOICE.is_file():
        return wide(synthetic_voice(SECONDS)) * 0.5
    return wide(g722.decode(OTHER_VOICE.read_bytes()[: SECONDS * 8_000]))


def echo(sound: Sound, delay_ms: int, gain_db: float) -> Sound:
    """Return what a room makes of sound: late, softer, with a tail of 100 ms."""
    chance = np.random.default_rng(1)
    tail = chance.standard_normal(4_800) * np.exp(-np.arange(4_800) / 900)
    tail *= 10 ** (gain_db / 20) / np.sqrt((tail**2).sum())
    late = np.concatenate([np.zeros(48 * delay_ms), tail])
    size = len(sound) + len(late)
    heard = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(late, size), size)
    return np.asarray(heard[: len(sound)])


def int16(sound: Sound) -> npt.NDArray[np.int16]:
    return np.clip(sound, -32_768, 32_767).astype(np.int16)


class Microphone:
    """Hears prepared sound, while the speaker plays."""

    def __init__(self, heard: Sound, playing: Sound, played: Played | None) -> None:
        self.heard, self.playing = int16(heard).tobytes(), int16(playing).tobytes()
        self.played = played
        self.at = 0

    async def read(self) -> bytes | None:
        at, self.at = self.at, self.at + MEDIA_FRAME_BYTES
        if self.at > len(self.heard):
            return None
        if self.played is not None:
            frame = self.playing[at : self.at]
            self.played.add(frame[:960])
            self.played.add(frame[960:])
        return self.heard[at : self.at]


def cleaned(heard: Sound, playing: Sound, how: Cleaning, speaker: bool = True) -> Sound:
    """Return what is sent of what the microphone hears."""

    async def scenario() -> bytes:
        played = Played() if speaker else None
        source = CleanSource(Microphone(heard, playing, played), played, how)
        frames = []
        while (frame := await source.read()) is not None:
            frames.append(frame)
        return b"".join(frames)

    return np.frombuffer(asyncio.run(scenario()), np.int16).astype(np.float64)


def energy_db(sound: Sound) -> float:
    return float(10 * np.log10((sound**2).mean() + 1e-9))


@pytest.mark.parametrize("delay_ms", [20, 60, 120])
@pytest.mark.parametrize("how", [ALL, ECHO_ALONE], ids=["all", "echo alone"])
def test_the_speakers_echo_is_not_sent(delay_ms: int, how: Cleaning) -> None:
    noise = np.random.default_rng(2).standard_normal(len(far())) * 5
    heard = echo(far(), delay_ms, gain_db=-6) + noise
    left = cleaned(heard, far(), how)
    settled = slice(3 * MEDIA_CLOCK_HZ, None)
    erle_db = energy_db(heard[settled]) - energy_db(left[settled])
    print(f"ERLE {erle_db:.1f} dB at {delay_ms} ms")  # noqa: T201 - shown with -rP
    assert erle_db > 15


def test_without_the_canceller_the_echo_is_sent() -> None:
    heard = echo(far(), 60, gain_db=-6)
    left = cleaned(heard, far(), Cleaning(echo=False, noise=True, gain=False))
    assert energy_db(heard) - energy_db(left) < 6


@pytest.mark.parametrize("speaker", [True, False], ids=["beside a speaker", "alone"])
def test_who_speaks_is_heard_as_before(speaker: bool) -> None:
    left = cleaned(near(), np.zeros(len(near())), ALL, speaker)
    assert aligned_correlation(narrow(near()), narrow(left)) > 0.9


def test_who_speaks_after_the_speaker_is_heard() -> None:
    half = len(far()) // 2
    said, playing = near().copy(), far().copy()
    said[:half] = 0
    playing[half:] = 0
    left = cleaned(said + echo(playing, 60, gain_db=-10), playing, ALL)
    assert aligned_correlation(narrow(near()[half:]), narrow(left[half:])) > 0.85


def test_who_speaks_while_the_speaker_plays_is_heard_and_the_speaker_hardly() -> None:
    half = len(far()) // 2
    said = near().copy()
    said[:half] = 0
    echoed = echo(far(), 60, gain_db=0)
    left = cleaned(said + echoed, far(), ECHO_ALONE)[half:]
    ours = aligned_correlation(narrow(near()[half:]), narrow(left))
    theirs = aligned_correlation(narrow(echoed[half:]), narrow(left))
    print(f"correlation with who speaks {ours:.2f}, the echo {theirs:.2f}")  # noqa: T201
    assert ours > 0.55
    assert theirs < 0.4


def test_noise_is_softer_and_a_soft_voice_louder() -> None:
    noise = np.random.default_rng(3).standard_normal(len(near())) * 100
    left = cleaned(noise, noise, Cleaning(echo=False, gain=False), speaker=False)
    assert energy_db(left[MEDIA_CLOCK_HZ:]) < energy_db(noise) - 6
    soft = near() * 0.1
    left = cleaned(soft, soft, Cleaning(echo=False, noise=False), speaker=False)
    assert 3 < energy_db(left) - energy_db(soft) < 6.5


def test_whether_the_library_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert can_clean()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert not can_clean()


def test_nothing_wanted_is_nothing() -> None:
    assert ALL
    assert not Cleaning(echo=False, noise=False, gain=False)
