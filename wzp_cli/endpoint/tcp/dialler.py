"""The client's side: a WebSocket to a relay, through an HTTP proxy where one is set."""

import asyncio
import ssl

from websockets.asyncio.client import connect_http_proxy
from websockets.client import ClientProtocol
from websockets.exceptions import WebSocketException
from websockets.proxy import get_proxy, parse_proxy
from websockets.uri import WebSocketURI

from wzp_cli.address import Address
from wzp_cli.defaults.endpoint import HANDSHAKE_TIMEOUT_S, TUNNEL_MAX_DATAGRAM_BYTES
from wzp_cli.endpoint.tcp.outer_tls import dialler_context
from wzp_cli.endpoint.tcp.tunnel import (
    SUBPROTOCOLS,
    TUNNEL_PATH,
    Tunnel,
)
from wzp_cli.endpoint.tcp.unsent import keep_little_unsent
from wzp_cli.endpoint.tunnels import TakeDatagram
from wzp_cli.errors import ConnectionLost

__all__ = ["dial_tunnel"]


async def dial_tunnel(server: Address, name: str, sink: TakeDatagram) -> Tunnel:
    """Open a WebSocket to a relay.

    Where the environment names a proxy for HTTPS (HTTPS_PROXY, but not NO_PROXY), it is
    asked for the relay by name.

    Args:
        server: The relay's TCP address.
        name: The name or number that the user gave for it.
        sink: Takes what comes.

    Raises:
        ConnectionLost: Nobody who speaks this protocol answered.
    """
    uri = WebSocketURI(
        secure=True,
        host=name,
        port=server.port,
        path=TUNNEL_PATH,
        query="",
        username=None,
        password=None,
    )
    websocket = ClientProtocol(
        uri, subprotocols=SUBPROTOCOLS, max_size=TUNNEL_MAX_DATAGRAM_BYTES
    )
    tunnel = Tunnel(websocket, sink)
    try:
        async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
            await _open(tunnel, await _connect(server, uri), name)
    except (OSError, WebSocketException) as error:  # TimeoutError is an OSError
        tunnel.close()
        raise ConnectionLost(f"{server}: {error!r}") from error
    except BaseException:
        tunnel.close()
        raise
    return tunnel


async def _open(tunnel: Tunnel, tcp: asyncio.Transport, name: str) -> None:
    try:
        keep_little_unsent(tcp)
        stream = await asyncio.get_running_loop().start_tls(
            tcp, tunnel, dialler_context(), server_hostname=name
        )
    except BaseException:
        tcp.abort()
        raise
    assert stream is not None
    tunnel.start(stream)
    await tunnel.opened()


async def _connect(server: Address, uri: WebSocketURI) -> asyncio.Transport:
    proxy = get_proxy(uri)
    if proxy is None:
        loop = asyncio.get_running_loop()
        tcp, _ = await loop.create_connection(_Quiet, server.host, server.port)
        return tcp
    try:
        parsed = parse_proxy(proxy)
    except ValueError as error:  # a port that is none, brackets that do not close
        raise ConnectionLost(f"the proxy of the environment: {error}") from error
    if not parsed.scheme.startswith("http"):
        raise ConnectionLost(f"the proxy {parsed.scheme}://{parsed.host} is not HTTP")
    if parsed.scheme == "https":
        context = ssl.create_default_context()  # the proxy itself is not pinned
        return await connect_http_proxy(parsed, uri, ssl=context)
    return await connect_http_proxy(parsed, uri)


class _Quiet(asyncio.Protocol):
    """Stands there until TLS takes the stream."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.ReadTransport)
        transport.pause_reading()
