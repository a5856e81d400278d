"""How much may be sent toward hosts that have not answered: budgets per destination.

One for the whole process: it remembers across calls, so that a peer who calls again
and again (or many peers, or a relay that helps them) can't make wzp spray a victim.
"""

import collections

from wzp_cli.defaults.paths import (
    PREDICTION_PAUSE_S,
    SEARCH_PAUSE_S,
    SPRAY_CHECKS_BURST,
    SPRAY_CHECKS_PER_S,
    SPRAY_MAX_HOSTS,
)
from wzp_cli.protocol.buckets import KeyedBuckets

__all__ = ["SprayBudget"]


class SprayBudget:
    """What this process may still send to whom."""

    def __init__(self) -> None:
        self._checks = KeyedBuckets(
            SPRAY_CHECKS_PER_S, SPRAY_CHECKS_BURST, capacity=SPRAY_MAX_HOSTS
        )
        self._last: collections.OrderedDict[str, float] = collections.OrderedDict()
        self._searching = False

    def take_check(self, host: str, now: float) -> bool:
        """Whether one more check or opener may go to a host that is silent so far."""
        return self._checks.take(host, now)

    def begin_prediction(self, host: str, now: float) -> bool:
        """Whether a round of at most PREDICTION_MAX_PORTS may start toward `host`."""
        return self._begin(host, PREDICTION_PAUSE_S, now)

    def begin_search(self, host: str, now: float) -> bool:
        """Whether a search may start toward `host`: one at a time; `end_search` it."""
        if self._searching or not self._begin(host, SEARCH_PAUSE_S, now):
            return False
        self._searching = True
        return True

    def end_search(self) -> None:
        """The search is over: another one may start."""
        self._searching = False

    def _begin(self, host: str, pause_s: float, now: float) -> bool:
        last = self._last.get(host)
        if last is not None and now < last + pause_s:
            return False
        self._last[host] = now
        self._last.move_to_end(host)
        if len(self._last) > SPRAY_MAX_HOSTS:
            self._last.popitem(last=False)
        return True
