"""STUN Binding messages as values, over aioice's codec.

Two kinds are in use: a plain request, answered by servers, and the keyed request
between peers (USERNAME, MESSAGE-INTEGRITY, FINGERPRINT; RFC 8445 section 7), which is
at once connectivity check, route probe and NAT opener.
"""

import os
import struct
from dataclasses import dataclass
from typing import Any

from aioice.stun import Class, Message, Method, parse_message

from wzp_cli.address import Address
from wzp_cli.errors import RemoteProtocolError

__all__ = [
    "TRANSACTION_ID_BYTES",
    "BindingMessage",
    "decode",
    "encode_check",
    "encode_indication",
    "encode_request",
    "encode_response",
    "new_transaction_id",
]

TRANSACTION_ID_BYTES = 12
_COOKIE = bytes.fromhex("2112a442")


def new_transaction_id() -> bytes:
    """Return 12 random bytes."""
    return os.urandom(TRANSACTION_ID_BYTES)


@dataclass(frozen=True, slots=True)
class BindingMessage:
    """A Binding message off the network, not yet believed.

    Attributes:
        kind: "request", "response", "error" or "indication".
        mapped: XOR-MAPPED-ADDRESS, or MAPPED-ADDRESS of an old server.
        username: USERNAME ("" without one).
        nominates: USE-CANDIDATE is there.
    """

    kind: str
    transaction_id: bytes
    mapped: Address | None
    username: str
    nominates: bool
    _message: Message

    def is_signed_with(self, password: str) -> bool:
        """Whether MESSAGE-INTEGRITY is there and right."""
        return self._message.check_message_integrity(password.encode())


def decode(datagram: bytes) -> BindingMessage:
    """Read a STUN Binding message.

    Raises:
        RemoteProtocolError: It is none.
    """
    if datagram[4:8] != _COOKIE:
        raise RemoteProtocolError("no STUN cookie")
    try:
        message = parse_message(datagram)
        kind = Class(message.message_class).name.lower()
        mapped = _mapped(message.attributes)
    except (ValueError, struct.error, IndexError) as error:
        raise RemoteProtocolError(f"not a STUN message: {error}") from error
    if message.message_method is not Method.BINDING:
        raise RemoteProtocolError("not a Binding message")
    attributes = message.attributes
    return BindingMessage(
        kind=kind,
        transaction_id=message.transaction_id,
        mapped=mapped,
        username=attributes.get("USERNAME", ""),
        nominates="USE-CANDIDATE" in attributes,
        _message=message,
    )


def _mapped(attributes: dict[str, Any]) -> Address | None:
    """Return the mapped address, never IPv4-mapped; ValueError for port 0."""
    mapped = attributes.get("XOR-MAPPED-ADDRESS") or attributes.get("MAPPED-ADDRESS")
    return Address.parse(str(Address(*mapped))) if mapped else None


def encode_request(transaction_id: bytes) -> bytes:
    """Return a plain Binding request (RFC 8489)."""
    return bytes(_binding(Class.REQUEST, transaction_id))


def encode_indication() -> bytes:
    """Return a Binding indication: it asks for nothing, and shows that it arrived."""
    return bytes(_binding(Class.INDICATION, new_transaction_id()))


def encode_check(
    transaction_id: bytes, username: str, password: str, *, nominates: bool
) -> bytes:
    """Return a keyed Binding request: a check, a probe, an opener."""
    message = _binding(Class.REQUEST, transaction_id)
    message.attributes["USERNAME"] = username
    if nominates:
        message.attributes["USE-CANDIDATE"] = None
    message.add_message_integrity(password.encode())
    return bytes(message)


def encode_response(
    transaction_id: bytes, mapped: Address, password: str | None = None
) -> bytes:
    """Return the answer to a Binding request, signed where the request was."""
    message = _binding(Class.RESPONSE, transaction_id)
    message.attributes["XOR-MAPPED-ADDRESS"] = (str(mapped.ip), mapped.port)
    if password is not None:
        message.add_message_integrity(password.encode())
    return bytes(message)


def _binding(message_class: Class, transaction_id: bytes) -> Message:
    return Message(Method.BINDING, message_class, transaction_id)
