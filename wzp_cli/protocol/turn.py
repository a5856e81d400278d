"""TURN's channel data, and the passwords that a relay makes for a TURN server.

   +-------------------------+-----------------+---------------------------+
   | channel number, 2 bytes | length, 2 bytes | one datagram of so many   |
   +-------------------------+-----------------+---------------------------+

The first byte is 64 to 79 (RFC 8656 section 12.4); over UDP, padding may follow.

A server that shares a secret with the relay needs no list of users: the user name holds
the time until which it is good, and the password is its HMAC. coturn calls this
`use-auth-secret`; the draft draft-uberti-behave-turn-rest-00 describes it.
"""

import base64
import hashlib
import hmac
import struct
from dataclasses import dataclass, field

from wzp_cli.defaults.relay import TURN_FIRST_CHANNEL, TURN_LAST_CHANNEL

__all__ = [
    "TurnGrant",
    "encode_channel_data",
    "issue_grant",
    "split_channel_data",
]

_HEADER = struct.Struct("!HH")


@dataclass(frozen=True, slots=True)
class TurnGrant:
    """What lets one user allocate at a TURN server for a while.

    Attributes:
        server: HOST or HOST:PORT, as the relay's operator wrote it.
        tcp, tls: The TCP ports where it speaks TCP alone, and TLS; 0: nowhere.
    """

    server: str
    username: str
    password: str = field(repr=False)
    tcp: int = 0
    tls: int = 0


def issue_grant(server: str, secret: str, name: str, good_until_s: float) -> TurnGrant:
    """Return what a server with this secret takes until then.

    Args:
        server: Which one.
        secret: Its `static-auth-secret`.
        name: Anything; what the server's log shows.
        good_until_s: Unix time.
    """
    username = f"{int(good_until_s)}:{name}"
    digest = hmac.digest(secret.encode(), username.encode(), hashlib.sha1)
    return TurnGrant(server, username, base64.b64encode(digest).decode())


def encode_channel_data(number: int, datagram: bytes) -> bytes:
    """Return `datagram` framed for a channel that is bound."""
    return _HEADER.pack(number, len(datagram)) + datagram


def split_channel_data(data: bytes) -> tuple[int, bytes] | None:
    """Return channel number and datagram; None for what is no channel data."""
    if len(data) <= _HEADER.size:
        return None
    number, length = _HEADER.unpack_from(data)
    inner = data[_HEADER.size : _HEADER.size + length]
    if not TURN_FIRST_CHANNEL <= number <= TURN_LAST_CHANNEL or len(inner) < length:
        return None
    return (number, inner) if inner else None
