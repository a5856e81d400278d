import array
import asyncio

import pytest

from wzp_cli.adapters.sound_files.pace import (
    Beat,
    NullSink,
    NullSource,
    Pace,
    ToneSource,
)
from wzp_cli.ports import FrameSink, FrameSource


def test_the_first_beat_is_due_at_once_and_the_next_after_20_ms() -> None:
    beat = Beat()
    assert beat.wait_s(100.0) == 0
    assert beat.wait_s(100.0) == pytest.approx(0.02)


def test_lateness_does_not_add_up() -> None:
    beat = Beat()
    now = 0.0
    for _ in range(50 * 60):
        now += beat.wait_s(now) + 0.003  # each sleep ends 3 ms late
    assert now == pytest.approx(59.98 + 0.003)


def test_a_short_stall_is_caught_up() -> None:
    beat = Beat()
    beat.wait_s(0.0)
    waits = [beat.wait_s(0.19) for _ in range(10)]
    assert waits[:9] == [0] * 9
    assert waits[9] == pytest.approx(0.01)
    assert beat.dropped == 0


def test_after_a_long_stall_beats_are_dropped_and_the_grid_stays() -> None:
    beat = Beat()
    beat.wait_s(0.0)
    assert beat.wait_s(1.005) == 0
    assert beat.dropped == 49
    assert beat.wait_s(1.005) == pytest.approx(0.015)


def test_an_overdue_beat_still_lets_others_run() -> None:
    async def scenario() -> None:
        pace = Pace()
        others: list[int] = []
        asyncio.get_running_loop().call_soon(others.append, 1)
        await pace.beat()
        assert others == [1]
        assert pace.dropped == 0

    asyncio.run(scenario())


async def _read(source: FrameSource, frames: int) -> list[bytes]:
    return [await source.read() or b"" for _ in range(frames)]


@pytest.mark.parametrize("hz", [20, 440, 441, 1_000, 12_000, 19_997])
def test_a_tone_has_no_seams(hz: int) -> None:
    async def scenario() -> list[bytes]:
        return await _read(ToneSource(hz), 6)

    frames = asyncio.run(scenario())
    assert {len(frame) for frame in frames} == {1_920}
    wave = array.array("h", b"".join(frames))
    # A sine is the only wave of which each sample follows from the two before it.
    from math import cos, pi

    turn = 2 * cos(2 * pi * hz / 48_000)
    for first, second, third in zip(wave, wave[1:], wave[2:], strict=False):
        assert abs(turn * second - first - third) <= 3


def test_a_tone_is_gentle() -> None:
    async def scenario() -> list[bytes]:
        return await _read(ToneSource(), 3)

    wave = array.array("h", b"".join(asyncio.run(scenario())))
    assert max(wave) == 4_096
    assert min(wave) == -4_096


def test_null_is_silence_in_and_nothing_out() -> None:
    async def scenario() -> None:
        source: FrameSource = NullSource()
        sink: FrameSink = NullSink()
        for _ in range(3):
            frame = await source.read()
            assert frame == bytes(1_920)
            await sink.wanted()
            sink.write(frame)

    asyncio.run(scenario())
