"""Addresses as a datagram socket of the system takes them."""

import contextlib
import socket
import struct
from typing import Any

from wzp_cli.address import Address

__all__ = ["IP_PKTINFO", "packet_info", "socket_address"]

IP_PKTINFO = getattr(socket, "IP_PKTINFO", 8)
_PACKET_INFO_V4 = struct.Struct("=I4s4s")
_PACKET_INFO_V6 = struct.Struct("=16sI")


def socket_address(to: Address, *, v6: bool) -> tuple[Any, ...] | None:
    """Return what a socket calls `to`; None: it can't reach it.

    Args:
        to: Of UDP.
        v6: The socket is of IPv6, and dual-stack: IPv4 hosts are IPv4-mapped there.
    """
    if not v6:
        return None if to.is_v6 else (to.host, to.port)
    if not to.is_v6:
        return (f"::ffff:{to.host}", to.port)
    host, _, scope = to.host.partition("%")
    if not scope:
        return (host, to.port)
    with contextlib.suppress(OSError):
        return (host, to.port, 0, socket.if_nametoindex(scope))
    return None


def packet_info(source: str, *, v6: bool) -> list[tuple[int, int, bytes]]:
    """Return the ancillary data that sends a datagram from the own host `source`."""
    if v6:
        host = source if ":" in source else f"::ffff:{source}"
        packed = socket.inet_pton(socket.AF_INET6, host)
        info = _PACKET_INFO_V6.pack(packed, 0)
        return [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, info)]
    packed = socket.inet_pton(socket.AF_INET, source)
    info = _PACKET_INFO_V4.pack(0, packed, bytes(4))
    return [(socket.IPPROTO_IP, IP_PKTINFO, info)]
