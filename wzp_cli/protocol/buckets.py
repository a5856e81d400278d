"""Token buckets: how much of something is allowed, and how much of it at once."""

import collections
from collections.abc import Hashable

__all__ = ["KeyedBuckets", "TokenBucket"]

_FORGOTTEN_AT_ONCE = 16  # a full table must not hold up who asks next


class TokenBucket:
    """Allows `burst` at once, and `rate_per_s` in the long run. Full at first.

    Attributes:
        updated_s: When it was asked last.
    """

    __slots__ = ("_burst", "_rate_per_s", "_tokens", "updated_s")

    def __init__(self, rate_per_s: float, burst: float, now: float) -> None:
        self._rate_per_s, self._burst = rate_per_s, burst
        self._tokens, self.updated_s = float(burst), now

    def take(self, amount: float, now: float) -> bool:
        """Take `amount` if there is so much; otherwise take nothing."""
        elapsed_s = max(0.0, now - self.updated_s)
        self._tokens = min(self._burst, self._tokens + elapsed_s * self._rate_per_s)
        self.updated_s = max(now, self.updated_s)
        if amount > self._tokens:
            return False
        self._tokens -= amount
        return True


class KeyedBuckets:
    """A bucket for each key, for at most `capacity` keys.

    A bucket that has filled up again is forgotten: a new one allows as much. Beyond
    `capacity`, the key that was used longest ago is forgotten first: who could wear out
    the table in order to be forgotten has as many keys, and so as many full buckets,
    anyway.
    """

    def __init__(self, rate_per_s: float, burst: float, *, capacity: int) -> None:
        self._rate_per_s, self._burst, self._capacity = rate_per_s, burst, capacity
        self._buckets: collections.OrderedDict[Hashable, TokenBucket] = (
            collections.OrderedDict()
        )

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: Hashable, now: float) -> bool:
        """Take one from the key's bucket, if there is one."""
        self._forget_full(now)
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = TokenBucket(self._rate_per_s, self._burst, now)
            self._buckets[key] = bucket
            if len(self._buckets) > self._capacity:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        return bucket.take(1, now)

    def _forget_full(self, now: float) -> None:
        """Forget who has not been here for as long as any bucket takes to fill up."""
        since_s = now - self._burst / self._rate_per_s
        for _ in range(min(_FORGOTTEN_AT_ONCE, len(self._buckets))):
            key, bucket = next(iter(self._buckets.items()))
            if bucket.updated_s > since_s:
                return
            del self._buckets[key]
