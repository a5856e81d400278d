"""`wzp relay --tcp`: the port for networks that block UDP, and its certificate."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from wzp_cli.cli.relay.words import RelayWords
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.errors import EnvironmentFault

if TYPE_CHECKING:
    from wzp_cli.endpoint.tcp.listener import TunnelListener

__all__ = ["certificate", "tunnel_listener"]


@asynccontextmanager
async def tunnel_listener(
    endpoint: Endpoint, words: RelayWords
) -> AsyncIterator["TunnelListener | None"]:
    """Take WebSockets for a relay, if that is wanted.

    Raises:
        EnvironmentFault: The extra is missing, or the port can't be bound.
        UsageError: The words, or the certificate, are not right.
    """
    where = words.tcp_address()
    if where is None:
        yield None
        return
    if find_spec("websockets") is None:
        raise EnvironmentFault("--tcp needs the library websockets: install wzp[tcp]")
    from wzp_cli.endpoint.tcp.listener import open_tunnel_listener

    host, port, _ = where
    context = certificate(words)
    async with open_tunnel_listener(endpoint, port, context, host=host) as listener:
        yield listener


def certificate(words: RelayWords) -> ssl.SSLContext:
    """Return the operator's certificate as it is in its files now, or a new own one.

    Raises:
        UsageError: The files can't be read, or do not fit together.
    """
    from wzp_cli.endpoint.tcp.outer_tls import acceptor_context, load_certificate

    if words.tls_cert is not None and words.tls_key is not None:
        return load_certificate(words.tls_cert, words.tls_key)
    return acceptor_context()
