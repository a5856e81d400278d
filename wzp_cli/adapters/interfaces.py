"""This machine's own addresses, and the networks that they are on."""

import ipaddress
from typing import NamedTuple

from wzp_cli.protocol.reach import IpAddress, IpNetwork

__all__ = ["InterfaceAddress", "interface_addresses"]


class InterfaceAddress(NamedTuple):
    """One address of one interface. `host` is numeric and without a scope."""

    interface: str
    host: str
    network: IpNetwork

    @property
    def ip(self) -> IpAddress:
        """The host as a number."""
        return ipaddress.ip_address(self.host)


def interface_addresses(*, with_local: bool = False) -> list[InterfaceAddress]:
    """Return the addresses of all interfaces, in the system's order.

    Args:
        with_local: Also those of loopback and link-local, which mean nothing elsewhere.

    Returns:
        An empty list where the system does not tell (Android, some sandboxes).
    """
    import ifaddr

    try:
        adapters = list(ifaddr.get_adapters())
    except OSError:
        return []
    found = [
        _read(adapter.name, ip.ip, ip.network_prefix)
        for adapter in adapters
        for ip in adapter.ips
    ]
    return [each for each in found if with_local or not _is_local(each.ip)]


def _read(
    interface: str, address: str | tuple[str, int, int], prefix: int
) -> InterfaceAddress:
    host = address if isinstance(address, str) else address[0]
    ip = ipaddress.ip_address(host.partition("%")[0])
    network = ipaddress.ip_network((ip, prefix), strict=False)
    return InterfaceAddress(interface, str(ip), network)


def _is_local(ip: IpAddress) -> bool:
    return ip.is_loopback or ip.is_link_local or ip.is_unspecified
