import random

import pytest

from wzp_cli.defaults.media import (
    JITTER_DELAY_MAX_S,
    JITTER_DELAY_MIN_S,
    JITTER_DELAY_START_S,
)
from wzp_cli.protocol.media.playout.delay import DelayTarget


def learn(target: DelayTarget, jitter_s: list[float], seconds: float = 20) -> None:
    """Bring a packet each 20 ms, each as late as the next entry says, in turn."""
    for beat in range(round(seconds * 50)):
        late_s = jitter_s[beat % len(jitter_s)]
        target.arrived(0.02 * beat, 5 + 0.02 * beat + late_s)


def test_before_anything_was_learnt() -> None:
    assert DelayTarget().target_s == JITTER_DELAY_START_S
    assert DelayTarget().waited_s(1, 2) == 0


def test_steady_arrivals_need_the_least() -> None:
    target = DelayTarget()
    learn(target, [0.0, 0.003])
    assert target.target_s == JITTER_DELAY_MIN_S


@pytest.mark.parametrize(("worst_s", "wanted_s"), [(0.052, 0.055), (0.113, 0.115)])
def test_a_delay_that_is_common_is_covered_in_small_steps(
    worst_s: float, wanted_s: float
) -> None:
    target = DelayTarget()
    learn(target, [0.0] * 9 + [worst_s])
    assert target.target_s == pytest.approx(wanted_s)


def test_the_same_rare_delay_is_covered_where_it_costs_little() -> None:
    """One packet of 250: a hiccup each five seconds."""
    small, large = DelayTarget(), DelayTarget()
    learn(small, [0.0] * 249 + [0.022], seconds=60)
    learn(large, [0.0] * 249 + [0.222], seconds=60)
    assert small.target_s == pytest.approx(0.025)
    assert large.target_s == JITTER_DELAY_MIN_S


def test_of_exponential_jitter_the_last_thousandth_is_not_waited_for() -> None:
    dice = random.Random(1)
    target = DelayTarget()
    learn(target, [dice.expovariate(1 / 0.020) for _ in range(3000)], seconds=60)
    assert 0.125 <= target.target_s <= 0.145


def test_one_outage_is_not_covered_and_the_cap_holds() -> None:
    target = DelayTarget()
    learn(target, [0.0] * 2000 + [0.9] * 10, seconds=60)
    assert target.target_s == JITTER_DELAY_MIN_S
    always = DelayTarget()
    learn(always, [0.0] + [0.5] * 9)
    assert always.target_s == JITTER_DELAY_MAX_S


def test_what_was_learnt_fades() -> None:
    target = DelayTarget()
    learn(target, [0.0] * 4 + [0.08], seconds=30)
    assert target.target_s == pytest.approx(0.085)
    for beat in range(1500, 1500 + 250 * 50):
        target.arrived(0.02 * beat, 5 + 0.02 * beat)
    assert target.target_s == JITTER_DELAY_MIN_S


def test_the_floor() -> None:
    target = DelayTarget()
    learn(target, [0.0])
    target.floor_s = 0.060
    assert target.target_s == pytest.approx(0.060)


def test_what_the_sender_bundles_is_waited_for_and_not_learnt() -> None:
    target = DelayTarget()
    learn(target, [0.0])
    target.bundled_s = 0.040
    assert target.target_s == pytest.approx(JITTER_DELAY_MIN_S + 0.040)
    target.floor_s = 0.060
    assert target.target_s == pytest.approx(0.100)
    target.bundled_s = target.floor_s = 0.0
    assert target.target_s == JITTER_DELAY_MIN_S


def test_waiting_is_counted_against_the_fastest_packet_of_the_window() -> None:
    target = DelayTarget()
    target.arrived(0.00, 1.05)
    target.arrived(0.02, 1.03)
    assert target.waited_s(0.04, 1.09) == pytest.approx(0.04)
    for beat in range(2, 152):  # two seconds later the fast packet is forgotten
        target.arrived(0.02 * beat, 1.05 + 0.02 * beat)
    assert target.waited_s(3.0, 4.09) == pytest.approx(0.04)


def test_a_restart_forgets_the_fastest_and_keeps_the_target() -> None:
    target = DelayTarget()
    learn(target, [0.0] * 9 + [0.053])
    target.restart()
    assert target.waited_s(0, 9) == 0
    assert target.target_s == pytest.approx(0.055)
