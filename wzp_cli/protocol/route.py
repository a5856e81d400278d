"""A route: one way that a link's packets can take right now."""

from dataclasses import dataclass

from wzp_cli.address import Address

__all__ = ["ChannelRoute", "DirectRoute", "Route"]


@dataclass(frozen=True, slots=True)
class DirectRoute:
    """Straight to a transport address.

    Attributes:
        spare: Through which spare socket of ours; 0 is the one socket.
    """

    address: Address
    spare: int = 0

    def __str__(self) -> str:
        return str(self.address)


@dataclass(frozen=True, slots=True)
class ChannelRoute:
    """Through a relay's channel; the ids are 8 bytes, one for each direction."""

    relay: Address
    send_id: bytes
    receive_id: bytes

    def __str__(self) -> str:
        return f"relay {self.relay}"


Route = DirectRoute | ChannelRoute
