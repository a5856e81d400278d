"""What the receiver tells the sender: loss before recovery, its pattern, the queue.

lost     a frame counts when some later ones have come (three; more where the
         network is seen to reorder), whether or not a copy makes up for it
gap      frames lost in a row; lost / gaps is the mean length of a burst
queue    how much later the fastest frame of the last second came than the fastest
         one of the last ten: jitter does not move it, a queue that stands does
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from wzp_cli.defaults.media import (
    LOSS_MIN_FRAMES,
    MEDIA_FRAME_MS,
    QUEUE_BUCKET_S,
    QUEUE_FULL_MS,
    QUEUE_MEMORY_S,
    REORDER_MAX_FRAMES,
    REORDER_MIN_FRAMES,
    RTP_MAX_DROPOUT_PACKETS,
)

__all__ = ["Received", "Reception", "StandingDelay"]

_CYCLE: Final = 1 << 16
_SEEN: Final = (1 << 2 * REORDER_MAX_FRAMES) - 1


@dataclass(frozen=True, slots=True)
class Received:
    """Counts of frames since the last report; `queue_ms` is as it is now."""

    expected: int = 0
    lost: int = 0
    gaps: int = 0
    queue_ms: float = 0.0

    @property
    def loss(self) -> float:
        """The share lost, 0 to 1, of a second at least: one of five is no 20 %."""
        return self.lost / max(self.expected, LOSS_MIN_FRAMES)


class Reception:
    """Counts what comes for the first time. `now` is in seconds, never back."""

    def __init__(self) -> None:
        self._ssrc: int | None = None
        self._highest = 0
        self._seen = 0  # bit n: frame `highest - n` came
        self._unjudged = 0  # frames up to `highest` that are not counted yet
        self._guard = REORDER_MIN_FRAMES
        self._expected = self._lost = self._gaps = 0
        self._in_gap = False
        self._told = 0.0
        self._told_queue_ms = 0.0
        self._queue = StandingDelay()

    def arrived(self, ssrc: int, sequence: int, frames: int, now: float) -> None:
        """Count a packet: `frames` new ones, of which `sequence` is the last."""
        half = _CYCLE // 2
        ahead = (sequence - self._highest + half) % _CYCLE - half
        if ssrc != self._ssrc or abs(ahead) > RTP_MAX_DROPOUT_PACKETS:
            self._restart(ssrc, sequence - frames)
            ahead = frames
        self._see(ahead, frames)
        self._judge()
        place_s = (self._highest + min(ahead, 0)) * MEDIA_FRAME_MS / 1000
        self._queue.arrived(now - place_s, now)

    def report(self) -> Received:
        """Return what was counted since the last report."""
        received = self._pending()
        # What was bad lately is no news: it fades, so that reports do not flicker.
        self._told = max(received.loss, 0.8 * self._told)
        self._told_queue_ms = received.queue_ms
        self._expected = self._lost = self._gaps = 0
        return received

    @property
    def is_news(self) -> bool:
        """Whether it is so much worse than last told that it should be told now."""
        pending = self._pending()
        queues = pending.queue_ms > 2 * self._told_queue_ms + QUEUE_FULL_MS
        return queues or pending.loss > 1.5 * self._told + 0.01

    @property
    def queue_ms(self) -> float:
        """How long frames stand in a queue now."""
        return self._queue.delay_s * 1000

    def _pending(self) -> Received:
        return Received(self._expected, self._lost, self._gaps, self.queue_ms)

    def _see(self, ahead: int, frames: int) -> None:
        if ahead > 0:
            self._highest += ahead
            self._unjudged += ahead
            self._seen = self._seen << ahead & _SEEN
        elif -ahead >= self._guard:
            self._guard = min(1 - ahead, REORDER_MAX_FRAMES)
        for back in range(frames):
            self._seen |= 1 << back + max(0, -ahead)
        self._seen &= _SEEN

    def _judge(self) -> None:
        """Count the frames that are old enough, oldest first."""
        while self._unjudged > self._guard:
            self._unjudged -= 1
            lost = not self._seen >> self._unjudged & 1
            self._expected += 1
            self._lost += lost
            self._gaps += lost and not self._in_gap
            self._in_gap = lost

    def _restart(self, ssrc: int, before: int) -> None:
        self._ssrc, self._highest = ssrc, before
        self._seen = self._unjudged = 0
        self._in_gap = False
        self._queue = StandingDelay()


class StandingDelay:
    """The fastest transit of each quarter of a second, for ten seconds."""

    def __init__(self) -> None:
        self._buckets: deque[tuple[float, float]] = deque()

    @property
    def delay_s(self) -> float:
        """How much slower the fastest frame of the last two quarters is."""
        fastest = [transit_s for _, transit_s in self._buckets]
        return min(fastest[-2:]) - min(fastest) if fastest else 0.0

    def arrived(self, transit_s: float, now: float) -> None:
        """Count a frame by how much later than its place in the stream it is."""
        buckets = self._buckets
        if not buckets or now - buckets[-1][0] >= QUEUE_BUCKET_S:
            buckets.append((now, transit_s))
            while buckets[0][0] < now - QUEUE_MEMORY_S:
                buckets.popleft()
        else:
            began, fastest_s = buckets[-1]
            buckets[-1] = began, min(fastest_s, transit_s)
