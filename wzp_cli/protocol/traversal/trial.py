"""One route of a call: what is known of it, and how that changes.

TRANSITIONS is the whole machine; `paths.py` has a call's routes, and what follows.
"""

import enum
import math
from dataclasses import dataclass
from typing import Literal

from wzp_cli.defaults.paths import (
    RETRY_FIRST_S,
    RETRY_LATER_S,
    RETRY_SILENCE_S,
    ROUTE_FORGIVEN_S,
    ROUTE_TRUST_MAX_S,
    ROUTE_TRUST_S,
)
from wzp_cli.errors import LocalProtocolError
from wzp_cli.protocol.traversal.route import DirectRoute, Route

__all__ = ["TRANSITIONS", "Input", "RouteKind", "State", "Trial"]

RouteKind = Literal["host", "srflx", "prflx", "mapped", "relay", "relayed"]


class State(enum.Enum):
    """What is known of one route."""

    OPENING = "our NAT is being opened, the peer's is awaited"
    CHECKING = "checks are out"
    PROVING = "it answers, but is not yet trusted alone"
    VALID = "it answers"
    DOUBTED = "answers stopped"
    FAILED = "given up, until the next round"


class Input(enum.Enum):
    """What can happen to one route."""

    OPENED = "both NATs are open"
    ANSWERED = "check answered"
    TRUSTED = "no doubt for long enough"
    SILENT = "no answer lately"
    GIVEN_UP = "no answer for too long"
    RETRY = "next round"
    REOPEN = "next round, openers first"


TRANSITIONS: dict[State, dict[Input, State]] = {
    State.OPENING: {Input.OPENED: State.CHECKING, Input.ANSWERED: State.PROVING},
    State.CHECKING: {Input.ANSWERED: State.PROVING, Input.GIVEN_UP: State.FAILED},
    State.PROVING: {
        Input.ANSWERED: State.PROVING,
        Input.TRUSTED: State.VALID,
        Input.SILENT: State.DOUBTED,
    },
    State.VALID: {Input.ANSWERED: State.VALID, Input.SILENT: State.DOUBTED},
    State.DOUBTED: {Input.ANSWERED: State.PROVING, Input.GIVEN_UP: State.FAILED},
    State.FAILED: {
        Input.ANSWERED: State.PROVING,
        Input.RETRY: State.CHECKING,
        Input.REOPEN: State.OPENING,
    },
}


@dataclass(slots=True)
class Trial:
    """One route and what became of it. Times are the caller's clock, in seconds.

    Attributes:
        allowance: Checks that may still go to an address that only showed itself as a
            source: whoever copies a packet must not draw a stream to a victim. None:
            the peer named the address.
        closed_at: A word of the peer's that it has opened its NAT is of no use for this
            route unless it came later.
        doubts: How often it has fallen silent, unless that is long ago.
        carried_at: When acknowledged sound last showed that it works.
    """

    route: Route
    kind: RouteKind
    state: State
    since: float
    due: float
    sent: int = 0
    rounds: int = 0
    closed_at: float = -math.inf
    doubts: int = 0
    allowance: int | None = None
    rtt_s: float | None = None
    answered_at: float | None = None
    unanswered_since: float | None = None
    probed_at: float | None = None
    carried_at: float | None = None

    @property
    def is_relay(self) -> bool:
        """Whether it goes through the relay, or through a TURN server."""
        return not isinstance(self.route, DirectRoute)

    @property
    def is_opened(self) -> bool:
        """Whether openers go before checks: NATs are in between."""
        return self.kind in ("srflx", "mapped")

    @property
    def works(self) -> bool:
        """Whether it answers, so that media may take it."""
        return self.state in (State.PROVING, State.VALID)

    @property
    def trust_s(self) -> float:
        """How long it has to answer again until it is trusted alone.

        Each doubt makes it longer: of a route that comes and goes, one that does not
        has to carry a copy all the time, or each flap is heard.
        """
        if not self.doubts:
            return 0.0
        return min(ROUTE_TRUST_S * 3.0 ** (self.doubts - 1), ROUTE_TRUST_MAX_S)

    def pause_s(self, peer_opened_at: float) -> float:
        """How long it rests: the second time so long that a spoilt NAT forgets."""
        pauses_s = (RETRY_FIRST_S, RETRY_SILENCE_S, RETRY_LATER_S)
        pause_s = pauses_s[min(self.rounds, len(pauses_s) - 1)]
        if self.is_opened and peer_opened_at > self.since:
            return min(pause_s, RETRY_SILENCE_S)  # the peer waits for us
        return pause_s

    def doubt(self, now: float) -> None:
        """It has fallen silent; what was long ago is forgiven."""
        if self.state is State.VALID and now - self.since >= ROUTE_FORGIVEN_S:
            self.doubts = 0
        self.doubts += 1
        self.move(Input.SILENT, now)

    def move(self, happened: Input, now: float) -> None:
        """Go to the next state.

        Raises:
            LocalProtocolError: This cannot happen in this state.
        """
        try:
            state = TRANSITIONS[self.state][happened]
        except KeyError:
            message = f"{happened.name} while {self.state.name}"
            raise LocalProtocolError(message) from None
        if state is not self.state:
            self.since, self.due = now, now
        self.state = state
