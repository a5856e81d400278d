import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wzp_cli.errors import LocalProtocolError, RemoteProtocolError
from wzp_cli.protocol.media.redundancy import (
    Earlier,
    Redundant,
    decode,
    encode,
    unpack,
)
from wzp_cli.protocol.media.rtp import MediaPacket

TWO_COPIES = Redundant(b"now", (Earlier(1, b"one"), Earlier(6, b"sixth")))
WIRE = bytes.fromhex("02 01 0003 06 0005") + b"one" + b"sixth" + b"now"
BUNDLE = Redundant(b"now", (Earlier(1, b"one"), Earlier(2, b"two")), fresh=1)

frames = st.binary(min_size=1, max_size=80)


@st.composite
def payloads(draw: st.DrawFn) -> Redundant:
    """Anything that may be sent."""
    offsets = sorted(draw(st.sets(st.integers(1, 255), max_size=31)))
    nearest = next((n for n, at in enumerate(offsets) if at != n + 1), len(offsets))
    fresh = draw(st.integers(0, min(nearest, 7)))
    earlier = tuple(Earlier(offset, draw(frames)) for offset in offsets)
    return Redundant(draw(frames), earlier, fresh)


def test_the_bytes_on_the_wire() -> None:
    assert encode(TWO_COPIES) == WIRE
    assert decode(WIRE) == TWO_COPIES
    assert encode(BUNDLE)[0] == 0x22
    assert decode(encode(BUNDLE)) == BUNDLE


@given(payloads())
def test_what_is_encoded_is_decoded(redundant: Redundant) -> None:
    assert decode(encode(redundant)) == redundant


@given(payloads())
def test_every_cut_is_refused_until_only_the_present_frame_is_short(
    redundant: Redundant,
) -> None:
    wire = encode(redundant)
    for length in range(len(wire)):
        try:
            cut = decode(wire[:length])
        except RemoteProtocolError:
            continue
        assert cut.earlier == redundant.earlier
        assert redundant.present.startswith(cut.present)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused_or_understood(payload: bytes) -> None:
    with contextlib.suppress(RemoteProtocolError):
        assert encode(decode(payload)) == payload


@pytest.mark.parametrize(
    "payload",
    [
        "00",  # no present frame
        "01 00 0001 61 62",  # offset 0
        "02 02 0001 01 0001 61 61 62",  # offsets that go down
        "02 01 0001 01 0001 61 61 62",  # one offset twice
        "01 01 0000 62",  # an empty copy
        "20 62",  # a first-timer that is not there
        "21 02 0001 61 62",  # a hole before a first-timer
    ],
)
def test_what_breaks_the_rules_is_refused(payload: str) -> None:
    with pytest.raises(RemoteProtocolError):
        decode(bytes.fromhex(payload))


@pytest.mark.parametrize(
    "redundant",
    [
        Redundant(b""),
        Redundant(b"x", (Earlier(0, b"a"),)),
        Redundant(b"x", (Earlier(256, b"a"),)),
        Redundant(b"x", (Earlier(1, b""),)),
        Redundant(b"x", (Earlier(1, b"a" * 65_536),)),
        Redundant(b"x", tuple(Earlier(n, b"a") for n in range(1, 33))),
        Redundant(b"x", (), fresh=1),
        Redundant(b"x", tuple(Earlier(n, b"a") for n in range(1, 9)), fresh=8),
    ],
)
def test_what_does_not_fit_is_our_own_fault(redundant: Redundant) -> None:
    with pytest.raises(LocalProtocolError):
        encode(redundant)


def test_a_packet_stands_for_several() -> None:
    packet = MediaPacket(1, 960, 112, encode(BUNDLE), ssrc=7, marker=True)
    unpacked = unpack(packet, 111)
    assert unpacked.fresh == (
        MediaPacket(0, 0, 111, b"one", ssrc=7),
        MediaPacket(1, 960, 111, b"now", ssrc=7, marker=True),
    )
    assert unpacked.copies == (MediaPacket(65_535, 2**32 - 960, 111, b"two", ssrc=7),)
    assert unpacked.reach == 2


def test_copies_count_in_the_clock_of_the_calls_codec() -> None:
    packet = MediaPacket(9, 1600, 112, encode(TWO_COPIES))
    copies = unpack(packet, 0).copies
    assert [(copy.sequence, copy.timestamp) for copy in copies] == [(3, 640), (8, 1440)]
    assert {copy.payload_type for copy in copies} == {0}


def test_a_plain_packet_stands_for_itself() -> None:
    packet = MediaPacket(9, 1600, 111, b"opus")
    assert unpack(packet, 111).fresh == (packet,)
    assert unpack(packet, 111).copies == ()
