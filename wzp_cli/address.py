"""The address types: parsed once, at the edge, never a bare tuple inside."""

import ipaddress
from typing import Literal, NamedTuple, Self

__all__ = ["Address", "HostPort", "Transport"]

Transport = Literal["udp", "tcp"]
_V6_HOST_BITS = 64
_TCP = "/tcp="
_NEVER_IN_A_HOST = frozenset("/[] ")


def _split(text: str, default_port: int | None) -> tuple[str, int]:
    """Split "host", "host:port", "[v6]:port" or a bare v6; ValueError otherwise."""
    host, port = text.strip(), "" if default_port is None else str(default_port)
    if host.startswith("["):
        host, closed, rest = host[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise ValueError(f"not an address: {text!r}")
        ipaddress.IPv6Address(host)
        port = rest.removeprefix(":") or port
    elif host.count(":") == 1:
        host, port = host.split(":")
    elif ":" in host:
        ipaddress.IPv6Address(host)
    if not host.isprintable() or _NEVER_IN_A_HOST & set(host):
        raise ValueError(f"no name of a host: {host!r}")
    if not host or not (port.isascii() and port.isdecimal()):
        raise ValueError(f"not an address with a port: {text!r}")
    number = int(port)
    if not 0 < number < 65536:
        raise ValueError(f"port out of range (1 to 65535): {text!r}")
    return host, number


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Address(NamedTuple):
    """A transport address: a numeric host, never IPv4-mapped, and a port.

    Attributes:
        tunnel: Which WebSocket carries datagrams to and from there (endpoint/tcp/);
            the port is then TCP's, and no place to send UDP to. 0: none, it is UDP's.
    """

    host: str
    port: int
    tunnel: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "192.0.2.1:4433" or "[2001:db8::1]:4433", of UDP.

        Raises:
            ValueError: The host is not numeric, or the port is not 1 to 65535.
        """
        host, port = _split(text, None)
        if "%" in host:
            raise ValueError(f"a scope means nothing elsewhere: {text!r}")
        ip = ipaddress.ip_address(host)
        mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
        return cls(str(mapped or ip), port)

    @property
    def ip(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
        """The host as a number, without a scope."""
        return ipaddress.ip_address(self.host.partition("%")[0])

    @property
    def subscriber(self) -> int | str:
        """What stands for one subscriber: an IPv4 host, an IPv6 /64 (RFC 6177)."""
        return int(self.ip) >> _V6_HOST_BITS if self.is_v6 else self.host

    @property
    def is_v6(self) -> bool:
        """Whether the host is an IPv6 address."""
        return ":" in self.host

    @property
    def is_tcp(self) -> bool:
        """Whether it is reached through a WebSocket."""
        return self.tunnel != 0

    @property
    def transport(self) -> Transport:
        """What the port is of."""
        return "tcp" if self.is_tcp else "udp"

    def __str__(self) -> str:
        where = _join(self.host, self.port)
        return f"{where}/tcp" if self.is_tcp else where


class HostPort(NamedTuple):
    """What a user wrote for a server: a name or a number, and a port.

    Attributes:
        tcp: Of a relay: the TCP port where it takes WebSockets; None: not said.
    """

    host: str
    port: int
    tcp: int | None = None

    @classmethod
    def parse(cls, text: str, *, default_port: int | None = None) -> Self:
        """Read "host", "host:port", "[v6]:port" or a bare IPv6 address.

        Raises:
            ValueError: The text is no address, or the port is not 1 to 65535.
        """
        return cls(*_split(text, default_port))

    @classmethod
    def parse_relay(cls, text: str, *, default_port: int | None = None) -> Self:
        """Read the same, or one of them with "/tcp=port" behind it.

        Raises:
            ValueError: The text is no address, or a port is not 1 to 65535.
        """
        server, says_tcp, port = text.strip().partition(_TCP)
        tcp = _split(f"-:{port}", None)[1] if says_tcp else None
        return cls(*_split(server, default_port), tcp)

    @property
    def server(self) -> str:
        """Which server it is: what its key is pinned by."""
        return _join(self.host, self.port)

    def __str__(self) -> str:
        return self.server if self.tcp is None else f"{self.server}{_TCP}{self.tcp}"
