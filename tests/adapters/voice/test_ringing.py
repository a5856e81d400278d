import asyncio
import itertools

import numpy as np
import pytest

from tests.support.virtual_time import run
from wzp_cli.adapters.sound_files.pace import NullSink
from wzp_cli.adapters.voice.ringing import RING, RING_BACK, Ringing, play
from wzp_cli.protocol.media.level import level


class Kept(NullSink):
    def __init__(self) -> None:
        super().__init__()
        self.frames: list[bytes] = []

    def write(self, pcm: bytes) -> None:
        self.frames.append(pcm)


def loud(frame: bytes) -> bool:
    return (level(frame).peak_dbfs or -99) > -40


def runs(frames: list[bytes]) -> list[tuple[bool, int]]:
    """Return how many frames in turn are loud, silent, ..."""
    groups = itertools.groupby(frames, loud)
    return [(is_loud, len(list(group))) for is_loud, group in groups]


@pytest.mark.parametrize(
    ("ringing", "expected"),
    [
        (RING_BACK, [(True, 50), (False, 200)]),
        (RING, [(True, 20), (False, 10), (True, 20), (False, 100)]),
    ],
)
def test_cadences(ringing: Ringing, expected: list[tuple[bool, int]]) -> None:
    turn = list(itertools.islice(ringing.frames(), sum(n for _, n in expected)))
    assert runs(turn) == expected
    assert all(len(frame) == 1_920 for frame in turn)


@pytest.mark.parametrize("ringing", [RING, RING_BACK])
def test_pitches(ringing: Ringing) -> None:
    sound = np.frombuffer(ringing.once(), "<i2")[: round(48_000 * ringing.cadence_s[0])]
    spectrum = np.abs(np.fft.rfft(sound.astype(float), 48_000))
    strongest = sorted(np.argsort(spectrum)[::-1][: 3 * len(ringing.hz)])
    for hz in ringing.hz:
        assert min(abs(int(each) - hz) for each in strongest) <= 2


@pytest.mark.parametrize("ringing", [RING, RING_BACK])
def test_no_click_and_never_too_loud(ringing: Ringing) -> None:
    sound = np.frombuffer(2 * ringing.once(), "<i2").astype(int)
    assert np.abs(sound).max() <= 6_000
    assert np.abs(np.diff(sound)).max() < 500


def test_it_rings_as_long_as_the_block_lasts() -> None:
    kept = Kept()

    async def scenario() -> None:
        async with play(RING_BACK, kept):
            await asyncio.sleep(7)
        await asyncio.sleep(3)

    run(scenario())
    assert [part for part, _ in runs(kept.frames)] == [True, False, True, False]
    assert len(kept.frames) == pytest.approx(350, abs=2)
