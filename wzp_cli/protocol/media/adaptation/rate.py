"""The wire rate that the link is thought to carry: down at once, up in steps.

    a call begins      at a rate that most links carry; after some frames without a
                         queue, all is allowed
    a queue that       what came through is measured, and less than that is sent: at
      grows, or loses    once, and least while the queue stands
    over 50 % loss,    the same, without a queue (a policer)
      or more of it
      after a rise
    no queue, for      one step up; if that was too much, a cut, and a longer wait
      a while

A cut for loss alone that does not lessen the loss is taken back, and not tried again.
"""

from collections import deque

from wzp_cli.defaults.control import (
    DRAIN_MAX_SHARE,
    LOSS_HOPELESS_PCT,
    QUEUE_BUCKET_S,
    QUEUE_EMPTY_MS,
    QUEUE_FULL_MS,
    QUEUE_GROWTH,
    QUEUE_STANDS_S,
    RATE_CALM_RATIO,
    RATE_DOUBT_PCT,
    RATE_DOUBT_S,
    RATE_FULL_RATIO,
    RATE_HEADROOM,
    RATE_IN_VAIN_RATIO,
    RATE_JUDGE_S,
    RATE_PATIENCE_MAX_S,
    RATE_PATIENCE_MIN_S,
    RATE_SENT_S,
    RATE_SETTLE_S,
    RATE_START_BPS,
    RATE_START_DOUBT_PCT,
    RATE_START_FRAMES,
    RATE_START_MAX_S,
    RATE_STARVED_RATIO,
    RATE_STEP_RATIO,
)
from wzp_cli.defaults.media import (
    STATS_INTERVAL_S,
)
from wzp_cli.protocol.media.adaptation.reception import Received
from wzp_cli.protocol.media.adaptation.sending import Sending

__all__ = ["Rate"]


class Rate:
    """How much may be sent. `now` is in seconds, never back.

    Attributes:
        limit_bps: The wire rate, with all headers.
        was_cut: Whether the link was ever found to be too narrow.
    """

    def __init__(self, least_bps: float, most_bps: float) -> None:
        """Begin cautiously, between these; a codec that can't: with all."""
        self._least_bps, self._most_bps = least_bps, most_bps
        steps_bps = [bps for bps in RATE_START_BPS if bps >= least_bps]
        self._steps = deque((*steps_bps, most_bps))
        self.limit_bps = self._steps.popleft()
        self.was_cut = False
        self._began_at: float | None = None
        self._quickest_ms = QUEUE_EMPTY_MS  # of the first frames: about 0
        self._frames = self._lost = 0  # since then, without a queue
        self._patience_s = RATE_PATIENCE_MIN_S
        self._rose_at: float | None = None
        self._loss_before = 0.0
        self._doubt_pct = RATE_DOUBT_PCT
        self._hopeless_pct = LOSS_HOPELESS_PCT
        self._cut_at_loss: float | None = None
        self._quiet_since = self._calm_since = 0.0
        self._settled_at = 0.0
        self._sent: deque[tuple[float, float]] = deque()
        self._stood = False
        self._queues: deque[tuple[float, float]] = deque()  # when, ms
        self._cut_from_bps = 0.0
        self._queue_ms = 0.0
        self._last: tuple[float, float] | None = None  # when, queue in ms

    @property
    def allowed_bps(self) -> float:
        """The rate for now: a queue that stands has to drain, in a second or so."""
        queue_s = self._queue_ms / 1000
        if self.holds_back:
            return self._least_bps
        drains = self.is_limited and 1000 * queue_s >= QUEUE_FULL_MS
        return self.limit_bps * (1 - min(queue_s, DRAIN_MAX_SHARE) * drains)

    @property
    def is_starting(self) -> bool:
        """The call has just begun: it is not known what the link carries."""
        return bool(self._steps)

    @property
    def holds_back(self) -> bool:
        """The call has just begun, and there is a queue."""
        return self.is_starting and self._queue_ms >= QUEUE_EMPTY_MS

    @property
    def settled_at(self) -> float:
        """When the effect of the last cut is there."""
        return self._settled_at

    @property
    def is_limited(self) -> bool:
        """Whether the link is thought to carry less than we would send."""
        return self.limit_bps < self._most_bps and not self.is_starting

    def fits(self, sending: Sending) -> bool:
        """Whether so much may be sent now."""
        return sending.wire_bps <= self.allowed_bps

    def heard(
        self, received: Received, loss: float, sent_bps: float, now: float
    ) -> bool:
        """Cut the rate where the link is too narrow for it; whether it was.

        Args:
            received: The peer's report.
            loss: The share lost of the last seconds' frames, 0 to 1.
            sent_bps: The wire rate that was sent at.
            now: When the report came.
        """
        self._undo_in_vain(loss, now)
        self._refine(received, now)
        self._queue_ms = received.queue_ms
        growth = self._growth(received.queue_ms, now)
        if self.is_starting:
            return self._start(received, now)
        grows = growth > QUEUE_GROWTH or received.lost > 0
        full = (received.carried_bps or 0.0) < RATE_FULL_RATIO * sent_bps
        too_much = (
            100 * loss > self._hopeless_pct
            or (received.queue_ms >= QUEUE_FULL_MS and grows and full)
            or self._rise_was_too_much(loss, now)
            or self._starves(received, loss, sent_bps, now)
        )
        stands = self._stands(received.queue_ms, now)
        self._calm_since = now if too_much else self._calm_since
        self._quiet_since = now if too_much or stands else self._quiet_since
        if not too_much or now < self._due_at(received):
            return False
        self._cut(received, loss, sent_bps / (1 + max(0.0, growth)), now)
        return True

    def may_rise(self, now: float) -> bool:
        """Whether the queue has been empty for long enough to try more.

        Or has at least not grown for longer: jitter may look like one.
        """
        calm_s = (now - self._calm_since) / RATE_CALM_RATIO
        quiet_s = max(now - self._quiet_since, calm_s)
        return self.is_limited and quiet_s >= self._patience_s

    def rise(self, loss: float, now: float) -> None:
        """Try one step more."""
        self._cut_at_loss = None
        self._rise_to(RATE_STEP_RATIO * self.limit_bps, loss, now)
        self._doubt_pct = RATE_DOUBT_PCT

    def _start(self, received: Received, now: float) -> bool:
        """Allow all once some frames came through without a queue; whether one is left.

        What stands in the queue at first is the handshake, mostly.
        """
        self._began_at = now if self._began_at is None else self._began_at
        grows = self._growth(received.queue_ms, now) > QUEUE_GROWTH
        if received.queue_ms >= QUEUE_FULL_MS and grows and len(self._steps) == 1:
            self._steps.clear()
            self._cut(received, 0.0, self.limit_bps, now)
            return True
        if received.queue_ms >= QUEUE_EMPTY_MS or self._drains(received):
            self._frames = self._lost = 0
            if now - self._began_at < RATE_START_MAX_S:
                return True
            self._steps = deque([self._most_bps])
        else:
            self._frames += received.expected
            self._lost += received.lost
            if self._frames < RATE_START_FRAMES:
                return False
            if self._lost:  # without a queue: the link loses, and copies are wanted
                self._steps = deque([self._most_bps])
        self._doubt_pct = RATE_START_DOUBT_PCT
        self._rise_to(self._steps.popleft(), self._lost / max(1, self._frames), now)
        self._frames = self._lost = 0
        return False

    def _drains(self, received: Received) -> bool:
        """Whether frames still get quicker: what is there is less of a queue."""
        transit_ms = received.transit_ms
        if transit_ms is None or transit_ms > self._quickest_ms - QUEUE_EMPTY_MS / 2:
            return False
        self._quickest_ms = transit_ms
        return True

    def _rise_to(self, bps: float, loss: float, now: float) -> None:
        self._loss_before = loss
        self.limit_bps = min(bps, self._most_bps)
        self._rose_at = self._quiet_since = self._calm_since = now

    def _cut(
        self, received: Received, loss: float, carried_bps: float, now: float
    ) -> None:
        """Send less than what came through: measured, or else what should have."""
        queues = received.queue_ms >= QUEUE_FULL_MS
        carried_bps *= 1 - loss
        if received.queue_ms >= QUEUE_EMPTY_MS and received.carried_bps is not None:
            carried_bps = received.carried_bps
        self._cut_from_bps = self.limit_bps
        limit_bps = RATE_HEADROOM * min(carried_bps, self.limit_bps)
        self.limit_bps = max(limit_bps, self._least_bps)
        self._settled_at = now + RATE_SETTLE_S
        self._cut_at_loss = None if queues else loss
        self._be_patient(now)
        self.was_cut = True

    def _stands(self, queue_ms: float, now: float) -> bool:
        """Whether a queue was there in each report of the last moments."""
        self._queues.append((now, queue_ms))
        while self._queues[0][0] < now - QUEUE_STANDS_S:
            self._queues.popleft()
        return min(queue_ms for _, queue_ms in self._queues) >= QUEUE_EMPTY_MS

    def _starves(
        self, received: Received, loss: float, sent_bps: float, now: float
    ) -> bool:
        """Whether a link that is full all the time hides how long its queue is."""
        self._sent.append((now, sent_bps))
        while self._sent[0][0] < now - RATE_SENT_S:
            self._sent.popleft()
        stood, self._stood = self._stood, received.queue_ms >= QUEUE_EMPTY_MS
        if received.carried_bps is None or self._hopeless_pct == 100.0:
            return False
        least_bps = RATE_STARVED_RATIO * min(bps for _, bps in self._sent)
        stands = stood and self._stood and loss > 0
        return stands and received.carried_bps < least_bps

    def _due_at(self, received: Received) -> float:
        """When the next cut may be: one for loss alone has to be judged first."""
        is_judged = self._cut_at_loss is None or received.queue_ms >= QUEUE_EMPTY_MS
        return self._settled_at + (0.0 if is_judged else RATE_JUDGE_S)

    def _refine(self, received: Received, now: float) -> None:
        """Right after a cut, the queue is sure to fill the link: believe what it says.

        As the queue began, part of what was measured was from before.
        """
        if now < self._settled_at and received.queue_ms >= QUEUE_FULL_MS:
            carried_bps = RATE_HEADROOM * (received.carried_bps or 0.0)
            self.limit_bps = min(max(self.limit_bps, carried_bps), self._cut_from_bps)

    def _rise_was_too_much(self, loss: float, now: float) -> bool:
        """Whether loss has come with the last rise: no queue tells of a policer."""
        fresh = self._rose_at is not None and now - self._rose_at < RATE_DOUBT_S
        return fresh and 100 * (loss - self._loss_before) > self._doubt_pct

    def _undo_in_vain(self, loss: float, now: float) -> None:
        """Take a cut back that changed nothing: the link loses, at any rate."""
        if self._cut_at_loss is None or now < self._settled_at + RATE_JUDGE_S:
            return
        if loss > RATE_IN_VAIN_RATIO * self._cut_at_loss:
            self.limit_bps, self._hopeless_pct = self._most_bps, 100.0
            self._rose_at = self._cut_at_loss = None

    def _be_patient(self, now: float) -> None:
        """Wait twice as long where a rise was too much; as at first where it held."""
        held = self._rose_at is None or now - self._rose_at > self._patience_s
        longer_s = min(2 * self._patience_s, RATE_PATIENCE_MAX_S)
        self._patience_s = RATE_PATIENCE_MIN_S if held else longer_s

    def _growth(self, queue_ms: float, now: float) -> float:
        """How fast the queue grows, in seconds a second."""
        if self._last is None:  # it began empty, a report ago
            self._last = now - STATS_INTERVAL_S, 0.0
        elapsed_s = now - self._last[0]
        growth = (queue_ms - self._last[1]) / 1000 / elapsed_s if elapsed_s else 0.0
        if elapsed_s >= QUEUE_BUCKET_S:
            self._last = now, queue_ms
        return growth
