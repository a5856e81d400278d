"""The router on the way out of here, as the system tells it."""

import ipaddress
import socket
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from wzp_cli.adapters.interfaces import InterfaceAddress, interface_addresses
from wzp_cli.defaults.paths import PCP_PORT

__all__ = ["Gateway", "find_gateway", "read_routes"]

_ROUTES: Final = Path("/proc/net/route")
_IS_GATEWAY: Final = 0x2  # RTF_GATEWAY of linux/route.h


class Gateway(NamedTuple):
    """The default router, and how we are seen from it.

    Attributes:
        host: Its IPv4 address.
        own: Ours, on its network.
        port: Where it takes PCP and NAT-PMP.
    """

    host: str
    own: str
    port: int = PCP_PORT


def find_gateway() -> Gateway | None:
    """Return the default router; None without a private network that has one.

    Where the system does not tell (anywhere but Linux), it is taken to be the first
    address of our network, as in nearly all homes: a question more or less to a
    neighbour on the own LAN.
    """
    own = [each for each in interface_addresses() if each.ip.version == 4]
    try:
        told = read_routes(_ROUTES.read_text("ascii"))
    except OSError:
        return _guess(own)
    for host in told:
        for each in own:
            if ipaddress.ip_address(host) in each.network:
                return Gateway(host, each.host)
    return None


def read_routes(table: str) -> list[str]:
    """Return the routers of a table as /proc/net/route has it, the best one first."""
    found = []
    for line in table.splitlines()[1:]:
        words = line.split()
        if len(words) < 8 or (words[1], words[7]) != ("00000000", "00000000"):
            continue
        if int(words[3], 16) & _IS_GATEWAY:
            found.append((int(words[6]), _host(words[2])))
    return [host for _metric, host in sorted(found)]


def _host(word: str) -> str:
    return socket.inet_ntoa(struct.pack("=I", int(word, 16)))


def _guess(own: Sequence[InterfaceAddress]) -> Gateway | None:
    for each in own:
        first = str(each.network.network_address + 1)
        if each.ip.is_private and each.network.prefixlen < 31 and first != each.host:
            return Gateway(first, each.host)
    return None
