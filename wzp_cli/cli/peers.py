"""PEER, as a user writes it: a contact, an identity, a ticket, or host:port.

`PEER@lan` is a contact, an identity or the beginning of one, to be met on the local
network alone: `found` looks there.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wzp_cli.adapters.disk.contacts import Contact
from wzp_cli.adapters.disk.state import State
from wzp_cli.address import Address, HostPort
from wzp_cli.cli.options import parse_relay
from wzp_cli.errors import IdentityError, UsageError
from wzp_cli.protocol.lan import Neighbour, check_beginning, picked
from wzp_cli.protocol.names.identity import Identity
from wzp_cli.protocol.names.ticket import Ticket

__all__ = [
    "Peer",
    "find_contact",
    "find_other",
    "find_peer",
    "met",
    "named_relay",
]

_ON_LAN: Final = "@lan"

_PREFIX = re.compile(r"[a-z2-7]{6,51}")
"""The beginning of an identity, long enough to be no word."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom to call, as the user named them.

    Attributes:
        name: What they call themselves.
        on_lan: "", or what to look for on the local network.
    """

    identity: Identity | None
    relay: HostPort | None = None
    direct: HostPort | None = None
    addresses: tuple[Address, ...] = ()
    name: str = ""
    on_lan: str = ""


def find_peer(text: str, state: State) -> Peer:
    """Read PEER: a contact's name, an identity, a ticket, or host:port.

    Raises:
        UsageError: It is none of these.
        IdentityError: A ticket that is not valid.
    """
    contact = state.contacts.named(text) or _beginning(text, state)
    if contact is not None:
        return Peer(contact.identity, contact.relay)
    if text.endswith(_ON_LAN):
        return _find_on_lan(text.removesuffix(_ON_LAN), state)
    if text.startswith("wzp:"):
        return _find_by_ticket(text)
    if ":" not in text and text.startswith("wzp1"):
        return Peer(Identity.parse(text))
    try:
        return Peer(None, direct=HostPort.parse(text))
    except ValueError as error:
        raise UsageError(
            f"no contact is named {text!r}, and it is no identity (wzp1...), ticket "
            "(wzp:...), host:port or PEER@lan"
        ) from error


def _find_on_lan(text: str, state: State) -> Peer:
    contact = state.contacts.named(text) or _beginning(text, state)
    if contact is not None:
        return Peer(contact.identity, on_lan=str(contact.identity))
    check_beginning(text)
    return Peer(None, on_lan=text)


def _beginning(text: str, state: State) -> Contact | None:
    """Return the one contact whose identity begins so, as `short` shows it.

    Raises:
        UsageError: There are several.
    """
    digits = text.removeprefix("wzp1")
    if not _PREFIX.fullmatch(digits):
        return None
    found = state.contacts.beginning(digits)
    if len(found) > 1:
        names = ", ".join(contact.name for contact in found)
        raise UsageError(f"{text} begins the identities of {names}: say more of it")
    return found[0] if found else None


def named_relay(name: str) -> HostPort:
    """Read a relay as another command named it. Raises UsageError."""
    try:
        return parse_relay(name)
    except ValueError as error:
        raise UsageError(str(error)) from error


def find_contact(text: str, state: State) -> Contact:
    """Read PEER, who must be a contact. Raises as `find_peer`."""
    identity = find_peer(text, state).identity
    contact = None if identity is None else state.contacts.of(identity)
    if contact is None:
        raise UsageError(
            f"{text} is no contact; to add one: wzp contacts add NAME PEER"
        )
    return contact


def find_other(text: str, state: State) -> Peer:
    """Read PEER, who must be neither ourselves nor blocked. Raises as `find_peer`."""
    found = find_peer(text, state)
    _check_other(found, state)
    return found


async def met(peer: Peer, state: State) -> Peer:
    """Return that peer with its addresses, where it is to be met on the LAN.

    Raises:
        EnvironmentFault: The extra `lan` is not installed.
        PeerUnreachable: They are not there.
        UsageError: Several begin so, or it is ourselves or blocked, or somebody with
            whom calls are to stay on the relay.
    """
    if not peer.on_lan:
        return peer
    from wzp_cli.adapters.interfaces import interface_addresses
    from wzp_cli.adapters.lan import look_around

    def is_there(neighbours: Sequence[Neighbour]) -> bool:
        return any(each.identity == peer.identity for each in neighbours)

    one = picked(await look_around(interface_addresses, is_there), peer.on_lan)
    found = Peer(one.identity, addresses=one.addresses, name=one.name)
    _check_other(found, state)
    if state.policy(one.identity).always_relay:
        raise UsageError("calls with them stay on the relay (contacts --always-relay)")
    return found


def _check_other(found: Peer, state: State) -> None:
    if found.identity in state.blocked.all():
        unblock = f"wzp contacts unblock {found.identity}"
        raise UsageError(f"you have blocked them; to undo that: {unblock}")
    if found.identity == state.keypair.identity:
        error = UsageError("that is your own identity")
        error.add_note("To try it on one machine, be two: --state-dir /tmp/other.")
        raise error


def _find_by_ticket(text: str) -> Peer:
    try:
        ticket = Ticket.parse(text, time.time())  # noqa: TID251 - it expires by date
    except IdentityError as error:
        if "&sig=" not in text:
            error.add_note("In a shell, put the ticket in 'quotes': & would cut it.")
        raise
    return Peer(ticket.identity, ticket.relay, None, ticket.direct, ticket.name)
