"""TURN's messages on a stream, as TCP and TLS carry them (RFC 8656 sections 3.1, 12.5).

   STUN          | type, 2 | length, 2 | magic cookie, 4 | id, 12 | length bytes |
   channel data  | number, 2 | length, 2 | length bytes | up to 3 bytes of padding |

Nothing is between them: a message ends where its length says, and channel data is
filled up to a multiple of four. Lengths are the other side's word, so they are judged
before anything is kept for them; whoever is out of step can't get into step again.
"""

import struct

from wzp_cli.defaults.relay import (
    TURN_FIRST_CHANNEL,
    TURN_LAST_CHANNEL,
    TURN_STREAM_MAX_MESSAGE_BYTES,
)
from wzp_cli.errors import RemoteProtocolError

__all__ = ["StreamCutter", "pad"]

_HEAD = struct.Struct("!HH")
_STUN_HEADER_BYTES = 20
_COOKIE = b"\x21\x12\xa4\x42"  # RFC 8489 section 5
_COOKIE_END = 8


def pad(message: bytes) -> bytes:
    """Return a STUN message or channel data as a stream carries it."""
    return message + bytes(-len(message) % 4)


class StreamCutter:
    """Cuts a stream into the messages of a TURN server."""

    def __init__(self) -> None:
        self._unread = bytearray()

    def take(self, data: bytes) -> list[bytes]:
        """Return the messages that are complete now, without padding.

        Raises:
            RemoteProtocolError: This is no TURN, or more than a message may have.
        """
        self._unread += data
        messages = []
        while (message := self._cut()) is not None:
            messages.append(message)
        return messages

    def _cut(self) -> bytes | None:
        if len(self._unread) < _HEAD.size:
            return None
        length = self._length()
        whole = length + -length % 4
        if len(self._unread) < whole:
            return None
        message = bytes(self._unread[:length])
        del self._unread[:whole]
        return message

    def _length(self) -> int:
        """Return how many bytes the message at the front has, without padding."""
        first, said = map(int, _HEAD.unpack_from(self._unread))
        if TURN_FIRST_CHANNEL <= first <= TURN_LAST_CHANNEL:
            length = _HEAD.size + said
        elif first >> 14 or said % 4 or not self._may_be_stun():
            raise RemoteProtocolError("neither STUN nor channel data")
        else:
            length = _STUN_HEADER_BYTES + said
        if length > TURN_STREAM_MAX_MESSAGE_BYTES:
            raise RemoteProtocolError(f"a message of {length} bytes")
        return length

    def _may_be_stun(self) -> bool:
        return _COOKIE.startswith(self._unread[_HEAD.size : _COOKIE_END])
