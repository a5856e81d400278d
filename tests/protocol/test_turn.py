import pytest

from wzp_cli.protocol.turn import (
    encode_channel_data,
    issue_grant,
    split_channel_data,
)


def test_credentials_are_those_that_coturn_computes() -> None:
    """By openssl: printf 1700000600:abc | openssl dgst -sha1 -hmac north -binary."""
    grant = issue_grant("turn.example", "north", "abc", 1700000600.9)
    assert grant.username == "1700000600:abc"
    assert grant.password == "cn17rOcIFYzHsN4D2xqDw8sMqrc="
    assert grant.server == "turn.example"
    assert grant.password not in repr(grant)


def test_channel_data_is_pinned() -> None:
    assert encode_channel_data(0x4001, b"abc") == bytes.fromhex("40010003616263")


@pytest.mark.parametrize("padding", [b"", b"\0", b"\0" * 3])
def test_channel_data_comes_back_without_padding(padding: bytes) -> None:
    data = encode_channel_data(0x4FFF, b"datagram") + padding
    assert split_channel_data(data) == (0x4FFF, b"datagram")


@pytest.mark.parametrize("number", [0, 0x3FFF, 0x5000, 0xFFFF])
def test_other_numbers_are_no_channels(number: int) -> None:
    assert split_channel_data(encode_channel_data(number, b"x")) is None


def test_every_cut_of_channel_data_is_none() -> None:
    data = encode_channel_data(0x4000, b"datagram")
    assert not any(split_channel_data(data[:size]) for size in range(len(data)))
    assert split_channel_data(encode_channel_data(0x4000, b"")) is None
