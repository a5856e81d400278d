"""The demo tells what held; here, above all, what did not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from tests.support.world import RELAY, World, scenario
from wzp_cli.adapters.codecs.g711 import G711Codec
from wzp_cli.adapters.sound import open_sound
from wzp_cli.adapters.sound_files.pace import NullSink, NullSource
from wzp_cli.defaults.media import MEDIA_FRAME_BYTES
from wzp_cli.defaults.program import DEMO_PAUSE_FRAMES, DEMO_RELAYED_MAX_FRAMES
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.errors import SoundError, WzpError
from wzp_cli.events import Event, Warned
from wzp_cli.ports import Codec, FrameSink, FrameSource, OpenSound, Sound
from wzp_cli.protocol.media.babble import babble
from wzp_cli.protocol.media.likeness import compare
from wzp_cli.relay.server import RelaySettings, run_relay
from wzp_cli.services.demo.report import DemoCall, DemoReport
from wzp_cli.services.demo.stage import DemoParts, Trio, demo
from wzp_cli.services.demo.tape import Words

SAID = babble()[: 40 * MEDIA_FRAME_BYTES]
RELAY_HOST, LISTENER_HOST, CALLER_HOST = "20.0.0.1", "20.0.0.2", "20.0.0.3"


@dataclass
class Ends:
    source: FrameSource = field(default_factory=NullSource)
    sink: FrameSink = field(default_factory=NullSink)
    failed: WzpError | None = None


class SlowSink(NullSink):
    """A device whose clock takes 60 ms for 20: two of three frames find no place."""

    async def wanted(self) -> None:
        for _ in range(3):
            await super().wanted()


class KeptSink(NullSink):
    def __init__(self) -> None:
        super().__init__()
        self.taken = bytearray()

    def write(self, pcm: bytes) -> None:
        self.taken += pcm


class LosingCodec(G711Codec):
    """Plays silence in place of every third packet."""

    count = 0

    def decode(self, packet: bytes) -> bytes:
        self.count += 1
        pcm = super().decode(packet)
        return pcm if self.count % 3 else bytes(MEDIA_FRAME_BYTES)


class BareCodec(G711Codec):
    """Its packets are what every frame of the relay's begins with: nothing hidden."""

    def encode(self, pcm: bytes) -> bytes:
        return b"\x08"


def opens(make: Callable[[], Sound]) -> OpenSound:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Sound]:
        yield make()

    return opened


async def serve(endpoint: Endpoint) -> None:
    await run_relay(endpoint, (), RelaySettings(), lambda event: None)


def parts(
    *,
    relay: Callable[[Endpoint], Awaitable[None]] = serve,
    codec: Callable[[], Codec] = G711Codec,
    words: OpenSound | None = None,
    heard: OpenSound | None = None,
) -> DemoParts:
    silence = opens(Ends)
    short = opens(lambda: Ends(source=Words(SAID)))
    return DemoParts(
        run_relay=relay,
        relay=RELAY,
        open_silence=silence,
        open_words=words or short,
        open_heard=heard or silence,
        open_codec=lambda name: (codec(), None),
    )


async def trio(world: World) -> Trio:
    world.name(RELAY.host, RELAY_HOST)
    return Trio(
        relay=await world.open_endpoint(world.net.host(RELAY_HOST), RELAY.port),
        listener=await world.open_endpoint(world.net.host(LISTENER_HOST), 5000),
        caller=await world.open_endpoint(world.net.host(CALLER_HOST), 5001),
    )


async def shown(
    world: World, wanted: DemoParts, told: list[Event] | None = None
) -> DemoReport:
    report = (lambda event: None) if told is None else told.append
    return await demo(await trio(world), wanted, report)


def both(report: DemoReport) -> tuple[DemoCall, DemoCall]:
    assert report.over_relay is not None
    assert report.direct is not None
    return report.over_relay, report.direct


@scenario
async def test_everything_holds(world: World) -> None:
    report = await shown(world, replace(parts(), open_words=None))
    over_relay, direct = both(report)
    assert report.problems == []
    assert over_relay.sent >= len(babble()) // MEDIA_FRAME_BYTES
    assert report.codec == "pcmu"
    assert over_relay.path == "relay"
    assert over_relay.time_to_direct_ms is None
    assert direct.path == "direct"
    assert direct.time_to_direct_ms is not None
    assert direct.remote == report.listener == f"{LISTENER_HOST}:5000"
    assert report.relay_datagrams > over_relay.sent
    assert report.relay_read_sound is False
    for call in (over_relay, direct):
        assert call.correlation is not None
        assert call.correlation > 0.95
        assert call.received == call.sent
        assert call.delay_ms is not None
        assert 30 < call.delay_ms < 120, "10 ms of network, 20 of frame, a buffer"


@scenario
async def test_nothing_is_left_behind(world: World) -> None:
    three = await trio(world)
    tasks = len(asyncio.all_tasks())
    await demo(three, parts(), lambda event: None)
    assert len(asyncio.all_tasks()) == tasks
    assert not three.caller.links
    assert not three.listener.links


@scenario
async def test_own_sound_is_sent_and_the_direct_call_is_heard(world: World) -> None:
    sink = KeptSink()
    report = await shown(world, parts(heard=opens(lambda: Ends(sink=sink))))
    assert report.problems == []
    assert [call.sent // 10 for call in both(report)] == [6, 6], "40, and the pauses"
    spoken = bytes(DEMO_PAUSE_FRAMES * MEDIA_FRAME_BYTES) + SAID
    assert compare(spoken, bytes(sink.taken)).correlation > 0.9


@scenario
async def test_a_long_recording_is_cut_short_over_the_relay(world: World) -> None:
    report = await shown(
        world, parts(words=opens(lambda: Ends(source=Words(3 * babble()))))
    )
    over_relay, direct = both(report)
    most = DEMO_RELAYED_MAX_FRAMES + 2 * DEMO_PAUSE_FRAMES
    assert most <= over_relay.sent < most + 10
    assert direct.sent > 342


@scenario
async def test_a_sink_that_loses_frames_is_told(world: World) -> None:
    slow = parts(heard=opens(lambda: Ends(sink=SlowSink())))
    report = await shown(world, slow)
    (problem,) = report.problems
    assert problem.startswith("sound sent directly was not heard as it was sent: corr")
    assert report.over_relay is not None
    assert report.over_relay.correlation is not None
    assert report.over_relay.correlation > 0.95


@scenario
async def test_a_codec_that_loses_frames_is_told(world: World) -> None:
    report = await shown(world, parts(codec=LosingCodec))
    assert [problem.partition(" was ")[0] for problem in report.problems] == [
        "sound sent over the relay",
        "sound sent directly",
    ]


@scenario
async def test_a_network_that_loses_frames_is_told(world: World) -> None:
    world.net.loss = 0.3
    assert (await shown(world, parts())).problems


@scenario
async def test_a_way_that_never_opens_is_told(world: World) -> None:
    world.net.cut(LISTENER_HOST, CALLER_HOST)
    report = await shown(world, parts())
    (problem,) = report.problems
    assert problem.startswith("the second call did not go direct: no answer from 20.")
    assert report.direct is not None
    assert report.direct.correlation is not None
    assert report.direct.correlation > 0.95, "the relay carried it"


@scenario
async def test_a_relay_that_is_silent_is_told(world: World) -> None:
    async def sleep(endpoint: Endpoint) -> None:
        await asyncio.Event().wait()

    report = await shown(world, parts(relay=sleep))
    assert report.problems == [
        "the calls could not be made: no answer from the relay "
        "(relay.example:4433 (20.0.0.1:4433))"
    ]
    assert (report.over_relay, report.direct) == (None, None)
    assert (report.codec, report.listener) == (None, None)
    assert report.relay_read_sound is None


@scenario
async def test_a_relay_that_could_listen_in_is_told(world: World) -> None:
    report = await shown(world, parts(codec=BareCodec))
    assert report.relay_read_sound is True
    assert "the relay could read sound that it passed on" in report.problems


@scenario
async def test_silence_is_no_proof(world: World) -> None:
    quiet = parts(words=opens(lambda: Ends(source=Words(bytes(20 * 1920)))))
    report = await shown(world, quiet)
    assert report.problems == [
        "only silence was sent over the relay: there is nothing to compare",
        "only silence was sent directly: there is nothing to compare",
    ]
    assert [call.correlation for call in both(report)] == [None, None]


@pytest.mark.parametrize("side", ["words", "heard"])
@scenario
async def test_a_device_that_does_not_open_is_told(world: World, side: str) -> None:
    @asynccontextmanager
    async def broken() -> AsyncIterator[Sound]:
        raise SoundError("it is gone")
        yield Ends()

    report = await shown(
        world, parts(words=broken) if side == "words" else parts(heard=broken)
    )
    assert report.direct is None
    assert any("it is gone" in problem for problem in report.problems)


@scenario
async def test_a_missing_codec_is_told_once(world: World) -> None:
    told: list[Event] = []
    poor = replace(parts(), open_codec=lambda name: (G711Codec(), "no libopus"))
    report = await shown(world, poor, told)
    assert report.problems == []
    assert told == [Warned(code="codec", message="no libopus")]


@scenario
async def test_the_sound_of_the_command_line_fits(world: World) -> None:
    quiet = replace(parts(), open_silence=lambda: open_sound("null", "null"))
    assert (await shown(world, quiet)).problems == []
