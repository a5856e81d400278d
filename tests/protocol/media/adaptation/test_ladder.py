import pytest
from hypothesis import given
from hypothesis import strategies as st

from wzp_cli.protocol.media.adaptation.ladder import choose, most_bps
from wzp_cli.protocol.media.adaptation.sending import Sending

OPUS = (32_000, 24_000, 20_000, 16_000, 12_000)
PCMU = (64_000,)
WIDE = most_bps(OPUS)


@pytest.mark.parametrize(
    ("loss", "burst", "sending"),
    [
        (0.0, 1, Sending(32_000)),
        (0.009, 1, Sending(32_000)),
        (0.02, 1, Sending(24_000, copies=1)),
        (0.05, 1, Sending(20_000, copies=2)),
        (0.10, 3, Sending(20_000, copies=2, spacing=3)),
        (0.02, 3, Sending(24_000, copies=1, spacing=3)),
        (0.30, 1, Sending(16_000, copies=3)),
        (0.30, 3, Sending(16_000, copies=3, spacing=3)),
        (1.00, 50, Sending(16_000, copies=1, spacing=9)),
    ],
)
def test_on_a_wide_link(loss: float, burst: float, sending: Sending) -> None:
    assert choose(OPUS, loss, burst, WIDE) == sending


@pytest.mark.parametrize(
    ("limit_bps", "loss", "sending"),
    [
        (60_000, 0.0, Sending(24_000)),
        (52_000, 0.0, Sending(32_000, frames=2)),
        (42_000, 0.0, Sending(24_000, frames=2)),
        (37_000, 0.0, Sending(20_000, frames=2)),
        (34_000, 0.0, Sending(16_000, frames=2)),
        (28_000, 0.0, Sending(16_000, frames=3)),
        (1_000, 0.0, Sending(12_000, frames=3)),
        (67_000, 0.02, Sending(24_000, frames=2, copies=1)),
        (40_000, 0.05, Sending(12_000, frames=3, copies=1)),
    ],
)
def test_on_a_narrow_link(limit_bps: float, loss: float, sending: Sending) -> None:
    assert choose(OPUS, loss, 1, limit_bps) == sending


def test_g711_has_one_bitrate_one_copy_and_longer_packets() -> None:
    wide = most_bps(PCMU)
    assert choose(PCMU, 0.0, 1, wide) == Sending(64_000)
    assert choose(PCMU, 0.3, 1, wide).copies == 1
    assert choose(PCMU, 0.0, 1, 81_000).frames == 2


@given(
    st.sampled_from([OPUS, PCMU]),
    st.floats(0, 1),
    st.floats(1, 100),
    st.floats(0, 1e6),
)
def test_the_wire_rate_is_bounded_and_copies_are_near_enough(
    bitrates: tuple[int, ...], loss: float, burst: float, limit_bps: float
) -> None:
    sending = choose(bitrates, loss, burst, limit_bps)
    least = choose(bitrates, loss, burst, 0)
    assert sending.wire_bps <= max(limit_bps, least.wire_bps)
    assert sending.reach <= 30
    assert sending.bitrate_bps >= 12_000, "speech is never sent at 6 kbit/s"


@given(st.floats(0, 1), st.floats(0, 1))
def test_more_loss_means_no_fewer_copies(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert choose(OPUS, low, 1, WIDE).copies <= choose(OPUS, high, 1, WIDE).copies
