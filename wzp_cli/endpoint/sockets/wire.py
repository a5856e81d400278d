"""The seam between the endpoint and the operating system: one bound UDP port.

`Wire` is what the endpoint needs; `udp.UdpWire` is the real one, and the tests have a
network in memory of the same shape.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from wzp_cli.address import Address

__all__ = ["ErrorSink", "Fate", "IcmpError", "Losses", "Sink", "Wire"]

Sink = Callable[[bytes, Address, str], None]
"""Takes a datagram, its source, and the own address that it came to ("" unknown)."""


class Fate(enum.Enum):
    """What became of a datagram that did not arrive."""

    EXPIRED = "its TTL ran out"
    TOO_BIG = "it is too big for a link on the way"
    NO_PORT = "nobody has that port there"
    PROHIBITED = "a rule forbids it"
    UNREACHABLE = "no way leads there"


@dataclass(frozen=True, slots=True)
class IcmpError:
    """What a router, or the other host, said of a datagram of ours."""

    fate: Fate
    router: str


ErrorSink = Callable[[IcmpError], None]


class Losses(NamedTuple):
    """Datagrams lost in this machine so far.

    `received`: nobody read them in time (0 where the system does not tell); `sent`:
    there was no room for them, or the system refused them.
    """

    received: int
    sent: int


class Wire(Protocol):
    """One bound UDP port."""

    @property
    def losses(self) -> Losses:
        """What this machine has lost of it."""
        ...

    @property
    def local(self) -> Address:
        """The bound address; the host is "::" or "0.0.0.0" where it is every one."""
        ...

    def start(self, sink: Sink) -> None:
        """From now on, bring each arriving datagram to `sink`, on the event loop."""
        ...

    def send(
        self,
        datagram: bytes,
        to: Address,
        *,
        ttl: int | None = None,
        source: str = "",
        whole: bool = False,
    ) -> None:
        """Put one datagram on the network; one that can't leave is dropped.

        Args:
            datagram: At most 65507 bytes.
            to: Destination.
            ttl: Hops it may travel (None: the system's default).
            source: The own address to send from ("": the system's choice).
            whole: Nobody may fragment it, and what is remembered of the path's MTU
                does not count; not sent where the system can't do that.
        """
        ...

    def watch_errors(self, sink: ErrorSink | None) -> bool:
        """Tell `sink` of datagrams that don't arrive; None: tell nobody any more.

        Returns:
            Whether this system tells.
        """
        ...

    def close(self) -> None:
        """Release the port."""
        ...
