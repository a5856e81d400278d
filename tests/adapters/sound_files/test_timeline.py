"""Two voices on one axis: where each frame lies, whatever came when."""

import numpy as np
import numpy.typing as npt
import pytest

from wzp_cli.adapters.sound_files.timeline import Timeline

FRAME_S = 0.020


def frame(value: int) -> bytes:
    return np.full(960, value, "<i2").tobytes()


def stereo(sound: bytes) -> npt.NDArray[np.int16]:
    return np.frombuffer(sound, "<i2").reshape(-1, 2)


def test_both_sides_lie_beside_each_other() -> None:
    timeline = Timeline(100.0)
    for n in range(1, 51):
        timeline.left(frame(n), 100 + n * FRAME_S)
        timeline.right(frame(-n), 100 + n * FRAME_S + 0.01)
    sound = stereo(timeline.take(101.0, all_of_it=True))
    assert len(sound) == 48_000
    expected = np.repeat(np.arange(1, 51), 960)
    assert (sound[:, 0] == expected).all()
    assert (sound[:, 1] == -expected).all()
    assert timeline.dropped == 0


def test_a_side_that_begins_late_begins_late_on_disk() -> None:
    timeline = Timeline(0.0)
    for n in range(1, 101):
        timeline.left(frame(1), n * FRAME_S)
        if n > 50:
            timeline.right(frame(2), n * FRAME_S)
    sound = stereo(timeline.take(2.0, all_of_it=True))
    assert len(sound) == 96_000
    assert sound[:, 0].all()
    assert not sound[:48_000, 1].any()
    assert sound[48_000:, 1].all()


def test_a_side_that_ends_is_silent_and_holds_nothing_up() -> None:
    timeline = Timeline(0.0)
    for n in range(1, 101):
        timeline.right(frame(2), n * FRAME_S)
        if n <= 25:
            timeline.left(frame(1), n * FRAME_S)
    sound = stereo(timeline.take(2.0))
    assert len(sound) == 48_000 * 1.5, "the last half second may still come"
    assert not sound[24_000:, 0].any()
    assert len(stereo(timeline.take(2.0, all_of_it=True))) == 24_000


def test_pieces_make_the_whole() -> None:
    timeline = Timeline(0.0)
    pieces = []
    for n in range(1, 201):
        timeline.left(frame(n), n * FRAME_S)
        timeline.right(frame(n), n * FRAME_S)
        if n % 7 == 0:
            pieces.append(timeline.take(n * FRAME_S))
    pieces.append(timeline.take(4.0, all_of_it=True))
    sound = stereo(b"".join(pieces))
    assert (sound[:, 0] == np.repeat(np.arange(1, 201), 960)).all()
    assert (sound[:, 1] == sound[:, 0]).all()


def test_jitter_leaves_everything_in_place() -> None:
    timeline = Timeline(0.0)
    chance = np.random.default_rng(1)
    for n in range(1, 501):
        timeline.left(frame(n), n * FRAME_S + chance.uniform(0, 0.08))
        timeline.right(frame(n), n * FRAME_S)
    sound = stereo(timeline.take(10.1, all_of_it=True))
    assert (sound[:480_000, 0] == sound[:480_000, 1]).all()


@pytest.mark.parametrize("ppm", [-300, 300])
def test_clocks_that_differ_never_drift_apart(ppm: int) -> None:
    timeline = Timeline(0.0)
    minutes = 20
    right = 0
    lengths = 0
    for n in range(1, minutes * 3_000 + 1):
        now_s = n * FRAME_S * (1 + ppm / 1e6)
        timeline.left(frame(1), now_s)
        while (right + 1) * FRAME_S <= now_s:
            right += 1
            timeline.right(frame(1), right * FRAME_S)
        if n % 500 == 0:
            lengths += len(timeline.take(now_s)) // 4
    lengths += len(timeline.take(now_s, all_of_it=True)) // 4
    assert lengths / 48_000 == pytest.approx(now_s, abs=0.15)


def test_a_pause_of_both_is_a_pause() -> None:
    timeline = Timeline(0.0)
    for at_s in (0.02, 5.02):
        timeline.left(frame(1), at_s)
        timeline.right(frame(1), at_s)
    sound = stereo(timeline.take(5.02, all_of_it=True))
    assert len(sound) == pytest.approx(5.02 * 48_000, abs=2)
    assert sound[:960].all()
    assert not sound[960:-960].any()
    assert sound[-960:].all()


def test_a_source_faster_than_time_is_cut() -> None:
    timeline = Timeline(0.0)
    for _ in range(1_000):
        timeline.left(frame(1), 1.0)
    assert timeline.dropped > 900
    assert len(timeline.take(1.0, all_of_it=True)) <= 4 * 48_000 * 1.15


def test_nothing_is_nothing() -> None:
    assert Timeline(5.0).take(9.0, all_of_it=True) == b""
