"""What one person may do here: what the user has said about an identity.

A policy follows the key that the end-to-end link has proven, and nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from wzp_cli.protocol.names.identity import Identity

__all__ = ["STRANGER", "Answering", "Policy", "PolicyOf", "answers_itself"]

Answering = Literal["nobody", "chosen", "contacts", "all"]
"""Whose calls are taken without asking; `chosen`: contacts for whom it was said."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds for one identity.

    Attributes:
        contact: The name that the user gave it; None: a stranger.
        verified: The user has compared the words of its key.
        auto_answer: Take its calls without asking, or never do; None: as for others.
        always_relay: Tell it no address of ours, and send to none of its.
        refused: Let it neither call nor ping.
    """

    contact: str | None = None
    verified: bool = False
    auto_answer: bool | None = None
    always_relay: bool = False
    refused: bool = False


STRANGER: Final = Policy()
"""Somebody of whom nothing was said."""

PolicyOf = Callable[[Identity], Policy]
"""The policy of an identity; asked anew for each call."""


def answers_itself(answering: Answering, policy: Policy) -> bool:
    """Return whether a call is taken without asking the person here."""
    if policy.refused or policy.auto_answer is False:
        return False
    match answering:
        case "nobody":
            return False
        case "chosen":
            return policy.contact is not None and policy.auto_answer is True
        case "contacts":
            return policy.contact is not None
        case "all":
            return True
