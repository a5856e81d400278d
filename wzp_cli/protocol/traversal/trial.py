"""One route of a call: what is known of it, and how that changes.

TRANSITIONS is the whole machine; `paths.py` has a call's routes, and what follows.
"""

import enum
from dataclasses import dataclass
from typing import Literal

from wzp_cli.errors import LocalProtocolError
from wzp_cli.protocol.traversal.route import DirectRoute, Route

__all__ = ["TRANSITIONS", "Input", "RouteKind", "State", "Trial"]

RouteKind = Literal["host", "srflx", "prflx", "mapped", "relay", "relayed"]


class State(enum.Enum):
    """What is known of one route."""

    OPENING = "our NAT is being opened, the peer's is awaited"
    CHECKING = "checks are out"
    VALID = "an answer came back"
    DOUBTED = "answers stopped"
    FAILED = "given up, until the next round"


class Input(enum.Enum):
    """What can happen to one route."""

    OPENED = "both NATs are open"
    ANSWERED = "check answered"
    SILENT = "no answer lately"
    GIVEN_UP = "no answer for too long"
    RETRY = "next round"


TRANSITIONS: dict[State, dict[Input, State]] = {
    State.OPENING: {Input.OPENED: State.CHECKING, Input.ANSWERED: State.VALID},
    State.CHECKING: {Input.ANSWERED: State.VALID, Input.GIVEN_UP: State.FAILED},
    State.VALID: {Input.ANSWERED: State.VALID, Input.SILENT: State.DOUBTED},
    State.DOUBTED: {Input.ANSWERED: State.VALID, Input.GIVEN_UP: State.FAILED},
    State.FAILED: {Input.ANSWERED: State.VALID, Input.RETRY: State.CHECKING},
}


@dataclass(slots=True)
class Trial:
    """One route and what became of it. Times are the caller's clock, in seconds.

    Attributes:
        allowance: Checks that may still go to an address that only showed itself as a
            source: whoever copies a packet must not draw a stream to a victim. None:
            the peer named the address.
    """

    route: Route
    kind: RouteKind
    state: State
    since: float
    due: float
    sent: int = 0
    rounds: int = 0
    allowance: int | None = None
    rtt_s: float | None = None
    answered_at: float | None = None
    unanswered_since: float | None = None

    @property
    def is_relay(self) -> bool:
        """Whether it goes through the relay, or through a TURN server."""
        return not isinstance(self.route, DirectRoute)

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
