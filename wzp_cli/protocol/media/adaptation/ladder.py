"""Which way to send fits which loss, within a wire rate: two tables and a choice.

    loss from   bitrate   copies      PESQ-WB, measured (docs/decisions, redundancy)
    0 %         best      0           4.44 without loss
    1 %         second    1           4.11 at 5 % of single losses
    4 %         third     2           4.23 at 10 %, 4.11 at 20 %
    22 %        fourth    3           3.94 at 30 %

Copies are `spacing` packets apart: one where losses are single, as many as a burst is
long where they come in bursts. Where the wire rate does not allow it, first two frames
share a packet (a header costs more than a frame), then the bitrate falls, then copies
are given up: a copy at 12 kbit/s is worth more than 32 kbit/s with holes.
"""

import functools
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from wzp_cli.defaults.control import (
    COPY_REACH_MAX_FRAMES,
    WIRE_RATE_MAX_RATIO,
)
from wzp_cli.protocol.media.adaptation.sending import Sending

__all__ = ["choose", "least_bps", "most_bps"]


class _Rung(NamedTuple):
    least_loss: float
    bitrate: int  # place in the codec's list, best first
    copies: int


_RUNGS: Final = (
    _Rung(0.22, 3, 3),
    _Rung(0.04, 2, 2),
    _Rung(0.01, 1, 1),
    _Rung(0.0, 0, 0),
)
_NARROWER: Final = (
    (0, 1), (1, 1), (0, 2), (1, 2), (2, 2), (3, 2), (3, 3), (4, 3)
)  # fmt: skip
"""Bitrate (place) and frames in a packet, from most to least wire rate."""


def choose(
    bitrates_bps: Sequence[int], loss: float, burst: float, limit_bps: float
) -> Sending:
    """Return how to send.

    Args:
        bitrates_bps: Of the codec, best first.
        loss: Share of packets lost, 0 to 1, before recovery.
        burst: Mean length of a burst, in frames; 1 where losses are single.
        limit_bps: Wire rate that may not be passed. Where nothing fits, the least.
    """
    rung = next(rung for rung in _RUNGS if loss >= rung.least_loss)
    ways = _ways(tuple(bitrates_bps), rung, burst)
    fitting = next((way for way in ways if way.wire_bps <= limit_bps), None)
    return fitting or min(ways, key=lambda sending: sending.wire_bps)


@functools.lru_cache(maxsize=64)
def _ways(bitrates_bps: tuple[int, ...], rung: _Rung, burst: float) -> list[Sending]:
    """Return what a rung offers, best first; asked for several times a second."""
    return [
        Sending(bitrates_bps[place], frames, *_copies(copies, burst / frames))
        for copies in range(rung.copies, -1, -1)
        for place, frames in _narrower(rung.bitrate, len(bitrates_bps))
    ]


def least_bps(bitrates_bps: Sequence[int]) -> float:
    """Return the wire rate below which there is no way to send."""
    return choose(bitrates_bps, 0.0, 1.0, 0.0).wire_bps


def most_bps(bitrates_bps: Sequence[int]) -> float:
    """Return the wire rate that no way to send may pass, on the widest link."""
    return WIRE_RATE_MAX_RATIO * Sending(bitrates_bps[0]).wire_bps


def _narrower(first: int, bitrates: int) -> Iterator[tuple[int, int]]:
    """Yield bitrates (from place `first` on) and frames, as far as there are such."""
    yield min(first, bitrates - 1), 1
    for place, frames in _NARROWER:
        yield min(max(place, first), bitrates - 1), frames


def _copies(copies: int, burst_packets: float) -> tuple[int, int]:
    """Return copies and spacing, so that none comes too late to be waited for."""
    spacing = min(max(1, round(burst_packets)), COPY_REACH_MAX_FRAMES)
    return min(copies, COPY_REACH_MAX_FRAMES // spacing), spacing
