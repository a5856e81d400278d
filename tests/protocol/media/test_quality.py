import pytest
from hypothesis import given
from hypothesis import strategies as st

from wzp_cli.protocol.media.quality import (
    Hearing,
    InterarrivalJitter,
    delay_impairment,
    estimate_mos,
    grade,
    judge,
    loss_pct,
    mouth_to_ear_ms,
)


def test_steady_packets_have_no_jitter_over_the_wrap_of_the_timestamp() -> None:
    jitter = InterarrivalJitter()
    for beat in range(50):
        jitter.arrived(1, (0xFFFFFF00 + 960 * beat) % (1 << 32), 48_000, 0.02 * beat)
    assert jitter.jitter_ms == pytest.approx(0, abs=1e-6)


def test_the_first_step_is_a_sixteenth_and_then_it_settles() -> None:
    jitter = InterarrivalJitter()
    jitter.arrived(1, 0, 48_000, 0.0)
    jitter.arrived(1, 960, 48_000, 0.036)
    assert jitter.jitter_ms == pytest.approx(16 / 16)
    for beat in range(2, 300):
        jitter.arrived(1, 960 * beat, 48_000, 0.02 * beat + 0.016 * (beat % 2))
    assert jitter.jitter_ms == pytest.approx(16, abs=0.1)


def test_pcmu_is_measured_by_its_own_clock() -> None:
    jitter = InterarrivalJitter()
    jitter.arrived(1, 0, 8_000, 0.0)
    jitter.arrived(1, 160, 8_000, 0.02)
    assert jitter.jitter_ms == pytest.approx(0, abs=1e-6)


def test_another_sender_is_not_compared_with_the_last_one() -> None:
    jitter = InterarrivalJitter()
    jitter.arrived(1, 0, 48_000, 0.0)
    jitter.arrived(2, 1 << 31, 48_000, 0.02)
    assert jitter.jitter_ms == 0


def test_loss() -> None:
    assert loss_pct(50, 45) == pytest.approx(10)
    assert loss_pct(50, 51) == 0
    assert loss_pct(0, 0) == 0


def test_the_delay_impairment_of_g107() -> None:
    assert delay_impairment(100) == 0
    # Worked out by hand: log2 of the ratio is 1 and 2.
    assert delay_impairment(200) == pytest.approx(3.04, abs=0.01)
    assert delay_impairment(400) == pytest.approx(24.07, abs=0.01)


def test_the_estimate_follows_the_fitted_curve_without_delay() -> None:
    assert estimate_mos(0, 0) == pytest.approx(4.35, abs=1e-3)
    assert estimate_mos(5, 100) == pytest.approx(1 + 3.35 / 2, abs=1e-3)
    assert estimate_mos(100, 0) == pytest.approx(1.05, abs=1e-2)


def test_more_concealment_or_delay_is_never_better() -> None:
    by_loss = [estimate_mos(share, 50) for share in range(0, 101)]
    by_delay = [estimate_mos(1, delay) for delay in range(0, 3000, 50)]
    assert by_loss == sorted(by_loss, reverse=True)
    assert by_delay == sorted(by_delay, reverse=True)
    assert min(by_loss + by_delay) >= 1


@pytest.mark.parametrize(
    ("hearing", "grade", "cause", "sentence"),
    [
        (Hearing(0, 0, 80), "good", None, "Sound was good."),
        (
            Hearing(3.2, 0.05, 80),
            "good",
            None,
            "Sound was good; 3 % of packets were lost and made up for.",
        ),
        (
            Hearing(12, 2.0, 80),
            "fair",
            "loss",
            "Sound was fair, limited by loss: 12 % of packets did not come, "
            "2 % of it was concealed.",
        ),
        (
            Hearing(0.2, 4, 80),
            "poor",
            "jitter",
            "Sound was poor, limited by jitter: 4 % of it came too late.",
        ),
        (
            Hearing(0, 0, 420),
            "poor",
            "delay",
            "Sound was poor, limited by delay: 420 ms from mouth to ear.",
        ),
        (
            Hearing(4, 0.4, 80, narrow=True),
            "good",
            "bandwidth",
            "Sound was good, limited by a narrow link; 0.4 % of it was concealed.",
        ),
    ],
)
def test_the_verdict_on_a_call(
    hearing: Hearing, grade: str, cause: str | None, sentence: str
) -> None:
    verdict = judge(hearing)
    assert (verdict.grade, verdict.limited_by) == (grade, cause)
    assert verdict.sentence == sentence


@given(st.floats(0, 100), st.floats(0, 100), st.floats(0, 10_000), st.booleans())
def test_there_is_a_verdict_on_every_call(
    loss: float, concealed: float, delay_ms: float, narrow: bool
) -> None:
    verdict = judge(Hearing(loss, concealed, delay_ms, narrow))
    assert verdict.sentence.startswith(f"Sound was {verdict.grade}")
    worse = judge(Hearing(loss, min(100, concealed + 5), delay_ms, narrow))
    assert worse.mos <= verdict.mos


def test_an_unknown_round_trip_counts_as_none() -> None:
    assert mouth_to_ear_ms(None, 40) == 66.5
    assert mouth_to_ear_ms(100, 40) == 116.5


@pytest.mark.parametrize(
    ("mos", "word"),
    [(4.35, "good"), (4.03, "good"), (4.0, "fair"), (3.0, "poor"), (1.0, "bad")],
)
def test_a_mos_in_a_word(mos: float, word: str) -> None:
    assert grade(mos) == word
