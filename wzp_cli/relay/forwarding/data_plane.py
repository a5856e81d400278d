"""What the data plane asks of each frame: its source, its kind, how many there are.

It knows no links and no calls (channels.py does), so the same rules hold in the relay's
own process and in a forwarder's. A place is whatever the socket at hand calls one.
"""

import enum
from typing import Generic, TypeVar

from wzp_cli.defaults.relay import (
    RELAY_CHANNEL_BURST_S,
    RELAY_CHANNEL_MAX_BITS_PER_S,
    RELAY_CHANNEL_MAX_PACKETS_PER_S,
    RELAY_MAX_FRAME_BYTES,
)
from wzp_cli.protocol.demux import FRAME_HEADER_BYTES, DatagramKind, kind_of

__all__ = ["Direction", "DropReason"]

_S_PER_PACKET = 1 / RELAY_CHANNEL_MAX_PACKETS_PER_S
_PACKETS_AHEAD_S = RELAY_CHANNEL_BURST_S - _S_PER_PACKET
_S_PER_BYTE = 8 / RELAY_CHANNEL_MAX_BITS_PER_S

_NOT_CARRIED = frozenset(
    first
    for first in range(256)
    if kind_of(bytes([first])) in (DatagramKind.RELAYED, DatagramKind.OTHER)
)
"""First bytes of what may not be in a frame."""

Place = TypeVar("Place")


class DropReason(enum.StrEnum):
    """Why a frame was not passed on. (StrEnum: it hashes without Python code.)"""

    UNKNOWN_CHANNEL = "unknown_channel"
    WRONG_SOURCE = "wrong_source"
    NOT_CARRIED = "not_carried"
    PACKET_RATE = "packet_rate"
    BIT_RATE = "bit_rate"


class Direction(Generic[Place]):
    """One direction of a channel.

    Rates are kept as the moment when the sender's packets (bytes) so far would have
    left, had they been spaced at the highest rate: a token bucket of two numbers.

    Attributes:
        source: The only place that frames are taken from.
        to: Where they go.
        packets: How many passed.
        bytes: Their size, frames' header and all.
        packets_done_s: See above; so it was used last then, at most a burst earlier.
    """

    __slots__ = ("bytes", "bytes_done_s", "packets", "packets_done_s", "source", "to")

    def __init__(self, source: Place, to: Place, now: float) -> None:
        self.source, self.to = source, to
        self.packets_done_s = self.bytes_done_s = now
        self.packets = self.bytes = 0

    def take(self, frame: bytes, source: Place, now: float) -> DropReason | None:
        """Charge and count one frame; return why it may not pass, None if it may."""
        if self.source != source:
            return DropReason.WRONG_SOURCE
        size = len(frame)
        if (
            not FRAME_HEADER_BYTES < size <= RELAY_MAX_FRAME_BYTES
            or frame[FRAME_HEADER_BYTES] in _NOT_CARRIED
        ):
            return DropReason.NOT_CARRIED
        packets_done_s, bytes_done_s = self.packets_done_s, self.bytes_done_s
        if packets_done_s < now:  # not max(): a call costs as much as the look-up
            packets_done_s = now
        if bytes_done_s < now:
            bytes_done_s = now
        if packets_done_s > now + _PACKETS_AHEAD_S:
            return DropReason.PACKET_RATE
        size_s = size * _S_PER_BYTE
        if bytes_done_s > now + RELAY_CHANNEL_BURST_S - size_s:
            return DropReason.BIT_RATE
        self.packets_done_s = packets_done_s + _S_PER_PACKET
        self.bytes_done_s = bytes_done_s + size_s
        self.packets += 1
        self.bytes += size
        return None
