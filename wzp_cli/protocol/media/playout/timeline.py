"""Where a frame belongs in time: its slot, 20 ms each, counted without bounds.

    packets       10     11     12  |  lost  |     14     15    sequence numbers
    timestamps  9600  10560  11520  |        |  13440  32640    48 kHz, 960 a frame
    slots         50     51     52  |   53   |     54     74    20 ms each

Sequence numbers tell what was lost (13, so slot 53), timestamps where sound belongs: a
sender that falls silent (DTX) sends nothing for a while and numbers on, and its pause
(slots 55 to 73) is no loss (RFC 3550 section 5.1, RFC 7587 section 3.1.3). Several
frames of one packet have one number and a slot each.

Slots only rise over wraps and restarts, so whoever plays by slot can play nothing twice
and nothing out of order. A sender whose timestamps contradict its numbers is numbered
by the latter alone.
"""

from typing import Final

from wzp_cli.defaults.media import MEDIA_FRAME_MS, RTP_MAX_MISORDER_PACKETS
from wzp_cli.protocol.media.rtp import clock_hz

__all__ = ["Timeline"]

_CYCLE: Final = 1 << 32
_ROOM: Final = RTP_MAX_MISORDER_PACKETS + 1


class Timeline:
    """Gives frames their slots, seen from the newest packet so far.

    Attributes:
        highest: The largest slot given so far.
    """

    def __init__(self) -> None:
        self.highest = 0
        self._number = 0
        self._timestamp = 0
        self._slot = 0

    def restart(self, number: int, timestamp: int) -> int:
        """Begin anew with a packet, above all slots of before; return its slot.

        There is room below it for packets that come a little after it.
        """
        self._slot = self.highest = self.highest + _ROOM
        self._number, self._timestamp = number, timestamp
        return self._slot

    def place(self, number: int, timestamp: int, payload_type: int) -> int:
        """Return the slot of a packet (its extended sequence number), and go on."""
        slot = self.locate(number, timestamp, payload_type)
        if number > self._number:
            self._slot, self._number, self._timestamp = slot, number, timestamp
        self.highest = max(self.highest, slot)
        return slot

    def locate(self, number: int, timestamp: int, payload_type: int) -> int:
        """Return the slot that a frame would have."""
        later = number - self._number
        step = clock_hz(payload_type) * MEDIA_FRAME_MS // 1000
        frames = round(_signed(timestamp - self._timestamp) / step)
        agree = frames >= later if later > 0 else frames <= later
        return self._slot + (frames if agree or later == 0 else later)


def _signed(difference: int) -> int:
    """Return a difference of two timestamps of 32 bits, over their wrap."""
    half = _CYCLE // 2
    return (difference + half) % _CYCLE - half
