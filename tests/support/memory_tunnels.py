"""WebSockets in memory, for worlds in virtual time."""

import asyncio
import itertools
from collections.abc import Callable

from wzp_cli.address import Address
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.tunnels import DialTunnel, TakeDatagram, TunnelEnd
from wzp_cli.errors import ConnectionLost

__all__ = ["MemoryTunnel", "dialler_to"]

_ports = itertools.count(50_000)


class MemoryTunnel:
    """One end; `other` is the other one."""

    def __init__(self, sink: TakeDatagram, delay_s: float) -> None:
        self.on_end: Callable[[], None] = lambda: None
        self.dropped = 0
        self.other: MemoryTunnel | None = None
        self._sink, self._delay_s = sink, delay_s
        self._loop = asyncio.get_running_loop()
        self._closed = False

    def send(self, datagram: bytes) -> None:
        other = self.other
        if other is not None and not self._closed:
            self._loop.call_later(self._delay_s, other.take, datagram)

    def take(self, datagram: bytes) -> None:
        if not self._closed:
            self._sink(datagram)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self.on_end()
        if self.other is not None:
            self._loop.call_later(self._delay_s, self.other.close)


def dialler_to(
    relay: Endpoint, own_host: str, *, delay_s: float = 0.01, port: int = 443
) -> DialTunnel:
    """Return what reaches this relay's endpoint; it sees us at `own_host`."""

    async def dial(server: Address, name: str, sink: TakeDatagram) -> TunnelEnd:
        await asyncio.sleep(
            6 * delay_s
        )  # TCP, TLS and the WebSocket: three round trips
        if server.port != port:
            raise ConnectionLost("refused")
        remote = Address(own_host, next(_ports), tunnel=1)
        ours = MemoryTunnel(sink, delay_s)
        theirs = MemoryTunnel(relay.tunnels.sink_of(remote), delay_s)
        ours.other, theirs.other = theirs, ours
        relay.tunnels.attach(remote, theirs)
        return ours

    return dial
