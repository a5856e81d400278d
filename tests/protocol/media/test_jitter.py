import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wzp_cli.defaults import JITTER_CONCEALED_MAX_FRAMES, JITTER_STORED_MAX_FRAMES
from wzp_cli.protocol.media.jitter import Conceal, Frame, JitterBuffer, Playout, Wait
from wzp_cli.protocol.media.rtp import MediaPacket

FRAME_S = 0.020
PHASE_S = 0.005  # the beats of playing lie this much after the arrivals
FIRST = 65_500  # so that most tests cross the wrap


def packet(frame: int, ssrc: int = 1) -> MediaPacket:
    """Frame `frame` of the peer's stream; its payload says its number."""
    sequence = (FIRST + frame) % (1 << 16)
    return MediaPacket(sequence, 0, 111, b"%d" % frame, ssrc=ssrc)


def two_frames() -> JitterBuffer:
    """A buffer that aims at two frames, so that there is something to disorder."""
    buffer = JitterBuffer()
    buffer.keep_at_least(40)
    return buffer


def play(
    arrivals: dict[int, list[int]], beats: int, buffer: JitterBuffer | None = None
) -> tuple[list[str], JitterBuffer]:
    """Bring frames at their beats and say what each beat played.

    Args:
        arrivals: beat -> frames that arrive with it.
        beats: How many beats to play.
        buffer: The buffer to use, else one of two frames.

    Returns:
        A number for a frame, "~" for concealment, "." for waiting; and the buffer.
    """
    buffer = buffer or two_frames()
    heard = []
    for beat in range(beats):
        for frame in arrivals.get(beat, []):
            buffer.push(packet(frame), beat * FRAME_S)
        heard.append(sound(buffer.pop(beat * FRAME_S + PHASE_S)))
    return heard, buffer


def sound(played: Frame | Conceal | Wait) -> str:
    match played:
        case Frame(payload=payload):
            return payload.decode()
        case Conceal():
            return "~"
        case Wait():
            return "."


def steady(frames: int, *missing: int) -> dict[int, list[int]]:
    return {frame: [frame] for frame in range(frames) if frame not in missing}


def test_on_a_steady_network_one_frame_of_delay_is_enough() -> None:
    heard, buffer = play(steady(40), 40, JitterBuffer())
    assert heard == [".", *map(str, range(39))]
    assert buffer.delay_ms == pytest.approx(25)


def test_frames_come_out_in_order_after_two_frames_of_delay() -> None:
    heard, buffer = play(steady(40), 40)
    assert heard == [".", ".", *map(str, range(38))]
    assert (buffer.state, buffer.stored, buffer.concealed) == (Playout.PLAYING, 2, 0)


def test_a_lost_frame_is_concealed_once_and_the_delay_stays() -> None:
    heard, buffer = play(steady(20, 9), 20)
    assert heard == [".", ".", *map(str, range(9)), "~", *map(str, range(10, 18))]
    assert (buffer.concealed, buffer.arrivals.expected) == (1, 20)
    assert buffer.arrivals.received == 19


def test_reordered_frames_are_put_right() -> None:
    heard, buffer = play({**steady(20), 7: [], 8: [8, 7]}, 20)
    assert heard == [".", ".", *map(str, range(18))]
    assert buffer.late == 0


def test_duplicates_are_played_once_and_counted() -> None:
    heard, buffer = play({beat: [beat, beat] for beat in range(10)}, 10)
    assert heard == [".", ".", *map(str, range(8))]
    assert (buffer.arrivals.duplicate, buffer.arrivals.received) == (10, 10)


def test_a_frame_after_its_moment_is_late() -> None:
    heard, buffer = play({**steady(20, 5), 12: [12, 5]}, 20)
    assert "5" not in heard
    assert (buffer.late, buffer.concealed) == (1, 1)


def test_an_underrun_holds_the_place_so_late_sound_is_heard() -> None:
    late = {**steady(10), 14: [10, 11, 12, 13, 14], 15: [15], 16: [16]}
    heard, buffer = play(late, 17)
    assert heard[9:] == ["7", "8", "9", "~", "~", "10", "11", "12"]
    assert (buffer.concealed, buffer.late, buffer.dropped) == (2, 0, 0)


def test_a_break_that_was_loss_gives_the_beats_back() -> None:
    lost = steady(30, *range(10, 15))
    heard, buffer = play(lost, 30)
    assert heard[9:19] == ["7", "8", "9", *"~~~~~", "15", "16"]
    assert buffer.concealed == 5


def test_when_the_peer_stops_concealment_ends_after_a_second() -> None:
    heard, buffer = play(steady(10), 200)
    assert heard[12:] == ["~"] * JITTER_CONCEALED_MAX_FRAMES + ["."] * 138
    assert buffer.state is Playout.FILLING
    assert buffer.concealed == JITTER_CONCEALED_MAX_FRAMES


def test_after_a_pause_it_fills_again() -> None:
    later = {beat: [beat - 100] for beat in range(110, 130)}
    heard, _ = play({**steady(10), **later}, 130)
    assert heard[105:115] == [*".......", "10", "11", "12"]


def test_the_end_takes_back_what_was_concealed_after_the_last_frame() -> None:
    heard, buffer = play(steady(10), 20)
    assert heard[12:] == ["~"] * 8
    buffer.end()
    assert buffer.concealed == 0


def test_a_restart_of_the_peer_plays_on() -> None:
    _, buffer = play(steady(20), 20)
    for beat in range(20, 40):
        buffer.push(packet(beat + 20_000, ssrc=2), beat * FRAME_S)
        last = buffer.pop(beat * FRAME_S + PHASE_S)
    assert sound(last) == "20037"
    assert buffer.arrivals.stray == 1


def test_the_first_packets_may_be_reordered() -> None:
    heard, buffer = play({**steady(10), 0: [1], 1: [0]}, 10)
    assert heard == [".", *map(str, range(9))]
    assert buffer.late == 0


def test_a_burst_keeps_the_hard_cap_and_then_the_delay_falls() -> None:
    burst = {**steady(50), 90: list(range(50, 91))}
    burst |= {beat: [beat] for beat in range(91, 800)}
    heard, buffer = play(burst, 800)
    assert buffer.dropped >= 20
    assert buffer.stored <= JITTER_STORED_MAX_FRAMES
    assert int(heard[-1]) >= 796, "20 to 80 ms behind"


def test_a_slower_clock_of_the_peer_is_followed() -> None:
    """1000 ppm for five minutes: 300 ms, that is 15 frames, have to be put in."""
    buffer = JitterBuffer()
    arrivals = ((frame * FRAME_S * 1.001, frame) for frame in itertools.count())
    arrival = next(arrivals)
    behind = []
    for beat in range(15_000):
        now = beat * FRAME_S + PHASE_S
        while arrival[0] <= now:
            buffer.push(packet(arrival[1]), arrival[0])
            arrival = next(arrivals)
        buffer.pop(now)
        behind.append(buffer.delay_ms)
    assert 13 <= buffer.concealed <= 17
    assert max(behind[100:]) < 60


def test_the_target_follows_the_jitter_and_returns() -> None:
    shaken = {}
    for beat in range(0, 1500, 5):  # five frames at once, each 100 ms
        shaken[beat + 4] = list(range(beat, beat + 5))
    heard, buffer = play(shaken, 1500, JitterBuffer())
    assert buffer.target_ms == pytest.approx(100)
    assert heard[500:].count("~") == 0
    calm = {beat: [beat] for beat in range(1500, 9000)}
    for beat in range(1500, 9000):
        buffer.push(packet(calm[beat][0]), beat * FRAME_S)
        buffer.pop(beat * FRAME_S + PHASE_S)
    assert buffer.target_ms == pytest.approx(20)
    assert buffer.delay_ms <= 45


def test_a_copy_fills_a_hole_and_counts_as_recovered() -> None:
    buffer = two_frames()
    heard = []
    for beat in range(20):
        if beat != 9:
            buffer.push(packet(beat), beat * FRAME_S)
            if beat:
                buffer.push_copy(packet(beat - 1))
        heard.append(sound(buffer.pop(beat * FRAME_S + PHASE_S)))
    assert heard == [".", ".", *map(str, range(18))]
    assert (buffer.recovered, buffer.concealed, buffer.arrivals.received) == (1, 0, 19)


def test_a_copy_is_no_way_around_the_cap() -> None:
    buffer = JitterBuffer()
    for frame in range(JITTER_STORED_MAX_FRAMES + 10):
        buffer.push(packet(2 * frame), 0)
        buffer.push_copy(packet(2 * frame - 1))
        buffer.push_copy(packet(2 * frame + 5))
        assert buffer.stored <= JITTER_STORED_MAX_FRAMES


def test_a_floor_makes_room_for_copies() -> None:
    buffer = JitterBuffer()
    buffer.keep_at_least(80)
    heard, _ = play(steady(20), 20, buffer)
    assert heard[:6] == [".", ".", ".", ".", "0", "1"]


step = st.one_of(
    st.tuples(st.just("push"), st.integers(-30, 60)),
    st.tuples(st.just("pop"), st.integers(0, 60)),
    st.tuples(st.just("peer restarts"), st.integers(0, 0xFFFF)),
)


@settings(max_examples=300)
@given(st.lists(step, max_size=200))
def test_whatever_comes_the_rules_hold(steps: list[tuple[str, int]]) -> None:
    """In order, never twice, under the cap, and each packet and beat counted once."""
    buffer, now, at, ssrc, pops, waits = JitterBuffer(), 0.0, 0, 1, 0, 0
    numbers: list[int] = []
    pushed = 0
    for what, value in steps:
        match what:
            case "push":
                at += 1
                sequence = (at + value) % (1 << 16)
                buffer.push(MediaPacket(sequence, 0, 111, b"x", ssrc=ssrc), now)
                pushed += 1
            case "pop":
                now += value / 1000
                pops += 1
                match buffer.pop(now):
                    case Frame(number=number):
                        numbers.append(number)
                    case Wait():
                        waits += 1
            case _:
                at, ssrc = value, ssrc + 1
        assert buffer.stored <= JITTER_STORED_MAX_FRAMES
    arrivals = buffer.arrivals
    assert numbers == sorted(set(numbers))
    assert pops == waits + buffer.played + buffer.concealed
    assert buffer.played == len(numbers)
    assert pushed == arrivals.received + arrivals.duplicate + arrivals.stray
    gone = buffer.played + buffer.late + buffer.dropped
    assert arrivals.received == gone + buffer.stored
