"""The narrow link in memory: its rate, its queue, its end."""

import pytest

from tests.support.bottleneck import Bottleneck


def test_a_packet_takes_its_time_and_those_behind_it_wait() -> None:
    link = Bottleneck(8_000, 0.5)
    assert link.passes(72, 1.0) == pytest.approx(0.1)
    assert link.passes(72, 1.0) == pytest.approx(0.2)
    assert link.queue_s(1.15) == pytest.approx(0.05)
    assert link.queue_s(2.0) == 0


def test_what_would_have_to_wait_too_long_is_dropped() -> None:
    link = Bottleneck(8_000, 0.15)
    assert [link.passes(72, 0.0) is None for _ in range(4)] == [
        False,
        False,
        True,
        True,
    ]
    assert link.dropped == 2
    assert link.passes(72, 0.1) is not None
