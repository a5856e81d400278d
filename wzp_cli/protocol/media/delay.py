"""How long sound has to wait: the target delay, learnt from the packets' arrivals.

    relative delay   of a packet: how much later it came than the fastest one of the
                     last 2 s would have, both counted from their place in the stream
    target           the 95 % quantile of the largest relative delay of each half
                     second, in steps of 20 ms; what was learnt fades (factor 0.983)

The idea is that of NetEQ, the jitter buffer of WebRTC.
"""

from collections import deque
from itertools import accumulate
from typing import Final

from wzp_cli.defaults import (
    JITTER_DELAY_MAX_S,
    JITTER_DELAY_MIN_S,
    JITTER_DELAY_START_S,
    JITTER_FORGETTING,
    JITTER_QUANTILE,
    JITTER_SAMPLE_S,
    JITTER_WINDOW_S,
    MEDIA_FRAME_MS,
)

__all__ = ["DelayTarget"]

_FRAME_S: Final = MEDIA_FRAME_MS / 1000
_BUCKETS: Final = round(JITTER_DELAY_MAX_S / _FRAME_S)


class DelayTarget:
    """Learns how late packets come. All times in seconds.

    Attributes:
        floor_s: The target is never below this.
    """

    def __init__(self) -> None:
        self.floor_s = JITTER_DELAY_MIN_S
        self._learnt_s = JITTER_DELAY_START_S
        self._window: deque[tuple[float, float]] = deque()
        self._fastest_s: float | None = None
        self._shares = [0.0] * _BUCKETS
        self._samples = 0
        self._worst_s = 0.0
        self._sampled_at: float | None = None

    @property
    def target_s(self) -> float:
        """How long the fastest packet should wait before it is played."""
        return min(max(self._learnt_s, self.floor_s), JITTER_DELAY_MAX_S)

    def arrived(self, place_s: float, now: float) -> None:
        """Learn from a packet that arrived at `now`; `place_s`: its place in time."""
        window = self._window
        window.append((now, now - place_s))
        while window[0][0] < now - JITTER_WINDOW_S:
            window.popleft()
        self._fastest_s = min(transit_s for _, transit_s in window)
        self._worst_s = max(self._worst_s, now - place_s - self._fastest_s)
        self._sample(now)

    def waited_s(self, place_s: float, now: float) -> float:
        """Return how long the sound of this place would have waited, come fastest."""
        return 0.0 if self._fastest_s is None else now - place_s - self._fastest_s

    def restart(self) -> None:
        """Forget when packets came, after a break; keep what was learnt from them."""
        self._window.clear()
        self._fastest_s = None
        self._worst_s = 0.0

    def _sample(self, now: float) -> None:
        """Each half second, let the worst delay of it change the target."""
        if self._sampled_at is None:
            self._sampled_at = now
        if now - self._sampled_at < JITTER_SAMPLE_S:
            return
        self._samples += 1
        # The first samples weigh more, so that a call settles within seconds.
        keep = min(JITTER_FORGETTING, max(0.0, 1 - 2 / (self._samples + 1)))
        bucket = min(int(self._worst_s / _FRAME_S), _BUCKETS - 1)
        self._shares = [share * keep for share in self._shares]
        self._shares[bucket] += 1 - keep
        self._learnt_s = (1 + self._quantile()) * _FRAME_S
        self._sampled_at, self._worst_s = now, 0.0

    def _quantile(self) -> int:
        """Return the bucket below which `JITTER_QUANTILE` of the samples lie."""
        sums = list(accumulate(self._shares))
        wanted = JITTER_QUANTILE * sums[-1]
        return next(bucket for bucket, total in enumerate(sums) if total >= wanted)
