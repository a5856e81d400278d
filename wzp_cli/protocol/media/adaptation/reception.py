"""What the receiver tells the sender: loss before recovery, its pattern, the queue.

lost     a frame counts when some later ones have come (three; more where the
         network is seen to reorder), whether or not a copy makes up for it
gap      frames lost in a row; lost / gaps is the mean length of a burst
queue    how much later the fastest of the last few packets came than the fastest one
         of the last ten seconds: jitter and stalls do not move it (what was held up
         comes together, and its last packet is not late), a queue that stands does
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from wzp_cli.defaults.control import (
    LOSS_MIN_FRAMES,
    QUEUE_FULL_MS,
    QUEUE_MEMORY_S,
    QUEUE_PACKETS,
    QUEUE_RECENT_S,
    REORDER_MAX_FRAMES,
    REORDER_MIN_FRAMES,
)
from wzp_cli.defaults.media import (
    MEDIA_FRAME_MS,
    RTP_MAX_DROPOUT_PACKETS,
    WIRE_PACKET_OVERHEAD_BYTES,
)

__all__ = ["Received", "Reception", "StandingDelay"]

_CYCLE: Final = 1 << 16
_SEEN: Final = (1 << 2 * REORDER_MAX_FRAMES) - 1


@dataclass(frozen=True, slots=True)
class Received:
    """Counts of frames since the last report; the rest is as it is now.

    Attributes:
        expected: Frames that should have come.
        lost: Those of them that did not, or not in time.
        gaps: How often that was in a row.
        queue_ms: How long frames stand in a queue.
        carried_bps: How fast sound came lately, with all headers; None: untold.
        transit_ms: How much longer frames take than at first; None: untold.
    """

    expected: int = 0
    lost: int = 0
    gaps: int = 0
    queue_ms: float = 0.0
    carried_bps: float | None = None
    transit_ms: float | None = None

    @property
    def loss(self) -> float:
        """The share lost, 0 to 1, of a second at least: one of five is no 20 %."""
        return self.lost / max(self.expected, LOSS_MIN_FRAMES)


class Reception:
    """Counts what comes for the first time. `now` is in seconds, never back.

    Attributes:
        expected: Frames that should have come, since the first packet.
        lost: Those of them that did not, or not in time.
        gaps: How often that was in a row.
        wire_bytes: What came in all, with all headers down to IPv4's.
        heard_at: When the newest packet came; None: none did.
    """

    def __init__(self) -> None:
        self.expected = self.lost = self.gaps = 0
        self.wire_bytes = 0
        self.heard_at: float | None = None
        self._ssrc: int | None = None
        self._highest = 0
        self._seen = 0  # bit n: frame `highest - n` came
        self._unjudged = 0  # frames up to `highest` that are not counted yet
        self._guard = REORDER_MIN_FRAMES
        self._reported = Received()
        self._in_gap = False
        self._told = 0.0
        self._told_queue_ms = 0.0
        self._queue = StandingDelay()

    def arrived(
        self, ssrc: int, sequence: int, frames: int, now: float, sound_bytes: int = 0
    ) -> None:
        """Count a packet.

        Args:
            ssrc: Of its sender.
            sequence: The last frame in it.
            frames: How many come in it for the first time.
            now: When it came.
            sound_bytes: What it holds beside all headers.
        """
        self.wire_bytes += WIRE_PACKET_OVERHEAD_BYTES + sound_bytes
        self.heard_at = now
        half = _CYCLE // 2
        ahead = (sequence - self._highest + half) % _CYCLE - half
        if ssrc != self._ssrc or abs(ahead) > RTP_MAX_DROPOUT_PACKETS:
            self._restart(ssrc, sequence - frames)
            ahead = frames
        self._see(ahead, frames)
        self._judge()
        place_s = (self._highest + min(ahead, 0)) * MEDIA_FRAME_MS / 1000
        self._queue.arrived(now - place_s, now)

    @property
    def total(self) -> Received:
        """What was counted since the first packet."""
        return Received(self.expected, self.lost, self.gaps, self.queue_ms)

    def report(self) -> Received:
        """Return what was counted since the last report."""
        received = self._pending()
        # What was bad lately is no news: it fades, so that reports do not flicker.
        self._told = max(received.loss, 0.8 * self._told)
        self._told_queue_ms = received.queue_ms
        self._reported = self.total
        return received

    @property
    def is_news(self) -> bool:
        """Whether it is so much worse than last told that it should be told now."""
        pending = self._pending()
        queues = pending.queue_ms > 2 * self._told_queue_ms + QUEUE_FULL_MS
        return queues or pending.loss > 1.5 * self._told + 0.01

    @property
    def queue_ms(self) -> float:
        """How long frames stand in a queue now."""
        return self._queue.delay_s * 1000

    @property
    def transit_ms(self) -> float:
        """How long frames take now, plus an unknown constant."""
        return self._queue.transit_s * 1000

    def _pending(self) -> Received:
        told = self._reported
        return Received(
            self.expected - told.expected,
            self.lost - told.lost,
            self.gaps - told.gaps,
            self.queue_ms,
        )

    def _see(self, ahead: int, frames: int) -> None:
        if ahead > 0:
            self._highest += ahead
            self._unjudged += ahead
            self._seen = self._seen << ahead & _SEEN
        elif -ahead >= self._guard:
            self._guard = min(1 - ahead, REORDER_MAX_FRAMES)
        for back in range(frames):
            self._seen |= 1 << back + max(0, -ahead)
        self._seen &= _SEEN

    def _judge(self) -> None:
        """Count the frames that are old enough, oldest first."""
        while self._unjudged > self._guard:
            self._unjudged -= 1
            lost = not self._seen >> self._unjudged & 1
            self.expected += 1
            self.lost += lost
            self.gaps += lost and not self._in_gap
            self._in_gap = lost

    def _restart(self, ssrc: int, before: int) -> None:
        self._ssrc, self._highest = ssrc, before
        self._seen = self._unjudged = 0
        self._in_gap = False
        self._queue = StandingDelay()


class StandingDelay:
    """How much slower the fastest of the last few is than the fastest of all lately."""

    def __init__(self, memory_s: float = QUEUE_MEMORY_S) -> None:
        """Forget the fastest after `memory_s`."""
        self._memory_s = memory_s
        # (when, transit) of those that are the fastest from some moment on: both rise
        # from left to right, so the first one is the fastest of all.
        self._fastest: deque[tuple[float, float]] = deque()
        self._last: deque[tuple[float, float]] = deque()

    @property
    def delay_s(self) -> float:
        """Seconds above the fastest."""
        return self.transit_s - self._fastest[0][1] if self._last else 0.0

    @property
    def transit_s(self) -> float:
        """That of the fastest of the last few, as it was told."""
        return min([transit_s for _, transit_s in self._last], default=0.0)

    def arrived(self, transit_s: float, now: float) -> None:
        """Count a frame by how much later than its place in the stream it is."""
        last, fastest = self._last, self._fastest
        last.append((now, transit_s))
        while len(last) > QUEUE_PACKETS and last[1][0] <= now - QUEUE_RECENT_S:
            last.popleft()
        while last[0][0] < now - self._memory_s:
            last.popleft()  # or, after a long break, it would be faster than all
        while fastest and fastest[-1][1] >= transit_s:
            fastest.pop()
        fastest.append((now, transit_s))
        while fastest[0][0] < now - self._memory_s:
            fastest.popleft()
