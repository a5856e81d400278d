"""The largest packet that passes whole, by asking a server with ever larger requests.

What passes is proven by the answer, in this direction; nothing is concluded from what
routers say, since many say nothing.
"""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from wzp_cli.address import Address
from wzp_cli.defaults.diagnosis import PATH_MTU_BYTES, PATH_MTU_TRIES_S
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.stun import message as stun
from wzp_cli.protocol.traversal.route import DirectRoute

__all__ = ["find_path_mtu"]

_HEADERS_V4_BYTES = 28


async def find_path_mtu(
    endpoint: Endpoint, server: Address, rtt_s: float
) -> int | None:
    """Return the largest IPv4 packet of PATH_MTU_BYTES that reached a server.

    None: none did, or the system can't forbid fragments.

    Args:
        endpoint: Whose spare socket asks.
        server: One that has answered, IPv4.
        rtt_s: Its round trip.
    """
    spares = endpoint.open_spares(1)
    try:
        for spare in spares:
            probe = _Probe(endpoint, DirectRoute(server, spare))
            return await probe.run(rtt_s)
    finally:
        endpoint.close_spares(spares)
    return None


@dataclass
class _Probe:
    endpoint: Endpoint
    route: DirectRoute
    passed: set[int] = field(default_factory=set)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, rtt_s: float) -> int | None:
        ids = {size: stun.new_transaction_id() for size in PATH_MTU_BYTES}
        with ExitStack() as stack:
            for size, transaction_id in ids.items():
                sink = self._sink(size)
                stack.enter_context(self.endpoint.expecting(transaction_id, sink))
            for pause_s in PATH_MTU_TRIES_S:
                self._send(ids)
                if await self._largest_within(pause_s + rtt_s):
                    break
        return max(self.passed, default=None)

    def _sink(self, size: int) -> Callable[[stun.BindingMessage, DirectRoute], None]:
        def take(message: stun.BindingMessage, route: DirectRoute) -> None:
            if route == self.route:
                self.passed.add(size)
                self.news.set()

        return take

    def _send(self, ids: dict[int, bytes]) -> None:
        """Send every request that is larger than what has passed, the largest first."""
        for size, transaction_id in ids.items():
            if size > max(self.passed, default=0):
                request = stun.encode_request(
                    transaction_id, size_bytes=size - _HEADERS_V4_BYTES
                )
                self.endpoint.carry(request, self.route, whole=True)

    async def _largest_within(self, wait_s: float) -> bool:
        try:
            async with asyncio.timeout(wait_s):
                while max(PATH_MTU_BYTES) not in self.passed:
                    self.news.clear()
                    await self.news.wait()
        except TimeoutError:
            return False
        return True
