"""How well a call sounds: jitter, loss, an estimate of the MOS, and a verdict.

The estimate has two steps:

    base = 1 + 3.35 / (1 + (c / 5)**1.4)       c: percent of the frames concealed
    MOS  = mos(R(base) - Idd(delay))           mos, R, Idd: the E-model, ITU-T G.107

The first line was fitted to PESQ of Opus at 24 kbit/s with its concealment. `mos` is
the conversion of G.107 annex B, `R` its inverse, and `Idd` the part of the delay
impairment Id that is left without echo (clause 7.4): nothing up to 100 ms one way.

The verdict on a whole call: `good`, `fair`, `poor` or `bad` are bands of the MOS (G.107
annex B: satisfied, some and many dissatisfied), and what limited it is what cost most.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal

from wzp_cli.defaults.media import (
    IDD_FREE_DELAY_MS,
    MEDIA_FRAME_MS,
    MOS_CONCEALED_HALF_PCT,
    MOS_CONCEALED_POWER,
    MOS_SPAN,
    OPUS_LOOKAHEAD_MS,
    RTP_JITTER_GAIN,
    VERDICT_MIN_LOSS_PCT,
    VERDICT_MIN_MOS,
)

__all__ = [
    "Cause",
    "Grade",
    "Hearing",
    "InterarrivalJitter",
    "Verdict",
    "delay_impairment",
    "estimate_mos",
    "grade",
    "judge",
    "loss_pct",
    "mouth_to_ear_ms",
]

Grade = Literal["good", "fair", "poor", "bad"]
Cause = Literal["loss", "jitter", "delay", "bandwidth"]

_TIMESTAMP_CYCLE: Final = 1 << 32
_R_LOWEST: Final = 6.5  # below it the conversion of annex B turns around
_BISECTIONS: Final = 20
_GRADES: Final[tuple[tuple[Grade, float], ...]] = (
    ("good", 4.03),
    ("fair", 3.60),
    ("poor", 2.58),
    ("bad", 0.0),
)


@dataclass(frozen=True, slots=True)
class Hearing:
    """How one side heard the other, over a whole call.

    Attributes:
        loss_pct: Packets that did not come, before recovery.
        concealed_pct: Sound that was concealed, after recovery.
        delay_ms: From mouth to ear.
        narrow: The link carried less than a plain stream, or than its copies.
    """

    loss_pct: float
    concealed_pct: float
    delay_ms: float
    narrow: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a call was like, and why not better. `sentence` is for people."""

    mos: float
    grade: Grade
    limited_by: Cause | None
    sentence: str


class InterarrivalJitter:
    """The jitter estimate of RFC 3550 section 6.4.1 for the packets of one sender."""

    def __init__(self) -> None:
        self._jitter_s = 0.0
        self._last: tuple[int, int, float] | None = None

    @property
    def jitter_ms(self) -> float:
        """Smoothed mean deviation of the arrival from the timestamps."""
        return self._jitter_s * 1000

    def arrived(self, ssrc: int, timestamp: int, clock_hz: int, now: float) -> None:
        """Count a packet that arrived at `now` (seconds)."""
        if self._last is not None and self._last[0] == ssrc:
            apart_s = _signed(timestamp - self._last[1]) / clock_hz
            off_s = abs(now - self._last[2] - apart_s)
            self._jitter_s += (off_s - self._jitter_s) * RTP_JITTER_GAIN
        self._last = ssrc, timestamp, now


def loss_pct(expected: int, received: int) -> float:
    """Return the share of packets lost, 0 to 100 (RFC 3550 appendix A.3).

    Packets that were counted as lost earlier and came now make no negative loss.
    """
    return max(0.0, 100 * (1 - received / expected)) if expected > 0 else 0.0


def delay_impairment(delay_ms: float) -> float:
    """Return Idd of ITU-T G.107 for a one-way delay, in points of R."""
    if delay_ms <= IDD_FREE_DELAY_MS:
        return 0.0
    x = math.log2(delay_ms / IDD_FREE_DELAY_MS)
    return 25 * (math.pow(1 + x**6, 1 / 6) - 3 * math.pow(1 + (x / 3) ** 6, 1 / 6) + 2)


def mouth_to_ear_ms(rtt_ms: float | None, buffer_ms: float) -> float:
    """Return the delay from mouth to ear; an unknown round trip counts as none."""
    return (rtt_ms or 0.0) / 2 + buffer_ms + MEDIA_FRAME_MS + OPUS_LOOKAHEAD_MS


def estimate_mos(concealed_pct: float, delay_ms: float) -> float:
    """Return the estimated MOS, 1 to 4.35.

    Args:
        concealed_pct: Frames played as concealment, after recovery: 0 to 100.
        delay_ms: From mouth to ear, one way.
    """
    concealed = (concealed_pct / MOS_CONCEALED_HALF_PCT) ** MOS_CONCEALED_POWER
    base = 1 + MOS_SPAN / (1 + concealed)
    return _mos(_rating(base) - delay_impairment(delay_ms))


def grade(mos: float) -> Grade:
    """Return the word for an estimated MOS."""
    return next(grade for grade, least in _GRADES if mos >= least)


def judge(hearing: Hearing) -> Verdict:
    """Return the verdict on a call in which something was heard."""
    mos = estimate_mos(hearing.concealed_pct, hearing.delay_ms)
    cause = _cause(hearing, mos)
    was = f"Sound was {grade(mos)}{_why(hearing, cause)}."
    return Verdict(mos, grade(mos), cause, was)


def _cause(hearing: Hearing, mos: float) -> Cause | None:
    """Return what cost most; None where next to nothing was lost."""
    concealment = estimate_mos(0.0, hearing.delay_ms) - mos
    delay = estimate_mos(hearing.concealed_pct, 0.0) - mos
    if hearing.narrow:
        return "bandwidth"
    if max(concealment, delay) < VERDICT_MIN_MOS:
        return None
    if delay >= concealment:
        return "delay"
    return "loss" if hearing.loss_pct >= hearing.concealed_pct / 2 else "jitter"


def _why(hearing: Hearing, cause: Cause | None) -> str:
    """Return the second half of the sentence."""
    lost, guessed = _share(hearing.loss_pct), _share(hearing.concealed_pct)
    match cause:
        case "loss":
            return (
                f", limited by loss: {lost} of packets did not come, "
                f"{guessed} of it was concealed"
            )
        case "jitter":
            return f", limited by jitter: {guessed} of it came too late"
        case "delay":
            return f", limited by delay: {hearing.delay_ms:.0f} ms from mouth to ear"
        case "bandwidth":
            return f", limited by a narrow link; {guessed} of it was concealed"
    made_up = f"; {lost} of packets were lost and made up for"
    return made_up if hearing.loss_pct >= VERDICT_MIN_LOSS_PCT else ""


def _share(pct: float) -> str:
    return f"{pct:.0f} %" if pct >= 1 else f"{pct:.1f} %"


def _mos(rating: float) -> float:
    """Return the MOS for a rating R (G.107 annex B)."""
    if rating <= _R_LOWEST:
        return 1.0
    r = min(rating, 100.0)
    return 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6


def _rating(mos: float) -> float:
    """Return the R whose MOS this is; `_mos` rises from `_R_LOWEST` to 100."""
    low, high = _R_LOWEST, 100.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if _mos(middle) < mos else (low, middle)
    return high


def _signed(difference: int) -> int:
    """Return a difference of two timestamps of 32 bits, over their wrap."""
    half = _TIMESTAMP_CYCLE // 2
    return (difference + half) % _TIMESTAMP_CYCLE - half
