"""A stream cut into messages, however it arrives and whatever it claims."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wzp_cli.defaults.relay import TURN_STREAM_MAX_MESSAGE_BYTES
from wzp_cli.errors import RemoteProtocolError
from wzp_cli.protocol.turn import encode_channel_data
from wzp_cli.protocol.turn_stream import StreamCutter, pad

COOKIE = b"\x21\x12\xa4\x42"
CHANNEL_DATA = st.builds(
    encode_channel_data, st.integers(0x4000, 0x4FFF), st.binary(max_size=1500)
)
STUN = st.builds(
    lambda kind, body: stun(kind, body + bytes(-len(body) % 4)),
    st.integers(0, 0x3FFF),
    st.binary(max_size=800),
)


def stun(kind: int, body: bytes) -> bytes:
    head = kind.to_bytes(2, "big") + len(body).to_bytes(2, "big")
    return head + COOKIE + bytes(12) + body


@given(st.lists(CHANNEL_DATA | STUN, max_size=8), st.lists(st.integers(1, 700)))
def test_it_comes_out_as_it_went_in_in_pieces_of_any_size(
    messages: list[bytes], sizes: list[int]
) -> None:
    stream = b"".join(map(pad, messages))
    cutter, found = StreamCutter(), []
    for size in [*sizes, len(stream)]:
        found += cutter.take(stream[:size])
        stream = stream[size:]
    assert found == messages


def test_the_form_is_pinned() -> None:
    assert pad(encode_channel_data(0x4001, b"abcde")).hex() == (
        "400100056162636465000000"
    )
    assert pad(encode_channel_data(0x4001, b"abcd")).hex() == "4001000461626364"


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x16\x03\x03\x00\x7a" + bytes(122),  # TLS
        b"\x01\x01\x00\x03" + COOKIE + bytes(15),  # STUN, not a multiple of four
        b"\x01\x01\x00\x00" + b"\x21\x12\xa4\x43",  # another cookie
        b"\x01\x01\x00\x00\x22",  # its first byte is enough
        b"\x50\x00\x00\x04abcd",  # beyond the channels
        b"\xff" * 8,
        b"\x40\x00\xff\xff",  # 65535 bytes are announced
        b"\x01\x01\xff\xfc" + COOKIE,
    ],
)
def test_what_is_no_turn_is_refused_before_it_is_kept(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        StreamCutter().take(data)


def test_the_longest_message_is_taken_and_one_more_byte_is_not() -> None:
    longest = encode_channel_data(0x4000, bytes(TURN_STREAM_MAX_MESSAGE_BYTES - 4))
    assert StreamCutter().take(longest) == [longest]
    with pytest.raises(RemoteProtocolError):
        StreamCutter().take(encode_channel_data(0x4000, bytes(len(longest) - 3)))


@given(st.binary(max_size=4000))
def test_any_bytes_raise_our_error_or_none(data: bytes) -> None:
    cutter = StreamCutter()
    try:
        for message in cutter.take(data):
            assert len(message) <= TURN_STREAM_MAX_MESSAGE_BYTES
    except RemoteProtocolError:
        return
    assert len(cutter._unread) <= TURN_STREAM_MAX_MESSAGE_BYTES + 3


def test_empty_channel_data_is_a_message_too() -> None:
    body = os.urandom(8)
    stream = pad(encode_channel_data(0x4000, b"")) + encode_channel_data(0x4001, body)
    assert StreamCutter().take(stream) == [
        b"\x40\x00\x00\x00",
        encode_channel_data(0x4001, body),
    ]
