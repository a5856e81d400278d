import asyncio

import pytest

from wzp_cli.defaults.media import MEDIA_FRAME_BYTES, MEDIA_FRAME_SAMPLES
from wzp_cli.defaults.program import DEMO_PAUSE_FRAMES
from wzp_cli.protocol.media.likeness import Match
from wzp_cli.services.demo.tape import Ear, KeepingCodec, Mouth, Tape, Words, delay_ms

SILENCE = bytes(MEDIA_FRAME_BYTES)


def frame(number: int) -> bytes:
    return bytes([number]) * MEDIA_FRAME_BYTES


class Clock:
    """Each look at it takes a second."""

    def __init__(self) -> None:
        self.at_s = 0.0

    def __call__(self) -> float:
        self.at_s += 1.0
        return self.at_s


class Beat:
    """Silence for ever; counts how often it was asked."""

    beats = 0

    async def read(self) -> bytes | None:
        self.beats += 1
        return SILENCE


class Sink:
    def __init__(self) -> None:
        self.taken: list[bytes] = []

    async def wanted(self) -> None:
        return

    def write(self, pcm: bytes) -> None:
        self.taken.append(pcm)


class Codec:
    name = "one"
    payload_type = 7
    bitrates_bps: tuple[int, ...] = (24_000,)
    bitrate_bps = 24_000

    def encode(self, pcm: bytes) -> bytes:
        return pcm[:1]

    def decode(self, packet: bytes) -> bytes:
        return packet * MEDIA_FRAME_BYTES

    def conceal(self) -> bytes:
        return SILENCE


def tape(*times_s: float) -> Tape:
    return Tape(Clock(), [SILENCE] * len(times_s), list(times_s))


async def all_of(mouth: Mouth) -> list[bytes]:
    said = []
    while (pcm := await mouth.read()) is not None:
        said.append(pcm)
    return said


def speak(words: bytes, max_frames: int = 99) -> tuple[list[bytes], Tape, int]:
    kept, beat = Tape(Clock()), Beat()
    said = asyncio.run(all_of(Mouth(beat, Words(words), max_frames, kept)))
    return said, kept, beat.beats


def test_a_mouth_speaks_between_two_pauses_and_keeps_it() -> None:
    pause = DEMO_PAUSE_FRAMES * [SILENCE]
    said, kept, beats = speak(frame(1) + frame(2))
    assert said == [*pause, frame(1), frame(2), *pause]
    assert kept.frames == said
    assert beats == len(said) + 1, "the words came at the beat"


def test_a_mouth_stops_where_it_is_told_to() -> None:
    said, _, _ = speak(frame(1) + frame(2) + frame(3), max_frames=2)
    assert [pcm for pcm in said if pcm != SILENCE] == [frame(1), frame(2)]
    assert len(said) == 2 + 2 * DEMO_PAUSE_FRAMES


def test_words_are_whole_frames() -> None:
    said, _, _ = speak(frame(1) + frame(2)[:-2])
    assert [pcm for pcm in said if pcm != SILENCE] == [frame(1)]


def test_an_ear_passes_on_what_it_keeps() -> None:
    sink, kept = Sink(), Tape(Clock())
    ear = Ear(sink, kept)
    asyncio.run(ear.wanted())
    ear.write(frame(1))
    ear.write(frame(2))
    assert sink.taken == kept.frames == [frame(1), frame(2)]
    assert kept.sound == frame(1) + frame(2)
    assert kept.times_s == [1.0, 2.0]


def test_a_codec_keeps_what_it_encodes_and_is_itself_otherwise() -> None:
    keeping = KeepingCodec(Codec())
    assert (keeping.name, keeping.payload_type) == ("one", 7)
    keeping.bitrate_bps = 16_000
    assert keeping.bitrate_bps == 16_000
    assert keeping.encode(frame(5)) == b"\5"
    assert keeping.decode(b"\6") == frame(6)
    assert keeping.conceal() == SILENCE
    assert keeping.packets == [b"\5"]


def test_a_sample_passes_within_its_frame() -> None:
    kept = tape(1.0, 1.5)
    assert kept.time_s(0) == 1.0
    assert kept.time_s(MEDIA_FRAME_SAMPLES) == 1.5
    assert kept.time_s(MEDIA_FRAME_SAMPLES + 480) == pytest.approx(1.510)


def test_the_delay_is_that_of_most_pieces_that_fit() -> None:
    said, heard = tape(1.00, 1.02, 1.04), tape(1.03, 1.05, 1.10)
    matches = [
        Match(0, 0, 0.99, 1.0),
        Match(960, 960, 0.95, 1.0),
        Match(1920, 1920, 0.99, 1.0),
        Match(0, 1920, 0.30, 1.0),  # fits nowhere: its place means nothing
    ]
    assert delay_ms(matches, said, heard) == pytest.approx(30 + 20)


def test_there_is_no_delay_where_nothing_fits() -> None:
    assert delay_ms([Match(0, 0, 0.2, 1.0)], tape(1.0), tape(2.0)) is None
    assert delay_ms([], tape(), tape()) is None
