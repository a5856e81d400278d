"""Which protocol a datagram on the one socket belongs to, and the relayed frame.

Source: RFC 9443 section 3. The relayed frame takes 8 of the bytes 4 to 15, which that
section leaves unassigned:

   +------+-----------------------------------+-------------------------
   | 0x08 |  channel id, 8 bytes, one each way |  one datagram, to the end
   +------+-----------------------------------+-------------------------

A datagram inside a frame is STUN or QUIC; a frame inside a frame is dropped.
"""

import enum

__all__ = [
    "CHANNEL_ID_BYTES",
    "FRAME_HEADER_BYTES",
    "DatagramKind",
    "encode_frame",
    "kind_of",
    "split_frame",
]

_FRAME_TYPE = b"\x08"
CHANNEL_ID_BYTES = 8
FRAME_HEADER_BYTES = 1 + CHANNEL_ID_BYTES


class DatagramKind(enum.Enum):
    """What a datagram's first byte says it is."""

    STUN = "stun"
    RELAYED = "relayed"
    TURN_CHANNEL = "turn channel"
    QUIC = "quic"
    OTHER = "other"


def _kind_of_byte(first: int) -> DatagramKind:
    if first <= 3:
        return DatagramKind.STUN
    if first == _FRAME_TYPE[0]:
        return DatagramKind.RELAYED
    if 80 <= first <= 127 or first >= 192:
        return DatagramKind.QUIC
    if 64 <= first <= 79:
        # A QUIC short header or TURN channel data: the source tells (RFC 9443).
        return DatagramKind.TURN_CHANNEL
    return DatagramKind.OTHER


_KINDS = tuple(_kind_of_byte(first) for first in range(256))


def kind_of(datagram: bytes) -> DatagramKind:
    """Return the protocol of `datagram` (an empty one is OTHER)."""
    return _KINDS[datagram[0]] if datagram else DatagramKind.OTHER


def encode_frame(channel: bytes, datagram: bytes) -> bytes:
    """Return `datagram` framed for a relay's channel (its 8-byte id)."""
    return _FRAME_TYPE + channel + datagram


def split_frame(frame: bytes) -> tuple[bytes, bytes] | None:
    """Return channel id and inner datagram; None for what may not be in a frame."""
    if len(frame) <= FRAME_HEADER_BYTES:
        return None
    inner = frame[FRAME_HEADER_BYTES:]
    if _KINDS[inner[0]] in (DatagramKind.RELAYED, DatagramKind.OTHER):
        return None
    return frame[1:FRAME_HEADER_BYTES], inner
