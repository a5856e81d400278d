"""What a relay knows of itself, for its operator: numbers alone, they name nobody."""

from bisect import bisect_left
from typing import Literal

import msgspec

from wzp_cli.defaults.relay import LOOP_LAG_BUCKETS_S

__all__ = ["FleetFacts", "ForwarderFacts", "Histogram", "RelayFacts", "RelayState"]

RelayState = Literal["serving", "draining"]


class Histogram(msgspec.Struct, kw_only=True):
    """How often a time fell into which bucket.

    `bounds_s` are the buckets' upper ends; `counts` has one more, for what is longer.
    """

    bounds_s: tuple[float, ...] = LOOP_LAG_BUCKETS_S
    counts: list[int] = msgspec.field(
        default_factory=lambda: [0] * (len(LOOP_LAG_BUCKETS_S) + 1)
    )
    sum_s: float = 0.0

    def observe(self, seconds: float) -> None:
        """Count one time."""
        self.counts[bisect_left(self.bounds_s, seconds)] += 1
        self.sum_s += seconds


class FleetFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The other relays, as this one sees them.

    `held`: identities that others find here; `asked`: calls for which the others were
    asked, by outcome; `answered`: their questions; `joined`: clients of theirs that
    came here; `refused`: those without a good ticket.
    """

    up: bool
    held: int
    asked: dict[str, int]
    answered: int
    joined: int
    refused: int


class ForwarderFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The processes that forward for a relay.

    `restarts`: how often one was started again; `cpu_s`: CPU time of each of them.
    """

    running: int
    restarts: int
    cpu_s: list[float]


class RelayFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One moment of a relay. Counters run since its start.

    `dropped`: frames not passed on, by reason; `socket`: datagrams that this machine
    lost (`received`: nobody read them in time, `sent`: no room to send);
    `entered`: clients by what they were told; `connects`: calls asked for, by outcome;
    `handshakes`: Initials and handshakes by what became of them; `reserved`: channels
    whose callee is on the way from another relay; `tunnels`: WebSockets open,
    `tunnels_refused`: those closed, by limit; `turn_grants`: credentials for a TURN
    server that were asked for, by outcome; `fleet`: None for a single relay;
    `forwarders`: None for one that forwards by itself alone.
    """

    version: str
    id: str
    state: RelayState
    uptime_s: float
    links: int
    published: int
    channels: int
    half_open: int
    forwarded_packets: int
    forwarded_bytes: int
    dropped: dict[str, int]
    socket: dict[str, int]
    entered: dict[str, int]
    connects: dict[str, int]
    handshakes: dict[str, int]
    loop_lag: Histogram
    reserved: int = 0
    tunnels: int = 0
    tunnels_refused: dict[str, int] = msgspec.field(default_factory=dict)
    turn_grants: dict[str, int] = msgspec.field(default_factory=dict)
    fleet: FleetFacts | None = None
    forwarders: ForwarderFacts | None = None
