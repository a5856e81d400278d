"""What the peer reports becomes how we send: quick to more protection, slow back.

    report says           what it is                   what happens
    loss, no queue        the link loses packets       more copies at once (ladder.py)
    a queue that grows,   we send more than the link   the wire rate is cut below what
      or loses              carries                      came through, at once
    over 50 % loss, or    the same, without a queue    the same
      more after a rise
    a queue that stands   what was sent too much       less than that, until it is gone
    neither, for a while  the link is better again     one step up; if that was too
                                                         much, cut, and wait longer

A cut for loss alone that does not lessen the loss is taken back, and not tried again.
Loss while a queue stands is the queue's, and calls for no copies. Neither does a break
of the route: nothing that we could send would have come through.
"""

from collections import deque
from collections.abc import Sequence

from wzp_cli.defaults.media import (
    BURST_RATIO,
    COPY_REACH_MAX_FRAMES,
    DRAIN_MAX_SHARE,
    LOSS_CALM_S,
    LOSS_FAST_S,
    LOSS_HOPELESS_PCT,
    LOSS_MIN_FRAMES,
    LOSS_SLOW_S,
    QUEUE_BUCKET_S,
    QUEUE_EMPTY_MS,
    QUEUE_FULL_MS,
    QUEUE_GROWTH,
    RATE_DOUBT_PCT,
    RATE_DOUBT_S,
    RATE_HEADROOM,
    RATE_IN_VAIN_RATIO,
    RATE_PATIENCE_MAX_S,
    RATE_PATIENCE_MIN_S,
    RATE_SETTLE_S,
    RATE_STEP_RATIO,
    STATS_INTERVAL_S,
)
from wzp_cli.protocol.media.ladder import choose, least_bps, most_bps
from wzp_cli.protocol.media.reception import Received
from wzp_cli.protocol.media.sending import Sending

__all__ = ["SendControl"]


class SendControl:
    """Chooses how to send in one call. `now` is in seconds, never back.

    Attributes:
        sending: The choice.
    """

    def __init__(self, bitrates_bps: Sequence[int]) -> None:
        self.sending = Sending(bitrates_bps[0])
        self._bitrates_bps = tuple(bitrates_bps)
        self._losses = _Losses()
        self._rate = _Rate(least_bps(bitrates_bps), most_bps(bitrates_bps))
        self._calm_since: float | None = None

    @property
    def narrow(self) -> bool:
        """Whether the link was ever found to carry less than we would send."""
        return self._rate.was_cut

    @property
    def is_limited(self) -> bool:
        """Whether the link is thought to carry less than we would send."""
        return self._rate.is_limited

    def heard(self, received: Received, now: float) -> Sending:
        """Return how to send, after a report from the peer."""
        queues = received.queue_ms >= QUEUE_FULL_MS
        if not queues and not _is_outage(received):
            self._losses.add(received, now)
        loss = received.loss if queues else self._losses.recent(now)
        if self._rate.heard(received, loss, self.sending.wire_bps, now):
            self._losses.clear()
        wanted = self._choose(now)
        if self._rate.may_rise(now):
            while wanted == self.sending and self._rate.is_limited:
                self._rate.rise(loss, now)
                wanted = self._choose(now)
        if self._may_change(wanted, now):
            self.sending = wanted
        return self.sending

    def _choose(self, now: float) -> Sending:
        loss, burst = self._losses.share(now), self._losses.burst(self.sending.frames)
        return choose(self._bitrates_bps, loss, burst, self._rate.allowed_bps)

    def _may_change(self, wanted: Sending, now: float) -> bool:
        """Fewer copies have to do for a while first; all else is at once."""
        if wanted.copies >= self.sending.copies or not self._rate.fits(self.sending):
            self._calm_since = None
            return True
        if self._calm_since is None:
            self._calm_since = now
        return now - self._calm_since >= LOSS_CALM_S


def _is_outage(received: Received) -> bool:
    """Whether so much was lost in a row that no copy could have made up for it."""
    return received.lost > COPY_REACH_MAX_FRAMES * received.gaps


class _Losses:
    """The losses of the last seconds."""

    def __init__(self) -> None:
        self._reports: deque[tuple[float, Received]] = deque()

    def add(self, received: Received, now: float) -> None:
        self._reports.append((now, received))
        while self._reports[0][0] < now - LOSS_SLOW_S:
            self._reports.popleft()

    def clear(self) -> None:
        self._reports.clear()

    def share(self, now: float) -> float:
        """The share lost, 0 to 1: lately or all in all, whichever is more."""
        return max(self.recent(now), _share([report for _, report in self._reports]))

    def recent(self, now: float) -> float:
        """The share lost lately."""
        recent = [report for at, report in self._reports if at > now - LOSS_FAST_S]
        return _share(recent)

    def burst(self, frames: int) -> float:
        """The mean length of a gap in frames; 1 packet where losses are single."""
        reports = [report for _, report in self._reports]
        lost = sum(report.lost for report in reports)
        gaps = sum(report.gaps for report in reports)
        if lost <= 2 * frames or not gaps:
            return 1.0
        single = frames / (1 - min(0.9, _share(reports)))
        return lost / gaps if lost / gaps > BURST_RATIO * single else 1.0


class _Rate:
    """The wire rate that the link is thought to carry."""

    def __init__(self, least_bps: float, most_bps: float) -> None:
        self.limit_bps = self._most_bps = most_bps
        self._least_bps = least_bps
        self.was_cut = False
        self._patience_s = RATE_PATIENCE_MIN_S
        self._rose_at: float | None = None
        self._loss_before = 0.0
        self._hopeless_pct = LOSS_HOPELESS_PCT
        self._cut_at_loss: float | None = None
        self._quiet_since = 0.0
        self._settled_at = 0.0
        self._queue_ms = 0.0
        self._last: tuple[float, float] | None = None  # when, queue in ms

    @property
    def allowed_bps(self) -> float:
        """The rate for now: a queue that stands has to drain, in a second or so."""
        queue_s = self._queue_ms / 1000
        drains = self.is_limited and 1000 * queue_s >= QUEUE_FULL_MS
        return self.limit_bps * (1 - min(queue_s, DRAIN_MAX_SHARE) * drains)

    def fits(self, sending: Sending) -> bool:
        return sending.wire_bps <= self.allowed_bps

    def heard(
        self, received: Received, loss: float, sent_bps: float, now: float
    ) -> bool:
        """Cut the rate where the link is too narrow for it; whether it was."""
        self._undo_in_vain(loss, now)
        self._queue_ms = received.queue_ms
        growth = self._growth(received.queue_ms, now)
        grows = growth > QUEUE_GROWTH or received.lost > 0
        too_much = (
            100 * loss > self._hopeless_pct
            or (received.queue_ms >= QUEUE_FULL_MS and grows)
            or self._rise_was_too_much(received, now)
        )
        if too_much or received.queue_ms >= QUEUE_EMPTY_MS:
            self._quiet_since = now
        if not too_much or now < self._settled_at:
            return False
        carried_bps = sent_bps * (1 - loss) / (1 + max(0.0, growth))
        limit_bps = RATE_HEADROOM * min(carried_bps, self.limit_bps)
        self.limit_bps = max(limit_bps, self._least_bps)
        self._settled_at = now + RATE_SETTLE_S
        self._cut_at_loss = None if received.queue_ms >= QUEUE_FULL_MS else loss
        self._be_patient(now)
        self.was_cut = True
        return True

    @property
    def is_limited(self) -> bool:
        return self.limit_bps < self._most_bps

    def may_rise(self, now: float) -> bool:
        """Whether the queue has been empty for long enough to try more."""
        return self.is_limited and now - self._quiet_since >= self._patience_s

    def rise(self, loss: float, now: float) -> None:
        self._loss_before = loss
        self.limit_bps = min(RATE_STEP_RATIO * self.limit_bps, self._most_bps)
        self._rose_at = self._quiet_since = now

    def _rise_was_too_much(self, received: Received, now: float) -> bool:
        """Whether loss has come with the last rise: no queue tells of a policer."""
        fresh = self._rose_at is not None and now - self._rose_at < RATE_DOUBT_S
        return fresh and 100 * (received.loss - self._loss_before) > RATE_DOUBT_PCT

    def _undo_in_vain(self, loss: float, now: float) -> None:
        """Take a cut back that changed nothing: the link loses, at any rate."""
        if self._cut_at_loss is None or now < self._settled_at:
            return
        if loss > RATE_IN_VAIN_RATIO * self._cut_at_loss:
            self.limit_bps, self._hopeless_pct = self._most_bps, 100.0
        self._cut_at_loss = None

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


def _share(reports: Sequence[Received]) -> float:
    expected = sum(report.expected for report in reports)
    return sum(report.lost for report in reports) / max(expected, LOSS_MIN_FRAMES)
