"""An answered call, the same for both sides: sound, routes, statistics, hang-up."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from wzp_cli.concurrency import task_group
from wzp_cli.defaults.media import STATS_INTERVAL_S
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.errors import ConnectionLost, RemoteProtocolError, SoundError, WzpError
from wzp_cli.events import (
    Frames,
    Hangup,
    HeardByPeer,
    Judged,
    MediaStarted,
    PathName,
    PathSpan,
    Report,
    Stats,
    Warned,
)
from wzp_cli.ports import Codec, OpenRecording, OpenSound, Recording, Sound
from wzp_cli.protocol.messages.peer import (
    Cancel,
    Candidates,
    Goodbye,
    Hold,
    Opened,
    Quality,
    Relayed,
    Searching,
)
from wzp_cli.protocol.names.text import clean
from wzp_cli.services.calls.call_controls import CallControls, HeardSink, SpokenSource
from wzp_cli.services.conversation import Conversation
from wzp_cli.services.routes.candidates import RoutePlan
from wzp_cli.services.routes.paths import RouteTaker
from wzp_cli.services.sound.feedback import Feedback
from wzp_cli.services.sound.media import MediaSnapshot, MediaStream

__all__ = ["CallOutcome", "EndOfCall", "TalkSettings", "talk"]

Side = Literal["local", "peer", "network"]


@dataclass(frozen=True, slots=True)
class TalkSettings:
    """How one answered call goes.

    Attributes:
        duration_s: Hang up after so long; None: when somebody does.
        ends_with_source: Hang up when the sound source ends (a file).
        setup_ms: How long the call took to be answered; None where we were called.
        on_outcome: Takes what the call was, also when it is cancelled.
        on_controls: Takes the call's switches as it begins.
        open_recording: Begins to record the call; None: it is not recorded.
    """

    duration_s: float | None = None
    ends_with_source: bool = False
    setup_ms: float | None = None
    on_outcome: "Callable[[CallOutcome], None]" = lambda outcome: None
    on_controls: Callable[[CallControls], None] = lambda controls: None
    open_recording: OpenRecording | None = None


@dataclass(frozen=True, slots=True)
class EndOfCall:
    """Who ended the call, and why."""

    by: Side
    reason: str


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """What a call was. Times count from the answer, but for `setup_ms`."""

    peer: str
    end: EndOfCall
    path: PathName
    paths: list[PathSpan]
    setup_ms: float | None
    first_audio_ms: float | None
    time_to_direct_ms: float | None
    why_not_direct: str | None
    remote: str
    rtt_ms: float | None
    frames: Frames
    quality: MediaSnapshot
    heard_by_peer: HeardByPeer | None
    verdict: Judged


async def talk(
    endpoint: Endpoint,
    conversation: Conversation,
    plan: RoutePlan,
    open_sound: OpenSound,
    codec: Codec,
    settings: TalkSettings,
    report: Report,
) -> CallOutcome:
    """Carry sound from the answer to the end of the call, whoever ends it.

    Cancelling hangs up: the peer is told before the cancellation goes on.

    Raises:
        SoundError: The device did not open; the peer is told.
    """
    routes = RouteTaker(endpoint, conversation, plan, report)
    try:
        record = settings.open_recording or _no_recording
        async with open_sound() as sound, record() as recording:
            call = _Call(
                endpoint,
                conversation,
                routes,
                sound,
                recording,
                codec,
                settings,
                report,
            )
            settings.on_controls(call.controls)
            return await call.run()
    except BaseException:
        await conversation.hang_up("failed")
        raise
    finally:
        routes.close()


class _Unrecorded:
    def said(self, pcm: bytes) -> None:
        """Keep nothing."""

    heard = said


@asynccontextmanager
async def _no_recording() -> AsyncIterator[Recording]:
    yield _Unrecorded()


@dataclass
class _Call:
    endpoint: Endpoint
    conversation: Conversation
    routes: RouteTaker
    sound: Sound
    recording: Recording
    codec: Codec
    settings: TalkSettings
    report: Report
    first_audio_ms: float | None = None
    _ended: "asyncio.Future[EndOfCall]" = field(init=False)
    _stop_sound: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._answered_at = self.endpoint.now()
        self._ended = asyncio.get_running_loop().create_future()
        self.controls = CallControls(
            self.report,
            tell_peer=lambda held: self.conversation.try_to_say(Hold(on=held)),
            hang_up=lambda: self._end("local", "hung up"),
        )
        self.media = MediaStream(
            self.conversation.link,
            SpokenSource(self.sound.source, self.controls, self.recording),
            HeardSink(self.sound.sink, self.controls, self.recording),
            self.codec,
            on_first_sound=self._heard,
        )
        self.feedback = Feedback(
            self.conversation, self.media, self.codec, self.routes.be_thrifty
        )

    async def run(self) -> CallOutcome:
        self.routes.offer()
        try:
            async with task_group() as group:
                sound = group.create_task(self._carry_sound())
                others = [
                    group.create_task(work)
                    for work in (
                        self._listen(),
                        self.routes.run(),
                        self._report_stats(),
                        self.feedback.run(),
                        self._watch_source(),
                        self._watch_clock(),
                    )
                ]
                end = await self._ended
                self._stop_sound.set()
                if end.by == "local":
                    self.conversation.try_to_say(Goodbye(reason=end.reason))
                await sound
                for task in others:
                    task.cancel()
        except asyncio.CancelledError:
            self._settle(EndOfCall("local", "hung up"))
            await self.conversation.hang_up("hung up")
            raise
        await self.conversation.leave()
        return self._settle(end)

    # -- what may end a call

    async def _carry_sound(self) -> None:
        try:
            await self.media.run(self._stop_sound)
        except ConnectionLost as error:
            self._end("network", f"the peer is gone: {clean(str(error))}")
        except SoundError as error:
            self._end("local", str(error))

    async def _listen(self) -> None:
        try:
            while True:
                match await self.conversation.heard():
                    case (Candidates() | Opened() | Searching() | Relayed()) as message:
                        self.routes.take(message)
                    case Hold(on=on):
                        self.controls.peer_holds(on)
                    case Quality() as quality:
                        self.feedback.take(quality)
                    case Goodbye(reason=reason) | Cancel(reason=reason):
                        self._end("peer", clean(reason))
        except RemoteProtocolError as error:
            self._end("network", clean(str(error)))
        except WzpError as error:  # whatever code the peer closed the link with
            self._end("network", f"the peer is gone: {clean(str(error))}")

    async def _watch_source(self) -> None:
        await self.media.source_ended.wait()
        if self.sound.failed is not None:
            self.report(
                Warned(code=self.sound.failed.code, message=str(self.sound.failed))
            )
        if self.settings.ends_with_source:
            self._end("local", "end of the recording")

    async def _watch_clock(self) -> None:
        if self.settings.duration_s is not None:
            await asyncio.sleep(self.settings.duration_s)
            self._end("local", "time is up")

    def _end(self, by: Side, reason: str) -> None:
        if not self._ended.done():
            self._ended.set_result(EndOfCall(by, reason))

    # -- what is told

    async def _report_stats(self) -> None:
        while True:
            await asyncio.sleep(STATS_INTERVAL_S)
            rtt_ms = self.routes.rtt_ms
            now = self.media.snapshot(rtt_ms)
            self.report(
                Stats(
                    path=self.routes.path,
                    rtt_ms=_rounded(rtt_ms),
                    loss_pct=round(now.loss_pct, 2),
                    jitter_ms=round(now.jitter_ms, 2),
                    buffer_ms=round(now.buffer_ms, 1),
                    concealed_ms=now.concealed_ms,
                    tx_bps=now.tx_bps,
                    rx_bps=now.rx_bps,
                    mos_est=_rounded(now.mos_est, 2),
                    recovered_ms=now.recovered_ms,
                    heard_by_peer=self.feedback.heard_by_peer(rtt_ms),
                )
            )

    def _heard(self) -> None:
        elapsed_ms = (self.endpoint.now() - self._answered_at) * 1000
        self.first_audio_ms = round(elapsed_ms, 1)
        self.report(MediaStarted(first_audio_ms=self.first_audio_ms))

    def _settle(self, end: EndOfCall) -> CallOutcome:
        self.report(Hangup(reason=end.reason, by=end.by))
        outcome = self._outcome(end)
        self.report(outcome.verdict)
        self.settings.on_outcome(outcome)
        return outcome

    def _outcome(self, end: EndOfCall) -> CallOutcome:
        rtt_ms = self.routes.rtt_ms
        return CallOutcome(
            peer=str(self.conversation.peer),
            end=end,
            path=self.routes.path,
            paths=self.routes.spans,
            setup_ms=self.settings.setup_ms,
            first_audio_ms=self.first_audio_ms,
            time_to_direct_ms=self.routes.time_to_direct_ms,
            why_not_direct=self.routes.why_not_direct,
            remote=self.routes.remote,
            rtt_ms=_rounded(rtt_ms),
            frames=self.media.frames,
            quality=self.media.summary(rtt_ms),
            heard_by_peer=self.feedback.summary(rtt_ms),
            verdict=self.feedback.verdict(rtt_ms),
        )


def _rounded(value: float | None, digits: int = 1) -> float | None:
    return None if value is None else round(value, digits)
