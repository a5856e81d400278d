"""The jitter buffer: packets in as the network brings them, frames out at the beat.

    FILLING    --the first frame has waited long enough-->  PLAYING
    PLAYING    --nothing newer is stored-->                 STARVED
    STARVED    --a packet comes-->                          PLAYING
    STARVED    --a second without sound-->                  FILLING
    any        --the peer begins anew-->                    FILLING

Who plays asks for the next frame whenever less than 20 ms are left of those before, and
gets one of `Frame`, `Conceal`, `Pause` and `Wait`. A missing frame is concealed. The
place in the stream moves on with it if the frame would have come by now; else it stays
where it is for 20 ms, in case the frame is only late, and the delay grows by that. A
frame that proves lost gives the 20 ms back.

What proves to be a pause of the peer (no number is missing, only time: `timeline.py`)
was no loss: what was concealed in it is taken back.

    margin   how long a frame that came fastest has waited when it is asked for; frames
             later than that are missed, so it has to reach the target (`delay.py`)
    delay    margin and what is left to play then: what the listener hears

Frames are asked for at the sink's beats, so the margin can only be had in steps of
20 ms. `_off_samples` says what the delay is above the least one whose margin is enough,
and the correction asked for with a frame is to bring it there, by one pitch period at a
time (`stretch.py`). In between, nothing is touched.
"""

import enum
from dataclasses import dataclass
from typing import Final

from wzp_cli.defaults.media import (
    JITTER_CALM_FRAMES,
    JITTER_CONCEALED_MAX_FRAMES,
    JITTER_FAR_OFF_S,
    JITTER_HURRY_FRAMES,
    JITTER_LIKENESS,
    JITTER_LIKENESS_EASING,
    JITTER_LIKENESS_FAR,
    JITTER_LOWER_GAIN,
    JITTER_NEAR_OFF_S,
    JITTER_RAISE_GAIN,
    JITTER_STEP_S,
    JITTER_STORED_MAX_FRAMES,
    MEDIA_CLOCK_HZ,
    MEDIA_FRAME_MS,
    MEDIA_FRAME_SAMPLES,
    STRETCH_LONGEST_SAMPLES,
)
from wzp_cli.protocol.media.playout.delay import DelayTarget
from wzp_cli.protocol.media.playout.sequence import SequenceTracker
from wzp_cli.protocol.media.playout.timeline import Timeline
from wzp_cli.protocol.media.rtp import MediaPacket

__all__ = [
    "Conceal",
    "Correction",
    "Frame",
    "JitterBuffer",
    "Pause",
    "Playout",
    "Wait",
]

_FRAME_S: Final = MEDIA_FRAME_MS / 1000
_LEAST_SAMPLES: Final = round(JITTER_STEP_S * MEDIA_CLOCK_HZ)


@dataclass(frozen=True, slots=True)
class Correction:
    """Make this frame shorter or longer by one pitch period, if that is not heard.

    Attributes:
        samples: At most so many: positive to leave out, negative to put in.
        least_likeness: How alike the sound must be to itself a period later, 0 to 1.
    """

    samples: int
    least_likeness: float


@dataclass(frozen=True, slots=True)
class Frame:
    """Decode and play this.

    Attributes:
        number: Its slot in the stream (`timeline.py`).
        payload: What the codec made of it.
        recovered: From a copy: its own packet did not come.
        packet: Extended sequence number of its packet.
        correction: What to do with its sound; tell `corrected` what came of it.
    """

    number: int
    payload: bytes
    recovered: bool = False
    packet: int = 0
    correction: Correction | None = None


@dataclass(frozen=True, slots=True)
class Conceal:
    """Play 20 ms of concealment."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Play 20 ms of comfort noise: the peer sent nothing, and nothing was lost."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Play silence: the peer has sent nothing for now."""


class Playout(enum.Enum):
    """What the buffer does at present; the module draws the transitions."""

    FILLING = "filling"
    PLAYING = "playing"
    STARVED = "starved"


class JitterBuffer:
    """Turns arrivals into frames to play. `now` is in seconds, never back.

    Attributes:
        arrivals: Numbers the packets and counts what arrived.
        state: What it does at present.
        late: Packets that came after their moment.
        dropped: Stored frames left out: over the hard cap, or before a restart.
        played: Frames given out.
        recovered: Those of them that came from a copy.
        concealed: Frames concealed; at most a second of them in one break.
        paused: Frames of pauses of the peer.
        shortened: Frames made shorter by a pitch period.
        lengthened: Frames made longer by one.
    """

    def __init__(self) -> None:
        self.arrivals = SequenceTracker()
        self.state = Playout.FILLING
        self.late = 0
        self.dropped = 0
        self.played = 0
        self.recovered = 0
        self.concealed = 0
        self.paused = 0
        self.shortened = 0
        self.lengthened = 0
        self._timeline = Timeline()
        self._target = DelayTarget()
        self._stored: dict[int, Frame] = {}
        self._next = 0
        self._newest_gone = 0  # highest packet number played or late
        self._left_s = 0.0  # sound still to play when the last frame was asked for
        self._delay_s = 0.0  # then, as it was
        self._level_s: float | None = None  # the same without the beats' unevenness
        self._held = 0  # frames concealed without moving on
        self._rest = 0  # frames until the next correction
        self._asked = 0  # corrections asked for since the last one that was made

    @property
    def stored(self) -> int:
        """Frames waiting."""
        return len(self._stored)

    @property
    def target_ms(self) -> float:
        """Delay that the buffer aims at."""
        return self._target.target_s * 1000

    @property
    def delay_ms(self) -> float:
        """What the buffer added to the last frame, seen from the fastest packets."""
        if self.state is Playout.FILLING:
            return 0.0
        # Below zero where all that is remembered came later than what is next.
        return max(0.0, 1000 * self._delay_s)

    def keep_at_least(self, delay_ms: float, bundled_ms: float = 0.0) -> None:
        """Wait at least this long: for copies that come some frames later.

        And for `bundled_ms` more, in any case: so long frames wait for their packet.
        """
        self._target.floor_s = delay_ms / 1000
        self._target.bundled_s = bundled_ms / 1000

    def push(self, packet: MediaPacket, now: float, *, newest: bool = True) -> None:
        """Take a packet that arrived; `newest`: of those that came as one."""
        place = self.arrivals.place(packet.ssrc, packet.sequence)
        if place is None:
            return
        if place.restarted:
            slot = self._timeline.restart(place.number, packet.timestamp)
            self._restart(slot, place.number)
        else:
            slot = self._timeline.place(
                place.number, packet.timestamp, packet.payload_type
            )
        if newest:
            self._target.arrived(slot * _FRAME_S, now)
        self._store(Frame(slot, packet.payload, packet=place.number))

    def push_copy(self, packet: MediaPacket) -> None:
        """Take a copy of an earlier packet, as it would have been."""
        number = self.arrivals.locate(packet.ssrc, packet.sequence)
        if number is None or number > self.arrivals.highest:
            return
        slot = self._timeline.locate(number, packet.timestamp, packet.payload_type)
        if self._next <= slot < self._timeline.highest:
            copy = Frame(slot, packet.payload, recovered=True, packet=number)
            self._stored.setdefault(slot, copy)

    def pop(self, now: float, left_samples: int = 0) -> Frame | Conceal | Pause | Wait:
        """Return what to play next.

        Args:
            now: When this is.
            left_samples: What is left to play of the frames before.
        """
        self._left_s = left_samples / MEDIA_CLOCK_HZ
        if self.state is Playout.FILLING and not self._filled(now):
            return Wait()
        self._pass_lost()
        self._measure(now)
        if self._next in self._stored:
            return self._present()
        return self._missing() if self._stored else self._starve()

    def corrected(self, samples: int) -> None:
        """Learn what came of a correction: samples left out, or put in (negative)."""
        if not samples:
            return
        self.shortened += samples > 0
        self.lengthened += samples < 0
        self._shift(-samples / MEDIA_CLOCK_HZ)
        self._asked = 0
        self._rest = self._pace()

    def end(self) -> None:
        """Take back what was concealed after the last packet: the peer had stopped."""
        if self.state is Playout.STARVED:
            self.concealed -= self._held
            self._held = 0

    def _store(self, frame: Frame) -> None:
        if frame.number < self._next:
            self.late += 1
            self._newest_gone = max(self._newest_gone, frame.packet)
            return
        before = self._stored.get(frame.number)
        # Two packets for one place: their sender's clock stood still.
        self.dropped += before is not None and not before.recovered
        self._stored[frame.number] = frame
        self._limit()

    def _filled(self, now: float) -> bool:
        """Start to play when the oldest frame has waited for the target delay."""
        if not self._stored:
            return False
        oldest = min(self._stored)
        waited_s = self._target.waited_s(oldest * _FRAME_S, now)
        if waited_s < self._target.target_s:
            return False
        self._next = oldest
        self._newest_gone = max(self._newest_gone, self._stored[oldest].packet - 1)
        self._level_s = None
        self.state = Playout.PLAYING
        return True

    def _measure(self, now: float) -> None:
        """Take the delay; its level follows what is less at once, what is more slowly.

        The frames asked for early, of uneven beats, are those that would be missed.
        """
        self._delay_s = self._target.waited_s(self._next * _FRAME_S, now) + self._left_s
        if self._level_s is None:
            self._level_s = self._delay_s
        off_s = self._delay_s - self._level_s
        self._level_s += off_s * (JITTER_RAISE_GAIN if off_s > 0 else JITTER_LOWER_GAIN)

    def _present(self) -> Frame:
        """The next frame is here: play it."""
        self.state = Playout.PLAYING
        correction = self._correction()
        frame = self._stored.pop(self._next)
        self._next += 1
        self._newest_gone = max(self._newest_gone, frame.packet)
        self._held = 0
        self.played += 1
        self.recovered += frame.recovered
        if correction is None:
            return frame
        return Frame(
            frame.number, frame.payload, frame.recovered, frame.packet, correction
        )

    def _missing(self) -> Conceal | Pause:
        """The next frame is not here, but newer ones are."""
        self.state = Playout.PLAYING
        if self._paused():
            self._next += 1
            self.paused += 1
            return Pause()
        self.concealed += 1
        if self._delay_s - self._left_s < self._target.target_s:
            self._hold()
        else:
            self._next += 1
        return Conceal()

    def _starve(self) -> Conceal | Wait:
        """Nothing is here: hold the place, but not for ever."""
        self.state = Playout.STARVED
        if self._held >= JITTER_CONCEALED_MAX_FRAMES:
            self.state = Playout.FILLING
            self._held = 0
            self._target.restart()
            return Wait()
        self._hold()
        self.concealed += 1
        return Conceal()

    def _hold(self) -> None:
        self._held += 1
        self._shift(_FRAME_S)

    def _pass_lost(self) -> None:
        """Move over frames that prove lost, or not sent, and were concealed already."""
        if not self._held or not self._stored or self._next in self._stored:
            return
        passed = min(self._held, min(self._stored) - self._next)
        if self._paused():
            self.concealed -= passed
            self.paused += passed
        self._held -= passed
        self._next += passed
        self._shift(-passed * _FRAME_S)

    def _paused(self) -> bool:
        """Whether no packet is missing between what is gone and what is stored."""
        return self._stored[min(self._stored)].packet <= self._newest_gone + 1

    def _correction(self) -> Correction | None:
        """Return what to do with the next frame's sound; mostly None."""
        if self._rest:
            self._rest -= 1
            return None
        off = self._off_samples()
        samples = -STRETCH_LONGEST_SAMPLES if off < 0 else self._spare_samples(off)
        if samples == 0:
            return None
        far = off < 0 or off > JITTER_FAR_OFF_S * MEDIA_CLOCK_HZ
        likeness = JITTER_LIKENESS_FAR if far else JITTER_LIKENESS
        likeness -= self._asked * JITTER_LIKENESS_EASING
        self._asked += 1
        return Correction(samples, max(0.0, likeness))

    def _pace(self) -> int:
        """Return how many frames to leave as they are before the next correction."""
        off_s = self._off_samples() / MEDIA_CLOCK_HZ
        if off_s > JITTER_FAR_OFF_S:
            return 0
        calm = 0 <= off_s < JITTER_NEAR_OFF_S
        return JITTER_CALM_FRAMES if calm else JITTER_HURRY_FRAMES

    def _spare_samples(self, off: int) -> int:
        """Return how much of the next frame may be left out."""
        if self._next + 1 not in self._stored:
            # The frame is all that there is: keep 20 ms to play.
            off = min(off, round(self._left_s * MEDIA_CLOCK_HZ))
        return min(off, STRETCH_LONGEST_SAMPLES) if off >= _LEAST_SAMPLES else 0

    def _off_samples(self) -> int:
        """Return what the delay is above the least that is safe; negative: below it."""
        level_s = self._delay_s if self._level_s is None else self._level_s
        spare_s = level_s - self._left_s - self._target.target_s
        if spare_s < 0:
            return -MEDIA_FRAME_SAMPLES + round(self._left_s * MEDIA_CLOCK_HZ)
        frames = max(0, int((spare_s - JITTER_STEP_S) / _FRAME_S))
        return round((self._left_s + frames * _FRAME_S) * MEDIA_CLOCK_HZ)

    def _shift(self, by_s: float) -> None:
        """The delay is changed on purpose: its level is so at once."""
        if self._level_s is not None:
            self._level_s += by_s

    def _limit(self) -> None:
        """Keep the hard cap: leave out the oldest sound, it is worth least."""
        floor = self._timeline.highest - JITTER_STORED_MAX_FRAMES + 1
        if floor > self._next:
            self._pass_lost()
        if floor <= self._next:
            return
        old = [number for number in self._stored if number < floor]
        for number in old:
            del self._stored[number]
        self.dropped += len(old)
        self._shift(-(floor - self._next) * _FRAME_S)
        self._next = floor

    def _restart(self, slot: int, number: int) -> None:
        """The peer began anew: what is left of before will not be played."""
        self.dropped += len(self._stored)
        self._stored.clear()
        self._target.restart()
        self.state = Playout.FILLING
        self._next = slot - JITTER_STORED_MAX_FRAMES + 1
        self._newest_gone = number - JITTER_STORED_MAX_FRAMES
        self._held = 0
