"""Two voices on one time axis: a rule without a clock.

Each voice comes in frames of 20 ms, at a pace of its own: two sound cards, or a file
and a card, never run alike. A frame belongs where the clock says; small differences are
left alone, so that nothing is cut that only came a little late.
"""

from typing import Final

from wzp_cli.defaults.media import MEDIA_CLOCK_HZ, MEDIA_FRAME_BYTES
from wzp_cli.defaults.sound import RECORDING_TOLERANCE_S, RECORDING_WAIT_S

__all__ = ["Timeline"]

_BYTES_PER_S: Final = 2 * MEDIA_CLOCK_HZ


class Timeline:
    """What two sides say from `start_s` on; the left one is channel 0.

    Attributes:
        dropped: Frames left out because a side came faster than time.
    """

    def __init__(self, start_s: float) -> None:
        self.dropped = 0
        self._start_s = start_s
        self._left, self._right = _Track(), _Track()

    def left(self, pcm: bytes, now_s: float) -> None:
        """Add a frame that has just been said."""
        self.dropped += not self._left.add(pcm, now_s - self._start_s)

    def right(self, pcm: bytes, now_s: float) -> None:
        """Add a frame that has just been heard."""
        self.dropped += not self._right.add(pcm, now_s - self._start_s)

    def take(self, now_s: float, *, all_of_it: bool = False) -> bytes:
        """Return the stereo sound (int16 little-endian) that both sides have reached.

        A side that has fallen silent is waited for `RECORDING_WAIT_S`; at the end of
        the recording (`all_of_it`) for nothing.
        """
        import numpy as np

        tracks = (self._left, self._right)
        reached_s = now_s - self._start_s - RECORDING_WAIT_S
        longest = max(track.end for track in tracks)
        for track in tracks:
            track.reach(longest if all_of_it else min(longest, _bytes(reached_s)))
        size = min(len(track.waiting) for track in tracks)
        stereo = np.empty((size // 2, 2), dtype="<i2")
        for channel, track in enumerate(tracks):
            stereo[:, channel] = np.frombuffer(track.pop(size), dtype="<i2")
        return stereo.tobytes()


class _Track:
    """One side: how many bytes of it there were, and those not yet taken."""

    def __init__(self) -> None:
        self.end = 0
        self.waiting = bytearray()

    def add(self, pcm: bytes, at_s: float) -> bool:
        """Add a frame that ended `at_s`; return False where it was too early."""
        late_s = at_s - (self.end + MEDIA_FRAME_BYTES) / _BYTES_PER_S
        if late_s < -RECORDING_TOLERANCE_S:
            return False
        if late_s > RECORDING_TOLERANCE_S:
            self.reach(_bytes(at_s) - MEDIA_FRAME_BYTES)
        self.waiting += pcm
        self.end += len(pcm)
        return True

    def reach(self, end: int) -> None:
        """Be silent up to there."""
        if end > self.end:
            self.waiting += bytes(end - self.end)
            self.end = end

    def pop(self, size: int) -> bytes:
        """Take the oldest bytes."""
        taken = bytes(self.waiting[:size])
        del self.waiting[:size]
        return taken


def _bytes(at_s: float) -> int:
    """Return how many bytes that much sound has: whole samples, never below none."""
    return 2 * max(0, round(at_s * MEDIA_CLOCK_HZ))
