"""The way out, router by router, up to the first public one.

In one round trip: each hop is asked through a spare socket of its own, so that an error
tells by the socket which hop it is about, however late it comes. Or one by one, by the
one socket, along the very mapping that a link holds open.
"""

import asyncio

from wzp_cli.address import Address
from wzp_cli.defaults.diagnosis import (
    TRACE_TRIES_S,
    TRACE_WAIT_S,
    WALK_HOP_S,
    WALK_MAX_HOPS,
)
from wzp_cli.endpoint.sockets.spares import Spares
from wzp_cli.endpoint.sockets.wire import ErrorSink, Fate, IcmpError, Wire
from wzp_cli.endpoint.stun import message as stun
from wzp_cli.protocol.reach import is_public

__all__ = ["Walker", "trace"]


async def trace(spares: Spares, toward: Address) -> list[str | None]:
    """Return the routers on the way to a server, nearest first, None for a silent one.

    The last one is the first public router, if there is one within WALK_MAX_HOPS.
    Empty where the system does not tell, or nobody has answered.
    """
    numbers = spares.open(WALK_MAX_HOPS)
    hops = _Hops()
    try:
        if all(
            spares.watch_errors(number, hops.sink_of(ttl))
            for ttl, number in enumerate(numbers, 1)
        ):
            await _ask(spares, numbers, hops, toward)
    finally:
        spares.close(numbers)
    return hops.listed()


async def _ask(
    spares: Spares, numbers: list[int], hops: "_Hops", toward: Address
) -> None:
    waits_s = [
        end - at
        for at, end in zip(
            TRACE_TRIES_S, (*TRACE_TRIES_S[1:], TRACE_WAIT_S), strict=True
        )
    ]
    for wait_s in waits_s:
        for ttl, number in enumerate(numbers, 1):
            if ttl not in hops.heard:
                spares.send(number, stun.encode_indication(), toward, ttl)
        try:
            async with asyncio.timeout(wait_s):
                await hops.complete.wait()
        except TimeoutError:
            continue
        return


class _Hops:
    def __init__(self) -> None:
        self.heard: dict[int, str] = {}
        self.complete = asyncio.Event()

    def sink_of(self, ttl: int) -> ErrorSink:
        return lambda error: self._take(ttl, error)

    def _take(self, ttl: int, error: IcmpError) -> None:
        if error.fate is Fate.EXPIRED:
            self.heard.setdefault(ttl, error.router)
        end = self._first_public()
        if end is not None and all(each in self.heard for each in range(1, end)):
            self.complete.set()

    def _first_public(self) -> int | None:
        public = (ttl for ttl, router in self.heard.items() if is_public(router))
        return min(public, default=None)

    def listed(self) -> list[str | None]:
        last = self._first_public() or max(self.heard, default=0)
        return [self.heard.get(ttl) for ttl in range(1, last + 1)]


class Walker:
    """Asks one hop after the other by the one socket; one walk at a time."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._walking = False

    async def walk(self, toward: Address) -> list[str | None]:
        """Return the routers on the way to a server, as `trace` does.

        Empty where the system does not tell, or somebody walks already.
        """
        heard: asyncio.Queue[str] = asyncio.Queue()

        def hear(error: IcmpError) -> None:
            if error.fate is Fate.EXPIRED:
                heard.put_nowait(error.router)

        if self._walking or not self._wire.watch_errors(hear):
            return []
        self._walking = True
        try:
            return await self._walk(toward, heard)
        finally:
            self._walking = False
            self._wire.watch_errors(None)

    async def _walk(
        self, toward: Address, heard: asyncio.Queue[str]
    ) -> list[str | None]:
        hops: list[str | None] = []
        for ttl in range(1, WALK_MAX_HOPS + 1):
            self._wire.send(stun.encode_indication(), toward, ttl=ttl)
            try:
                async with asyncio.timeout(WALK_HOP_S):
                    router = await heard.get()
            except TimeoutError:
                hops.append(None)
                continue
            hops.append(router)
            if is_public(router):
                break
        return hops
