"""A pitch period less or more: what it does to tones, noise, silence and to speech."""

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.speech import at_16_khz, at_48_khz, pesq_wb, speech
from wzp_cli.defaults.media import (
    MEDIA_FRAME_BYTES,
    STRETCH_LONGEST_SAMPLES,
    STRETCH_SHORTEST_SAMPLES,
)
from wzp_cli.protocol.media.playout.stretch import lengthen, shorten

Change = Callable[[bytes, bytes, int, float], bytes]

FRAME = 960
SILENCE = bytes(MEDIA_FRAME_BYTES)
MOST = STRETCH_LONGEST_SAMPLES

both = pytest.mark.parametrize("change", [shorten, lengthen])


def voice(hz: float, frames: int) -> list[bytes]:
    """A steady vowel: eight harmonics."""
    at = np.arange(frames * FRAME) / 48_000
    sound = sum(2_500 / n * np.sin(2 * np.pi * hz * n * at) for n in range(1, 9))
    return cut(np.asarray(sound).astype("<i2").tobytes())


def cut(pcm: bytes) -> list[bytes]:
    size = MEDIA_FRAME_BYTES
    return [pcm[at : at + size].ljust(size, b"\0") for at in range(0, len(pcm), size)]


def samples(pcm: bytes) -> npt.NDArray[np.float64]:
    return np.frombuffer(pcm, "<i2").astype(np.float64)


@both
@pytest.mark.parametrize("hz", [85, 100, 140, 220, 350])
def test_a_voice_changes_by_whole_periods(change: Change, hz: int) -> None:
    before, frame = voice(hz, 2)
    changed = change(before, frame, MOST, 0.9)
    periods = abs(len(changed) - len(frame)) / 2 / (48_000 / hz)
    assert periods >= 1 - 0.02
    assert periods == pytest.approx(round(periods), abs=0.02)


@both
def test_nothing_clicks_in_it_or_at_its_seams(change: Change) -> None:
    one, two, three = voice(140, 3)
    steps = np.abs(np.diff(samples(one + two + three))).max()
    changed = one + change(one, two, MOST, 0.9) + three
    assert len(changed) != 3 * MEDIA_FRAME_BYTES
    assert np.abs(np.diff(samples(changed))).max() <= 1.05 * steps


@both
def test_both_ends_stay_as_they_are(change: Change) -> None:
    before, frame = voice(220, 2)
    changed = change(before, frame, MOST, 0.9)
    assert changed[:2] == frame[:2]
    assert changed[-2:] == frame[-2:]


@both
def test_what_is_unlike_itself_is_left_alone_until_less_is_asked(
    change: Change,
) -> None:
    noise = np.random.default_rng(1).normal(0, 3_000, 2 * FRAME).astype("<i2")
    before, frame = cut(noise.tobytes())
    assert change(before, frame, MOST, 0.6) == frame
    assert len(change(before, frame, MOST, 0.0)) != len(frame)


@both
def test_in_silence_it_is_as_much_as_may_be(change: Change) -> None:
    changed = change(SILENCE, SILENCE, 300, 0.9)
    assert abs(len(changed) - len(SILENCE)) == 2 * 300
    assert not any(changed)


@both
def test_less_than_the_shortest_period_is_nothing(change: Change) -> None:
    before, frame = voice(220, 2)
    assert change(before, frame, STRETCH_SHORTEST_SAMPLES - 1, 0.0) == frame
    assert change(before, frame, 0, 0.0) == frame


@both
@given(
    pcm=st.binary(min_size=MEDIA_FRAME_BYTES, max_size=MEDIA_FRAME_BYTES),
    most=st.integers(0, 2_000),
    least=st.floats(0, 1),
)
def test_never_more_than_asked_whatever_the_sound(
    change: Change, pcm: bytes, most: int, least: float
) -> None:
    changed = change(pcm, pcm, most, least)
    assert len(changed) % 2 == 0
    by = (len(changed) - len(pcm)) // 2
    assert abs(by) <= min(most, STRETCH_LONGEST_SAMPLES)
    assert by <= 0 if change is shorten else by >= 0


def corrected_speech(first: int, change: Callable[[int, bytes, bytes], bytes]) -> bytes:
    """Speech with one change a second, out and in by turns, from a frame on."""
    frames = cut(at_48_khz(speech(10)))
    before, last, turn, heard = SILENCE, first - 50, 0, []
    for number, frame in enumerate(frames):
        changed = change(turn, before, frame) if number >= last + 50 else frame
        if len(changed) != len(frame):
            last, turn = number, turn + 1
        heard.append(changed)
        before = frame
    assert turn >= 8
    return b"".join(heard)


def test_one_correction_a_second_hardly_costs_quality() -> None:
    """Most of what it costs is that PESQ compares sound some ms out of step."""

    def by_period(turn: int, before: bytes, frame: bytes) -> bytes:
        change = lengthen if turn % 2 else shorten
        return change(before, frame, MOST, 0.9)

    def blindly(turn: int, before: bytes, frame: bytes) -> bytes:
        return frame[:480] + frame if turn % 2 else frame[480:]

    def score(change: Callable[[int, bytes, bytes], bytes]) -> float:
        sent = speech(10)
        recorded = [corrected_speech(first, change) for first in (10, 23, 36)]
        return sum(pesq_wb(sent, at_16_khz(pcm)) for pcm in recorded) / len(recorded)

    assert score(by_period) >= 4.0
    assert score(by_period) >= score(blindly) + 0.5


def test_numpy_is_loaded_by_the_first_use_only() -> None:
    module = "wzp_cli.protocol.media.playout.stretch"
    code = f"import sys, {module}; print('numpy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
