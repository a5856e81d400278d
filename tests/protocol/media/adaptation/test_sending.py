import pytest

from wzp_cli.protocol.media.adaptation.sending import PLAIN, Sending


@pytest.mark.parametrize(
    ("sending", "wire_bps"),
    [
        (PLAIN, 63_200),
        (Sending(24_000, copies=1), 80_800),
        (Sending(16_000, copies=2), 82_000),
        (Sending(16_000, frames=2), 32_400),
        (Sending(64_000), 95_200),
    ],
)
def test_what_it_takes_on_the_wire(sending: Sending, wire_bps: int) -> None:
    assert sending.wire_bps == wire_bps


@pytest.mark.parametrize(
    ("sending", "offsets"),
    [
        (PLAIN, []),
        (Sending(copies=2), [1, 2]),
        (Sending(copies=2, spacing=3), [3, 6]),
        (Sending(frames=2, copies=1), [2, 3]),
        (Sending(frames=3, copies=1, spacing=2), [6, 7, 8]),
    ],
)
def test_whole_packets_are_copied(sending: Sending, offsets: list[int]) -> None:
    assert sending.copy_offsets(sending.frames - 1) == offsets


def test_the_reach_is_the_oldest_frame_of_a_packet() -> None:
    assert PLAIN.reach == 0
    assert Sending(frames=3).reach == 2
    assert Sending(copies=2, spacing=3).reach == 6


def test_nothing_is_copied_that_comes_for_the_first_time() -> None:
    assert Sending(copies=2).copy_offsets(1) == [2]


def test_no_copy_is_older_than_talk() -> None:
    assert max(Sending(copies=9, spacing=9).copy_offsets(0)) <= 30
