"""The judge of `wzp demo`: it must not be fooled, and must not complain of nothing."""

import numpy as np
import pytest

from wzp_cli.adapters.codecs.g711 import G711Codec
from wzp_cli.adapters.codecs.opus import open_opus
from wzp_cli.defaults.media import MEDIA_FRAME_BYTES
from wzp_cli.defaults.program import DEMO_MIN_CORRELATION
from wzp_cli.errors import CodecMissing
from wzp_cli.ports import Codec
from wzp_cli.protocol.media.babble import babble
from wzp_cli.protocol.media.likeness import compare

SILENT_FRAME = bytes(MEDIA_FRAME_BYTES)


def frames() -> list[bytes]:
    sound = babble() + 5 * SILENT_FRAME
    return [
        sound[at : at + MEDIA_FRAME_BYTES]
        for at in range(0, len(sound), MEDIA_FRAME_BYTES)
    ]


def opus() -> Codec:
    try:
        return open_opus()
    except CodecMissing:
        pytest.skip("no libopus")


def through(codec: Codec, *, lost: float = 0.0) -> bytes:
    rng = np.random.default_rng(1)
    packets = [codec.encode(frame) for frame in frames()]
    return b"".join(
        codec.conceal() if rng.random() < lost else codec.decode(packet)
        for packet in packets
    )


def test_the_same_is_alike_in_place() -> None:
    likeness = compare(babble(), babble())
    assert likeness.correlation == pytest.approx(1)
    assert all(match.heard_at == match.said_at for match in likeness.matches)


def test_later_softer_and_upside_up_is_alike() -> None:
    quieter = np.frombuffer(babble(), "<i2") // 3
    heard = 7 * SILENT_FRAME + quieter.astype("<i2").tobytes()
    likeness = compare(babble(), heard)
    assert likeness.correlation > 0.99
    assert {match.heard_at - match.said_at for match in likeness.matches} == {7 * 960}


def test_earlier_by_less_than_a_second_is_alike() -> None:
    said = 40 * SILENT_FRAME + babble()
    assert compare(said, babble()).correlation > 0.99
    assert compare(20 * SILENT_FRAME + said, babble()).correlation < 0.5


@pytest.mark.parametrize("make", [opus, G711Codec])
def test_what_a_codec_does_passes(make: type[Codec]) -> None:
    assert compare(babble(), through(make())).correlation > 0.95


def test_the_more_is_lost_the_less_it_is_alike() -> None:
    few, many = (through(opus(), lost=share) for share in (0.02, 0.2))
    assert compare(babble(), few).correlation > DEMO_MIN_CORRELATION
    assert compare(babble(), many).correlation < DEMO_MIN_CORRELATION


def test_a_frame_left_out_costs_one_piece_only() -> None:
    heard = frames()
    del heard[50]
    likeness = compare(babble(), b"".join(heard))
    good = [match for match in likeness.matches if match.correlation > 0.99]
    assert len(good) >= len(likeness.matches) - 2
    assert [m.heard_at - m.said_at for m in good][-1] == -960


@pytest.mark.parametrize(
    "heard",
    [
        b"",
        SILENT_FRAME,
        200 * SILENT_FRAME,
        b"\1\0" * 100_000,  # as good as silence
        np.random.default_rng(2).integers(-9000, 9000, 150_000).astype("<i2").tobytes(),
        np.frombuffer(babble(), "<i2")[::-1].tobytes(),
    ],
    ids=["nothing", "a moment", "silence", "direct current", "noise", "backwards"],
)
def test_other_sound_is_unlike(heard: bytes) -> None:
    assert compare(babble(), heard).correlation < 0.5


@pytest.mark.parametrize("said", [b"", SILENT_FRAME, 200 * SILENT_FRAME])
def test_who_says_nothing_is_like_nothing(said: bytes) -> None:
    likeness = compare(said, babble())
    assert (likeness.correlation, likeness.matches) == (0.0, ())
