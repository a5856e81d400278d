"""STUN Binding messages as values, over aioice's codec.

Two kinds are in use: a plain request, answered by servers, and the keyed request
between peers (USERNAME, MESSAGE-INTEGRITY, FINGERPRINT; RFC 8445 section 7), which is
at once connectivity check, route probe and NAT opener.
"""

import enum
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
    "Change",
    "decode",
    "encode_check",
    "encode_indication",
    "encode_request",
    "encode_response",
    "new_transaction_id",
]

TRANSACTION_ID_BYTES = 12
_COOKIE = bytes.fromhex("2112a442")
_HEADER_BYTES = 20
_ATTRIBUTE_HEAD = struct.Struct("!HH")
_PADDING_TYPE = 0xFFF0  # comprehension-optional, assigned to nobody: skipped


class Change(enum.Enum):
    """What shall be another one in the source of an answer: bits of CHANGE-REQUEST."""

    PORT = 0x2
    ADDRESS_AND_PORT = 0x6


def new_transaction_id() -> bytes:
    """Return 12 random bytes."""
    return os.urandom(TRANSACTION_ID_BYTES)


@dataclass(frozen=True, slots=True)
class BindingMessage:
    """A Binding message off the network, not yet believed.

    Attributes:
        kind: "request", "response", "error" or "indication".
        mapped: XOR-MAPPED-ADDRESS, or MAPPED-ADDRESS of an old server.
        other: OTHER-ADDRESS: another host and port of the same server (RFC 5780).
        username: USERNAME ("" without one).
        nominates: USE-CANDIDATE is there.
    """

    kind: str
    transaction_id: bytes
    mapped: Address | None
    username: str
    nominates: bool
    other: Address | None
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
        other = _address(message.attributes.get("OTHER-ADDRESS"))
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
        other=other,
        _message=message,
    )


def _mapped(attributes: dict[str, Any]) -> Address | None:
    """Return the mapped address, never IPv4-mapped; ValueError for port 0."""
    mapped = attributes.get("XOR-MAPPED-ADDRESS") or attributes.get("MAPPED-ADDRESS")
    return _address(mapped)


def _address(pair: tuple[str, int] | None) -> Address | None:
    return Address.parse(str(Address(*pair))) if pair else None


def encode_request(
    transaction_id: bytes, *, change: Change | None = None, size_bytes: int = 0
) -> bytes:
    """Return a plain Binding request (RFC 8489).

    Args:
        transaction_id: 12 bytes.
        change: From where the answer shall come (RFC 5780 section 7.2).
        size_bytes: At least so large, by an attribute that servers skip.
    """
    message = _binding(Class.REQUEST, transaction_id)
    if change is not None:
        message.attributes["CHANGE-REQUEST"] = change.value
    return _padded(bytes(message), size_bytes)


def _padded(message: bytes, size_bytes: int) -> bytes:
    room = size_bytes - len(message) - _ATTRIBUTE_HEAD.size
    if room < 0:
        return message
    room -= room % 4  # RFC 8489 section 14: attributes are whole words
    padding = _ATTRIBUTE_HEAD.pack(_PADDING_TYPE, room) + bytes(room)
    length = len(message) - _HEADER_BYTES + len(padding)
    return message[:2] + length.to_bytes(2, "big") + message[4:] + padding


def encode_indication(transaction_id: bytes | None = None) -> bytes:
    """Return a Binding indication: it asks for nothing, and shows that it arrived."""
    return bytes(_binding(Class.INDICATION, transaction_id or new_transaction_id()))


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
