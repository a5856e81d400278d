"""The control at work on links that lose, burst, queue and break, second by second."""

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wzp_cli.defaults.control import (
    RATE_PATIENCE_MIN_S,
)
from wzp_cli.protocol.media.adaptation.control import SendControl
from wzp_cli.protocol.media.adaptation.ladder import most_bps
from wzp_cli.protocol.media.adaptation.reception import Received
from wzp_cli.protocol.media.adaptation.sending import Sending

OPUS = (32_000, 24_000, 20_000, 16_000, 12_000)
PLAIN = Sending(32_000)


@dataclass
class Link:
    """A queue that drains at `bps`, as a receiver reports it, each second."""

    bps: float = 1e9
    room_ms: float = 400.0
    loss: Callable[[int], float] = lambda second: 0.0
    burst: int = 1
    queue_ms: float = 0.0
    second: int = 0
    dice: random.Random = field(default_factory=lambda: random.Random(1))

    def carry(self, sending: Sending) -> Received:
        """Carry a second of sound."""
        self.second += 1
        takes_ms = 1000 * sending.wire_bps / self.bps
        self.queue_ms = max(0.0, self.queue_ms + takes_ms - 1000)
        spilt = max(0.0, self.queue_ms - self.room_ms) / takes_ms
        self.queue_ms = min(self.queue_ms, self.room_ms)
        start = self.loss(self.second) / self.burst
        gaps = sum(self.dice.random() < start for _ in range(50)) + round(50 * spilt)
        lost = min(50, gaps * self.burst)
        return Received(50, lost, min(gaps, lost), self.queue_ms)


def ways(link: Link, seconds: int) -> list[Sending]:
    """How it is sent at the end of each second."""
    control, now = SendControl(OPUS), 0.0
    told = []
    for _ in range(seconds):
        now += 1.0
        told.append(control.heard(link.carry(control.sending), now))
    return told


def test_a_good_link_is_left_alone_once_it_is_known() -> None:
    control = SendControl(OPUS)
    assert control.is_starting
    assert control.sending.wire_bps < 30_000
    assert set(ways(Link(), 60)[1:]) == {PLAIN}


def test_loss_brings_copies_at_once_and_they_stay_a_while() -> None:
    told = ways(Link(loss=lambda second: 0.1 if second < 20 else 0.0), 60)
    assert told[1].copies == 2
    assert all(sending.copies >= 1 for sending in told[1:24])
    assert told[-1] == PLAIN
    changes = sum(a != b for a, b in itertools.pairwise(told))
    assert changes <= 8, "it does not flutter"


def test_bursts_bring_copies_as_far_apart_as_they_are_long() -> None:
    told = ways(Link(loss=lambda second: 0.1, burst=3), 30)
    assert {sending.spacing for sending in told[3:]} == {3}
    assert {sending.copies for sending in told[3:]} <= {2, 3}


@pytest.mark.parametrize("loss", [0.02, 0.05, 0.1, 0.2, 0.3])
def test_random_loss_is_never_taken_for_a_narrow_link(loss: float) -> None:
    told = ways(Link(loss=lambda second: loss), 120)
    assert {sending.frames for sending in told} == {1}
    assert min(sending.bitrate_bps for sending in told) >= 16_000
    assert {sending.spacing for sending in told[5:]} == {1}


@pytest.mark.parametrize("room_ms", [100, 400, 2000])
def test_a_narrow_link_is_not_overrun_for_long(room_ms: float) -> None:
    link = Link(bps=40_000, room_ms=room_ms)
    told = ways(link, 120)
    assert told[3].wire_bps < 41_000
    over = sum(sending.wire_bps > 41_000 for sending in told)
    assert over <= 12, "tries for more are few"
    assert all(sending.copies == 0 for sending in told[5:]), "the loss was the queue's"
    assert link.queue_ms <= 80


def test_a_narrow_link_without_a_queue_is_found_by_its_loss() -> None:
    told = ways(Link(bps=40_000, room_ms=0.0), 60)
    assert sum(sending.wire_bps > 41_000 for sending in told) <= 15


def test_a_link_that_loses_more_than_half_is_not_narrow_for_long() -> None:
    told = ways(Link(loss=lambda second: 0.6), 60)
    assert sum(sending.frames > 1 for sending in told) <= 6
    assert told[-1].copies == 3


def test_a_link_that_gets_wide_again_is_used() -> None:
    link = Link(bps=40_000)
    control, now = SendControl(OPUS), 0.0
    for second in range(120):
        link.bps = 40_000 if second < 20 else 1e6
        now += 1.0
        control.heard(link.carry(control.sending), now)
    assert control.sending == PLAIN
    assert control.narrow


def test_the_loss_of_a_narrow_link_is_made_up_for_within_its_rate() -> None:
    told = ways(Link(bps=60_000, loss=lambda second: 0.03), 60)
    assert sum(sending.wire_bps > 60_000 for sending in told) <= 12
    assert sum(sending.copies > 0 for sending in told) > 40


def test_a_break_of_the_route_changes_nothing() -> None:
    control = SendControl(OPUS)
    assert control.heard(Received(50, 30, 1, 0.0), 1.0) == PLAIN
    assert not control.narrow


def test_a_route_that_is_longer_costs_one_step_for_a_while() -> None:
    told, control = [], SendControl(OPUS)
    for second in range(1, 60):
        queue_ms = 90.0 if 20 <= second < 30 else 0.0
        told.append(control.heard(Received(50, 0, 0, queue_ms), float(second)))
    steps_back_s = 2 * RATE_PATIENCE_MIN_S
    assert sum(sending != PLAIN for sending in told[1:]) < 10 + steps_back_s
    assert told[-1] == PLAIN


def test_a_peer_that_reports_nothing_is_sent_to_as_before() -> None:
    control = SendControl(OPUS)
    before = control.sending
    assert control.heard(Received(), 1.0) == before
    assert SendControl((64_000,)).sending == Sending(64_000)


reports = st.builds(
    lambda expected, lost, gaps, queue_ms: Received(
        expected, min(lost, expected), min(gaps, lost, expected), queue_ms
    ),
    st.integers(0, 200),
    st.integers(0, 200),
    st.integers(0, 200),
    st.floats(0, 5000),
)


@given(st.lists(st.tuples(st.floats(0, 3), reports)))
def test_whatever_is_reported_the_rate_is_bounded_and_speech_stays_speech(
    story: list[tuple[float, Received]],
) -> None:
    control, now = SendControl(OPUS), 0.0
    for pause_s, received in story:
        now += pause_s
        sending = control.heard(received, now)
        assert sending.wire_bps <= most_bps(OPUS)
        assert sending.bitrate_bps in OPUS
        assert sending.reach <= 30
