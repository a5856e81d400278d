"""The framing of signalling messages on a stream.

    0                   1                   2                   3
    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
   +---------------------------------------------------------------+
   |                  length of the body in bytes                  |
   +---------------------------------------------------------------+
   |  body: UTF-8 JSON, an object whose "type" names the message   |

The "type" is read first: a message of an unknown type is returned as Unknown, so that a
newer peer never hangs up an older one.
"""

import functools
import struct
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import msgspec

from wzp_cli.defaults.program import MAX_MESSAGE_BYTES
from wzp_cli.errors import LocalProtocolError, RemoteProtocolError
from wzp_cli.protocol.names.text import clean

__all__ = ["BodyDecoder", "Message", "MessageDecoder", "Unknown", "encode"]

_LENGTH = struct.Struct("!I")
_REASON_CHARACTERS = 200


class Message(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True
):
    """Anything that is said on a signalling stream."""


class Unknown(msgspec.Struct, frozen=True):
    """A message of a type that this version does not know."""

    type: str


class _Tag(msgspec.Struct, frozen=True):
    type: str


_encoder = msgspec.json.Encoder()
_tag_decoder = msgspec.json.Decoder(_Tag)
M = TypeVar("M", bound=Message)


def encode(message: Message) -> bytes:
    """Return a message as it goes on the stream, length first.

    Raises:
        LocalProtocolError: It is longer than the other side would take, or not text.
    """
    try:
        body = _encoder.encode(message)
    except UnicodeEncodeError as error:
        raise LocalProtocolError(f"not text: {error}") from error
    if len(body) > MAX_MESSAGE_BYTES:
        raise LocalProtocolError(f"message of {len(body)} bytes")
    return _LENGTH.pack(len(body)) + body


class BodyDecoder(Generic[M]):
    """Reads the bodies of one family of messages."""

    def __init__(self, family: Any) -> None:
        self._types = {struct.__struct_config__.tag for struct in family.__args__}
        self._decoder: msgspec.json.Decoder[M] = msgspec.json.Decoder(family)

    def decode(self, body: bytes) -> M | Unknown:
        """Return the message of a body.

        Raises:
            RemoteProtocolError: It is not of its type's shape.
        """
        try:
            tag = _tag_decoder.decode(body).type
            if tag not in self._types:
                return Unknown(tag)
            return self._decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            # msgspec quotes what it did not like: a stranger's words.
            reason = clean(str(error), _REASON_CHARACTERS)
            raise RemoteProtocolError(f"not a message: {reason}") from error


@functools.cache
def _bodies_of(family: Any) -> BodyDecoder[Any]:
    """Return the one that all streams of a family share: it remembers nothing."""
    return BodyDecoder(family)


class MessageDecoder(Generic[M]):
    """Cuts a stream into messages of one family.

    Attributes:
        limit_bytes: Largest body accepted; raised once the sender's identity is known.
    """

    def __init__(self, family: Any, *, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._bodies: BodyDecoder[M] = _bodies_of(family)
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[M | Unknown]:
        """Yield each message that `data` completes.

        Raises:
            RemoteProtocolError: A body is too long, or not of its type's shape.
        """
        self._buffer += data
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > self.limit_bytes:
                raise RemoteProtocolError(f"message of {length} bytes")
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[_LENGTH.size : end])
            del self._buffer[:end]
            yield self._bodies.decode(body)
