"""A route: one way that a link's packets can take right now."""

from dataclasses import dataclass

from wzp_cli.address import Address

__all__ = ["ChannelRoute", "DirectRoute", "Route", "TurnRoute"]


@dataclass(frozen=True, slots=True)
class DirectRoute:
    """Straight to a transport address.

    Attributes:
        spare: Through which spare socket of ours; 0 is the one socket.
    """

    address: Address
    spare: int = 0

    @property
    def remote(self) -> Address:
        """Where packets go that take it."""
        return self.address

    def __str__(self) -> str:
        return str(self.address)


@dataclass(frozen=True, slots=True)
class ChannelRoute:
    """Through a relay's channel; the ids are 8 bytes, one for each direction."""

    relay: Address
    send_id: bytes
    receive_id: bytes

    @property
    def remote(self) -> Address:
        """Where packets go that take it."""
        return self.relay

    def __str__(self) -> str:
        return f"relay {self.relay}"


@dataclass(frozen=True, slots=True)
class TurnRoute:
    """From our allocation at a TURN server to the peer's, at the same or another one.

    Attributes:
        server: Where we have ours.
        peer: The relayed address of the peer's.
    """

    server: Address
    peer: Address

    @property
    def remote(self) -> Address:
        """Where packets go that take it."""
        return self.server

    def __str__(self) -> str:
        return f"turn {self.server}"


Route = DirectRoute | ChannelRoute | TurnRoute
