import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wzp_cli.protocol.media.adaptation.reception import Received, Reception

FRAME_S = 0.020


def listen(
    arrivals: list[tuple[float, int]], *, frames: int = 1, first: int = 65_530
) -> Reception:
    """Bring packets (when, which frame; 0 and up) in the order of their arrival."""
    reception = Reception()
    for now, number in sorted(arrivals):
        reception.arrived(7, (first + number) % 65_536, frames, now)
    return reception


def stream(count: int, lost: set[int], trip_s: float = 0.03) -> list[tuple[float, int]]:
    return [(n * FRAME_S + trip_s, n) for n in range(count) if n not in lost]


def test_nothing_came_and_nothing_is_lost() -> None:
    assert Reception().report() == Received()
    assert not Reception().is_news


def test_losses_and_their_gaps_are_counted_over_the_wrap() -> None:
    reception = listen(stream(104, {10, 20, 21, 22, 40}))
    received = reception.report()
    assert (received.expected, received.lost, received.gaps) == (101, 5, 3)


def test_a_report_begins_the_next_one() -> None:
    reception = listen(stream(50, {10}))
    reception.report()
    for now, number in stream(100, {60})[49:]:
        reception.arrived(7, (65_530 + number) % 65_536, 1, now)
    received = reception.report()
    assert (received.expected, received.lost, received.gaps) == (50, 1, 1)


def test_frames_that_share_a_packet_are_all_there() -> None:
    packets = [(n * FRAME_S, n) for n in range(2, 90, 3) if n not in (32, 62, 65)]
    received = listen(packets, frames=3).report()
    assert (received.lost, received.gaps) == (9, 2)


def test_a_little_disorder_is_no_loss() -> None:
    arrivals = stream(100, set())
    arrivals[30], arrivals[31] = (arrivals[31][0], 30), (arrivals[30][0], 31)
    assert listen(arrivals).report().lost == 0


def test_the_network_shows_how_much_it_reorders() -> None:
    late = [(n * FRAME_S + (0.13 if n % 20 == 7 else 0.03), n) for n in range(1000)]
    assert listen(late).report().lost <= 2


def test_jitter_is_no_queue_and_a_queue_is() -> None:
    dice = random.Random(5)
    jitter = [(n * FRAME_S + dice.expovariate(1 / 0.02), n) for n in range(1000)]
    assert listen(jitter).report().queue_ms < 15
    grows = [(n * FRAME_S * (1.3 if n > 500 else 1), n) for n in range(400)]
    grows += [(400 * FRAME_S + (n - 400) * FRAME_S * 1.3, n) for n in range(400, 500)]
    assert listen(grows).report().queue_ms == pytest.approx(600, abs=320)


def test_a_slow_clock_is_no_queue() -> None:
    drift = [(n * FRAME_S * 1.0003, n) for n in range(3000)]
    assert listen(drift).report().queue_ms < 5


def test_loss_that_begins_is_news_and_loss_that_goes_on_is_not() -> None:
    dice = random.Random(3)
    reception, told = Reception(), []
    for n in range(1500):
        if n < 500 or dice.random() > 0.1:
            reception.arrived(7, n, 1, n * FRAME_S)
        if reception.is_news or n % 50 == 49:
            told.append((n, reception.report()))
    early = [n for n, _ in told if n % 50 != 49]
    assert min(early) < 500 + 30, "at the first or second loss"
    assert len(early) < 25, "and once in a while later"


def test_after_a_long_pause_of_the_peer_there_is_no_queue_of_less_than_nothing() -> (
    None
):
    reception = Reception()
    for number in range(5):
        reception.arrived(1, number, 1, number * FRAME_S)
    reception.arrived(1, 5, 1, 60.0)  # it was silent, and numbers on
    assert reception.report().queue_ms == 0


def test_another_sender_begins_anew() -> None:
    reception = listen(stream(100, {50}))
    reception.report()
    reception.arrived(8, 40_000, 1, 3.0)
    reception.arrived(8, 40_001, 1, 3.02)
    assert reception.report().lost == 0


@given(st.sets(st.integers(1, 395), max_size=60), st.integers(0, 65_535))
def test_every_loss_is_counted_once(lost: set[int], first: int) -> None:
    received = listen(stream(400, lost), first=first).report()
    assert (received.expected, received.lost) == (397, len(lost))
    assert received.gaps == len([n for n in lost if n - 1 not in lost])


packets = st.tuples(st.integers(0, 65_535), st.integers(1, 8), st.integers(0, 2))


@given(st.lists(packets))
def test_nothing_a_peer_sends_breaks_it(story: list[tuple[int, int, int]]) -> None:
    reception = Reception()
    for at, (sequence, frames, ssrc) in enumerate(story):
        reception.arrived(ssrc, sequence, frames, at * FRAME_S)
        received = reception.report()
        assert 0 <= received.lost <= received.expected
        assert received.gaps <= received.lost
        assert received.queue_ms >= 0
