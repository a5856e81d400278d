"""How much may wait in kernel and asyncio on a TCP connection that carries sound."""

import asyncio
import socket
import sys

from wzp_cli.defaults.endpoint import TUNNEL_UNSENT_BYTES

__all__ = ["keep_little_unsent"]

_TCP_NOTSENT_LOWAT = {"linux": 25, "darwin": 0x201}
"""The option's number; Python has a name for it from 3.12 on."""


def keep_little_unsent(transport: asyncio.BaseTransport) -> None:
    """Have kernel and asyncio buffer next to nothing on this TCP connection.

    asyncio sets TCP_NODELAY on what it connects, but not on what it accepts. Where the
    system has no TCP_NOTSENT_LOWAT, its send buffer is where sound may have to wait.
    """
    assert isinstance(transport, asyncio.WriteTransport)
    transport.set_write_buffer_limits(high=1, low=0)
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    option = _TCP_NOTSENT_LOWAT.get(sys.platform)
    if option is not None:
        sock.setsockopt(socket.IPPROTO_TCP, option, TUNNEL_UNSENT_BYTES)
