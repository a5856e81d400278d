"""The seam between the endpoint and the operating system: one bound UDP port.

`Wire` is what the endpoint needs; `udp.UdpWire` is the real one, and the tests have a
network in memory of the same shape.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from wzp_cli.address import Address

__all__ = ["ExpirySink", "Losses", "Sink", "Wire"]

Sink = Callable[[bytes, Address, str], None]
"""Takes a datagram, its source, and the own address that it came to ("" unknown)."""

ExpirySink = Callable[[str], None]
"""Takes the router at which a datagram of ours died, because its TTL ran out."""


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
        self, datagram: bytes, to: Address, *, ttl: int | None = None, source: str = ""
    ) -> None:
        """Put one datagram on the network; one that can't leave is dropped.

        Args:
            datagram: At most 65507 bytes.
            to: Destination.
            ttl: Hops it may travel (None: the system's default).
            source: The own address to send from ("": the system's choice).
        """
        ...

    def watch_expiry(self, sink: ExpirySink | None) -> bool:
        """Tell `sink` of datagrams that die on the way; None: tell nobody any more.

        Returns:
            Whether this system tells.
        """
        ...

    def close(self) -> None:
        """Release the port."""
        ...
