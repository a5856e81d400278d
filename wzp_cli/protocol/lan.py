"""Who says to be here: what a wzp announces on its local network (DNS-SD, RFC 6763).

    instance   7556x3o5cc5g-4f1d._wzp._udp.local.   the identity's beginning, and chance
    TXT        v=1, id=wzp1..., name=Ada            name: only where the user has one
    SRV, A     the one socket's port, this machine's addresses

Anybody on the network can announce anything. So an announcement is read as a claim: an
identity that only the handshake with it can prove, a name that is shown but finds
nobody, and addresses that count only where they are of a network that we are on.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wzp_cli.address import Address
from wzp_cli.defaults.lan import LAN_MAX_ADDRESSES, LAN_NAME_BYTES
from wzp_cli.errors import PeerUnreachable, UsageError
from wzp_cli.protocol.names.identity import Identity
from wzp_cli.protocol.names.text import clean
from wzp_cli.protocol.reach import IpAddress, IpNetwork, unmap

__all__ = [
    "LAN_SERVICE",
    "Neighbour",
    "announcement",
    "check_beginning",
    "merged",
    "picked",
    "read",
]

LAN_SERVICE: Final = "_wzp._udp.local."
_VERSION: Final = "1"
_BEGINNING: Final = re.compile(r"[a-z2-7]{6,}")
_SHOWN_CHARACTERS: Final = 12


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Somebody who says to be here. `name`: what they call themselves, cleaned."""

    identity: Identity
    name: str
    addresses: tuple[Address, ...]


def announcement(identity: Identity, name: str) -> dict[str, str]:
    """Return what is told of ourselves."""
    shown = clean(name).encode()[:LAN_NAME_BYTES].decode(errors="ignore")
    told = {"v": _VERSION, "id": str(identity)}
    return {**told, "name": shown} if shown else told


def read(
    told: Mapping[bytes, bytes | None],
    hosts: Iterable[str],
    port: int | None,
    networks: Sequence[IpNetwork],
) -> Neighbour | None:
    """Return who announces this; None where it is no announcement of use.

    Args:
        told: The TXT record's keys and values.
        hosts: The addresses that go with it.
        port: The port likewise.
        networks: Those that we are on.
    """
    try:
        identity = Identity.parse((told.get(b"id") or b"").decode("ascii", "replace"))
        near = [ip for ip in map(unmap, hosts) if _is_near(ip, networks)]
        addresses = tuple(
            Address(str(ip), port or 0) for ip in near[:LAN_MAX_ADDRESSES]
        )
    except (ValueError, UsageError):
        return None
    if told.get(b"v") != _VERSION.encode() or not port or not addresses:
        return None
    name = (told.get(b"name") or b"").decode("utf-8", "replace")
    return Neighbour(identity, clean(name), addresses)


def _is_near(ip: IpAddress, networks: Sequence[IpNetwork]) -> bool:
    if ip.is_loopback or ip.is_multicast or ip.is_unspecified:
        return any(network.is_loopback and ip in network for network in networks)
    return any(ip in network for network in networks)


def merged(neighbours: Iterable[Neighbour]) -> list[Neighbour]:
    """Return each identity once, with the addresses of all of its devices."""
    found: dict[Identity, Neighbour] = {}
    for each in neighbours:
        before = found.get(each.identity, Neighbour(each.identity, "", ()))
        addresses = dict.fromkeys((*before.addresses, *each.addresses))
        found[each.identity] = Neighbour(
            each.identity, before.name or each.name, tuple(addresses)
        )
    return sorted(found.values(), key=lambda one: (one.name.casefold(), one.identity))


def picked(neighbours: Sequence[Neighbour], who: str) -> Neighbour:
    """Return the one whose identity begins so.

    What they call themselves finds nobody: anybody could call themselves so.

    Raises:
        PeerUnreachable: They are not here.
        UsageError: Several begin so, or no identity could.
    """
    start = f"wzp1{check_beginning(who)}"
    found = [each for each in neighbours if str(each.identity).startswith(start)]
    if not found:
        shown = start.removeprefix("wzp1")[:_SHOWN_CHARACTERS]
        error = PeerUnreachable(f"{shown} is not announced on this LAN")
        error.add_note("They announce themselves by: wzp listen --lan")
        raise error
    if len(found) > 1:
        raise UsageError(f"{who} begins {len(found)} identities here: say more of it")
    return found[0]


def check_beginning(text: str) -> str:
    """Return an identity's first characters without "wzp1". Raises UsageError."""
    digits = text.removeprefix("wzp1")
    if not _BEGINNING.fullmatch(digits):
        raise UsageError(
            f"{clean(text)!r} is no contact, and begins no identity; `wzp lan` says who"
            " is here"
        )
    return digits
