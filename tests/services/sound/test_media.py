"""Two media streams talk over a link that is lossy, jittery and kept in memory.

Time is virtual: the event loop jumps to its next timer instead of waiting for it.
"""

import array
import asyncio
import itertools
import math
import random
import selectors
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest

from wzp_cli.adapters.codecs.g711 import G711Codec
from wzp_cli.adapters.codecs.opus import open_opus
from wzp_cli.defaults.media import MEDIA_FRAME_BYTES, MEDIA_FRAME_SAMPLES
from wzp_cli.errors import ConnectionLost, SoundError
from wzp_cli.events import Frames
from wzp_cli.ports import Codec
from wzp_cli.protocol.media.adaptation.sending import PLAIN, Sending
from wzp_cli.protocol.media.playout.jitter import Playout
from wzp_cli.protocol.media.rtp import MediaPacket, encode
from wzp_cli.services.sound.media import MediaStream

FRAME_S = 0.020
SILENCE = bytes(MEDIA_FRAME_BYTES)
CONCEALED = b"\xff" * MEDIA_FRAME_BYTES


class JumpingSelector(selectors.DefaultSelector):
    """Where a loop would wait, this one says that the time has passed."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "everybody waits for nothing"
        self.now_s += max(0.0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.selector = JumpingSelector()
        super().__init__(self.selector)

    def time(self) -> float:
        return self.selector.now_s


def in_virtual_time(scenario: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(scenario)


def now() -> float:
    return asyncio.get_running_loop().time()


class PlainCodec:
    """PCM through, so that the test can see which frame is which."""

    name = "plain"
    payload_type = 111
    bitrates_bps: tuple[int, ...] = (24_000, 16_000)
    bitrate_bps = 24_000

    def encode(self, pcm: bytes) -> bytes:
        return pcm

    def decode(self, packet: bytes) -> bytes:
        return packet

    def conceal(self) -> bytes:
        return CONCEALED


def sound(number: int) -> bytes:
    """A frame that says its number, 1 and up."""
    return number.to_bytes(2, "little") * MEDIA_FRAME_SAMPLES


class Mouth:
    """Says so many frames at the beat and ends."""

    def __init__(
        self, frames: int, make: Callable[[int], bytes] = sound, phase_s: float = 0.0
    ) -> None:
        self.said_s: dict[int, float] = {}
        self._frames, self._make, self._phase_s = frames, make, phase_s
        self._number = 0

    async def read(self) -> bytes | None:
        await asyncio.sleep(self._phase_s + self._number * FRAME_S - now())
        self._number += 1
        if self._number > self._frames:
            return None
        self.said_s[self._number] = now()
        return self._make(self._number)


class Ear:
    """Wants a frame at each beat and keeps what it hears, with the moment."""

    def __init__(self, phase_s: float = 0.013) -> None:
        self.heard: list[tuple[float, bytes]] = []
        self._phase_s, self._beat = phase_s, 0

    async def wanted(self) -> None:
        await asyncio.sleep(self._phase_s + self._beat * FRAME_S - now())
        self._beat += 1

    def write(self, pcm: bytes) -> None:
        assert len(pcm) == MEDIA_FRAME_BYTES
        self.heard.append((now(), pcm))

    def numbers(self) -> list[int]:
        """The frames heard, without silence and concealment."""
        return [number for number, _ in self.starts_s()]

    def starts_s(self) -> list[tuple[int, float]]:
        """The frames heard and when each began: not at a beat, if some were shorter."""
        starts, at = [], 0
        pcm = array.array("H", b"".join(pcm for _, pcm in self.heard))
        for number, run in itertools.groupby(pcm):
            if number not in (0, 0xFFFF):
                beat, within = divmod(at, MEDIA_FRAME_SAMPLES)
                starts.append((number, self.heard[beat][0] + within / 48_000))
            at += sum(1 for _ in run)
        return starts


@dataclass
class Wire:
    """One end of a link. `trip` gives the seconds a datagram travels; None: lost."""

    trip: Callable[[], float | None] = lambda: 0.030
    over: bool = False
    acks_wait_s: float = 0.0

    def __post_init__(self) -> None:
        self.sink: Callable[[bytes], None] = lambda payload: None
        self.far = self

    def send_datagram(self, payload: bytes, *beside: bytes) -> None:
        if self.over:
            raise ConnectionLost("over")
        trip_s = self.trip()
        if trip_s is not None:
            loop = asyncio.get_running_loop()
            for each in (*beside, payload):
                loop.call_later(trip_s, self.far.sink, each)

    def let_acks_wait(self, seconds: float) -> None:
        self.acks_wait_s = seconds

    def receive_datagrams(self, sink: Callable[[bytes], None]) -> None:
        self.sink = sink


def wires(trip: Callable[[], float | None] = lambda: 0.030) -> tuple[Wire, Wire]:
    """Two ends; `trip` is how datagrams travel from the first to the second."""
    one, two = Wire(trip), Wire()
    one.far, two.far = two, one
    return one, two


@dataclass
class Talk:
    """What came of one side speaking and the other listening."""

    mouth: Mouth
    ear: Ear
    speaker: MediaStream
    listener: MediaStream
    sent: Frames
    heard: Frames

    def delays_ms(self) -> list[float]:
        said_s = self.mouth.said_s
        return [1000 * (at - said_s[number]) for number, at in self.ear.starts_s()]


async def talk(
    frames: int,
    trip: Callable[[], float | None] = lambda: 0.030,
    codec: Callable[[], Codec] = PlainCodec,
    make: Callable[[int], bytes] = sound,
    sending: Sending = PLAIN,
) -> Talk:
    """Say so many frames one way over a link, until the source has ended."""
    one, two = wires(trip)
    mouth, ear = Mouth(frames, make), Ear()
    speaker = MediaStream(one, mouth, Ear(), codec())
    listener = MediaStream(two, Mouth(frames + 100, make), ear, codec())
    speaker.send_as(sending)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        said = group.create_task(speaker.run(stop))
        heard = group.create_task(listener.run(stop))
        await speaker.source_ended.wait()
        await asyncio.sleep(0.030 - 0.001)  # the last one is under way or stored
        stop.set()
    return Talk(mouth, ear, speaker, listener, said.result(), heard.result())


def test_all_frames_come_out_in_order_and_the_stored_ones_too() -> None:
    async def scenario() -> None:
        done = await talk(200)
        assert done.ear.numbers() == list(range(1, 201))
        assert done.sent.sent in (201, 202), "and silence at the end"
        assert (done.heard.concealed, done.heard.late) == (0, 0)
        assert max(done.delays_ms()) <= 30 + 40, "the trip, and two frames at most"

    in_virtual_time(scenario())


def test_loss_is_concealed_and_counted() -> None:
    async def scenario() -> None:
        dice = random.Random(1)
        lost = 0

        def trip() -> float | None:
            nonlocal lost
            gone = dice.random() < 0.1
            lost += gone
            return None if gone else 0.030

        done = await talk(500, trip)
        numbers = done.ear.numbers()
        assert numbers == sorted(set(numbers))
        assert len(numbers) >= 500 - lost - 1, "at most one was left out"
        assert abs(done.heard.concealed - lost) <= 2
        summary = done.listener.summary(60)
        assert summary.loss_pct == pytest.approx(100 * lost / 500, abs=0.5)
        assert summary.mos_est is not None
        assert 1 < summary.mos_est < 3

    in_virtual_time(scenario())


def test_one_copy_makes_up_for_what_was_lost() -> None:
    async def scenario() -> None:
        dice = random.Random(1)
        trip = lambda: None if dice.random() < 0.1 else 0.030  # noqa: E731
        done = await talk(1000, trip, sending=Sending(copies=1))
        numbers = done.ear.numbers()
        assert numbers == sorted(set(numbers))
        assert done.heard.recovered == pytest.approx(90, abs=20)
        assert done.heard.concealed == pytest.approx(10, abs=10)
        assert done.listener.summary(60).loss_pct == pytest.approx(10, abs=2)

    in_virtual_time(scenario())


def test_copies_three_apart_make_up_for_bursts_of_three() -> None:
    async def scenario() -> None:
        sent = itertools.count()
        trip = lambda: None if next(sent) % 30 in (20, 21, 22) else 0.030  # noqa: E731
        done = await talk(1000, trip, sending=Sending(copies=1, spacing=3))
        assert done.heard.recovered == pytest.approx(100, abs=9)
        assert done.heard.concealed <= 9, "only while the buffer learns to wait"

    in_virtual_time(scenario())


def test_three_frames_in_a_packet_are_one_stream_without_loss() -> None:
    async def scenario() -> None:
        done = await talk(300, sending=Sending(frames=3))
        numbers = done.ear.numbers()
        assert numbers == sorted(set(numbers))
        assert len(numbers) >= 299, "at most one was left out to catch up"
        assert (done.heard.concealed, done.heard.recovered) == (0, 0)
        assert done.listener.summary(60).loss_pct == 0
        assert max(done.delays_ms()) <= 30 + 60 + 40

    in_virtual_time(scenario())


def test_jitter_delays_and_does_not_disorder() -> None:
    async def scenario() -> None:
        dice = random.Random(2)
        done = await talk(1500, lambda: 0.030 + dice.expovariate(1 / 0.020))
        numbers = done.ear.numbers()
        assert numbers == sorted(set(numbers))
        assert len(numbers) > 1500 * 0.96
        delays = sorted(done.delays_ms())
        assert delays[len(delays) // 2] <= 30 + 160
        assert 10 < done.listener.summary(None).jitter_ms < 40

    in_virtual_time(scenario())


@pytest.mark.parametrize("codec", [open_opus, G711Codec])
def test_a_tone_is_still_a_tone_after_a_real_codec(codec: Callable[[], Codec]) -> None:
    def tone(number: int) -> bytes:
        first = number * MEDIA_FRAME_SAMPLES
        turn = 2 * math.pi * 440 / 48_000
        wave = (8000 * math.sin(turn * (first + n)) for n in range(MEDIA_FRAME_SAMPLES))
        return array.array("h", map(round, wave)).tobytes()

    async def scenario() -> None:
        dice = random.Random(3)
        trip = lambda: None if dice.random() < 0.05 else 0.030  # noqa: E731
        done = await talk(150, trip, codec, tone)
        pcm = array.array("h", b"".join(pcm for _, pcm in done.ear.heard[20:140]))
        upward = sum(a < 0 <= b for a, b in itertools.pairwise(pcm))
        assert upward / (len(pcm) / 48_000) == pytest.approx(440, rel=0.03)
        loud = math.sqrt(sum(sample * sample for sample in pcm) / len(pcm))
        assert loud == pytest.approx(8000 / math.sqrt(2), rel=0.15)
        assert done.heard.concealed > 0

    in_virtual_time(scenario())


def test_a_snapshot_each_second_tells_of_that_second() -> None:
    async def scenario() -> None:
        one, two = wires(lambda: None if 3 <= now() < 3.2 else 0.030)
        speaker = MediaStream(one, Mouth(1000), Ear(), PlainCodec())
        listener = MediaStream(two, Mouth(1000), Ear(), PlainCodec())
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(speaker.run(stop))
            group.create_task(listener.run(stop))
            await asyncio.sleep(2)
            listener.snapshot(60)
            await asyncio.sleep(1)
            good = listener.snapshot(60)
            await asyncio.sleep(1)
            bad = listener.snapshot(60)
            stop.set()
        packet_bits = 8 * (13 + MEDIA_FRAME_BYTES)
        assert (good.loss_pct, good.concealed_ms) == (0, 0)
        assert good.tx_bps == pytest.approx(50 * packet_bits, rel=0.03)
        assert good.rx_bps == pytest.approx(50 * packet_bits, rel=0.03)
        assert 20 <= good.buffer_ms <= 60
        assert good.mos_est == pytest.approx(4.35, abs=0.01)
        assert bad.loss_pct == pytest.approx(20, abs=2)
        assert bad.concealed_ms == pytest.approx(200, abs=40)
        assert bad.mos_est is not None
        assert bad.mos_est < 2
        assert bad.frames.received < bad.frames.sent

    in_virtual_time(scenario())


def test_nothing_heard_has_no_estimate() -> None:
    async def scenario() -> None:
        stream = MediaStream(Wire(), Mouth(0), Ear(), PlainCodec())
        assert stream.snapshot(None).mos_est is None
        assert stream.snapshot(None).rx_bps == 0

    in_virtual_time(scenario())


def test_silence_follows_the_end_of_the_source_until_the_stop() -> None:
    async def scenario() -> None:
        one, two = wires()
        speaker = MediaStream(one, Mouth(50), Ear(), PlainCodec())
        ear = Ear()
        listener = MediaStream(two, Mouth(1000), ear, PlainCodec())
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(speaker.run(stop))
            group.create_task(listener.run(stop))
            await asyncio.sleep(5)
            stop.set()
        assert speaker.frames.sent == pytest.approx(250, abs=2)
        assert ear.numbers() == list(range(1, 51))
        assert listener.frames.concealed == 0
        assert listener.playout is Playout.PLAYING
        assert listener.snapshot(None).concealed_ms == 0

    in_virtual_time(scenario())


def test_first_sound_is_told_once() -> None:
    async def scenario() -> None:
        one, two = wires()
        told: list[float] = []
        speaker = MediaStream(one, Mouth(100), Ear(), PlainCodec())
        listener = MediaStream(
            two,
            Mouth(100),
            Ear(),
            PlainCodec(),
            on_first_sound=lambda: told.append(now()),
        )
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(speaker.run(stop))
            group.create_task(listener.run(stop))
            await asyncio.sleep(1)
            stop.set()
        assert len(told) == 1
        assert told[0] <= 0.030 + 0.040

    in_virtual_time(scenario())


def test_what_is_no_media_is_counted_and_dropped() -> None:
    async def scenario() -> None:
        one, two = wires()
        stream = MediaStream(two, Mouth(1000), Ear(), PlainCodec())
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(stream.run(stop))
            await asyncio.sleep(0.1)
            for payload in (b"", b"\7" * 40, encode(MediaPacket(1, 1, 0, b"pcmu"))):
                one.send_datagram(payload)
            await asyncio.sleep(0.1)
            stop.set()
        assert (stream.unreadable, stream.foreign) == (2, 1)
        assert stream.frames.received == 0

    in_virtual_time(scenario())


def test_after_the_stop_it_plays_what_is_stored_and_nothing_newer() -> None:
    async def scenario() -> None:
        one, two = wires(lambda: 0.0)
        ear = Ear()
        stream = MediaStream(two, Mouth(1000), ear, PlainCodec())
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(stream.run(stop))
            for number in range(1, 100):
                await asyncio.sleep(FRAME_S)
                if number == 50:
                    stop.set()
                one.send_datagram(
                    encode(MediaPacket(number, number * 960, 111, sound(number)))
                )
        assert ear.numbers() == list(range(1, 50))
        assert stream.frames.concealed == 0

    in_virtual_time(scenario())


def test_a_sink_that_hangs_does_not_hold_up_the_end() -> None:
    class Deaf(Ear):
        async def wanted(self) -> None:
            await asyncio.sleep(3600)

    async def scenario() -> None:
        one, two = wires()
        stop = asyncio.Event()
        stream = MediaStream(two, Mouth(1000), Deaf(), PlainCodec())
        async with asyncio.TaskGroup() as group:
            group.create_task(stream.run(stop))
            await asyncio.sleep(1)
            one.send_datagram(encode(MediaPacket(1, 1, 111, SILENCE)))
            stop.set()
        assert now() == pytest.approx(1.5, abs=0.01)

    in_virtual_time(scenario())


def test_the_end_of_the_link_is_one_plain_error() -> None:
    async def scenario() -> None:
        one, _ = wires()
        stream = MediaStream(one, Mouth(1000), Ear(), PlainCodec())
        asyncio.get_running_loop().call_later(1, setattr, one, "over", True)
        with pytest.raises(ConnectionLost):
            await stream.run(asyncio.Event())
        assert stream.frames.sent == pytest.approx(50, abs=1)

    in_virtual_time(scenario())


def test_a_broken_source_is_one_plain_error() -> None:
    class Broken(Mouth):
        async def read(self) -> bytes | None:
            raise SoundError("unplugged")

    async def scenario() -> None:
        stream = MediaStream(Wire(), Broken(0), Ear(), PlainCodec())
        with pytest.raises(SoundError, match="unplugged"):
            await stream.run(asyncio.Event())

    in_virtual_time(scenario())
