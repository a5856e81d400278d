"""A report without what tells who and where its owner is."""

import ipaddress
import re
from typing import Any, TypeVar

import msgspec

from wzp_cli.cli.nat.document import AskedServer, DetectedNat

__all__ = ["redacted"]

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
Value = TypeVar("Value")

_V4 = r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])"
_V6 = (
    r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:\.\d{1,3}){0,3}(?![\w:.])"
)
_ADDRESS = re.compile(f"{_V4}|{_V6}")
_SHARED = ipaddress.ip_network("100.64.0.0/10")


def redacted(document: DetectedNat) -> DetectedNat:
    """Return the document with public addresses and the names of own servers masked.

    Private addresses stay: they are the same in a million homes, and tell of NATs. Two
    addresses that differ still do.
    """
    mask = _Mask(_own_servers(document.servers))
    return msgspec.convert(mask.everywhere(msgspec.to_builtins(document)), DetectedNat)


def _own_servers(servers: list[AskedServer]) -> dict[str, str]:
    """Return a new name for each host that is no public server's, by kind."""
    names: dict[str, str] = {}
    for each in servers:
        host = each.server.rpartition(":")[0]
        is_name = re.search(r"[A-Za-z]", host) and not host.startswith("[")
        if is_name and not each.public and host not in names:
            names[host] = f"{each.kind}-{len(names) + 1}"
    return names


class _Mask:
    def __init__(self, names: dict[str, str]) -> None:
        self._names = names
        self._hosts: dict[Ip, str] = {}

    def everywhere(self, value: Any) -> Any:
        """Return a JSON value with all its texts masked."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list):
            return [self.everywhere(each) for each in value]
        if isinstance(value, dict):
            return {key: self.everywhere(each) for key, each in value.items()}
        return value

    def _text(self, text: str) -> str:
        for name, other in self._names.items():
            text = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", other, text)
        return _ADDRESS.sub(lambda found: self._address(found[0]), text)

    def _address(self, text: str) -> str:
        try:
            ip = ipaddress.ip_address(text)
        except ValueError:
            return text
        if not _is_public(ip):
            return text
        if ip not in self._hosts:
            self._hosts[ip] = self._unlike_the_others(_prefix(ip))
        return self._hosts[ip]

    def _unlike_the_others(self, name: str) -> str:
        alike = sum(each.startswith(name) for each in self._hosts.values())
        return name if not alike else f"{name}-{alike + 1}"


def _is_public(ip: Ip) -> bool:
    if ip.version == 4 and ip in _SHARED:
        return False
    if ip.version == 6 and ip in ipaddress.ip_network("fc00::/7"):
        return False
    documentation = ip.is_private and not _is_home(ip)
    return documentation or not ip.is_private


def _is_home(ip: Ip) -> bool:
    """Return whether an address is of a home's or a machine's own network."""
    if ip.is_loopback or ip.is_link_local or ip.is_unspecified:
        return True
    homes = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
    return ip.version == 4 and any(ip in ipaddress.ip_network(home) for home in homes)


def _prefix(ip: Ip) -> str:
    if ip.version == 4:
        one, two, *_ = str(ip).split(".")
        return f"{one}.{two}.x.x"
    return f"{ip.exploded.split(':')[0].lstrip('0') or '0'}:x:x"
