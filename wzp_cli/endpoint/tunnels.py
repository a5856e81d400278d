"""The WebSockets that carry datagrams of one endpoint, each named by its far end.

They belong to the endpoint, which looks at what arrives there as at its own: a datagram
from a WebSocket has the TCP address of the far end as its source, and what is sent to
that address goes back through the WebSocket.
"""

import itertools
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Protocol

from wzp_cli.address import Address
from wzp_cli.endpoint.links.link import Link
from wzp_cli.endpoint.sockets.wire import Sink
from wzp_cli.errors import ConnectionLost

__all__ = ["DialTunnel", "TakeDatagram", "TunnelEnd", "Tunnels"]

TakeDatagram = Callable[[bytes], None]
"""Takes a datagram that came through one WebSocket."""


class TunnelEnd(Protocol):
    """This side of one WebSocket, open.

    Attributes:
        on_end: Called once when it is over, whoever ended it.
        dropped: Datagrams that waited too long to be sent.
    """

    on_end: Callable[[], None]
    dropped: int

    def send(self, datagram: bytes) -> None:
        """Send one datagram, or drop it where the network is too slow."""
        ...

    def close(self) -> None:
        """End it at once."""
        ...


DialTunnel = Callable[[Address, str, TakeDatagram], Awaitable[TunnelEnd]]
"""Opens a WebSocket to an address, of a server of this name; raises ConnectionLost."""


class Tunnels:
    """The open WebSockets of one endpoint, and the links that go through them.

    Attributes:
        refused: How many of those that came were closed, by limit.
    """

    def __init__(self, dial: DialTunnel | None, sink: Sink) -> None:
        """Take what opens one (None: nothing does), and what is fed."""
        self._dial, self._sink = dial, sink
        self.refused: Counter[str] = Counter()
        self._open: dict[Address, TunnelEnd] = {}
        self._links: dict[Address, set[Link]] = {}
        self._numbers = itertools.count(1)
        self._ended_dropped = 0

    def __len__(self) -> int:
        return len(self._open)

    @property
    def can_dial(self) -> bool:
        """Whether this endpoint can open any."""
        return self._dial is not None

    @property
    def dropped(self) -> int:
        """Datagrams dropped because a WebSocket was too slow, since the start."""
        return self._ended_dropped + sum(each.dropped for each in self._open.values())

    async def dial(self, server: Address, name: str) -> tuple[Address, TunnelEnd]:
        """Open one to `server`, beside any that there is.

        Args:
            server: Its TCP address.
            name: The name or number that the user gave for it.

        Returns:
            What to call the far end of this one, and this end.

        Raises:
            ConnectionLost: Nobody who speaks this protocol answered.
        """
        if self._dial is None:
            raise ConnectionLost("no way through TCP")
        remote = self.name(server)
        tunnel = await self._dial(remote, name, self.sink_of(remote))
        self.attach(remote, tunnel)
        return remote, tunnel

    def name(self, server: Address) -> Address:
        """Return what to call the far end of a new connection to `server`."""
        return server._replace(tunnel=next(self._numbers))

    def sink_of(self, remote: Address) -> TakeDatagram:
        """Return what takes the datagrams that come from `remote`."""
        return lambda datagram: self._sink(datagram, remote, "")

    def attach(
        self,
        remote: Address,
        tunnel: TunnelEnd,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        """From now on, send what is for `remote` through this one, to its end."""
        self._open[remote] = tunnel

        def ended() -> None:
            self._ended(remote, tunnel)
            on_end()

        tunnel.on_end = ended

    def send(self, datagram: bytes, to: Address) -> None:
        """Send through the WebSocket to `to`; drop what would go through none."""
        tunnel = self._open.get(to)
        if tunnel is not None:
            tunnel.send(datagram)

    def moved(self, link: Link, before: Address | None, now: Address | None) -> None:
        """Note that a link goes to `now` from now on, no longer to `before`."""
        if before is not None and before.is_tcp:
            self._links[before].discard(link)
            if not self._links[before]:
                del self._links[before]
        if now is not None and now.is_tcp:
            self._links.setdefault(now, set()).add(link)

    def links_of(self, remote: Address) -> frozenset[Link]:
        """Return the links that go through the WebSocket to `remote`."""
        return frozenset(self._links.get(remote, ()))

    def close(self, remote: Address) -> None:
        """Close the one to `remote`, if there is one."""
        if remote in self._open:
            self._open[remote].close()

    def close_all(self) -> None:
        """Close all of them."""
        for tunnel in list(self._open.values()):
            tunnel.close()

    def _ended(self, remote: Address, tunnel: TunnelEnd) -> None:
        if self._open.pop(remote, None) is not None:
            self._ended_dropped += tunnel.dropped
            for link in self.links_of(remote):
                link.abort("the TCP connection is lost")
