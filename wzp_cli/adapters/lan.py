"""The local network by multicast DNS (RFC 6762): found, and to find (extra `lan`).

    async with announced(identity, "Ada", port, find, report): ...   be found meanwhile
    neighbours = await look_around(find, enough)                     who is here

zeroconf has a socket of its own on port 5353, which carries no call.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from wzp_cli.adapters.interfaces import InterfaceAddress
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.lan import (
    LAN_ADDRESSES_LOOK_S,
    LAN_LOOK_S,
    LAN_MAX_NEIGHBOURS,
    LAN_RESOLVE_S,
)
from wzp_cli.errors import EnvironmentFault
from wzp_cli.events import LanAnnounced, Report, Warned
from wzp_cli.protocol.lan import LAN_SERVICE, Neighbour, announcement, merged, read
from wzp_cli.protocol.names.identity import Identity
from wzp_cli.protocol.reach import IpNetwork

if TYPE_CHECKING:
    from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

__all__ = ["announced", "look_around", "need_zeroconf"]

FindAddresses = Callable[[], Sequence[InterfaceAddress]]


def need_zeroconf() -> None:
    """Raise EnvironmentFault where the extra is not installed."""
    try:
        import zeroconf  # noqa: F401
    except ImportError as error:
        raise EnvironmentFault(
            "The local network needs a package that is not here."
            " Run: pip install 'wzp[lan]'"
        ) from error


# --- To be found ----------------------------------------------------------------


@asynccontextmanager
async def announced(
    identity: Identity, name: str, port: int, find: FindAddresses, report: Report
) -> AsyncIterator[None]:
    """Announce ourselves while the block runs, on whichever networks we are then.

    Args:
        identity: Ours.
        name: What we call ourselves; may be empty.
        port: Of the one socket.
        find: Finds this machine's addresses.
        report: Is told where we are announced, and where that can't be.

    Raises:
        EnvironmentFault: The extra is not installed.
    """
    need_zeroconf()
    told = announcement(identity, name)
    instance = f"{identity.short}-{secrets.token_hex(4)}"
    async with task_group() as group:
        announcing = group.create_task(_announce(instance, told, port, find, report))
        try:
            yield
        finally:
            announcing.cancel()


async def _announce(
    instance: str,
    told: dict[str, str],
    port: int,
    find: FindAddresses,
    report: Report,
) -> None:
    """Announce, and anew whenever the addresses have changed; until cancelled."""
    hosts: list[str] = []
    while True:
        hosts = await _others_than(hosts, find)
        info = _service(instance, told, port, hosts)
        try:
            async with _multicast(hosts) as zeroconf:
                if zeroconf is None:
                    continue
                # No probing: the name has chance in it, and whoever answered that it
                # is taken would keep us from being announced.
                told_all = await zeroconf.async_register_service(
                    info, cooperating_responders=True
                )
                try:
                    await told_all
                    report(LanAnnounced(name=told.get("name", ""), addresses=hosts))
                    await _others_than(hosts, find)
                finally:
                    await (await zeroconf.async_unregister_service(info))
        except OSError as error:
            message = f"not announced on this LAN: {error.strerror or error}"
            report(Warned(code="lan", message=message))


async def _others_than(hosts: list[str], find: FindAddresses) -> list[str]:
    """Return this machine's addresses, once they are others than these."""
    while True:
        now = [each.host for each in find()]
        if now != hosts:
            return now
        await asyncio.sleep(LAN_ADDRESSES_LOOK_S)


def _service(
    instance: str, told: dict[str, str], port: int, hosts: list[str]
) -> "AsyncServiceInfo":
    from zeroconf.asyncio import AsyncServiceInfo

    return AsyncServiceInfo(
        LAN_SERVICE,
        f"{instance}.{LAN_SERVICE}",
        port=port,
        properties=told,
        server=f"wzp-{instance}.local.",  # the machine's own name is nobody's business
        parsed_addresses=hosts,
    )


@asynccontextmanager
async def _multicast(hosts: Sequence[str]) -> "AsyncIterator[AsyncZeroconf | None]":
    """Open multicast DNS on these addresses; None where there is no IPv4 one."""
    from zeroconf import IPVersion
    from zeroconf.asyncio import AsyncZeroconf

    fours = [host for host in hosts if ":" not in host]
    if not fours:
        yield None
        return
    zeroconf = AsyncZeroconf(interfaces=fours, ip_version=IPVersion.V4Only)
    try:
        yield zeroconf
    finally:
        await zeroconf.async_close()


# --- To find --------------------------------------------------------------------


async def look_around(
    find: FindAddresses,
    enough: Callable[[Sequence[Neighbour]], bool] = lambda found: False,
) -> list[Neighbour]:
    """Return who announces themselves here.

    Args:
        find: Finds this machine's addresses.
        enough: Whether to look no longer, once these are found.

    Raises:
        EnvironmentFault: The extra is not installed, or there is no network.
    """
    need_zeroconf()
    own = find()
    look = _Look([each.network for each in own], enough)
    try:
        async with _multicast([each.host for each in own]) as zeroconf:
            if zeroconf is not None:
                await look.around(zeroconf)
    except OSError as error:
        raise EnvironmentFault(
            f"this LAN can't be asked: {error.strerror or error}"
        ) from error
    return merged(look.found)


class _Look:
    def __init__(
        self,
        networks: Sequence[IpNetwork],
        enough: Callable[[Sequence[Neighbour]], bool],
    ) -> None:
        self.found: list[Neighbour] = []
        self._networks = networks
        self._enough = enough
        self._names: asyncio.Queue[str] = asyncio.Queue(LAN_MAX_NEIGHBOURS)
        self._done = asyncio.Event()

    async def around(self, zeroconf: "AsyncZeroconf") -> None:
        from zeroconf import DNSQuestionType
        from zeroconf.asyncio import AsyncServiceBrowser

        browser = AsyncServiceBrowser(
            zeroconf.zeroconf,
            LAN_SERVICE,
            handlers=[self._heard],
            # An answer to us alone would go to any program that shares port 5353.
            question_type=DNSQuestionType.QM,
        )
        try:
            async with asyncio.timeout(LAN_LOOK_S), task_group() as group:
                asking = group.create_task(self._ask(zeroconf, group))
                await self._done.wait()
                asking.cancel()
        except TimeoutError:
            pass
        finally:
            await browser.async_cancel()

    def _heard(self, name: str, **more: object) -> None:
        """Take a name; of a flood the rest is left out."""
        if not self._names.full():
            self._names.put_nowait(name)

    async def _ask(self, zeroconf: "AsyncZeroconf", group: asyncio.TaskGroup) -> None:
        for _ in range(LAN_MAX_NEIGHBOURS):
            group.create_task(self._resolve(zeroconf, await self._names.get()))

    async def _resolve(self, zeroconf: "AsyncZeroconf", name: str) -> None:
        from zeroconf import BadTypeInNameException, DNSQuestionType
        from zeroconf.asyncio import AsyncServiceInfo

        try:
            info = AsyncServiceInfo(LAN_SERVICE, name)
        except BadTypeInNameException:  # a stranger's: with controls, of another type
            return
        wait_ms = LAN_RESOLVE_S * 1000
        if not await info.async_request(
            zeroconf.zeroconf, wait_ms, question_type=DNSQuestionType.QM
        ):
            return
        hosts = info.parsed_addresses()
        neighbour = read(info.properties, hosts, info.port, self._networks)
        if neighbour is not None:
            self.found.append(neighbour)
            if self._enough(self.found):
                self._done.set()
