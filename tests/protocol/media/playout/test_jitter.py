import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wzp_cli.defaults.media import JITTER_CONCEALED_MAX_FRAMES, JITTER_STORED_MAX_FRAMES
from wzp_cli.protocol.media.playout.jitter import (
    Conceal,
    Frame,
    JitterBuffer,
    Pause,
    Playout,
    Wait,
)
from wzp_cli.protocol.media.rtp import MediaPacket

FRAME_S = 0.020
PHASE_S = 0.005  # the beats of playing lie this much after the arrivals
FIRST = 65_500  # so that most tests cross the wrap


def packet(frame: int, ssrc: int = 1, paused: int = 0) -> MediaPacket:
    """Frame `frame` of the peer's stream; its payload says its number.

    Before it, `paused` frames were not sent, because the peer was silent.
    """
    sequence = (FIRST + frame - paused) % (1 << 16)
    timestamp = (frame * 960 - 10_000) % (1 << 32)
    return MediaPacket(sequence, timestamp, 111, b"%d" % frame, ssrc=ssrc)


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
        A number for a frame, "~" for concealment, "_" for a pause of the peer, "." for
        waiting; and the buffer.
    """
    buffer = buffer or two_frames()
    heard = []
    for beat in range(beats):
        for frame in arrivals.get(beat, []):
            buffer.push(packet(frame), beat * FRAME_S)
        heard.append(sound(buffer.pop(beat * FRAME_S + PHASE_S)))
    return heard, buffer


def sound(played: Frame | Conceal | Pause | Wait) -> str:
    match played:
        case Frame(payload=payload):
            return payload.decode()
        case Conceal():
            return "~"
        case Pause():
            return "_"
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


def test_a_burst_keeps_the_hard_cap() -> None:
    heard, buffer = play({**steady(50), 90: list(range(50, 91))}, 92)
    assert (buffer.stored, buffer.dropped) == (JITTER_STORED_MAX_FRAMES - 2, 21)
    assert heard[-2:] == ["71", "72"]


def test_a_frame_says_when_its_sound_may_be_shorter() -> None:
    """65 ms of delay, 5 to 10 are needed: there is a period to give away, not two."""
    buffer = JitterBuffer()
    buffer.keep_at_least(60)
    play(steady(50), 50, buffer)
    buffer.keep_at_least(0)
    asked = []
    for beat in range(50, 100):
        buffer.push(packet(beat), beat * FRAME_S)
        match buffer.pop(beat * FRAME_S + PHASE_S):
            case Frame(correction=correction) if correction:
                asked.append(correction)
    assert all(correction.samples == 600 for correction in asked)
    likeness = [correction.least_likeness for correction in asked]
    assert likeness[0] == pytest.approx(0.9)
    assert likeness == sorted(likeness, reverse=True), "wanted less and less"
    assert likeness[-1] < 0.6


def test_three_frames_in_a_packet_are_played_in_time_and_teach_no_delay() -> None:
    buffer = JitterBuffer()
    buffer.keep_at_least(0, bundled_ms=40)
    for beat in range(300):
        now = beat * FRAME_S
        if beat % 3 == 2:
            for frame in (beat - 2, beat - 1, beat):
                buffer.push(packet(frame), now, newest=frame == beat)
        buffer.pop(now + PHASE_S)
    assert (buffer.concealed, buffer.late) == (0, 0)
    buffer.keep_at_least(0)
    assert buffer.target_ms == pytest.approx(5)


def test_more_delay_is_asked_for_at_once() -> None:
    buffer = JitterBuffer()
    play(steady(50), 50, buffer)
    buffer.keep_at_least(60)
    buffer.push(packet(50), 50 * FRAME_S)
    match buffer.pop(50 * FRAME_S + PHASE_S):
        case Frame(correction=correction) if correction:
            assert correction.samples == -600
            buffer.corrected(-300)
        case other:
            pytest.fail(f"no correction: {other}")
    assert buffer.lengthened == 1


def test_a_pause_of_the_peer_is_no_loss() -> None:
    """DTX: nothing for 400 ms, then a frame whose number follows, much later."""
    buffer = two_frames()
    heard, _ = play(steady(10), 10, buffer)
    paused = 19
    for beat in range(10, 60):
        if beat >= 10 + paused:
            buffer.push(packet(beat, paused=paused), beat * FRAME_S)
        heard.append(sound(buffer.pop(beat * FRAME_S + PHASE_S)))
    assert heard[31:] == [str(frame) for frame in range(29, 58)]
    assert (buffer.concealed, buffer.paused, buffer.late) == (0, 19, 0)
    assert (buffer.arrivals.expected, buffer.arrivals.received) == (41, 41)
    assert buffer.delay_ms == pytest.approx(45)


def test_a_short_pause_that_is_known_of_is_never_called_a_loss() -> None:
    buffer = JitterBuffer()
    buffer.keep_at_least(100)
    heard, _ = play(steady(10), 10, buffer)
    for beat in range(10, 30):
        if beat >= 13:
            buffer.push(packet(beat, paused=3), beat * FRAME_S)
        heard.append(sound(buffer.pop(beat * FRAME_S + PHASE_S)))
    assert heard[13:20] == ["8", "9", "_", "_", "_", "13", "14"]
    assert (buffer.concealed, buffer.paused) == (0, 3)


def test_a_loss_in_a_pause_is_a_loss() -> None:
    buffer = JitterBuffer()
    buffer.keep_at_least(100)
    heard, _ = play(steady(10), 10, buffer)
    for beat in range(10, 30):
        if beat >= 13:
            buffer.push(packet(beat, paused=2), beat * FRAME_S)
        heard.append(sound(buffer.pop(beat * FRAME_S + PHASE_S)))
    assert heard[13:20] == ["8", "9", "~", "~", "~", "13", "14"]


def test_a_packet_that_comes_late_shows_that_the_rest_was_a_pause() -> None:
    buffer = JitterBuffer()
    buffer.keep_at_least(100)
    heard, _ = play(steady(10), 10, buffer)
    for beat in range(10, 30):
        if beat == 16:
            buffer.push(packet(10), beat * FRAME_S)
        if beat >= 13:
            buffer.push(packet(beat, paused=2), beat * FRAME_S)
        heard.append(sound(buffer.pop(beat * FRAME_S + PHASE_S)))
    assert heard[13:20] == ["8", "9", "~", "_", "_", "13", "14"]
    assert (buffer.late, buffer.concealed, buffer.paused) == (1, 1, 2)


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


def test_a_copy_may_come_before_its_own_packet() -> None:
    """Packet 10 overtakes 9 and carries its copy: 9 is played once, as its own."""
    buffer = two_frames()
    heard = []
    for beat in range(20):
        for frame in {9: [], 10: [10, 9]}.get(beat, [beat]):
            buffer.push(packet(frame), beat * FRAME_S)
            if frame == 10:
                buffer.push_copy(packet(9))
        heard.append(sound(buffer.pop(beat * FRAME_S + PHASE_S)))
    assert heard == [".", ".", *map(str, range(18))]
    assert (buffer.recovered, buffer.late, buffer.concealed) == (0, 0, 0)


def test_copies_of_frames_before_the_first_packet_are_played() -> None:
    buffer = two_frames()
    heard = []
    for beat in range(20):
        if beat >= 2:
            buffer.push(packet(beat), beat * FRAME_S)
            buffer.push_copy(packet(beat - 1))
            buffer.push_copy(packet(beat - 2))
        heard.append(sound(buffer.pop(beat * FRAME_S + PHASE_S)))
    assert heard == [".", ".", *map(str, range(18))]
    assert buffer.recovered == 2


def test_a_late_packet_after_a_break_makes_no_delay_below_zero() -> None:
    buffer = JitterBuffer()
    buffer.push(packet(100), 0.0)
    assert sound(buffer.pop(FRAME_S)) == "100"
    buffer.push(packet(40), 60.0)  # the only one of which the arrival is remembered
    assert sound(buffer.pop(60.0)) == "~"
    assert buffer.delay_ms == 0


def test_a_floor_makes_room_for_copies() -> None:
    buffer = JitterBuffer()
    buffer.keep_at_least(80)
    heard, _ = play(steady(20), 20, buffer)
    assert heard[:6] == [".", ".", ".", ".", "0", "1"]


step = st.one_of(
    st.tuples(st.just("push"), st.integers(-30, 60)),
    st.tuples(st.just("copy"), st.integers(-30, 60)),
    st.tuples(st.just("pop"), st.integers(0, 60)),
    st.tuples(st.just("correct"), st.integers(-600, 600)),
    st.tuples(st.just("peer pauses"), st.integers(0, 100)),
    st.tuples(st.just("peer restarts"), st.integers(0, 0xFFFF)),
)


@settings(max_examples=300)
@given(st.lists(step, max_size=200))
def test_whatever_comes_the_rules_hold(steps: list[tuple[str, int]]) -> None:
    """In order, never twice, under the cap, and each packet and beat counted once."""
    buffer, now, at, ssrc, pops, waits, left = JitterBuffer(), 0.0, 0, 1, 0, 0, 0
    numbers: list[int] = []
    pushed = copies = clock = 0
    for what, value in steps:
        sequence, timestamp = (at + value) % (1 << 16), (clock + at + value) * 960
        packet = MediaPacket(sequence, timestamp % (1 << 32), 111, b"x", ssrc=ssrc)
        match what:
            case "push":
                at += 1
                buffer.push(packet, now)
                pushed += 1
            case "copy":
                copies += 1
                buffer.push_copy(packet)
            case "pop":
                now += value / 1000
                pops += 1
                match buffer.pop(now, left):
                    case Frame(number=number):
                        numbers.append(number)
                    case Wait():
                        waits += 1
            case "correct":
                left = abs(value)
                buffer.corrected(value)
            case "peer pauses":
                clock += value
            case _:
                at, ssrc = value, ssrc + 1
        assert buffer.stored <= JITTER_STORED_MAX_FRAMES
    arrivals = buffer.arrivals
    assert numbers == sorted(set(numbers))
    assert pops == waits + buffer.played + buffer.concealed + buffer.paused
    assert buffer.played == len(numbers)
    assert buffer.recovered <= copies
    assert min(buffer.concealed, buffer.paused) >= 0
    assert pushed == arrivals.received + arrivals.duplicate + arrivals.stray
    known = buffer.played + buffer.late + buffer.dropped + buffer.stored
    assert arrivals.received <= known <= arrivals.received + copies
