"""The place of each packet in the stream: 16 bits on the wire, unbounded in here.

    on the wire   65534  65535      0      1 |  a restart: another SSRC, or a jump
    number       196606 196607 196608 196609 |  a multiple of 65536, well above

Numbers only grow over wraps and restarts, so whoever plays by number can play nothing
twice and nothing out of order. After RFC 3550 appendix A.1: a jump counts as a restart
of the peer when a second packet follows it in order; one packet alone is a stray.
"""

from typing import Final, NamedTuple

from wzp_cli.defaults.media import RTP_MAX_DROPOUT_PACKETS, RTP_MAX_MISORDER_PACKETS

__all__ = ["Place", "SequenceTracker"]

_CYCLE: Final = 1 << 16
_SEEN: Final = (1 << (RTP_MAX_MISORDER_PACKETS + 1)) - 1


class Place(NamedTuple):
    """Where a packet belongs. `restarted`: its sender began anew with it."""

    number: int
    restarted: bool


class SequenceTracker:
    """Gives packets their extended sequence number and counts what arrived.

    Attributes:
        expected: Packets the sender must have sent, from the numbers seen.
        received: Packets that arrived, each once.
        duplicate: Packets that arrived again.
        stray: Packets of a jump that nothing followed.
        highest: The largest number so far; 0 before the first packet.
    """

    def __init__(self) -> None:
        self.expected = 0
        self.received = 0
        self.duplicate = 0
        self.stray = 0
        self.highest = 0
        self._ssrc: int | None = None
        self._seen = 0  # bit n: number `highest - n` arrived
        self._doubted: tuple[int, int] | None = None

    def place(self, ssrc: int, sequence: int) -> Place | None:
        """Return where an arrived packet belongs; None for a duplicate or a stray."""
        number = self.locate(ssrc, sequence)
        if number is None:
            return self._doubt(ssrc, sequence)
        self._doubted = None
        if not self._see(number):
            self.duplicate += 1
            return None
        self.received += 1
        return Place(number, restarted=False)

    def locate(self, ssrc: int, sequence: int) -> int | None:
        """Return the number a packet would have; None if it does not fit the stream."""
        half = _CYCLE // 2
        step = (sequence - self.highest + half) % _CYCLE - half
        fits = -RTP_MAX_MISORDER_PACKETS <= step <= RTP_MAX_DROPOUT_PACKETS
        return self.highest + step if ssrc == self._ssrc and fits else None

    def _see(self, number: int) -> bool:
        """Mark a number as arrived; whether it is new."""
        ahead = number - self.highest
        if ahead > 0:
            self.expected += ahead
            self.highest = number
            self._seen = (self._seen << ahead | 1) & _SEEN
            return True
        bit = 1 << -ahead
        fresh = not self._seen & bit
        self._seen |= bit
        return fresh

    def _doubt(self, ssrc: int, sequence: int) -> Place | None:
        """Begin a stream with the first packet of all, or with a second that fits."""
        if self._ssrc is not None and self._doubted != (ssrc, sequence):
            self.stray += 1
            self._doubted = ssrc, (sequence + 1) % _CYCLE
            return None
        self._ssrc, self._doubted = ssrc, None
        self.highest = (self.highest // _CYCLE + 2) * _CYCLE + sequence
        self._seen = 1
        self.expected += 1
        self.received += 1
        return Place(self.highest, restarted=True)
