"""Port mapping by PCP and by NAT-PMP, its forerunner: questions to a router."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast

from wzp_cli.adapters.port_mapping.gateway import Gateway
from wzp_cli.adapters.port_mapping.mapper import MappingRefused
from wzp_cli.address import Address
from wzp_cli.defaults.paths import PORT_MAPPING_LIFETIME_S, PORT_MAPPING_TRIES_S
from wzp_cli.errors import RemoteProtocolError
from wzp_cli.events import MappingProtocol
from wzp_cli.protocol.port_mapping import (
    NONCE_BYTES,
    Grant,
    nat_pmp_address_request,
    nat_pmp_map_request,
    pcp_announce_request,
    pcp_map_request,
    read_nat_pmp_address,
    read_nat_pmp_end,
    read_nat_pmp_grant,
    read_pcp_announce,
    read_pcp_end,
    read_pcp_grant,
    refusal,
)

__all__ = ["NatPmpMapper", "PcpMapper", "find_nat_pmp", "find_pcp"]

_Read = TypeVar("_Read")
_MAX_WAITING: Final = 8


async def find_pcp(gateway: Gateway) -> "PcpMapper | None":
    """Return the router if it speaks PCP."""
    try:
        await _ask(gateway, pcp_announce_request(gateway.own), read_pcp_announce)
    except (TimeoutError, OSError):
        return None
    return PcpMapper(gateway)


async def find_nat_pmp(gateway: Gateway) -> "NatPmpMapper | None":
    """Return the router if it speaks NAT-PMP."""
    try:
        await _ask(gateway, nat_pmp_address_request(), read_nat_pmp_address)
    except (TimeoutError, OSError):
        return None
    return NatPmpMapper(gateway)


@dataclass
class PcpMapper:
    """A router that speaks PCP."""

    gateway: Gateway
    protocol: MappingProtocol = "pcp"
    _nonce: bytes = field(default_factory=lambda: secrets.token_bytes(NONCE_BYTES))

    async def map(self, port: int, wanted: Address | None) -> Grant:
        """Map a port, as `Mapper.map`."""
        own, nonce = self.gateway.own, self._nonce
        wanted = wanted or Address("0.0.0.0", port)
        request = pcp_map_request(own, port, nonce, PORT_MAPPING_LIFETIME_S, wanted)
        granted = await _ask(
            self.gateway, request, lambda answer: read_pcp_grant(answer, port, nonce)
        )
        if isinstance(granted, int):
            raise MappingRefused(refusal(granted, pcp=True))
        return granted

    async def unmap(self, port: int, granted: Address) -> None:
        """End a mapping, as `Mapper.unmap`."""
        nonce = self._nonce
        request = pcp_map_request(self.gateway.own, port, nonce, 0, granted)
        result = await _ask(
            self.gateway, request, lambda answer: read_pcp_end(answer, port, nonce)
        )
        if result:
            raise MappingRefused(refusal(result, pcp=True))


@dataclass
class NatPmpMapper:
    """A router that speaks NAT-PMP."""

    gateway: Gateway
    protocol: MappingProtocol = "nat-pmp"

    async def map(self, port: int, wanted: Address | None) -> Grant:
        """Map a port, as `Mapper.map`."""
        host = await _ask(self.gateway, nat_pmp_address_request(), read_nat_pmp_address)
        if isinstance(host, int):
            raise MappingRefused(refusal(host, pcp=False))
        wanted_port = port if wanted is None else wanted.port
        request = nat_pmp_map_request(port, PORT_MAPPING_LIFETIME_S, wanted_port)
        granted = await _ask(
            self.gateway, request, lambda answer: read_nat_pmp_grant(answer, port, host)
        )
        if isinstance(granted, int):
            raise MappingRefused(refusal(granted, pcp=False))
        return granted

    async def unmap(self, port: int, granted: Address) -> None:
        """End a mapping, as `Mapper.unmap`."""
        request = nat_pmp_map_request(port, 0, 0)
        result = await _ask(
            self.gateway, request, lambda answer: read_nat_pmp_end(answer, port)
        )
        if result:
            raise MappingRefused(refusal(result, pcp=False))


async def _ask(
    gateway: Gateway, request: bytes, read: Callable[[bytes], _Read]
) -> _Read:
    """Send a request until an answer comes that can be read.

    The socket is connected: nobody but the router is heard.

    Raises:
        TimeoutError: None came.
        OSError: There is no way, or nothing listens there.
    """
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(
        _Answers,
        local_addr=(gateway.own, 0),
        remote_addr=(gateway.host, gateway.port),
    )
    try:
        for wait_s in PORT_MAPPING_TRIES_S:
            transport.sendto(request)
            try:
                async with asyncio.timeout(wait_s):
                    return await protocol.first(read)
            except TimeoutError:
                continue
        raise TimeoutError
    finally:
        transport.close()


class _Answers(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self._came: asyncio.Queue[bytes | OSError] = asyncio.Queue(_MAX_WAITING)

    async def first(self, read: Callable[[bytes], _Read]) -> _Read:
        while True:
            came = await self._came.get()
            if isinstance(came, OSError):
                raise came
            try:
                return read(came)
            except RemoteProtocolError:
                continue

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        if not self._came.full():
            self._came.put_nowait(data)

    def error_received(self, exc: Exception) -> None:
        if not self._came.full():
            self._came.put_nowait(cast(OSError, exc))
