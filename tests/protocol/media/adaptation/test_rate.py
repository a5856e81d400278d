"""The rate on links that are narrow, lossy or uneven, packet by packet."""

import random

import pytest

from tests.support.bottleneck import Bottleneck
from tests.support.voice_link import Story, talk
from wzp_cli.protocol.media.adaptation.rate import Rate
from wzp_cli.protocol.media.adaptation.reception import Received
from wzp_cli.protocol.media.adaptation.sending import PLAIN

NARROW_BPS = 40_000.0


def narrow(room_s: float, from_s: float = 0.0) -> Story:
    """A call on a link that is narrow from some moment on."""
    wide, tight = Bottleneck(1e9, 1.0), Bottleneck(NARROW_BPS, room_s)
    return talk(from_s + 20, lambda now: tight if now >= from_s else wide)


def test_a_call_begins_with_what_most_links_carry_and_soon_has_all() -> None:
    story = talk(3)
    assert max(way.wire_bps for way in story.ways[:15]) < 30_000
    assert story.ways[-1] == PLAIN
    assert story.ways.index(PLAIN) < 1.0 / 0.020


@pytest.mark.parametrize("room_s", [0.1, 0.2, 0.5])
def test_on_a_narrow_link_next_to_nothing_is_lost_from_the_start(room_s: float) -> None:
    story = narrow(room_s)
    assert story.lost_pct(0, 10) < 1.5
    assert story.queued_s() < 2.0
    assert all(way.copies == 0 for way in story.ways)
    assert max(story.queues_ms[500:]) < 150, "tries for more are small"
    assert story.control.narrow


@pytest.mark.parametrize("room_s", [0.1, 0.2, 0.5])
def test_a_link_that_gets_narrow_is_left_alone_within_a_second(room_s: float) -> None:
    story = narrow(room_s, from_s=5.0)
    assert all(way.copies == 0 for way in story.ways)
    assert story.ways[300].wire_bps < NARROW_BPS
    assert story.lost_pct(5, 10) < 3
    assert story.queued_s() < 2.5


def test_a_queue_that_was_there_before_is_not_taken_for_an_empty_one() -> None:
    """The handshake's packets are large, and fill a narrow link just before."""
    link = Bottleneck(NARROW_BPS, 0.2)
    while link.queue_s(0.0) < 0.2:
        link.passes(1200, 0.0)
    story = talk(20, lambda now: link)
    assert story.lost_pct(1, 10) < 1
    assert all(way.copies == 0 for way in story.ways)
    assert story.queued_s() < 2.5


def test_lost_reports_are_made_up_for_by_the_next() -> None:
    link = Bottleneck(NARROW_BPS, 0.2)
    story = talk(20, lambda now: link, reports_lost=0.5)
    assert story.lost_pct(0, 10) < 3
    assert story.queued_s() < 3.0


@pytest.mark.parametrize("loss", [0.05, 0.1, 0.2, 0.3])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_loss_from_the_start_brings_copies_at_once(loss: float, seed: int) -> None:
    story = talk(20, loss=loss, reports_lost=loss, seed=seed)
    assert any(way.copies for way in story.ways[:75])
    assert story.ways[-1].copies >= (2 if loss > 0.07 else 1)
    assert story.ways[-1].frames == 1
    assert story.lost_pct(6, 18) < 4


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_jitter_that_keeps_the_order_is_hardly_ever_a_narrow_link(seed: int) -> None:
    story = talk(60, late_s=lambda dice: dice.expovariate(1 / 0.020), seed=seed)
    assert sum(way == PLAIN for way in story.ways) > 0.8 * len(story.ways)


def test_a_link_that_gets_wide_again_is_used() -> None:
    wide, tight = Bottleneck(1e9, 1.0), Bottleneck(NARROW_BPS, 0.2)
    story = talk(90, lambda now: tight if now < 10 else wide)
    assert story.ways[-1] == PLAIN


def test_without_a_measured_rate_a_cut_goes_by_loss_and_growth() -> None:
    rate = Rate(20_000, 100_000)
    for second in range(1, 5):
        rate.heard(Received(50, 0, 0, 0.0), 0.0, 60_000, float(second))
    assert not rate.is_starting
    assert rate.heard(Received(50, 10, 5, 200.0), 0.2, 60_000, 5.0)
    carried_bps = 60_000 * 0.8 / 1.2
    assert rate.limit_bps == pytest.approx(0.85 * carried_bps)
    assert rate.was_cut


def test_a_liar_can_only_make_us_send_less_or_as_much_as_we_would() -> None:
    dice, rate, now = random.Random(2), Rate(20_000, 100_000), 0.0
    for _ in range(5000):
        now += dice.random()
        carried_bps = dice.choice([None, 0.0, 1.0, 1e12])
        received = Received(
            dice.randrange(100), 0, 0, dice.uniform(0, 6e4), carried_bps
        )
        rate.heard(received, dice.random(), 60_000, now)
        if rate.may_rise(now):
            rate.rise(0.0, now)
        assert 20_000 <= rate.limit_bps <= 100_000
        assert 0 < rate.allowed_bps <= 100_000
