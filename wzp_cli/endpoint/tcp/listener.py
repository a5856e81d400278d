"""The relay's side: a TCP port where clients come whose networks block UDP.

Whoever comes is nobody until the QUIC inside has proven an identity. So there are
limits on connections in all, on those of one network and on those in their handshakes;
and a WebSocket over which no link has come up within `TUNNEL_PROOF_S` is closed.
"""

import asyncio
import collections
import errno
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from websockets.server import ServerProtocol

from wzp_cli.address import Address
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.endpoint import (
    HANDSHAKE_TIMEOUT_S,
    MAX_HALF_OPEN_TUNNELS,
    MAX_HALF_OPEN_TUNNELS_PER_SOURCE,
    TUNNEL_BACKLOG,
    TUNNEL_MAX_DATAGRAM_BYTES,
    TUNNEL_PROOF_S,
    TUNNEL_SWEEP_S,
)
from wzp_cli.defaults.relay import RELAY_MAX_TUNNELS, RELAY_MAX_TUNNELS_PER_SOURCE
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.tcp.tunnel import SUBPROTOCOLS, Tunnel
from wzp_cli.endpoint.tcp.unsent import keep_little_unsent
from wzp_cli.errors import ConnectionLost, EnvironmentFault, PortInUse

__all__ = ["TunnelListener", "open_tunnel_listener"]

_RESERVED_DESCRIPTORS = 64
"""For everything but clients: the UDP ports, files, a resolver."""


@asynccontextmanager
async def open_tunnel_listener(
    endpoint: Endpoint, port: int, context: ssl.SSLContext, *, host: str = ""
) -> AsyncIterator["TunnelListener"]:
    """Accept WebSockets for `endpoint`; on leaving, close them all.

    Args:
        endpoint: Whose clients come there.
        port: TCP port; 0 lets the system choose.
        context: The certificate.
        host: Own address to bind ("": every one, IPv4 and IPv6).

    Raises:
        PortInUse: The port is taken.
        EnvironmentFault: The system does not let us bind.
    """
    try:
        sock = _bind(host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(f"TCP port {port} is in use") from error
        why = os.strerror(error.errno) if error.errno else error
        raise EnvironmentFault(f"can't bind TCP port {port}: {why}") from error
    async with task_group() as group:
        listener = TunnelListener(endpoint, context, group, sock.getsockname()[1])
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            listener.protocol, sock=sock, backlog=TUNNEL_BACKLOG
        )
        sweeping = group.create_task(listener.sweep())
        try:
            yield listener
        finally:
            server.close()
            sweeping.cancel()
            listener.close()


class TunnelListener:
    """Who has come by TCP, and how far they have got.

    Attributes:
        port: The bound port.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        context: ssl.SSLContext,
        group: asyncio.TaskGroup,
        port: int,
    ) -> None:
        self.port = port
        self.refused = endpoint.tunnels.refused
        self._endpoint, self._context, self._group = endpoint, context, group
        self._loop = asyncio.get_running_loop()
        self._capacity = _capacity()
        self._half_open: dict[Address, asyncio.Transport] = {}
        self._open: dict[Address, tuple[Tunnel, float]] = {}
        self._sources: collections.Counter[int | str] = collections.Counter()

    def __len__(self) -> int:
        return len(self._half_open) + len(self._open)

    def protocol(self) -> asyncio.Protocol:
        """Return what greets the next connection."""
        return _Arrival(self)

    def arrived(self, tcp: asyncio.Transport) -> None:
        """Take a new connection, or close it where there are too many."""
        peer = tcp.get_extra_info("peername")
        if peer is None:
            tcp.abort()
            return
        remote = Address(peer[0].removeprefix("::ffff:"), peer[1], tunnel=1)
        if (limit := self._limit(remote)) is not None:
            self.refused[limit] += 1
            tcp.abort()
            return
        self._half_open[remote] = tcp
        self._sources[remote.subscriber] += 1
        self._group.create_task(self._greet(remote, tcp))

    async def sweep(self) -> None:
        """Close, for ever, the WebSockets that nobody has come through in time."""
        while True:
            await asyncio.sleep(TUNNEL_SWEEP_S)
            late = self._loop.time() - TUNNEL_PROOF_S
            for remote, (tunnel, since) in list(self._open.items()):
                links = self._endpoint.tunnels.links_of(remote)
                if since < late and not any(link.complete for link in links):
                    self.refused["no_link"] += 1
                    tunnel.close()

    def show(self, context: ssl.SSLContext) -> None:
        """Show this certificate to whoever comes from now on."""
        self._context = context

    def close(self) -> None:
        """Close all of them, and let nobody in any more."""
        self._capacity = 0
        for tcp in self._half_open.values():
            tcp.abort()
        for tunnel, _ in list(self._open.values()):
            tunnel.close()

    def _limit(self, remote: Address) -> str | None:
        source = remote.subscriber
        if len(self) >= self._capacity:
            return "connections"
        if len(self._half_open) >= MAX_HALF_OPEN_TUNNELS:
            return "half_open"
        if self._sources[source] >= RELAY_MAX_TUNNELS_PER_SOURCE:
            return "source"
        half_open = sum(each.subscriber == source for each in self._half_open)
        if half_open >= MAX_HALF_OPEN_TUNNELS_PER_SOURCE:
            return "source_half_open"
        return None

    async def _greet(self, remote: Address, tcp: asyncio.Transport) -> None:
        """See one client through both handshakes, TLS's and the WebSocket's."""
        tunnels = self._endpoint.tunnels
        websocket = ServerProtocol(
            subprotocols=SUBPROTOCOLS, max_size=TUNNEL_MAX_DATAGRAM_BYTES
        )
        tunnel = Tunnel(websocket, tunnels.sink_of(remote))
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
                keep_little_unsent(tcp)
                stream = await self._loop.start_tls(
                    tcp, tunnel, self._context, server_side=True
                )
                if stream is None:  # `close` was quicker
                    raise ConnectionLost("closed")
                tunnel.start(stream)
                await tunnel.opened()
        except (OSError, ConnectionLost):  # TimeoutError and SSLError are OSErrors
            tcp.abort()
            self._gone(remote)
            return
        except BaseException:
            tcp.abort()
            raise
        finally:
            self._half_open.pop(remote, None)
        self._open[remote] = (tunnel, self._loop.time())
        tunnels.attach(remote, tunnel, lambda: self._gone(remote))

    def _gone(self, remote: Address) -> None:
        self._open.pop(remote, None)
        self._sources[remote.subscriber] -= 1
        if self._sources[remote.subscriber] <= 0:
            del self._sources[remote.subscriber]


def _capacity() -> int:
    """Return how many connections there may be: each one takes a descriptor."""
    try:
        import resource
    except ImportError:  # Windows: no such limit
        return RELAY_MAX_TUNNELS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = RELAY_MAX_TUNNELS + _RESERVED_DESCRIPTORS
    if resource.RLIM_INFINITY not in (soft, hard) and soft < wanted:
        soft = min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return RELAY_MAX_TUNNELS
    return max(1, min(RELAY_MAX_TUNNELS, soft - _RESERVED_DESCRIPTORS))


def _bind(host: str, port: int) -> socket.socket:
    if host and ":" not in host:
        return socket.create_server((host, port))
    if socket.has_dualstack_ipv6():
        return socket.create_server(
            (host or "::", port), family=socket.AF_INET6, dualstack_ipv6=not host
        )
    return socket.create_server(("0.0.0.0", port))


class _Arrival(asyncio.Protocol):
    """Hands a new connection over before anything is read from it."""

    def __init__(self, listener: TunnelListener) -> None:
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        self._listener.arrived(transport)
