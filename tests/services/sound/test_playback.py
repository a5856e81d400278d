"""Traces of networks, played by the real jitter buffer, playback and stretching."""

import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.traces import (
    FRAME_S,
    cellular,
    exponential,
    flips,
    lan,
    listen,
    outages,
    wifi,
)
from tests.support.world import CountingCodec
from wzp_cli.adapters.codecs.opus import open_opus
from wzp_cli.defaults.media import JITTER_STORED_MAX_FRAMES, MEDIA_FRAME_BYTES
from wzp_cli.protocol.media.playout.jitter import Correction, JitterBuffer
from wzp_cli.protocol.media.rtp import MediaPacket
from wzp_cli.services.sound.playback import Playback


def test_on_a_quiet_network_the_delay_is_the_least_at_every_phase() -> None:
    """Mouth to ear that is 60 ms at most, with the frame and what Opus looks ahead."""
    delays = []
    for phase_ms in range(20):
        heard = listen(lan(1000), 20, phase_s=phase_ms / 1000)
        assert (heard.buffer.concealed, heard.buffer.late) == (0, 0)
        assert heard.buffer.shortened <= 4
        assert heard.buffer.lengthened == 0
        delays.append(heard.mean_delay_ms(from_s=10))
    assert max(delays) <= 33
    assert sum(delays) / len(delays) <= 21


def test_exponential_jitter() -> None:
    heard = listen(exponential(15_000), 300)
    assert heard.mean_delay_ms() <= 150
    assert heard.concealed_pct <= 0.15
    corrections = heard.buffer.shortened + heard.buffer.lengthened
    assert corrections <= 5 * 15, "15 a minute"


def test_wifi_that_stalls() -> None:
    heard = listen(wifi(15_000), 300)
    assert heard.mean_delay_ms() <= 146
    assert heard.concealed_pct <= 0.2
    assert heard.buffer.late == 0


def test_a_delay_that_wanders() -> None:
    heard = listen(cellular(15_000), 300)
    assert heard.mean_delay_ms() <= 90
    assert heard.concealed_pct <= 0.03


def test_after_an_outage_the_delay_comes_back_within_seconds() -> None:
    heard = listen(outages(3000, first=1000, every=3000, outage_s=0.8), 60)
    after_s = 1000 * FRAME_S + 0.8
    during = heard.delays_ms[round((after_s - 0.2) / FRAME_S) :]
    assert max(during) > 300
    assert max(heard.delays_ms[round((after_s + 2) / FRAME_S) :]) <= 120
    assert max(heard.delays_ms[round((after_s + 5) / FRAME_S) :]) <= 90
    assert heard.buffer.concealed <= 42, "the outage, and nothing after it"


@pytest.mark.parametrize(("longer_ms", "most"), [(20, 2), (60, 6)])
def test_a_call_whose_route_flips_is_hardly_heard(longer_ms: int, most: int) -> None:
    """Three times onto the longer route and back: what is missed is concealed once."""
    heard = listen(flips(6000, 1000, longer_ms / 1000), 119)
    buffer = heard.buffer
    assert (buffer.late, buffer.dropped) == (0, 0)
    assert buffer.concealed <= most
    assert heard.frames == list(range(len(heard.frames)))


@pytest.mark.parametrize("ppm", [-300, 300])
def test_an_hour_of_drifting_clocks_without_a_glitch(ppm: int) -> None:
    """1.08 s too many or too few: some 160 pitch periods, none of them missed."""
    seconds = 3600
    frames = round(seconds / FRAME_S / (1 + ppm * 1e-6)) + 10
    heard = listen(lan(frames, ppm=ppm), seconds)
    buffer = heard.buffer
    assert (buffer.concealed, buffer.dropped, buffer.late) == (0, 0, 0)
    assert heard.frames == list(range(len(heard.frames)))
    assert len(heard.frames) >= frames - 15
    made, other = buffer.shortened, buffer.lengthened
    if ppm > 0:
        made, other = other, made
    assert 120 <= made <= 240
    assert other <= 40
    assert max(heard.delays_ms[500:]) <= 50


def test_beats_that_are_uneven_are_allowed_for() -> None:
    """A sink that wakes up to 12 ms late: nothing concealed once that is learnt."""
    dice = random.Random(1)
    heard = listen(lan(15_000), 300, uneven=lambda: dice.uniform(0, 0.012))
    assert heard.concealed_pct <= 0.02
    assert heard.mean_delay_ms(from_s=10) <= 45
    assert heard.buffer.shortened + heard.buffer.lengthened <= 45


@pytest.mark.parametrize(
    ("copies", "floor_ms", "most_pct"), [(0, 0, 21), (1, 40, 4.6), (2, 60, 1.2)]
)
def test_copies_make_up_for_loss_when_they_are_waited_for(
    copies: int, floor_ms: float, most_pct: float
) -> None:
    dice = random.Random(5)
    arrived = [packet for packet in lan(15_000) if dice.random() >= 0.2]
    heard = listen(arrived, 300, copies=copies, floor_ms=floor_ms)
    assert heard.concealed_pct <= most_pct
    assert heard.mean_delay_ms(from_s=10) <= floor_ms + 30


def test_a_pitch_period_is_left_out_without_numpy_being_loaded_before() -> None:
    code = """if True:
        import sys
        from tests.support.traces import lan, listen
        heard = listen(lan(500), 10, phase_s=0.003)
        print(heard.buffer.shortened, 'numpy' in sys.modules)
        heard = listen(lan(500), 10, phase_s=0.012)
        print(heard.buffer.shortened > 0, 'numpy' in sys.modules)
    """
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "0 False\nTrue True\n"


@settings(max_examples=40, deadline=None)
@given(
    late_ms=st.lists(
        st.one_of(st.none(), st.integers(0, 60), st.integers(0, 1500)),
        min_size=1,
        max_size=300,
    ),
    phase_ms=st.integers(0, 19),
    copies=st.integers(0, 3),
)
def test_whatever_the_network_does_sound_comes_in_order_and_once(
    late_ms: list[int | None], phase_ms: int, copies: int
) -> None:
    trace = sorted(
        (frame * FRAME_S + late / 1000, frame)
        for frame, late in enumerate(late_ms)
        if late is not None
    )
    seconds = len(late_ms) * FRAME_S + 4
    heard = listen(trace, seconds, phase_s=phase_ms / 1000, copies=copies)
    assert heard.frames == sorted(set(heard.frames))
    assert heard.buffer.played == len(heard.frames)
    assert heard.most_stored <= JITTER_STORED_MAX_FRAMES
    assert heard.buffer.stored == 0


def test_sound_comes_back_without_a_click() -> None:
    """Half a second is lost in a vowel: it fades, and no sample steps on return."""
    numpy = pytest.importorskip("numpy")
    at = numpy.arange(960 * 100)
    vowel = sum(3_000 / n * numpy.sin(at * n * 0.0196) for n in range(1, 6))
    pcm = vowel.astype("<i2").tobytes()
    sender, buffer = open_opus(bitrate_bps=24_000), JitterBuffer()
    playback = Playback(buffer, open_opus())
    heard = []
    for beat in range(100):
        start = beat * MEDIA_FRAME_BYTES
        frame = sender.encode(pcm[start : start + MEDIA_FRAME_BYTES])
        if not 40 <= beat < 65:
            packet = MediaPacket(beat, beat * 960, 111, frame)
            buffer.push(packet, beat * FRAME_S)
        heard.append(playback.next(beat * FRAME_S + 0.007))
    sound = numpy.frombuffer(b"".join(heard), "<i2").astype(float)
    steps = numpy.abs(numpy.diff(sound))
    steady = steps[960 * 20 : 960 * 39].max()
    assert steps[960 * 39 : 960 * 80].max() <= 1.5 * steady
    assert numpy.abs(sound[960 * 63 : 960 * 65]).max() < 200
    assert buffer.concealed == 25


def test_where_the_stretcher_can_not_be_loaded_sound_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A process that may open no more files can't import it in mid-call."""
    monkeypatch.setitem(sys.modules, "wzp_cli.protocol.media.playout.stretch", None)
    pcm = b"\1" * MEDIA_FRAME_BYTES
    playback = Playback(JitterBuffer(), CountingCodec())
    correction = Correction(samples=200, least_likeness=0.5)
    assert playback._corrected(pcm, pcm, correction) == pcm
