"""Which addresses a peer may make us send checks to.

A peer names addresses, and we send there: without rules, it could point us at a
router's port 53, a printer, or somebody who never asked. Judged is what the packet
would reach: IPv4 inside IPv6 (mapped, NAT64) is taken out first.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wzp_cli.address import Address
from wzp_cli.defaults.paths import LOWEST_PEER_PORT

__all__ = [
    "IpAddress",
    "IpNetwork",
    "Surroundings",
    "first_public_hop",
    "is_public",
    "may_be_relay",
    "may_be_service",
    "may_check",
    "unmap",
]

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052 section 2.1
_SITE_PREFIX_BITS = 64
_HTTPS = 443


def _networks(*texts: str) -> tuple[IpNetwork, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


_NEVER: Final[tuple[tuple[str, tuple[IpNetwork, ...]], ...]] = (
    ("unspecified address", _networks("0.0.0.0/8", "::/128")),
    ("link-local address", _networks("169.254.0.0/16", "fe80::/10")),
    ("multicast address", _networks("224.0.0.0/4", "ff00::/8")),
    ("broadcast address", _networks("255.255.255.255/32")),
    (
        "reserved address",
        _networks("240.0.0.0/4", "192.0.0.0/24", "192.88.99.0/24")
        # Teredo, ORCHID and other assignments; 6to4.
        + _networks("2001::/23", "2002::/16"),
    ),
)
"""Nobody's address, each with the words for it (RFC 6890, RFC 7526)."""

_LOOPBACK: Final = _networks("127.0.0.0/8", "::1/128")
_PRIVATE: Final = _networks(
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"
)
_DOCUMENTATION: Final = _networks(
    "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15"
) + _networks("2001:db8::/32", "3fff::/20")
_GLOBAL_V6: Final = ipaddress.IPv6Network("2000::/3")


def _is_in(ip: IpAddress, networks: tuple[IpNetwork, ...]) -> bool:
    return any(ip in network for network in networks)


def is_public(host: str) -> bool:
    """Return whether `host` is of the public internet: no NAT stands behind it."""
    ip = unmap(host)
    nobodys = any(_is_in(ip, networks) for _, networks in _NEVER)
    return not (nobodys or _is_in(ip, _LOOPBACK + _PRIVATE))


def first_public_hop(routers: Sequence[str | None]) -> int | None:
    """Return the TTL that passes all NATs in front of us, and no more.

    Args:
        routers: On the way out, nearest first; None for a silent one.

    Returns:
        The index of the first public router, counted from 1; at least 2, since a
        datagram has to pass the first router to open anything. None: not seen.
    """
    for index, router in enumerate(routers, 1):
        if router is not None and is_public(router):
            return max(2, index)
    return None


def unmap(host: str) -> IpAddress:
    """Return the address that a packet to `host` reaches, without a scope.

    IPv4 comes out of ::ffff:0:0/96 and of NAT64's 64:ff9b::/96.

    Raises:
        ValueError: The host is not numeric.
    """
    ip = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where we are, as far as judging addresses needs it.

    Attributes:
        hosts: This machine's own addresses, numeric.
        networks: The networks that its interfaces are on.
        reflexive: Our host as the relay sees it; None in a call without a relay.
    """

    hosts: frozenset[str] = frozenset()
    networks: tuple[IpNetwork, ...] = ()
    reflexive: str | None = None

    def _has(self, ip: IpAddress) -> bool:
        return any(unmap(host) == ip for host in self.hosts)

    def _seen(self) -> IpAddress | None:
        return None if self.reflexive is None else unmap(self.reflexive)

    def has_peer_here(self, peer: IpAddress) -> bool:
        """Return whether a peer that the relay sees as `peer` is on this machine."""
        if not _is_in(peer, _LOOPBACK):
            return self._has(peer)
        # Whoever sees loopback is on the peer's machine: is that ours too?
        seen = self._seen()
        return seen is None or _is_in(seen, _LOOPBACK) or self._has(seen)

    def shares_site(self, peer: IpAddress) -> bool:
        """Return whether the relay sees that peer behind our own public address."""
        seen = self._seen()
        if seen is None or seen.version != peer.version:
            return False
        if isinstance(peer, ipaddress.IPv6Address):
            # Machines of one site have one /64 in common, not one address.
            host_bits = peer.max_prefixlen - _SITE_PREFIX_BITS
            return int(seen) >> host_bits == int(peer) >> host_bits
        return seen == peer

    def reaches_private(self, ip: IpAddress, peer: IpAddress | None) -> bool:
        """Return whether the private `ip` means to us what it means to the peer."""
        if _is_in(ip, self.networks) or self._has(ip):
            return True
        if peer is None:
            return False
        if self.shares_site(peer) or self.has_peer_here(peer):
            return True
        # A relay inside our private network, without a NAT between: it sees the very
        # address. A relay outside can't claim this, it doesn't know our host.
        seen = self._seen()
        return ip == peer and (seen is None or self._has(seen))

    def is_laboratory(self) -> bool:
        """Return whether our own addresses are out of documentation's ranges."""
        own = [unmap(host) for host in self.hosts]
        seen = self._seen()
        return any(_is_in(ip, _DOCUMENTATION) for ip in own + ([seen] if seen else []))

    def is_subnet_broadcast(self, ip: IpAddress) -> bool:
        """Return whether `ip` means all machines of a network that we are on."""
        return any(
            ip == network.broadcast_address
            for network in self.networks
            if network.version == 4 and network.prefixlen < 31
        )


def may_check(
    address: Address, surroundings: Surroundings, peer_reflexive: str | None
) -> str | None:
    """Return None if checks may go to `address`, else why not, in a few words.

    Args:
        address: What the peer named, or where it seems to come from.
        surroundings: Where we are.
        peer_reflexive: The peer's host as the relay sees it, or as we see it in a call
            without a relay; None while it is not known.
    """
    try:
        ip = unmap(address.host)
        peer = None if peer_reflexive is None else unmap(peer_reflexive)
    except ValueError:
        return "not a numeric address"
    if address.port < LOWEST_PEER_PORT:
        return f"port below {LOWEST_PEER_PORT}"
    return _why_nobodys(ip, surroundings) or _why_not_here(ip, surroundings, peer)


def may_be_relay(address: Address, home: Address) -> bool:
    """Return whether to follow our relay's word that another one is at `address`.

    Args:
        address: As it named it.
        home: Where it is itself: a private one has private neighbours, no others do.
    """
    try:
        ip, here = unmap(address.host), unmap(home.host)
    except ValueError:
        return False
    if address.port < LOWEST_PEER_PORT and address.port not in (home.port, _HTTPS):
        return False
    kinds = (_LOOPBACK, _PRIVATE, _DOCUMENTATION)
    alike = all(_is_in(ip, kind) == _is_in(here, kind) for kind in kinds)
    return alike and not any(_is_in(ip, networks) for _, networks in _NEVER)


def may_be_service(address: Address) -> bool:
    """Return whether to follow an SRV record to `address`.

    Whoever can answer in DNS's place must not lead us to a router's port 53: below 1024
    there is 443 alone. The address itself is as free as that of an A record.
    """
    ip = unmap(address.host)
    if address.port < LOWEST_PEER_PORT and address.port != _HTTPS:
        return False
    return not any(_is_in(ip, networks) for _, networks in _NEVER)


def _why_nobodys(ip: IpAddress, surroundings: Surroundings) -> str | None:
    """Say why `ip` is no single machine's address, wherever we are."""
    for words, networks in _NEVER:
        if _is_in(ip, networks):
            return words
    if surroundings.is_subnet_broadcast(ip):
        return "broadcast address"
    known = _is_in(ip, (_GLOBAL_V6, *_LOOPBACK, *_PRIVATE))
    return "reserved address" if ip.version == 6 and not known else None


def _why_not_here(
    ip: IpAddress, surroundings: Surroundings, peer: IpAddress | None
) -> str | None:
    """Say why `ip` would be another machine here than where the peer is."""
    if _is_in(ip, _LOOPBACK):
        here = peer is not None and surroundings.has_peer_here(peer)
        return None if here else "loopback of another machine"
    if _is_in(ip, _PRIVATE) and not surroundings.reaches_private(ip, peer):
        return "private address of another network"
    # Laboratories number their "public" networks out of these ranges.
    if _is_in(ip, _DOCUMENTATION) and not surroundings.is_laboratory():
        return "documentation address"
    return None
