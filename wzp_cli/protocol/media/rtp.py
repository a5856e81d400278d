"""A media packet: RTP (RFC 3550 section 5.1) behind a flow id, in one DATAGRAM frame.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+
    |   flow id 0   |                     a QUIC varint: one byte
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |V=2|P|X|  CC   |M|     PT      |       sequence number         |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                           timestamp                           |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                             SSRC                              |
    +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
    |    CC contributing sources, 4 bytes each (skipped)            |
    |    X: 2 bytes profile, 2 bytes length in words, words (skipped)
    |    payload: one frame of 20 ms                                |
    |    P: padding, its last byte says how much (skipped)          |
    +---------------------------------------------------------------+

wzp sends P, X and CC as 0 and understands them all. PT 111 is Opus (RFC 7587), 0 is
PCMU (RFC 3551). Integers are big-endian.
"""

import struct
from dataclasses import dataclass
from typing import Final

from wzp_cli.defaults.media import (
    MEDIA_CLOCK_HZ,
    MEDIA_FLOW_ID,
    PCMU_CLOCK_HZ,
    PCMU_PAYLOAD_TYPE,
)
from wzp_cli.errors import LocalProtocolError, RemoteProtocolError

__all__ = ["HEADER_BYTES", "MediaPacket", "clock_hz", "decode", "encode"]

_HEADER: Final = struct.Struct("!BBBHII")
HEADER_BYTES: Final = _HEADER.size
"""What is in front of the payload: the flow id and RTP's header."""
_EXTENSION: Final = struct.Struct("!HH")
_VERSION: Final = 2
_PADDED: Final = 0x20
_EXTENDED: Final = 0x10
_WORD_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class MediaPacket:
    """One frame of sound on the wire.

    Attributes:
        sequence: 16 bits, one more for each packet, modulo 2**16.
        timestamp: 32 bits, in units of `clock_hz(payload_type)`.
        payload_type: 7 bits.
        payload: The codec's packet, never empty.
        ssrc: 32 bits, random, one for each sender and call.
        marker: First packet of a talk spurt.
    """

    sequence: int
    timestamp: int
    payload_type: int
    payload: bytes
    ssrc: int = 0
    marker: bool = False


def clock_hz(payload_type: int) -> int:
    """Return the rate of a payload type's timestamps (RFC 7587, RFC 3551)."""
    return PCMU_CLOCK_HZ if payload_type == PCMU_PAYLOAD_TYPE else MEDIA_CLOCK_HZ


def encode(packet: MediaPacket) -> bytes:
    """Return the payload of a DATAGRAM frame.

    Raises:
        LocalProtocolError: A field does not fit its bits, or there is no sound.
    """
    if not packet.payload or not 0 <= packet.payload_type < 0x80:
        raise LocalProtocolError(f"not a media packet: {packet}")
    try:
        header = _HEADER.pack(
            MEDIA_FLOW_ID,
            _VERSION << 6,
            packet.marker << 7 | packet.payload_type,
            packet.sequence,
            packet.timestamp,
            packet.ssrc,
        )
    except struct.error as error:
        raise LocalProtocolError(f"not a media packet: {packet}") from error
    return header + packet.payload


def decode(datagram: bytes) -> MediaPacket:
    """Return the packet in the payload of a DATAGRAM frame.

    Raises:
        RemoteProtocolError: It is another flow, or not RTP, or without sound.
    """
    if len(datagram) < _HEADER.size:
        raise RemoteProtocolError(f"a media packet of {len(datagram)} bytes")
    flow, first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(datagram)
    if flow != MEDIA_FLOW_ID:
        raise RemoteProtocolError(f"a datagram of the unknown flow {flow}")
    if first >> 6 != _VERSION:
        raise RemoteProtocolError(f"RTP version {first >> 6}")
    return MediaPacket(
        sequence=sequence,
        timestamp=timestamp,
        payload_type=second & 0x7F,
        payload=_payload(datagram, first),
        ssrc=ssrc,
        marker=bool(second & 0x80),
    )


def _payload(datagram: bytes, first: int) -> bytes:
    """Return what lies between header and padding; `first` is RTP's first byte."""
    start = _HEADER.size + (first & 0x0F) * _WORD_BYTES
    if first & _EXTENDED:
        start += _extension_bytes(datagram, start)
    end = len(datagram) - (datagram[-1] if first & _PADDED else 0)
    if first & _PADDED and datagram[-1] == 0:
        raise RemoteProtocolError("an RTP padding of no bytes")
    if start >= end:
        raise RemoteProtocolError("a media packet without sound")
    return datagram[start:end]


def _extension_bytes(datagram: bytes, start: int) -> int:
    if len(datagram) < start + _EXTENSION.size:
        raise RemoteProtocolError("an RTP header extension that is cut off")
    _, words = _EXTENSION.unpack_from(datagram, start)
    return _EXTENSION.size + int(words) * _WORD_BYTES
