"""How long sound has to wait: the target delay, learnt from the packets' arrivals.

    relative delay   of a packet: how much later it came than the fastest one of the
                     last 2 s would have, both counted from their place in the stream
    target           the delay d, in steps of 5 ms, with the least

                 d**2 * (1 + (d / 0.25 s)**4)  +  (2.4 s)**2 * share later than d

What was learnt fades (factor 0.983 each half second), as in NetEQ, the jitter buffer of
WebRTC. NetEQ takes a fixed quantile. This sum takes the one that is worth its delay: a
missed frame counts as one that is 2.4 s late, and delay itself hardly counts below
0.15 s and a lot above 0.25 s, as in the E-model (ITU-T G.107). So on a quiet network
rare hiccups are covered, which costs little; of long delays the rarest, which would
cost much, are not.
"""

from collections import deque
from typing import Final

from wzp_cli.defaults.media import (
    JITTER_DELAY_MAX_S,
    JITTER_DELAY_MIN_S,
    JITTER_DELAY_START_S,
    JITTER_FORGETTING,
    JITTER_LONG_S,
    JITTER_MISSED_S,
    JITTER_SAMPLE_S,
    JITTER_STEP_S,
    JITTER_WINDOW_S,
)

__all__ = ["DelayTarget"]

_BUCKETS: Final = round(JITTER_DELAY_MAX_S / JITTER_STEP_S)


class DelayTarget:
    """Learns how late packets come. All times in seconds.

    Attributes:
        floor_s: The target is never below this.
        bundled_s: How long frames wait at the sender for others of their packet. It is
            known, so it is not learnt: it may end with the next packet.
    """

    def __init__(self) -> None:
        self.floor_s = JITTER_DELAY_MIN_S
        self.bundled_s = 0.0
        self._learnt_s = JITTER_DELAY_START_S
        # (arrival, transit) of packets that are the fastest from some moment on:
        # both rise from left to right, so the first one is the fastest of all.
        self._fastest: deque[tuple[float, float]] = deque()
        self._shares = [0.0] * _BUCKETS
        self._counts = [0] * _BUCKETS  # of this half second
        self._samples = 0
        self._sampled_at: float | None = None

    @property
    def target_s(self) -> float:
        """How long the fastest packet should wait before it is played."""
        target_s = self.bundled_s + max(self._learnt_s, self.floor_s)
        return min(target_s, JITTER_DELAY_MAX_S)

    def arrived(self, place_s: float, now: float) -> None:
        """Learn from a packet that arrived at `now`; `place_s`: its newest frame's."""
        transit_s, fastest = now - place_s, self._fastest
        while fastest and fastest[-1][1] >= transit_s:
            fastest.pop()
        fastest.append((now, transit_s))
        while fastest[0][0] < now - JITTER_WINDOW_S:
            fastest.popleft()
        bucket = int((transit_s - fastest[0][1]) / JITTER_STEP_S)
        self._counts[min(bucket, _BUCKETS - 1)] += 1
        self._sample(now)

    def waited_s(self, place_s: float, now: float) -> float:
        """Return how long the sound of this place would have waited, come fastest."""
        return now - place_s - self._fastest[0][1] if self._fastest else 0.0

    def restart(self) -> None:
        """Forget when packets came, after a break; keep what was learnt from them."""
        self._fastest.clear()

    def _sample(self, now: float) -> None:
        """Each half second, let its packets change the target."""
        if self._sampled_at is None:
            self._sampled_at = now
        if now - self._sampled_at < JITTER_SAMPLE_S:
            return
        self._samples += 1
        # The first samples weigh more, so that a call settles within seconds.
        keep = min(JITTER_FORGETTING, max(0.0, 1 - 2 / (self._samples + 1)))
        new = (1 - keep) / sum(self._counts)
        self._shares = [
            keep * share + new * count
            for share, count in zip(self._shares, self._counts, strict=True)
        ]
        self._learnt_s = _cheapest(self._shares)
        self._counts = [0] * _BUCKETS
        self._sampled_at = now


def _burden(delay_s: float) -> float:
    """Return what a delay costs by itself."""
    return delay_s**2 * (1 + (delay_s / JITTER_LONG_S) ** 4)


def _cheapest(shares: list[float]) -> float:
    """Return the delay whose own cost and that of what it misses are least."""
    missed = sum(shares)
    best, least = JITTER_DELAY_MAX_S, float("inf")
    for bucket, share in enumerate(shares, start=1):
        missed -= share
        delay_s = bucket * JITTER_STEP_S
        cost = _burden(delay_s) + JITTER_MISSED_S**2 * missed
        if cost < least:
            best, least = delay_s, cost
    return best
