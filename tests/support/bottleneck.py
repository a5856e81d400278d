"""A narrow link with a drop-tail queue in front of it, in virtual time."""

__all__ = ["Bottleneck"]

_IP_UDP_BYTES = 28


class Bottleneck:
    """One direction of a link. `now` is in seconds, never back.

    Attributes:
        bps: IP bits that pass in a second.
        room_s: How long a packet may wait for its turn; beyond, it is dropped.
        dropped: How many were.
    """

    def __init__(self, bps: float, room_s: float) -> None:
        self.bps, self.room_s, self.dropped = bps, room_s, 0
        self._free_at = 0.0

    def queue_s(self, now: float) -> float:
        """Return how long a packet that comes now has to wait."""
        return max(0.0, self._free_at - now)

    def passes(self, udp_bytes: int, now: float) -> float | None:
        """Take a packet; return how long it takes to get through, None if dropped."""
        waits_s = self.queue_s(now)
        if waits_s > self.room_s:
            self.dropped += 1
            return None
        takes_s = waits_s + 8 * (udp_bytes + _IP_UDP_BYTES) / self.bps
        self._free_at = now + takes_s
        return takes_s
