"""One direction of a call over one link, packet by packet, in virtual time.

Sender and receiver are wzp's own control, reception and reports; sound has its sizes
only. The reports go back in datagrams beside the media of the other direction.
"""

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.support.bottleneck import Bottleneck
from wzp_cli.protocol.media.adaptation.control import SendControl
from wzp_cli.protocol.media.adaptation.reception import Reception
from wzp_cli.protocol.media.adaptation.report import (
    ReportReader,
    ReportWriter,
    decode,
    encode,
)
from wzp_cli.protocol.media.adaptation.sending import Sending

__all__ = ["OPUS", "Story", "talk"]

OPUS = (32_000, 24_000, 20_000, 16_000, 12_000)
FRAME_S = 0.020
TRIP_S = 0.030
_IP_UDP_BYTES = 28
_HEADERS_BYTES = 78


@dataclass
class Story:
    """What came of it, each 20 ms.

    Attributes:
        control: As it is at the end.
        ways: How it was sent.
        queues_ms: How long a packet had to wait.
        lost: Of which frames no packet came, nor a copy.
        told: How many reports came.
    """

    control: SendControl
    ways: list[Sending] = field(default_factory=list)
    queues_ms: list[float] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    told: int = 0

    def lost_pct(self, from_s: float, to_s: float) -> float:
        """Share of the frames of a time that could not be played, 0 to 100."""
        first, last = from_s / FRAME_S, to_s / FRAME_S
        return 100 * sum(first <= n < last for n in self.lost) / (last - first)

    def queued_s(self, above_ms: float = 60.0) -> float:
        """How long, in all, the queue was longer than that."""
        return FRAME_S * sum(queue_ms > above_ms for queue_ms in self.queues_ms)


@dataclass(frozen=True)
class _Packet:
    fresh: tuple[int, ...]
    copies: tuple[int, ...]
    sound_bytes: int


class _Receiver:
    """Counts packets, and keeps which frames came."""

    def __init__(self) -> None:
        self.came: set[int] = set()
        self._reception = Reception()
        self.reports = ReportWriter(self._reception)

    def hear(self, packet: _Packet, now: float) -> None:
        newest, count = packet.fresh[-1] % 65_536, len(packet.fresh)
        self._reception.arrived(7, newest, count, now, packet.sound_bytes)
        self.came.update(packet.fresh, packet.copies)


def talk(
    seconds: float,
    link: Callable[[float], Bottleneck] = lambda now: Bottleneck(1e9, 1.0),
    *,
    loss: float = 0.0,
    reports_lost: float = 0.0,
    late_s: Callable[[random.Random], float] = lambda dice: 0.0,
    seed: int = 1,
) -> Story:
    """Talk for so long.

    Args:
        seconds: How long.
        link: What there is at a moment.
        loss: Share of packets that are lost, 0 to 1.
        reports_lost: The same of the reports.
        late_s: How much later a packet comes; the order is kept.
        seed: Of all chance.
    """
    dice, numbers, reader = random.Random(seed), itertools.count(), ReportReader()
    story, receiver = Story(SendControl(OPUS)), _Receiver()
    flying: list[tuple[float, int, _Packet | bytes]] = []
    waiting, newest_at = 0, 0.0
    frames = round(seconds / FRAME_S)
    for frame in range(frames):
        now = frame * FRAME_S
        while flying and flying[0][0] <= now:
            at, _, load = heapq.heappop(flying)
            if isinstance(load, _Packet):
                receiver.hear(load, at)
            elif (received := reader.read(decode(load))) is not None:
                story.told += 1
                story.control.heard(received, at)
        report = receiver.reports.due(now)
        if report is not None and dice.random() >= reports_lost:
            heapq.heappush(flying, (now + TRIP_S, next(numbers), encode(report)))
        sending, waiting = story.control.sending, waiting + 1
        if waiting >= sending.frames:
            packet = _packet(frame, waiting, sending)
            size_bytes = packet.sound_bytes + _HEADERS_BYTES
            takes_s = link(now).passes(size_bytes - _IP_UDP_BYTES, now)
            if takes_s is not None and dice.random() >= loss:
                newest_at = max(newest_at, now + takes_s + TRIP_S + late_s(dice))
                heapq.heappush(flying, (newest_at, next(numbers), packet))
            waiting = 0
        story.ways.append(sending)
        story.queues_ms.append(1000 * link(now).queue_s(now))
    under_way = round(1.0 / FRAME_S)
    story.lost = [n for n in range(frames - under_way) if n not in receiver.came]
    return story


def _packet(frame: int, count: int, sending: Sending) -> _Packet:
    """The packet whose newest frame this is, and that has `count` new ones."""
    copies = tuple(frame - back for back in sending.copy_offsets(count - 1))
    size_bytes = sending.wire_bps * sending.frames // 400
    fresh = tuple(range(frame - count + 1, frame + 1))
    return _Packet(fresh, copies, size_bytes - _HEADERS_BYTES)
