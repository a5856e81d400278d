"""Whose frames are whose, when a relay has forwarders beside it."""

from typing import Protocol

from wzp_cli.address import Address

__all__ = ["Alone", "Sharing"]


class Sharing(Protocol):
    """Who forwards: this process is number 0, forwarders have the others."""

    def choose(self) -> int:
        """Return whose a new channel should be."""
        ...

    def number_of(self, send_id: bytes) -> int:
        """Return whose the frames with this id are."""
        ...

    def tell(self, send_id: bytes, source: Address, to: Address) -> None:
        """Say from where to where frames with this id go now."""
        ...

    def forget(self, send_id: bytes) -> None:
        """Say that there are no more of them."""
        ...


class Alone:
    """Nobody forwards but this process."""

    def choose(self) -> int:
        """Return 0."""
        return 0

    def number_of(self, send_id: bytes) -> int:
        """Return 0."""
        return 0

    def tell(self, send_id: bytes, source: Address, to: Address) -> None:
        """Tell nobody."""

    def forget(self, send_id: bytes) -> None:
        """Tell nobody."""
