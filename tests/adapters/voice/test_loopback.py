import asyncio

from tests.support.virtual_time import run
from wzp_cli.adapters.voice.loopback import Loopback
from wzp_cli.ports import Sound


def frame(n: int) -> bytes:
    return bytes([n]) * 1_920


def test_what_is_written_is_read_at_the_same_pace() -> None:
    async def scenario() -> None:
        loopback = Loopback()
        sound: Sound = loopback
        loop = asyncio.get_running_loop()
        read: list[tuple[float, bytes]] = []

        async def listen() -> None:
            while True:
                pcm = await sound.source.read()
                assert pcm is not None
                read.append((round(loop.time() - began, 3), pcm))

        began = loop.time()
        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(listen())
            for n in range(50):
                await sound.sink.wanted()
                sound.sink.write(frame(n))
            await asyncio.sleep(0)
            listening.cancel()
        assert read == [(round(n * 0.02, 3), frame(n)) for n in range(49)] or read == [
            (round(n * 0.02, 3), frame(n)) for n in range(50)
        ]
        assert loopback.dropped == 0
        assert sound.failed is None

    run(scenario())


def test_what_nobody_reads_drops_the_oldest() -> None:
    async def scenario() -> None:
        loopback = Loopback()
        for n in range(8):
            loopback.write(frame(n))
        assert loopback.dropped == 3
        assert await loopback.read() == frame(3)

    asyncio.run(scenario())
