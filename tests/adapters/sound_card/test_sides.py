"""The sides of a card without a card: what its thread would do, the test does."""

import asyncio
import time

import pytest

from wzp_cli.adapters.sound_card import sides
from wzp_cli.adapters.sound_card.sides import CardSink, CardSource, Played
from wzp_cli.ports import FrameSink, FrameSource

SILENCE = bytes(960)


def block(n: int) -> bytes:
    return bytes([n]) * 960


def test_two_blocks_make_a_frame() -> None:
    async def scenario() -> None:
        source = CardSource()
        port: FrameSource = source
        async with asyncio.TaskGroup() as tasks:
            frame = tasks.create_task(port.read())
            await asyncio.sleep(0)
            source.take(block(1), False)
            source.take(block(2), False)
        assert frame.result() == block(1) + block(2)

    asyncio.run(scenario())


def test_a_microphone_nobody_reads_loses_the_oldest() -> None:
    async def scenario() -> None:
        source = CardSource()
        for n in range(30):
            source.take(block(n), n == 7)
        assert (source.dropped, source.xruns) == (10, 1)
        assert await source.read() == block(10) + block(11)

    asyncio.run(scenario())


def test_the_speaker_wants_more_when_one_block_is_left() -> None:
    async def scenario() -> None:
        sink = CardSink()
        port: FrameSink = sink
        played = bytearray(960)
        await port.wanted()
        port.write(block(1) + block(2))
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(port.wanted())
            await asyncio.sleep(0)
            assert not asked.done()
            sink.give(memoryview(played), False)
        assert played == block(1)
        port.write(block(3) + block(4))
        for n in (2, 3, 4, 0):
            sink.give(memoryview(played), False)
            assert played == block(n)

    asyncio.run(scenario())


def test_asking_without_writing_waits_for_the_device() -> None:
    async def scenario() -> None:
        sink = CardSink()
        await sink.wanted()
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(sink.wanted())
            await asyncio.sleep(0)
            assert not asked.done()
            sink.give(memoryview(bytearray(960)), True)
        assert sink.xruns == 1

    asyncio.run(scenario())


def test_too_much_for_the_speaker_drops_the_oldest() -> None:
    async def scenario() -> None:
        sink = CardSink()
        for n in range(7):
            sink.write(2 * block(n))
        assert sink.dropped == 4
        played = bytearray(960)
        sink.give(memoryview(played), False)
        assert played == block(2)

    asyncio.run(scenario())


def test_a_device_that_falls_silent_counts_as_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        gone: list[str] = []
        source = CardSource(lambda: gone.append("mic"))
        sink = CardSink(lambda: gone.append("speaker"))
        assert await source.read() == 2 * SILENCE
        sink.write(2 * SILENCE)
        await sink.wanted()
        assert gone == ["mic", "speaker"]

    monkeypatch.setattr(sides, "SOUND_STALL_MAX_S", 0)
    asyncio.run(scenario())


def test_a_process_that_was_stopped_does_not_take_that_for_the_devices_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        gone: list[str] = []
        source = CardSource(lambda: gone.append("mic"))
        async with asyncio.TaskGroup() as tasks:
            frame = tasks.create_task(source.read())
            await asyncio.sleep(0)
            time.sleep(0.3)  # noqa: ASYNC251 - as stopped, the device's thread as well
            for n in (1, 2):
                await asyncio.sleep(0)
                source.take(block(n), False)
        assert frame.result() == block(1) + block(2)
        assert gone == []

    monkeypatch.setattr(sides, "SOUND_STALL_MAX_S", 0.2)
    asyncio.run(scenario())


def test_both_sides_keep_the_pace_while_the_device_is_away() -> None:
    async def scenario() -> None:
        source, sink = CardSource(), CardSink()
        loop = asyncio.get_running_loop()
        source.go()
        sink.go()
        began = loop.time()
        for _ in range(6):
            assert await source.read() == 2 * SILENCE
        for _ in range(6):
            await sink.wanted()
            sink.write(2 * block(1))
        assert loop.time() - began >= 0.195
        assert sink.dropped == 0

    asyncio.run(scenario())


def test_a_device_that_comes_begins_without_what_was_left() -> None:
    async def scenario() -> None:
        source, sink = CardSource(), CardSink()
        source.take(block(1), False)
        sink.write(2 * block(1))
        for side in (source, sink):
            side.go()
            side.come()
        for n in (2, 3):
            source.take(block(n), False)
        assert await source.read() == block(2) + block(3)
        played = bytearray(960)
        sink.give(memoryview(played), False)
        assert played == SILENCE

    asyncio.run(scenario())


def test_what_is_played_stays_beside_what_is_heard() -> None:
    async def scenario() -> None:
        played = Played()
        source, sink = CardSource(), CardSink(played=played.add)
        for n in range(1, 15):  # nobody reads: both drop the oldest
            for half in (2 * n, 2 * n + 1):
                if half % 2 == 0:
                    sink.write(block(half) + block(half + 1))
                sink.give(memoryview(bytearray(960)), False)
                source.take(block(half), False)
        for _ in range(10):
            assert played.frame() == await source.read()
        assert played.frame() == 2 * SILENCE, "nothing more was played"
        played.add(block(1))
        played.clear()
        assert played.frame() == 2 * SILENCE

    asyncio.run(scenario())
