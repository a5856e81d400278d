"""A link that we dial: complete, or nothing is left of it."""

import asyncio

from wzp_cli.defaults.endpoint import HANDSHAKE_TIMEOUT_S
from wzp_cli.endpoint.links.link import Carrier, Link
from wzp_cli.endpoint.links.quic import WzpQuic
from wzp_cli.errors import ConnectionLost
from wzp_cli.protocol.traversal.route import Route

__all__ = ["dial"]


async def dial(quic: WzpQuic, carrier: Carrier, route: Route, *, virtual: bool) -> Link:
    """Return a link whose handshake is complete; `virtual`: it is one between peers.

    Raises:
        ConnectionLost: No answer, or an end before the handshake was over.
        IdentityError: The peer showed a key that is refused, or refused ours.
        VersionMismatch: No common version.
    """
    link = Link(quic, carrier, (route,), dialled=True, virtual=virtual)
    try:
        link.start(route.remote)
        async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
            await link.established()
    except TimeoutError:
        link.abort("no answer")
        raise ConnectionLost(f"no answer in {HANDSHAKE_TIMEOUT_S:g} s") from None
    except BaseException:
        link.abort("not wanted any more")
        raise
    return link
