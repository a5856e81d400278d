"""From frames to packets: numbers, copies of earlier frames, several frames in one.

    setting      frames 1, copies 2         frames 2, copies 1
    packet n     n, copies n-1, n-2         n-1, n; copies n-3, n-2
    packet next  n+1, copies n, n-1         n+1, n+2; copies n-1, n

A frame that goes alone is a plain packet of its codec; the rest are payload type 112.
"""

from collections import deque
from typing import Final

from wzp_cli.defaults.media import (
    MEDIA_FRAME_MS,
    REDUNDANCY_MAX_OFFSET_FRAMES,
    REDUNDANCY_PAYLOAD_TYPE,
)
from wzp_cli.protocol.media.adaptation.sending import PLAIN, Sending
from wzp_cli.protocol.media.redundancy import Earlier, Redundant, encode
from wzp_cli.protocol.media.rtp import MediaPacket, clock_hz

__all__ = ["Packetizer"]

_SEQUENCE_CYCLE: Final = 1 << 16
_TIMESTAMP_CYCLE: Final = 1 << 32


class Packetizer:
    """Makes the packets of one stream.

    Attributes:
        sending: How frames go from now on. Plain until it is set: a peer that does not
            know payload type 112 never sees it.
    """

    def __init__(
        self, payload_type: int, *, sequence: int, timestamp: int, ssrc: int
    ) -> None:
        """Begin a stream; `sequence` and `timestamp` are those of its first frame."""
        self.sending: Sending = PLAIN
        self._payload_type = payload_type
        self._step = clock_hz(payload_type) * MEDIA_FRAME_MS // 1000
        self._sequence = sequence
        self._timestamp = timestamp
        self._ssrc = ssrc
        self._first = True
        self._waiting = 0  # frames of `_recent` that have not been sent
        self._recent: deque[bytes] = deque(maxlen=REDUNDANCY_MAX_OFFSET_FRAMES + 1)

    def pack(self, frame: bytes) -> MediaPacket | None:
        """Take the next 20 ms; return a packet when it is full."""
        self._recent.append(frame)
        self._waiting += 1
        packet = self._packet() if self._waiting >= self.sending.frames else None
        self._sequence = (self._sequence + 1) % _SEQUENCE_CYCLE
        self._timestamp = (self._timestamp + self._step) % _TIMESTAMP_CYCLE
        return packet

    def _packet(self) -> MediaPacket:
        fresh, self._waiting = self._waiting - 1, 0
        offsets = [*range(1, fresh + 1), *self.sending.copy_offsets(fresh)]
        earlier = tuple(
            Earlier(offset, self._recent[-1 - offset])
            for offset in offsets
            if offset < len(self._recent)
        )
        first, self._first = self._first, False
        present = self._recent[-1]
        return MediaPacket(
            sequence=self._sequence,
            timestamp=self._timestamp,
            payload_type=REDUNDANCY_PAYLOAD_TYPE if earlier else self._payload_type,
            payload=encode(Redundant(present, earlier, fresh)) if earlier else present,
            ssrc=self._ssrc,
            marker=first,
        )
