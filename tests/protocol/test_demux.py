import pytest
from hypothesis import given
from hypothesis import strategies as st

from wzp_cli.protocol.demux import (
    CHANNEL_ID_BYTES,
    FRAME_HEADER_BYTES,
    DatagramKind,
    encode_frame,
    kind_of,
    split_frame,
)

ID = bytes(range(8))

# RFC 9443 section 3, with wzp's relayed frame in its unassigned range.
RANGES = {
    (0, 3): DatagramKind.STUN,
    (4, 7): DatagramKind.OTHER,
    (8, 8): DatagramKind.RELAYED,
    (9, 15): DatagramKind.OTHER,
    (16, 19): DatagramKind.OTHER,  # ZRTP
    (20, 63): DatagramKind.OTHER,  # DTLS
    (64, 79): DatagramKind.TURN_CHANNEL,
    (80, 127): DatagramKind.QUIC,
    (128, 191): DatagramKind.OTHER,  # bare RTP
    (192, 255): DatagramKind.QUIC,
}


def test_every_first_byte() -> None:
    walked = []
    for (first, last), kind in RANGES.items():
        for byte in range(first, last + 1):
            assert kind_of(bytes([byte])) is kind_of(bytes([byte, 255])) is kind
            walked.append(byte)
    assert walked == list(range(256))
    assert kind_of(b"") is DatagramKind.OTHER


def test_the_frame_as_bytes() -> None:
    frame = encode_frame(ID, b"\xc0hello")
    assert frame == b"\x08\x00\x01\x02\x03\x04\x05\x06\x07\xc0hello"
    assert kind_of(frame) is DatagramKind.RELAYED
    assert split_frame(frame) == (ID, b"\xc0hello")
    assert (CHANNEL_ID_BYTES, FRAME_HEADER_BYTES) == (8, 9)


@pytest.mark.parametrize("size", range(10))
def test_a_frame_without_a_datagram_is_none(size: int) -> None:
    assert split_frame(encode_frame(ID, b"")[:size]) is None


def test_only_stun_and_quic_go_in_a_frame() -> None:
    carried = {
        first for first in range(256) if split_frame(encode_frame(ID, bytes([first])))
    }
    assert carried == {*range(4), *range(64, 128), *range(192, 256)}


def test_a_frame_in_a_frame_is_none() -> None:
    assert split_frame(encode_frame(ID, encode_frame(ID, b"\xc0hello"))) is None


@given(st.binary(max_size=64))
def test_anything_may_arrive(datagram: bytes) -> None:
    kind_of(datagram)
    for frame in (datagram, b"\x08" + datagram):
        if (parts := split_frame(frame)) is not None:
            assert frame[:1] + b"".join(parts) == frame
            assert kind_of(parts[1]) is not DatagramKind.RELAYED
