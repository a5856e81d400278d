"""How the sound arrives, told quickly: a small DATAGRAM beside the media.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |   flow id 1   |            number             |   expected ...
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
       ... expected |             lost              |     gaps ...
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
         ... gaps   |           queue_ms            |     at_ms ...
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        ... at_ms   |          transit_ms           | wire_bytes ...
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
      ... wire_bytes                                |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
      what a newer version adds (skipped)

Counts are totals since the first packet, modulo their size: a report that is lost is
made up for by the next one. Integers are big-endian.
"""

import struct
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from wzp_cli.defaults.control import (
    CARRIED_WINDOW_S,
    QUEUE_EMPTY_MS,
    REPORT_NEWS_PAUSE_S,
    REPORT_PAUSE_S,
    REPORT_START_S,
)
from wzp_cli.defaults.media import (
    REPORT_FLOW_ID,
)
from wzp_cli.errors import RemoteProtocolError
from wzp_cli.protocol.media.adaptation.reception import Received, Reception

__all__ = ["Report", "ReportReader", "ReportWriter", "decode", "encode"]

_LAYOUT: Final = struct.Struct("!BHHHHHHHI")
_CYCLE: Final = 1 << 16
_BYTES_CYCLE: Final = 1 << 32


@dataclass(frozen=True, slots=True)
class Report:
    """What a receiver tells. All are whole numbers of 16 bits, `wire_bytes` of 32.

    Attributes:
        number: One more for each report; the first is 1.
        expected: Frames that should have come (`reception.py`).
        lost: Those of them that did not come for the first time in time.
        gaps: How often that was in a row.
        queue_ms: How long frames stand in a queue now.
        at_ms: When the newest packet came, by the receiver's clock.
        transit_ms: How long frames take, plus an unknown constant.
        wire_bytes: All packets so far, with all headers down to IPv4's.
    """

    number: int = 0
    expected: int = 0
    lost: int = 0
    gaps: int = 0
    queue_ms: int = 0
    at_ms: int = 0
    transit_ms: int = 0
    wire_bytes: int = 0


def encode(report: Report) -> bytes:
    """Return the payload of a DATAGRAM frame; totals lose what is over their size."""
    return _LAYOUT.pack(
        REPORT_FLOW_ID,
        report.number % _CYCLE,
        report.expected % _CYCLE,
        report.lost % _CYCLE,
        report.gaps % _CYCLE,
        min(report.queue_ms, _CYCLE - 1),
        report.at_ms % _CYCLE,
        report.transit_ms % _CYCLE,
        report.wire_bytes % _BYTES_CYCLE,
    )


def decode(datagram: bytes) -> Report:
    """Return the report in the payload of a DATAGRAM frame.

    Raises:
        RemoteProtocolError: It is cut off, or another flow.
    """
    if len(datagram) < _LAYOUT.size or datagram[0] != REPORT_FLOW_ID:
        raise RemoteProtocolError(f"no report: {len(datagram)} bytes")
    return Report(*_LAYOUT.unpack_from(datagram)[1:])


class ReportWriter:
    """Says when a report is due, and writes it. `now` is in seconds, never back."""

    def __init__(self, reception: Reception) -> None:
        """Report what `reception` counts."""
        self._reception = reception
        self._began_at: float | None = None
        self._told_at = 0.0
        self._told = Report()

    def due(self, now: float) -> Report | None:
        """Return the report that should go with the media packet of this moment."""
        heard_at = self._reception.heard_at
        if heard_at is None:
            return None
        if self._began_at is None:
            self._began_at = now
        elif now - self._told_at < REPORT_NEWS_PAUSE_S or not self._is_time(now):
            return None
        total = self._reception.total
        self._told_at = now
        self._told = Report(
            number=self._told.number + 1,
            expected=total.expected,
            lost=total.lost,
            gaps=total.gaps,
            queue_ms=round(total.queue_ms),
            at_ms=round(heard_at * 1000),
            transit_ms=round(self._reception.transit_ms),
            wire_bytes=self._reception.wire_bytes,
        )
        return self._told

    def _is_time(self, now: float) -> bool:
        """Sooner at the start, and while something is lost or a queue stands."""
        assert self._began_at is not None
        return (
            now - self._told_at >= REPORT_PAUSE_S
            or now - self._began_at < REPORT_START_S
            or self._reception.lost > self._told.lost
            or self._reception.queue_ms >= QUEUE_EMPTY_MS
        )


@dataclass(slots=True)
class ReportReader:
    """Turns the peer's totals into what was new since its report before."""

    _last: Report = field(default_factory=Report)
    _first_ms: int | None = None
    _came: deque[tuple[int, int]] = field(default_factory=deque)  # ms, bytes: totals

    def read(self, report: Report) -> Received | None:
        """Return what is new; None: it is older than one that came before."""
        last = self._last
        if not 0 < (report.number - last.number) % _CYCLE < _CYCLE // 2:
            return None
        self._last = report
        self._note(last, report)
        expected = (report.expected - last.expected) % _CYCLE
        lost = min(expected, (report.lost - last.lost) % _CYCLE)
        gaps = min(lost, (report.gaps - last.gaps) % _CYCLE)
        return Received(
            expected,
            lost,
            gaps,
            float(report.queue_ms),
            self._carried_bps(),
            self._transit_ms(report),
        )

    def _transit_ms(self, report: Report) -> float:
        """Return how much longer than those of the first report frames take."""
        if self._first_ms is None:
            self._first_ms = report.transit_ms
        half = _CYCLE // 2
        return float((report.transit_ms - self._first_ms + half) % _CYCLE - half)

    def _note(self, last: Report, report: Report) -> None:
        """Keep when how much had come, over the last moments."""
        at_ms, wire_bytes = self._came[-1] if self._came else (0, 0)
        at_ms += (report.at_ms - last.at_ms) % _CYCLE
        wire_bytes += (report.wire_bytes - last.wire_bytes) % _BYTES_CYCLE
        self._came.append((at_ms, wire_bytes))
        while len(self._came) > 2 and at_ms - self._came[1][0] >= self._window_ms:
            self._came.popleft()

    def _carried_bps(self) -> float | None:
        """How fast sound came lately; None where that can't be told."""
        (from_ms, before), (to_ms, after) = self._came[0], self._came[-1]
        if to_ms - from_ms < self._window_ms or before == 0:
            return None
        return 8000 * (after - before) / (to_ms - from_ms)

    @property
    def _window_ms(self) -> float:
        return CARRIED_WINDOW_S * 1000
