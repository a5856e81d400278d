"""What the ways to a port mapping have in common."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from wzp_cli.adapters.port_mapping.gateway import Gateway
from wzp_cli.address import Address
from wzp_cli.events import MappingProtocol
from wzp_cli.protocol.port_mapping import Grant

__all__ = ["FindMapper", "Mapper", "MappingRefused"]


class MappingRefused(Exception):
    """The router, asked in a protocol that it knows, gives no mapping; says why."""


class Mapper(Protocol):
    """A router that was found to map ports in one protocol."""

    protocol: MappingProtocol

    async def map(self, port: int, wanted: Address | None) -> Grant:
        """Map our UDP port, or renew its mapping; no answer is TimeoutError.

        Args:
            port: Ours.
            wanted: What was granted before; None: any.

        Raises:
            MappingRefused, TimeoutError, OSError: There is none.
        """
        ...

    async def unmap(self, port: int, granted: Address) -> None:
        """End the mapping. Raises as `map`."""
        ...


FindMapper = Callable[[Gateway], Awaitable[Mapper | None]]
"""Asks a router, at most some seconds; maps nothing. None: it does not know this."""
