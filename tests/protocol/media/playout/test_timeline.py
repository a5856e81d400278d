import pytest
from hypothesis import given
from hypothesis import strategies as st

from wzp_cli.protocol.media.playout.timeline import Timeline

OPUS, PCMU = 111, 0
STEP = 960


def started(timestamp: int = 0, number: int = 500) -> tuple[Timeline, int]:
    timeline = Timeline()
    return timeline, timeline.restart(number, timestamp)


def test_without_pauses_slots_follow_the_numbers() -> None:
    timeline, first = started()
    for later in (1, 2, 5, 4):
        slot = timeline.place(500 + later, later * STEP, OPUS)
        assert slot == first + later
    assert timeline.highest == first + 5


def test_timestamps_wrap() -> None:
    timeline, first = started(timestamp=(1 << 32) - STEP)
    assert timeline.place(501, 0, OPUS) == first + 1
    assert timeline.place(499, (1 << 32) - 2 * STEP, OPUS) == first - 1


def test_a_pause_takes_time_and_no_numbers() -> None:
    timeline, first = started()
    assert timeline.place(501, 21 * STEP, OPUS) == first + 21
    assert timeline.place(502, 22 * STEP, OPUS) == first + 22
    assert timeline.locate(500, 0, OPUS) == first, "a copy of what was before it"


def test_several_frames_of_one_packet_have_a_slot_each() -> None:
    timeline, first = started()
    assert timeline.place(501, 3 * STEP, OPUS) == first + 3
    slots = [timeline.locate(501, (3 + frame) * STEP, OPUS) for frame in range(3)]
    assert slots == [first + 3, first + 4, first + 5]


def test_the_clock_of_g711_is_slower() -> None:
    timeline, first = started()
    assert timeline.place(501, 160, PCMU) == first + 1
    assert timeline.place(502, 160 * 12, PCMU) == first + 12


@pytest.mark.parametrize("timestamp", [0, 480, -5 * STEP, 1 << 31])
def test_timestamps_that_contradict_the_numbers_are_passed_over(timestamp: int) -> None:
    timeline, first = started()
    assert timeline.place(502, timestamp % (1 << 32), OPUS) == first + 2
    assert timeline.place(503, (timestamp + STEP) % (1 << 32), OPUS) == first + 3


def test_a_restart_is_above_all_before_with_room_for_stragglers() -> None:
    timeline, first = started()
    timeline.place(501, 1000 * STEP, OPUS)
    again = timeline.restart(70_000, 5)
    assert again > first + 1000
    assert timeline.locate(69_900, (5 - 100 * STEP) % (1 << 32), OPUS) > first + 1000


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 0xFFFF_FFFF))))
def test_newer_packets_never_get_an_older_slot(
    packets: list[tuple[int, int]],
) -> None:
    timeline, slot = started()
    number = 500
    for ahead, timestamp in packets:
        number += 1 + ahead
        after = timeline.place(number, timestamp, OPUS)
        assert after >= slot + 1 + ahead
        assert timeline.highest == after
        slot = after
