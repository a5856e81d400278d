from hypothesis import given
from hypothesis import strategies as st

from wzp_cli.protocol.media.playout.sequence import SequenceTracker

SSRC = 7


def numbers(*sequences: int) -> list[int | None]:
    """What each sequence number becomes, counted from the first packet."""
    tracker = SequenceTracker()
    places = [tracker.place(SSRC, sequence) for sequence in sequences]
    first = places[0]
    assert first is not None
    return [None if place is None else place.number - first.number for place in places]


def test_numbers_go_on_over_the_wrap() -> None:
    assert numbers(65534, 65535, 0, 1) == [0, 1, 2, 3]


def test_reordering_over_the_wrap() -> None:
    assert numbers(65535, 1, 0) == [0, 2, 1]
    assert numbers(0, 65535) == [0, -1]


def test_a_duplicate_has_no_place_even_when_late() -> None:
    assert numbers(5, 5, 7, 6, 6, 5) == [0, None, 2, 1, None, None]


def test_a_jump_ahead_within_the_limit_is_loss() -> None:
    tracker = SequenceTracker()
    tracker.place(SSRC, 10)
    tracker.place(SSRC, 3010)
    assert (tracker.expected, tracker.received, tracker.stray) == (3001, 2, 0)


def test_one_wild_packet_is_a_stray_and_two_are_a_restart() -> None:
    tracker = SequenceTracker()
    before = tracker.place(SSRC, 10)
    assert before is not None
    assert tracker.place(SSRC, 30_000) is None
    assert tracker.place(SSRC, 11) == (before.number + 1, False)
    assert tracker.place(SSRC, 30_001) is None, "the stray was forgotten"
    again = tracker.place(SSRC, 30_002)
    assert again is not None
    assert again.restarted
    assert again.number > before.number + 1
    assert (tracker.expected, tracker.received, tracker.stray) == (3, 3, 2)


def test_another_ssrc_is_a_restart_too() -> None:
    tracker = SequenceTracker()
    first = tracker.place(SSRC, 65535)
    assert tracker.place(8, 65535) is None
    again = tracker.place(8, 0)
    assert first is not None
    assert again is not None
    assert again.restarted
    assert again.number > first.number
    assert tracker.place(SSRC, 0) is None, "a straggler of before"


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 0xFFFF)), max_size=60))
def test_no_number_is_given_twice_and_restarts_only_rise(
    packets: list[tuple[int, int]],
) -> None:
    tracker = SequenceTracker()
    seen: list[int] = []
    for ssrc, sequence in packets:
        place = tracker.place(ssrc, sequence)
        if place is None:
            continue
        assert place.number not in seen
        assert not place.restarted or place.number > max(seen, default=0)
        seen.append(place.number)
    assert tracker.received == len(seen)
    assert tracker.received + tracker.duplicate + tracker.stray == len(packets)
