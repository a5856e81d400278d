"""A mapping of the one socket's port, held as long as a command runs.

It never delays the command and never ends it: what the router refuses or gets wrong is
told in an event, and asked for again later.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from wzp_cli.adapters.port_mapping.gateway import Gateway, find_gateway
from wzp_cli.adapters.port_mapping.mapper import FindMapper, Mapper, MappingRefused
from wzp_cli.adapters.port_mapping.pcp import find_nat_pmp, find_pcp
from wzp_cli.adapters.port_mapping.upnp import find_upnp, is_installed
from wzp_cli.address import Address
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.paths import (
    PORT_MAPPING_AGAIN_S,
    PORT_MAPPING_LOOK_S,
    PORT_MAPPING_RELEASE_S,
    PORT_MAPPING_RENEWAL_MIN_S,
    PORT_MAPPING_RENEWAL_S,
)
from wzp_cli.events import MappingProtocol, PortMapped, Report
from wzp_cli.protocol.names.text import clean
from wzp_cli.protocol.port_mapping import Grant
from wzp_cli.protocol.reach import is_public

__all__ = ["KeptPortMapping", "ask_router", "keep_port_mapping"]

_WAYS: Sequence[FindMapper] = (find_pcp, find_nat_pmp, find_upnp)


async def ask_router(
    where: Callable[[], Gateway | None] = find_gateway,
) -> dict[MappingProtocol, bool | None]:
    """Return by which protocols the router maps ports; no mapping is made.

    Returns:
        None where it can't be asked: UPnP without its extra.
    """
    gateway = where()
    found: set[MappingProtocol] = set()
    if gateway is not None:
        async with task_group() as group:
            asked = [group.create_task(_find(find, gateway)) for find in _WAYS]
        mappers = [task.result() for task in asked]
        found = {mapper.protocol for mapper in mappers if mapper is not None}
    return {
        "pcp": "pcp" in found,
        "nat-pmp": "nat-pmp" in found,
        "upnp": "upnp" in found if is_installed() else None,
    }


@asynccontextmanager
async def keep_port_mapping(
    port: int,
    report: Report,
    where: Callable[[], Gateway | None] = find_gateway,
    ways: Sequence[FindMapper] = _WAYS,
) -> AsyncIterator["KeptPortMapping"]:
    """Hold a mapping of `port`, asked for in the background; ended on leaving.

    Args:
        port: Ours, UDP.
        report: Takes PortMapped.
        where: Finds the router.
        ways: To ask it.
    """
    kept = KeptPortMapping(port, report, where, ways)
    async with task_group() as group:
        keeping = group.create_task(kept.keep())
        try:
            yield kept
        finally:
            keeping.cancel()


@dataclass
class KeptPortMapping:
    """The mapping of one port; fits `ports.PortMapping`.

    Attributes:
        external: Where the router takes packets in for us, if that is public.
        watchers: Called when `external` has changed.
    """

    port: int
    report: Report
    where: Callable[[], Gateway | None]
    ways: Sequence[FindMapper]
    external: Address | None = None
    watchers: set[Callable[[], None]] = field(default_factory=set)
    _told: PortMapped | None = None

    async def keep(self) -> None:
        """Ask, renew, and ask anew when the router is another; until cancelled."""
        while True:
            gateway = self.where()
            async with task_group() as group:
                held = group.create_task(self._hold(gateway))
                await self._until_elsewhere(gateway)
                held.cancel()
            if self._told is not None:
                self._lose("this machine changed its network")

    async def _until_elsewhere(self, gateway: Gateway | None) -> None:
        while True:
            await asyncio.sleep(PORT_MAPPING_LOOK_S)
            if self.where() != gateway:
                return

    async def _hold(self, gateway: Gateway | None) -> None:
        """Have a mapping at one router, until cancelled."""
        while gateway is not None:
            mapper, grant, why_not = await self._acquire(gateway)
            if mapper is not None and grant is not None:
                await self._renew(mapper, grant)
                why_not = "the router no longer answers"
            self._lose(why_not)
            await asyncio.sleep(PORT_MAPPING_AGAIN_S)

    async def _acquire(
        self, gateway: Gateway
    ) -> tuple[Mapper | None, Grant | None, str]:
        """Return the first mapping that is granted, by whom; else why there is none."""
        refused = []
        async with task_group() as group:
            asked = [group.create_task(_find(find, gateway)) for find in self.ways]
            for answered in asyncio.as_completed(asked):
                mapper = await answered
                if mapper is None:
                    continue
                try:
                    granted = await _map(mapper, self.port, None)
                except asyncio.CancelledError:  # it may just have been granted
                    await _release(mapper, self.port, Address("0.0.0.0", self.port))
                    raise
                if isinstance(granted, Grant):
                    for task in asked:
                        task.cancel()
                    return mapper, granted, ""
                refused.append(f"{granted} ({mapper.protocol})")
        if refused:
            return None, None, f"the router refuses it: {'; '.join(refused)}"
        return None, None, "the router offers none (PCP, NAT-PMP, UPnP)"

    async def _renew(self, mapper: Mapper, grant: Grant | str) -> None:
        """Return when the mapping is lost; end it when cancelled."""
        last = grant
        try:
            while isinstance(grant, Grant):
                last = grant
                self._hold_at(mapper.protocol, grant.external)
                half_s = max(grant.lifetime_s / 2, PORT_MAPPING_RENEWAL_MIN_S)
                await asyncio.sleep(min(half_s, PORT_MAPPING_RENEWAL_S))
                grant = await _map(mapper, self.port, grant.external)
        except asyncio.CancelledError:
            assert isinstance(last, Grant)
            await _release(mapper, self.port, last.external)
            raise

    def _hold_at(self, protocol: MappingProtocol, external: Address) -> None:
        useful = is_public(external.host)
        why_not = None if useful else "another NAT is beyond this router"
        self._tell(
            PortMapped(address=str(external), protocol=protocol, reason=why_not),
            external if useful else None,
        )

    def _lose(self, why_not: str) -> None:
        self._tell(PortMapped(address=None, protocol=None, reason=why_not))

    def _tell(self, mapped: PortMapped, external: Address | None = None) -> None:
        if mapped != self._told:
            self._told = mapped
            self.report(mapped)
        if external != self.external:
            self.external = external
            for watcher in list(self.watchers):
                watcher()


async def _find(find: FindMapper, gateway: Gateway) -> Mapper | None:
    """Ask a router in one protocol; what its answers break counts as no answer."""
    try:
        return await find(gateway)
    except Exception:  # of a library that reads what any router may say
        return None


async def _map(mapper: Mapper, port: int, wanted: Address | None) -> Grant | str:
    """Return what was granted, or why nothing."""
    try:
        return await mapper.map(port, wanted)
    except TimeoutError:
        return "no answer"
    except (MappingRefused, OSError) as error:
        return str(error)
    except Exception as error:  # as above
        return clean(repr(error))


async def _release(mapper: Mapper, port: int, granted: Address) -> None:
    """End a mapping if the router answers soon; else it ends with its lifetime."""
    with suppress(Exception):
        async with asyncio.timeout(PORT_MAPPING_RELEASE_S):
            await mapper.unmap(port, granted)
