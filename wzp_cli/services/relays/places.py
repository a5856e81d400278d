"""Where a relay may be found: SRV records, addresses of its name, its TCP port.

    _wzp._udp.NAME       where it takes links by UDP
    _wzps._tcp.NAME      where it takes WebSockets
    NAME (A, AAAA)       both, where there are no such records

All are asked for at once. Addresses wait for records `SRV_HEAD_START_S` at most: later
ones join the race that has begun. Records count for a name with the default port alone,
since another port was said by somebody who knows better.
"""

import asyncio
import ipaddress
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from wzp_cli.address import Address, HostPort
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.relay import (
    RELAY_DEFAULT_PORT,
    RELAY_TCP_DEFAULT_PORT,
    SRV_HEAD_START_S,
    SRV_MAX_ADDRESSES,
)
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.errors import NameNotFound
from wzp_cli.protocol.reach import may_be_service

__all__ = ["Place", "RelayPlaces", "TakePlaces"]

_UDP_RECORDS = "_wzp._udp"
_TCP_RECORDS = "_wzps._tcp"


class Place(NamedTuple):
    """Where a relay may be.

    Attributes:
        address: Of TCP where a WebSocket has to be opened.
        host: The name or number that stands for it there: proxies are asked for that.
    """

    address: Address
    host: str


TakePlaces = Callable[[Sequence[Place]], None]
"""Takes some places, best first; is called again when more are known."""


@dataclass(frozen=True, slots=True)
class RelayPlaces:
    """Finds the places of one relay.

    Attributes:
        relay: What the user wrote.
        told_tcp_port: Returns the TCP port that a relay has told, if it has.
    """

    endpoint: Endpoint
    relay: HostPort
    told_tcp_port: Callable[[str], int | None]

    async def find(self, take: TakePlaces) -> None:
        """Hand over all of them, as they become known.

        Raises:
            NameNotFound: There are none.
        """
        if not self._may_have_records():
            take(self._with_tcp(await self._by_address()))
            return
        async with task_group() as group:
            records = group.create_task(self._by_records())
            named = group.create_task(self._by_address_if_any())
            await asyncio.wait({records, named}, return_when=asyncio.FIRST_COMPLETED)
            if not records.done() and named.result():
                await asyncio.wait({records}, timeout=SRV_HEAD_START_S)
            if not records.done() and named.result():
                take(self._with_tcp(named.result()))
                by_udp, by_tcp = await records
            else:
                by_udp, by_tcp = await records
                by_udp = by_udp or await named
                if not by_udp and not by_tcp:
                    raise NameNotFound(f"no address was found for {self.relay.host}")
            named.cancel()
            take(self._with_tcp(by_udp, by_tcp))

    def by_tcp(self, at: Iterable[Place]) -> list[Place]:
        """Return where the relay at these places of UDP may be by TCP, if we can."""
        if not self.endpoint.tunnels.can_dial:
            return []
        port = self.relay.tcp or self.told_tcp_port(self.relay.server)
        port = port or RELAY_TCP_DEFAULT_PORT
        return [
            Place(Address(address.host, port, tunnel=1), host) for address, host in at
        ]

    def named(self, addresses: Iterable[Address]) -> list[Place]:
        """Return these addresses as places of the relay's own name."""
        return [Place(address, self.relay.host) for address in addresses]

    def _with_tcp(
        self, by_udp: Sequence[Place], by_tcp: Sequence[Place] = ()
    ) -> list[Place]:
        """Return them with those of TCP last: these win only where UDP is slower."""
        is_said = self.relay.tcp is not None
        own = self.by_tcp(by_udp) if is_said or not by_tcp else []
        return [*by_udp, *own, *by_tcp]

    def _may_have_records(self) -> bool:
        """Whether to ask: not for numbers, nor for names that are not of DNS."""
        host = self.relay.host.rstrip(".").lower()
        try:
            ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            is_of_dns = "." in host and not host.endswith((".local", ".localhost"))
            return is_of_dns and self.relay.port == RELAY_DEFAULT_PORT
        return False

    async def _by_address(self) -> list[Place]:
        return self.named(await self.endpoint.resolve(self.relay))

    async def _by_address_if_any(self) -> list[Place]:
        with suppress(NameNotFound):
            return await self._by_address()
        return []

    async def _by_records(self) -> tuple[list[Place], list[Place]]:
        """Return the places of UDP and of TCP that records name."""
        async with task_group() as group:
            by_udp = group.create_task(self._listed(_UDP_RECORDS))
            by_tcp = group.create_task(self._tunnels_listed())
        return by_udp.result(), by_tcp.result()

    async def _tunnels_listed(self) -> list[Place]:
        if not self.endpoint.tunnels.can_dial:
            return []
        found = await self._listed(_TCP_RECORDS)
        return [Place(address._replace(tunnel=1), host) for address, host in found]

    async def _listed(self, service: str) -> list[Place]:
        """Return the addresses of the targets of one service's records, in order."""
        targets = await self.endpoint.look_up_srv(f"{service}.{self.relay.host}")
        async with task_group() as group:
            tasks = [group.create_task(self._addresses(each)) for each in targets]
        places = [place for task in tasks for place in task.result()]
        return places[:SRV_MAX_ADDRESSES]

    async def _addresses(self, target: HostPort) -> list[Place]:
        with suppress(NameNotFound):
            found = await self.endpoint.resolve(target)
            return [Place(each, target.host) for each in found if may_be_service(each)]
        return []
