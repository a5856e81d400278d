"""How sound is sent: bitrate, frames in a packet, copies of earlier packets' frames."""

from dataclasses import dataclass
from typing import Final

from wzp_cli.defaults.media import (
    MEDIA_FRAME_MS,
    OPUS_BITRATE_BPS,
    REDUNDANCY_MAX_OFFSET_FRAMES,
    WIRE_PACKET_OVERHEAD_BYTES,
)

__all__ = ["PLAIN", "Sending"]

_ENTRY_BYTES: Final = 3  # of redundancy.py, for each earlier frame


@dataclass(frozen=True, slots=True)
class Sending:
    """One way to send.

    Attributes:
        bitrate_bps: Of the codec.
        frames: Frames of 20 ms that go in one packet for the first time.
        copies: Earlier packets whose frames go with it again.
        spacing: Packets from one of those to the next.
    """

    bitrate_bps: int = OPUS_BITRATE_BPS
    frames: int = 1
    copies: int = 0
    spacing: int = 1

    @property
    def wire_bps(self) -> int:
        """Bits a second that this takes, with all headers down to IPv4's."""
        frames = self.frames * (1 + self.copies)
        head_bytes = 1 + _ENTRY_BYTES * (frames - 1) if frames > 1 else 0
        frame_bytes = self.bitrate_bps * MEDIA_FRAME_MS // 8000
        packet_bytes = WIRE_PACKET_OVERHEAD_BYTES + head_bytes + frames * frame_bytes
        return packet_bytes * 8 * 1000 // (MEDIA_FRAME_MS * self.frames)

    @property
    def reach(self) -> int:
        """How many frames back the oldest copy is."""
        return max(self.copy_offsets(self.frames - 1), default=self.frames - 1)

    def copy_offsets(self, fresh: int) -> list[int]:
        """Return how many frames back the copies are, nearest first.

        Args:
            fresh: Frames beside the present one that this packet carries for the first
                time; what is near enough to be among them is no copy.
        """
        packets = (self.spacing * n for n in range(1, self.copies + 1))
        offsets = (
            packet * self.frames + frame
            for packet in packets
            for frame in range(self.frames)
        )
        return [n for n in offsets if fresh < n <= REDUNDANCY_MAX_OFFSET_FRAMES]


PLAIN: Final = Sending()
"""One frame a packet, no copies: what each peer understands."""
