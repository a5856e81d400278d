"""What a relay counts for its operator, beside what its channels count themselves."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from wzp_cli.defaults.relay import LOOP_LAG_PROBE_S
from wzp_cli.protocol.relay_facts import Histogram
from wzp_cli.relay.limits import TURNED_AWAY, Refusal

__all__ = ["Counts"]


_ENTERED = ("welcome", "access", *TURNED_AWAY)
_GRANTS = ("granted", "limit", "no_channel")
_CONNECTS = ("connected", *(refusal.value for refusal in Refusal))


def _zeros(names: tuple[str, ...]) -> Counter[str]:
    return Counter(dict.fromkeys(names, 0))


@dataclass(slots=True)
class Counts:
    """Counters since the start.

    Attributes:
        entered: Clients, by what they were told.
        connects: Calls asked for, by outcome.
        grants: Credentials for a TURN server that were asked for, by outcome.
        loop_lag: How late the event loop wakes up whoever sleeps.
    """

    entered: Counter[str] = field(default_factory=lambda: _zeros(_ENTERED))
    connects: Counter[str] = field(default_factory=lambda: _zeros(_CONNECTS))
    grants: Counter[str] = field(default_factory=lambda: _zeros(_GRANTS))
    loop_lag: Histogram = field(default_factory=Histogram)

    async def watch_loop(self) -> None:
        """Measure the loop, for ever: what else runs makes a sleeper late."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + LOOP_LAG_PROBE_S
            await asyncio.sleep(LOOP_LAG_PROBE_S)
            self.loop_lag.observe(max(0.0, loop.time() - due_s))
