import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wzp_cli.errors import LocalProtocolError, RemoteProtocolError
from wzp_cli.protocol.media.rtp import MediaPacket, clock_hz, decode, encode

PACKET = MediaPacket(
    sequence=0x1234,
    timestamp=0x01020304,
    payload_type=111,
    payload=b"opus",
    ssrc=0xCAFEF00D,
    marker=True,
)
WIRE = bytes.fromhex("00 80ef1234 01020304 cafef00d") + b"opus"

packets = st.builds(
    MediaPacket,
    sequence=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
    payload_type=st.integers(0, 127),
    payload=st.binary(min_size=1, max_size=200),
    ssrc=st.integers(0, 0xFFFFFFFF),
    marker=st.booleans(),
)


def test_the_bytes_on_the_wire() -> None:
    assert encode(PACKET) == WIRE
    assert decode(WIRE) == PACKET


def test_pcmu_has_the_clock_of_rfc_3551() -> None:
    assert (clock_hz(0), clock_hz(111)) == (8_000, 48_000)


@given(packets)
def test_what_is_encoded_is_decoded(packet: MediaPacket) -> None:
    assert decode(encode(packet)) == packet


def full_wire() -> bytes:
    """The same packet with two CSRCs, an extension of one word and padding."""
    first = 0x80 | 0x20 | 0x10 | 2
    csrcs = struct.pack("!II", 1, 2)
    extension = struct.pack("!HHI", 0xBEDE, 1, 7)
    header = b"\0" + bytes([first]) + WIRE[2:13]
    return header + csrcs + extension + b"opus" + b"\0\0\3"


def test_csrcs_extension_and_padding_are_skipped() -> None:
    assert decode(full_wire()) == PACKET


@pytest.mark.parametrize("wire", [WIRE, full_wire()])
def test_a_cut_packet_is_refused_or_shorter(wire: bytes) -> None:
    for length in range(len(wire)):
        try:
            packet = decode(wire[:length])
        except RemoteProtocolError:
            continue
        assert packet.payload
        assert len(packet.payload) < len(wire)
    for length in range(14):
        with pytest.raises(RemoteProtocolError):
            decode(wire[:length])


@pytest.mark.parametrize("wire", [WIRE, full_wire()])
def test_any_changed_byte_raises_nothing_else(wire: bytes) -> None:
    for at in range(len(wire)):
        for value in range(256):
            changed = wire[:at] + bytes([value]) + wire[at + 1 :]
            try:
                assert decode(changed).payload
            except RemoteProtocolError:
                continue


@given(st.binary(max_size=64))
def test_noise_raises_nothing_else(noise: bytes) -> None:
    with contextlib.suppress(RemoteProtocolError):
        assert decode(noise).payload


@pytest.mark.parametrize(
    ("wire", "why"),
    [
        (b"\1" + WIRE[1:], "flow 1"),
        (b"\0\x40" + WIRE[2:], "version 1"),
        (b"\0\xa0" + WIRE[2:-1] + b"\0", "padding of no bytes"),
        (b"\0\xa0" + WIRE[2:-1] + b"\4", "without sound"),
        (b"\0\x8f" + WIRE[2:], "without sound"),
        (b"\0\x90" + WIRE[2:-1], "cut off"),
        (WIRE[:13], "without sound"),
    ],
)
def test_why_it_is_refused(wire: bytes, why: str) -> None:
    with pytest.raises(RemoteProtocolError, match=why):
        decode(wire)


@pytest.mark.parametrize(
    "packet",
    [
        MediaPacket(0x10000, 0, 111, b"x"),
        MediaPacket(0, -1, 111, b"x"),
        MediaPacket(0, 0, 128, b"x"),
        MediaPacket(0, 0, 111, b""),
        MediaPacket(0, 0, 111, b"x", ssrc=1 << 32),
    ],
)
def test_what_does_not_fit_is_our_own_error(packet: MediaPacket) -> None:
    with pytest.raises(LocalProtocolError):
        encode(packet)
