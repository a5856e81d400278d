import asyncio
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wzp_cli.adapters.sound_files.pipe import PipeSink, PipeSource
from wzp_cli.errors import SoundError
from wzp_cli.ports import FrameSink, FrameSource


async def _all(source: FrameSource) -> list[bytes]:
    frames = []
    while (frame := await source.read()) is not None:
        frames.append(frame)
    assert await source.read() is None
    return frames


def test_a_pipe_is_read_to_its_end_and_padded() -> None:
    async def scenario() -> None:
        reader, writer = os.pipe()
        sound = os.urandom(3 * 1_920 + 100)
        os.write(writer, sound)
        os.close(writer)
        frames = await _all(PipeSource(reader))
        assert b"".join(frames) == sound.ljust(4 * 1_920, b"\0")
        os.close(reader)

    asyncio.run(scenario())


def test_a_file_is_read_like_a_pipe(tmp_path: Path) -> None:
    async def scenario() -> None:
        sound = os.urandom(8 * 1_920)  # more than waits in the queue
        (tmp_path / "raw").write_bytes(sound)
        fd = os.open(tmp_path / "raw", os.O_RDONLY)
        assert b"".join(await _all(PipeSource(fd))) == sound
        os.close(fd)

    asyncio.run(scenario())


def test_sound_that_waits_wakes_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        (tmp_path / "raw").write_bytes(bytes(30 * 1_920))
        fd = os.open(tmp_path / "raw", os.O_RDONLY)
        source = PipeSource(fd)
        await asyncio.to_thread(_until, source._frames.full)
        woken: list[object] = []
        wake = source._loop.call_soon_threadsafe

        def counted(*args: Any) -> None:
            woken.append(args)
            wake(*args)

        with monkeypatch.context() as patched:
            patched.setattr(source._loop, "call_soon_threadsafe", counted)
            assert len(await _all(source)) == 30
        assert len(woken) < 10  # a busy machine's thread may come late
        os.close(fd)

    asyncio.run(scenario())


def _until(come: Callable[[], bool]) -> None:
    while not come():
        time.sleep(0.001)


def test_a_terminal_is_read_like_a_pipe() -> None:
    async def scenario() -> None:
        main, side = os.openpty()
        os.write(main, b"ab\n\x04")  # a line and the end of file
        frames = await _all(PipeSource(side))
        assert frames == [b"ab\n".ljust(1_920, b"\0")]
        os.close(main)
        os.close(side)

    asyncio.run(scenario())


def test_sound_that_trickles_in_is_put_together() -> None:
    async def scenario() -> None:
        reader, writer = os.pipe()
        source = PipeSource(reader)
        os.write(writer, b"a" * 1_000)
        async with asyncio.TaskGroup() as tasks:
            first = tasks.create_task(source.read())
            await asyncio.sleep(0)
            os.write(writer, b"b" * 1_000)
        assert first.result() == b"a" * 1_000 + b"b" * 920
        os.close(writer)
        assert await _all(source) == [b"b" * 80 + bytes(1_840)]
        os.close(reader)

    asyncio.run(scenario())


class _Stalling(asyncio.SelectorEventLoop):
    """A loop that can be made to have stood still."""

    stalled_s = 0.0

    def time(self) -> float:
        return super().time() + self.stalled_s


def test_what_a_stall_has_made_late_is_left_out(tmp_path: Path) -> None:
    async def scenario() -> None:
        numbered = [bytes([n]) * 1_920 for n in range(60)]
        (tmp_path / "raw").write_bytes(b"".join(numbered))
        fd = os.open(tmp_path / "raw", os.O_RDONLY)
        source = PipeSource(fd)
        frames = [await source.read()]
        loop.stalled_s += 0.61
        frames += await _all(source)
        assert source.skipped == 29
        assert len(frames) == 60 - 29
        assert frames == [frame for frame in numbered if frame in frames]
        os.close(fd)

    loop = _Stalling()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(scenario())


def test_after_a_stall_nothing_is_waited_for_to_be_left_out() -> None:
    async def scenario() -> None:
        reader, writer = os.pipe()
        source = PipeSource(reader)
        os.write(writer, b"a" * 1_920)
        assert await source.read() == b"a" * 1_920
        loop.stalled_s += 0.61
        os.write(writer, b"b" * 1_920)
        assert await source.read() == b"b" * 1_920
        assert source.skipped == 0
        os.close(writer)
        assert await _all(source) == []
        os.close(reader)

    loop = _Stalling()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(scenario())


def test_a_non_blocking_descriptor_is_waited_for() -> None:
    async def scenario() -> None:
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        source = PipeSource(reader)
        async with asyncio.TaskGroup() as tasks:
            first = tasks.create_task(source.read())
            await asyncio.sleep(0)
            os.write(writer, b"a" * 1_920)
        assert first.result() == b"a" * 1_920
        os.close(writer)
        assert await _all(source) == []
        os.close(reader)

    asyncio.run(scenario())


def test_a_closed_source_gives_no_more() -> None:
    async def scenario() -> None:
        reader, writer = os.pipe()
        os.write(writer, bytes(1_920))
        source = PipeSource(reader)
        source.close()
        assert await source.read() is None
        os.close(writer)

    asyncio.run(scenario())


def test_a_closed_descriptor_is_a_sound_error() -> None:
    async def scenario() -> None:
        reader, writer = os.pipe()
        os.close(reader)
        os.close(writer)
        with pytest.raises(SoundError, match="standard input is closed"):
            PipeSource(reader)
        with pytest.raises(SoundError, match="standard output is closed"):
            PipeSink(writer)

    asyncio.run(scenario())


def test_a_descriptor_that_cannot_be_read_ends_with_an_error(tmp_path: Path) -> None:
    async def scenario() -> None:
        fd = os.open(tmp_path, os.O_RDONLY)  # a directory
        source = PipeSource(fd)
        assert await source.read() is None
        assert isinstance(source.failed, SoundError)
        os.close(fd)

    asyncio.run(scenario())


def test_what_is_written_arrives_in_order() -> None:
    async def scenario() -> None:
        reader, writer = os.pipe()
        sink = PipeSink(writer)
        port: FrameSink = sink
        frames = [bytes([n]) * 1_920 for n in range(4)]
        for frame in frames:
            await port.wanted()
            port.write(frame)
        await sink.close()
        os.close(writer)
        with os.fdopen(reader, "rb") as file:
            assert file.read() == b"".join(frames)
        assert (sink.dropped, sink.failed) == (0, None)

    asyncio.run(scenario())


def test_a_slow_reader_loses_the_oldest_sound() -> None:
    async def scenario() -> None:
        reader, writer = os.pipe()
        sink = PipeSink(writer)
        frames = [bytes([n]) * 1_920 for n in range(100)]
        for frame in frames:
            sink.write(frame)
        got = bytearray()

        def drain() -> None:
            while piece := os.read(reader, 65_536):
                got.extend(piece)

        thread = threading.Thread(target=drain)
        thread.start()
        await sink.close()
        os.close(writer)
        thread.join()
        os.close(reader)
        assert sink.dropped > 80
        assert len(got) == (100 - sink.dropped) * 1_920
        assert bytes(got).endswith(b"".join(frames[-4:]))

    asyncio.run(scenario())


async def _write_on(sink: FrameSink) -> None:
    while True:
        await sink.wanted()
        sink.write(bytes(1_920))


def test_a_reader_that_is_gone_ends_the_call() -> None:
    async def scenario() -> None:
        reader, writer = os.pipe()
        sink = PipeSink(writer)
        os.close(reader)
        with pytest.raises(SoundError, match="Broken pipe"):
            await _write_on(sink)
        assert sink.failed
        await sink.close()
        os.close(writer)

    asyncio.run(scenario())
