"""The jitter buffer: packets in as the network brings them, frames out at the beat.

    FILLING    --the first frame has waited long enough-->  PLAYING
    PLAYING    --nothing newer is stored-->                 STARVED
    STARVED    --a packet comes-->                          PLAYING
    STARVED    --a second without sound-->                  FILLING
    any        --the peer begins anew-->                    FILLING

Each beat takes one of `Frame`, `Conceal` and `Wait`. A missing frame is concealed. The
place in the stream moves on with it if the delay is large enough already; else it stays
where it is for a beat, in case the frame is only late, and the delay grows by 20 ms. A
frame that proves lost gives the beat back.

The delay follows its target (`delay.py`) by whole frames for now: when it has been off
by more than a frame for a while, one frame is left out, or one is concealed in front of
the next. `_correction` is the place for stretching by pitch periods.
"""

import enum
from dataclasses import dataclass
from typing import Final

from wzp_cli.defaults import (
    JITTER_CONCEALED_MAX_FRAMES,
    JITTER_FAR_OFF_S,
    JITTER_PATIENCE_FAR_FRAMES,
    JITTER_PATIENCE_FRAMES,
    JITTER_STORED_MAX_FRAMES,
    JITTER_TOLERANCE_S,
    MEDIA_FRAME_MS,
)
from wzp_cli.protocol.media.delay import DelayTarget
from wzp_cli.protocol.media.rtp import MediaPacket
from wzp_cli.protocol.media.sequence import SequenceTracker

__all__ = ["Conceal", "Frame", "JitterBuffer", "Playout", "Wait"]

_FRAME_S: Final = MEDIA_FRAME_MS / 1000


@dataclass(frozen=True, slots=True)
class Frame:
    """Decode and play this. `recovered`: from a copy, its own packet did not come."""

    number: int
    payload: bytes
    recovered: bool = False


@dataclass(frozen=True, slots=True)
class Conceal:
    """Play 20 ms of concealment."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Play silence: the peer has sent nothing for now."""


class Playout(enum.Enum):
    """What the buffer does at present; the module draws the transitions."""

    FILLING = "filling"
    PLAYING = "playing"
    STARVED = "starved"


class JitterBuffer:
    """Turns arrivals into a frame for each beat. `now` is in seconds, never back.

    Attributes:
        arrivals: Numbers the packets and counts what arrived.
        state: What it does at present.
        late: Packets that came after their moment.
        dropped: Stored frames left out, to reduce the delay.
        played: Frames given out.
        recovered: Those of them that came from a copy.
        concealed: Beats concealed; at most a second of them in one break.
    """

    def __init__(self) -> None:
        self.arrivals = SequenceTracker()
        self.state = Playout.FILLING
        self.late = 0
        self.dropped = 0
        self.played = 0
        self.recovered = 0
        self.concealed = 0
        self._delay = DelayTarget()
        self._stored: dict[int, Frame] = {}
        self._next = 0
        self._waited_at_beat_s = 0.0
        self._held = 0  # beats concealed without moving on
        self._off = 0  # beats in a row that the delay is too large (+) or small (-)

    @property
    def stored(self) -> int:
        """Frames waiting."""
        return len(self._stored)

    @property
    def target_ms(self) -> float:
        """Delay that the buffer aims at."""
        return self._delay.target_s * 1000

    @property
    def delay_ms(self) -> float:
        """What the buffer added at the last beat, seen from the fastest packets."""
        return 0.0 if self.state is Playout.FILLING else 1000 * self._waited_at_beat_s

    def keep_at_least(self, delay_ms: float) -> None:
        """Wait at least this long: for copies that come some frames later."""
        self._delay.floor_s = delay_ms / 1000

    def push(self, packet: MediaPacket, now: float) -> None:
        """Take a packet that arrived."""
        place = self.arrivals.place(packet.ssrc, packet.sequence)
        if place is None:
            return
        if place.restarted:
            self._restart(place.number)
        self._delay.arrived(place.number * _FRAME_S, now)
        if place.number < self._next:
            self.late += 1
            return
        self._stored[place.number] = Frame(place.number, packet.payload)
        self._limit(place.number)

    def push_copy(self, packet: MediaPacket) -> None:
        """Take a copy of an earlier packet, as it would have been."""
        number = self.arrivals.locate(packet.ssrc, packet.sequence)
        if number is not None and self._next <= number < self.arrivals.highest:
            copy = Frame(number, packet.payload, recovered=True)
            self._stored.setdefault(number, copy)

    def pop(self, now: float) -> Frame | Conceal | Wait:
        """Return what to play next; ask once for each 20 ms."""
        if self.state is Playout.FILLING and not self._filled(now):
            return Wait()
        self._pass_lost()
        self._waited_at_beat_s = self._waited_s(now)
        if self._next in self._stored:
            return self._present(now)
        return self._missing(now) if self._stored else self._starve()

    def end(self) -> None:
        """Take back the beats concealed after the last packet: the peer had stopped."""
        if self.state is Playout.STARVED:
            self.concealed -= self._held
            self._held = 0

    def _filled(self, now: float) -> bool:
        """Start to play when the oldest frame has waited for the target delay."""
        if not self._stored:
            return False
        oldest = min(self._stored)
        if self._delay.waited_s(oldest * _FRAME_S, now) < self._delay.target_s:
            return False
        self._next = oldest
        self.state = Playout.PLAYING
        return True

    def _present(self, now: float) -> Frame | Conceal:
        """The next frame is here: play it, unless the delay wants a correction."""
        self.state = Playout.PLAYING
        match self._correction(now):
            case 1:
                del self._stored[self._next]
                self.dropped += 1
                self._next += 1
            case -1:
                self.concealed += 1
                return Conceal()
        return self._play()

    def _play(self) -> Frame:
        frame = self._stored.pop(self._next)
        self._next += 1
        self._held = 0
        self.played += 1
        self.recovered += frame.recovered
        return frame

    def _missing(self, now: float) -> Frame | Conceal:
        """The next frame is not here, but newer ones are."""
        self.state = Playout.PLAYING
        off_s = self._waited_s(now) - self._delay.target_s
        if off_s > JITTER_TOLERANCE_S and self._has_spare():
            self._next += 1
            return self._play()
        self.concealed += 1
        if off_s < 0:
            self._held += 1
        else:
            self._next += 1
        return Conceal()

    def _starve(self) -> Conceal | Wait:
        """Nothing is here: hold the place, but not for ever."""
        self.state = Playout.STARVED
        if self._held >= JITTER_CONCEALED_MAX_FRAMES:
            self.state = Playout.FILLING
            self._held = 0
            self._delay.restart()
            return Wait()
        self._held += 1
        self.concealed += 1
        return Conceal()

    def _pass_lost(self) -> None:
        """Move over frames that prove lost and were concealed already."""
        while self._held and self._stored and self._next not in self._stored:
            self._held -= 1
            self._next += 1

    def _correction(self, now: float) -> int:
        """Return 1 to leave a frame out, -1 to put one in front, 0 to go on."""
        off_s = self._waited_s(now) - self._delay.target_s
        if abs(off_s) <= JITTER_TOLERANCE_S:
            self._off = 0
            return 0
        way = 1 if off_s > 0 else -1
        self._off = self._off + way if self._off * way >= 0 else way
        far = abs(off_s) > JITTER_FAR_OFF_S
        patience = JITTER_PATIENCE_FAR_FRAMES if far else JITTER_PATIENCE_FRAMES
        if abs(self._off) < patience or (way > 0 and not self._has_spare()):
            return 0
        self._off = 0
        return way

    def _has_spare(self) -> bool:
        """Whether more is stored than the target asks for: a pause adds no sound."""
        ahead_s = (self.arrivals.highest - self._next) * _FRAME_S
        return self._next + 1 in self._stored and ahead_s >= self._delay.target_s

    def _waited_s(self, now: float) -> float:
        return self._delay.waited_s(self._next * _FRAME_S, now)

    def _limit(self, newest: int) -> None:
        """Keep the hard cap: leave out the oldest sound, it is worth least."""
        floor = newest - JITTER_STORED_MAX_FRAMES + 1
        if floor <= self._next:
            return
        old = [number for number in self._stored if number < floor]
        for number in old:
            del self._stored[number]
        self.dropped += len(old)
        self._next = floor

    def _restart(self, number: int) -> None:
        """The peer began anew: what is left of before will not be played."""
        self.dropped += len(self._stored)
        self._stored.clear()
        self._delay.restart()
        self.state = Playout.FILLING
        self._next = number - JITTER_STORED_MAX_FRAMES + 1
        self._held = self._off = 0
