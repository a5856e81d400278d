"""Both directions of a call tell each other how they arrive, and send accordingly.

    our ears    --reports-->   the peer's control   -->  how the peer sends
    our control <--reports--   the peer's ears

Small reports go in datagrams beside the media, up to each 60 ms. `quality`, on the
link's stream, is for the statistics: each second, and at once where loss begins; never
at once into a queue, but where an older peer does not know the small ones (`features`
of its hello). One that does not know payload type 112 is sent plain frames throughout.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from wzp_cli.defaults.control import (
    QUALITY_PAUSE_S,
    QUEUE_FULL_MS,
)
from wzp_cli.defaults.media import (
    MEDIA_FRAME_MS,
    QUALITY_MAX_QUEUE_MS,
    STATS_INTERVAL_S,
)
from wzp_cli.defaults.paths import THRIFTY_S
from wzp_cli.events import HeardByPeer, Judged
from wzp_cli.ports import Codec
from wzp_cli.protocol.media.adaptation.control import SendControl
from wzp_cli.protocol.media.adaptation.reception import Received
from wzp_cli.protocol.media.adaptation.report import Report, ReportReader
from wzp_cli.protocol.media.quality import (
    Hearing,
    Verdict,
    estimate_mos,
    judge,
    mouth_to_ear_ms,
)
from wzp_cli.protocol.messages.peer import QUICK_REPORTS, REDUNDANCY, Quality
from wzp_cli.services.conversation import Conversation
from wzp_cli.services.sound.media import MediaStream

__all__ = ["Feedback"]


class Feedback:
    """The reports of one call, and what follows from those of the peer."""

    def __init__(
        self,
        conversation: Conversation,
        media: MediaStream,
        codec: Codec,
        on_narrow: Callable[[bool], None],
    ) -> None:
        """Begin; `on_narrow` is called with whether the link is narrow either way."""
        self._on_narrow = on_narrow
        self._conversation = conversation
        self._media = media
        self._control = SendControl(codec.bitrates_bps)
        self._narrow_until = 0.0
        self._queued = False
        self._second = self._whole = _Tally()
        self._may_adapt = REDUNDANCY in conversation.features
        self._reader = ReportReader()
        media.reports = QUICK_REPORTS in conversation.features
        media.on_report = self._take_report
        if self._may_adapt:
            media.send_as(self._control.sending)

    async def run(self) -> None:
        """Tell the peer how it arrives, until cancelled."""
        while True:
            await asyncio.sleep(QUALITY_PAUSE_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(STATS_INTERVAL_S - QUALITY_PAUSE_S):
                    await self._media.news.wait()
            self._look_at_queue()
            self._conversation.try_to_say(self._media.report())

    def take(self, quality: Quality) -> None:
        """Take the peer's message: send as it asks for, if it reports no other way."""
        self._second = self._second.plus(quality)
        self._whole = self._whole.plus(quality)
        if not self._media.reports:
            self._heed(
                Received(quality.expected, quality.lost, quality.gaps, quality.queue_ms)
            )

    def heard_by_peer(self, rtt_ms: float | None) -> HeardByPeer | None:
        """Return how the peer heard us since this was asked last; None: untold."""
        second, self._second = self._second, _Tally()
        return second.heard(rtt_ms)

    def summary(self, rtt_ms: float | None) -> HeardByPeer | None:
        """Return how the peer heard us in the whole call."""
        return self._whole.heard(rtt_ms)

    def verdict(self, rtt_ms: float | None) -> Judged:
        """Return the verdict on what we heard, and the peer's side if that is worse."""
        ours = self._media.summary(rtt_ms)
        if ours.concealed_pct is None:
            sentence = "Nothing was heard of the peer."
            return Judged(quality=None, limited_by=None, sentence=sentence)
        verdict = judge(
            Hearing(ours.loss_pct, ours.concealed_pct, ours.delay_ms, self._queued)
        )
        return Judged(
            quality=verdict.grade,
            limited_by=verdict.limited_by,
            sentence=verdict.sentence + self._theirs(verdict, rtt_ms),
        )

    def _take_report(self, report: Report) -> None:
        """Take the peer's small report: send as it asks for."""
        received = self._reader.read(report)
        if received is not None:
            self._heed(received)

    def _heed(self, received: Received) -> None:
        """Send as this asks for."""
        if not self._may_adapt or not received.expected:
            return
        queue_ms = max(0.0, received.queue_ms - self._media.lateness_ms)
        now = asyncio.get_running_loop().time()
        heard = replace(received, queue_ms=queue_ms)
        self._media.send_as(self._control.heard(heard, now))
        self._look_at_queue()

    def _theirs(self, ours: Verdict, rtt_ms: float | None) -> str:
        """Return what to add where the peer heard us worse than we heard it."""
        hearing = self._whole.hearing(rtt_ms, narrow=self._control.narrow)
        theirs = None if hearing is None else judge(hearing)
        if theirs is None or theirs.grade == ours.grade or theirs.mos >= ours.mos:
            return ""
        return f" At the peer's end: {theirs.sentence[0].lower()}{theirs.sentence[1:]}"

    def _look_at_queue(self) -> None:
        """Spare the link while either direction is narrow, and for a while after."""
        now = asyncio.get_running_loop().time()
        queues = self._media.queue_ms >= QUEUE_FULL_MS
        self._queued = self._queued or queues
        if queues or self._control.is_limited:
            self._narrow_until = now + THRIFTY_S
        self._on_narrow(self._control.holds_back or now < self._narrow_until)


@dataclass(frozen=True, slots=True)
class _Tally:
    """What the peer has told in some time."""

    expected: int = 0
    lost: int = 0
    concealed_ms: float = 0.0
    recovered_ms: float = 0.0
    buffer_ms: float = 0.0

    def plus(self, quality: Quality) -> "_Tally":
        return _Tally(
            self.expected + quality.expected,
            self.lost + quality.lost,
            self.concealed_ms + _possible(quality.concealed_ms),
            self.recovered_ms + _possible(quality.recovered_ms),
            _possible(quality.buffer_ms),
        )

    @property
    def concealed_pct(self) -> float:
        return min(100.0, 100 * self.concealed_ms / (self.expected * MEDIA_FRAME_MS))

    def hearing(self, rtt_ms: float | None, *, narrow: bool) -> Hearing | None:
        """How the peer heard us; None: it has told nothing."""
        if not self.expected:
            return None
        delay_ms = mouth_to_ear_ms(rtt_ms, self.buffer_ms)
        loss_pct = 100 * self.lost / self.expected
        return Hearing(loss_pct, self.concealed_pct, delay_ms, narrow)

    def heard(self, rtt_ms: float | None) -> HeardByPeer | None:
        """The same as an event has it."""
        hearing = self.hearing(rtt_ms, narrow=False)
        if hearing is None:
            return None
        mos = estimate_mos(hearing.concealed_pct, hearing.delay_ms)
        return HeardByPeer(
            loss_pct=round(hearing.loss_pct, 2),
            concealed_ms=self.concealed_ms,
            recovered_ms=self.recovered_ms,
            buffer_ms=self.buffer_ms,
            mos_est=round(mos, 2),
        )


def _possible(told_ms: float) -> float:
    """Return what a peer tells as a duration since its last report: it may lie."""
    return min(max(0.0, told_ms), QUALITY_MAX_QUEUE_MS)
