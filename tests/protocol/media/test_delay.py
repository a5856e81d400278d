import pytest

from wzp_cli.defaults import JITTER_DELAY_MAX_S, JITTER_DELAY_START_S
from wzp_cli.protocol.media.delay import DelayTarget


def learn(target: DelayTarget, jitter_s: list[float], seconds: float = 20) -> None:
    """Bring a packet each 20 ms, each as late as the next entry says, in turn."""
    for beat in range(round(seconds * 50)):
        late_s = jitter_s[beat % len(jitter_s)]
        target.arrived(0.02 * beat, 5 + 0.02 * beat + late_s)


def test_before_anything_was_learnt() -> None:
    assert DelayTarget().target_s == JITTER_DELAY_START_S
    assert DelayTarget().waited_s(1, 2) == 0


def test_steady_arrivals_need_one_frame() -> None:
    target = DelayTarget()
    learn(target, [0.0, 0.003])
    assert target.target_s == pytest.approx(0.020)


@pytest.mark.parametrize(("worst_s", "wanted_s"), [(0.05, 0.06), (0.11, 0.12)])
def test_the_target_covers_the_worst_delay_in_whole_frames(
    worst_s: float, wanted_s: float
) -> None:
    target = DelayTarget()
    learn(target, [0.0] * 9 + [worst_s])
    assert target.target_s == pytest.approx(wanted_s)


def test_one_outage_is_outside_the_quantile_and_the_cap_holds() -> None:
    target = DelayTarget()
    learn(target, [0.0] * 2000 + [0.9] * 10, seconds=60)
    assert target.target_s == pytest.approx(0.020)
    always = DelayTarget()
    learn(always, [0.0] * 9 + [2.0])
    assert always.target_s == JITTER_DELAY_MAX_S


def test_the_floor() -> None:
    target = DelayTarget()
    learn(target, [0.0])
    target.floor_s = 0.060
    assert target.target_s == pytest.approx(0.060)


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
    learn(target, [0.0] * 9 + [0.05])
    target.restart()
    assert target.waited_s(0, 9) == 0
    assert target.target_s == pytest.approx(0.060)
