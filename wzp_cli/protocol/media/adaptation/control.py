"""What the peer reports becomes how we send: quick to more protection, slow back.

    report says           what it is                   what happens
    loss, no queue        the link loses packets       more copies at once (ladder.py)
    a queue that grows    we send more than the link   less (rate.py), and no copies
      or loses              carries
    neither, for a while  the link is better again     fewer copies, more rate

Loss while a queue stands, and right before and after, is the queue's, and calls for no
copies. Neither does a break of the route: nothing that we could send would have come
through.
"""

from collections import deque
from collections.abc import Sequence

from wzp_cli.defaults.control import (
    BURST_RATIO,
    COPY_REACH_MAX_FRAMES,
    LOSS_CALM_S,
    LOSS_FAST_S,
    LOSS_MIN_FRAMES,
    LOSS_SLOW_S,
    QUEUE_BLAME_S,
    QUEUE_EMPTY_MS,
    QUEUE_FULL_MS,
)
from wzp_cli.protocol.media.adaptation.ladder import choose, least_bps, most_bps
from wzp_cli.protocol.media.adaptation.rate import Rate
from wzp_cli.protocol.media.adaptation.reception import Received
from wzp_cli.protocol.media.adaptation.sending import Sending

__all__ = ["SendControl"]


class SendControl:
    """Chooses how to send in one call. `now` is in seconds, never back.

    Attributes:
        sending: The choice.
    """

    def __init__(self, bitrates_bps: Sequence[int]) -> None:
        """Begin; `bitrates_bps` are those of the codec, best first."""
        self._bitrates_bps = tuple(bitrates_bps)
        self._losses = _Losses()
        self._lately = _Losses()  # with those that a queue is to blame for
        self._rate = Rate(least_bps(bitrates_bps), most_bps(bitrates_bps))
        self._calm_since: float | None = None
        self._blamed_until = self._heard_at = 0.0
        self._in_outage = False
        self.sending = choose(self._bitrates_bps, 0.0, 1.0, self._rate.allowed_bps)

    @property
    def narrow(self) -> bool:
        """Whether the link was ever found to carry less than we would send."""
        return self._rate.was_cut

    @property
    def is_limited(self) -> bool:
        """Whether the link is thought to carry less than we would send."""
        return self._rate.is_limited

    @property
    def is_starting(self) -> bool:
        """Whether it is not known yet what the link carries."""
        return self._rate.is_starting

    @property
    def holds_back(self) -> bool:
        """Whether as little as can be is sent, since the call began with a queue."""
        return self._rate.holds_back

    def heard(self, received: Received, now: float) -> Sending:
        """Return how to send, after a report from the peer."""
        if self._heard_at < self._rate.settled_at <= now:
            self._lately.clear()  # what was lost before says nothing of a cut
        self._heard_at = now
        if received.queue_ms >= QUEUE_FULL_MS:
            self._blamed_until = now + QUEUE_BLAME_S
        self._in_outage = self._is_outage(received)
        if not self._in_outage:
            self._lately.add(received, now)
            if now >= self._blamed_until:
                self._losses.add(received, now)
        loss = self._lately.recent(now)
        if self._rate.heard(received, loss, self.sending.wire_bps, now):
            self._losses.clear()
            self._lately.clear()
            if received.queue_ms >= QUEUE_EMPTY_MS:
                self._blamed_until = max(self._blamed_until, self._rate.settled_at)
        wanted = self._choose(now)
        if self._rate.may_rise(now):
            while wanted == self.sending and self._rate.is_limited:
                self._rate.rise(loss, now)
                wanted = self._choose(now)
        if self._may_change(wanted, now):
            self.sending = wanted
        return self.sending

    def _choose(self, now: float) -> Sending:
        if self._rate.is_starting:
            return choose(self._bitrates_bps, 0.0, 1.0, self._rate.allowed_bps)
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

    def _is_outage(self, received: Received) -> bool:
        """Whether so much was lost in a row that no copy could have made up for it."""
        goes_on = self._in_outage and received.lost > 0 and received.gaps == 0
        longest = COPY_REACH_MAX_FRAMES * max(1, received.gaps)
        return goes_on or received.lost > longest


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


def _share(reports: Sequence[Received]) -> float:
    expected = sum(report.expected for report in reports)
    return sum(report.lost for report in reports) / max(expected, LOSS_MIN_FRAMES)
