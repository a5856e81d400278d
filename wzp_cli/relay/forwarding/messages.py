"""What a relay and its forwarders tell each other, over a socket pair of their own.

    relay      Ways     these directions are yours, or have changed; those are over
    forwarder  Account  what went through since the last one, and what did not

Framed as signalling is (protocol/messages/signal.py); what is too long for one message
goes in several.
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec

from wzp_cli.address import Address
from wzp_cli.protocol.messages.signal import Message

__all__ = ["Account", "ForwarderMessage", "Passed", "Way", "Ways", "pieces"]

_LONGEST = 64
"""Items of a list in one message: far below MAX_MESSAGE_BYTES, with IPv6 throughout."""

T = TypeVar("T")


class Way(msgspec.Struct, frozen=True, array_like=True):
    """One direction of a channel: frames with this id, from `source`, go `to` there.

    `own`: the own host to send from ("": the system's choice).
    """

    id: bytes
    source: Address
    to: Address
    own: str = ""


class Ways(Message, tag="ways", frozen=True):
    """`open`: new ones, or old ones that have moved; `over`: ids of those to forget."""

    open: Sequence[Way] = ()
    over: Sequence[bytes] = ()


class Passed(msgspec.Struct, frozen=True, array_like=True):
    """What went in one direction."""

    id: bytes
    packets: int
    bytes: int


class Account(Message, tag="account", frozen=True):
    """What has happened since the last one.

    `dropped`: frames by reason; `unsent`: frames that the socket did not take;
    `cpu_s`: CPU time that was used.
    """

    passed: Sequence[Passed] = ()
    dropped: dict[str, int] = msgspec.field(default_factory=dict)
    unsent: int = 0
    cpu_s: float = 0.0


ForwarderMessage = Ways | Account


def pieces(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield a list in pieces that fit into one message each."""
    for at in range(0, len(items), _LONGEST):
        yield items[at : at + _LONGEST]
