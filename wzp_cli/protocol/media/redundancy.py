"""Earlier frames in the same packet: the payload of RTP payload type 112.

The idea is that of RFC 2198: each packet carries whole frames that other packets carry
too, so that a lost one is made up for by those after it. Up to seven frames may also
come here for the first time, so that fewer packets and headers are sent (bundling).

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+
    |fresh| earlier |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |    offset     |            length             |  for each earlier frame
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |    the earlier frames, in the same order                      |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |    the present frame, to the end                              |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

`earlier` is a count, up to 31. `offset` says how many frames back, 1 and up, each one
larger than the one before. The first `fresh` of them (their offsets are 1, 2, ...) come
for the first time. The RTP header is that of the present frame; sequence numbers count
*frames* of 20 ms. The codec is the call's, and so is the clock of the timestamps.
"""

import struct
from dataclasses import dataclass, replace
from typing import Final

from wzp_cli.defaults.media import MEDIA_FRAME_MS, REDUNDANCY_PAYLOAD_TYPE
from wzp_cli.errors import LocalProtocolError, RemoteProtocolError
from wzp_cli.protocol.media.rtp import MediaPacket, clock_hz

__all__ = ["Earlier", "Redundant", "Unpacked", "decode", "encode", "unpack"]

_ENTRY: Final = struct.Struct("!BH")
_EARLIER_BITS: Final = 5
_EARLIER_MASK: Final = (1 << _EARLIER_BITS) - 1
_FRESH_MAX: Final = 7


@dataclass(frozen=True, slots=True)
class Earlier:
    """A frame from `offset` frames back."""

    offset: int
    frame: bytes


@dataclass(frozen=True, slots=True)
class Redundant:
    """What a payload of type 112 holds.

    Attributes:
        present: The newest frame, that of the RTP header.
        earlier: Frames before it, nearest first.
        fresh: How many of them come for the first time.
    """

    present: bytes
    earlier: tuple[Earlier, ...] = ()
    fresh: int = 0


@dataclass(frozen=True, slots=True)
class Unpacked:
    """One packet as several, each as if it had come alone, oldest first.

    Attributes:
        fresh: Frames that come for the first time; the present one is the last.
        copies: Frames that came, or should have come, before.
        reach: How many frames back the oldest of them is.
    """

    fresh: tuple[MediaPacket, ...]
    copies: tuple[MediaPacket, ...] = ()
    reach: int = 0


def encode(redundant: Redundant) -> bytes:
    """Return the payload.

    Raises:
        LocalProtocolError: A frame, a count or an offset is out of range.
    """
    fault = _fault(redundant)
    if fault is not None:
        raise LocalProtocolError(f"redundancy: {fault}")
    head = bytes([redundant.fresh << _EARLIER_BITS | len(redundant.earlier)])
    try:
        entries = [_ENTRY.pack(e.offset, len(e.frame)) for e in redundant.earlier]
    except struct.error as error:
        raise LocalProtocolError(f"redundancy: {error}") from error
    frames = [e.frame for e in redundant.earlier]
    return b"".join((head, *entries, *frames, redundant.present))


def decode(payload: bytes) -> Redundant:
    """Return what a payload holds.

    Raises:
        RemoteProtocolError: It is cut off, or breaks the rules above.
    """
    if not payload:
        raise RemoteProtocolError("redundancy: no payload")
    fresh, count = payload[0] >> _EARLIER_BITS, payload[0] & _EARLIER_MASK
    at = 1 + count * _ENTRY.size
    if len(payload) < at:
        raise RemoteProtocolError("redundancy: cut off")
    earlier = []
    for offset, length in _ENTRY.iter_unpack(payload[1:at]):
        earlier.append(Earlier(offset, payload[at : at + length]))
        if len(earlier[-1].frame) != length:
            raise RemoteProtocolError("redundancy: cut off")
        at += length
    redundant = Redundant(payload[at:], tuple(earlier), fresh)
    fault = _fault(redundant)
    if fault is not None:
        raise RemoteProtocolError(f"redundancy: {fault}")
    return redundant


def unpack(packet: MediaPacket, codec_type: int) -> Unpacked:
    """Return the packets that a packet of type 112 stands for; any other, alone.

    Args:
        packet: As it arrived.
        codec_type: The payload type of the call's codec.

    Raises:
        RemoteProtocolError: The payload breaks the rules.
    """
    if packet.payload_type != REDUNDANCY_PAYLOAD_TYPE:
        return Unpacked((packet,))
    redundant = decode(packet.payload)
    present = replace(packet, payload_type=codec_type, payload=redundant.present)
    packets = [_back(present, earlier) for earlier in redundant.earlier]
    fresh = redundant.fresh
    return Unpacked(
        (*reversed(packets[:fresh]), present),
        tuple(reversed(packets[fresh:])),
        redundant.earlier[-1].offset if redundant.earlier else 0,
    )


def _back(present: MediaPacket, earlier: Earlier) -> MediaPacket:
    """Return the packet of an earlier frame."""
    step = clock_hz(present.payload_type) * MEDIA_FRAME_MS // 1000
    return replace(
        present,
        sequence=(present.sequence - earlier.offset) % (1 << 16),
        timestamp=(present.timestamp - earlier.offset * step) % (1 << 32),
        payload=earlier.frame,
        marker=False,
    )


def _fault(redundant: Redundant) -> str | None:
    """Return which rule is broken, or None."""
    offsets = [earlier.offset for earlier in redundant.earlier]
    if not redundant.present or not all(e.frame for e in redundant.earlier):
        return "an empty frame"
    if not 0 <= redundant.fresh <= _FRESH_MAX or len(offsets) > _EARLIER_MASK:
        return "too many frames"
    if offsets != sorted(set(offsets)) or (offsets and offsets[0] < 1):
        return "offsets out of order"
    if offsets[: redundant.fresh] != list(range(1, redundant.fresh + 1)):
        return "a frame that comes for the first time is missing"
    return None
