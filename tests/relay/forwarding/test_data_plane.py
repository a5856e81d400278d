"""A direction's rules; how a channel's two go together is in test_channels.py."""

import pytest

from wzp_cli.defaults.relay import RELAY_MAX_FRAME_BYTES
from wzp_cli.protocol.demux import encode_frame
from wzp_cli.relay.forwarding.data_plane import Direction, DropReason

ID = bytes(range(8))


def frame(size: int) -> bytes:
    return encode_frame(ID, b"\x40").ljust(size, b"\0")


def test_a_place_is_whatever_the_socket_calls_one() -> None:
    by_kernel = Direction(("::ffff:192.0.2.1", 5000), ("2001:db8::1", 6000), 0.0)
    assert by_kernel.take(frame(50), ("::ffff:192.0.2.1", 5000), 0.0) is None
    refused = by_kernel.take(frame(50), ("192.0.2.1", 5000), 0.0)
    assert refused is DropReason.WRONG_SOURCE
    assert (by_kernel.packets, by_kernel.bytes) == (1, 50)


@pytest.mark.parametrize("size", [0, 1, 8, 9, RELAY_MAX_FRAME_BYTES + 1, 2048])
def test_a_frame_has_a_least_and_a_greatest_size(size: int) -> None:
    direction = Direction("a", "b", 0.0)
    assert direction.take(frame(50)[:size].ljust(size, b"\0"), "a", 0.0) is (
        DropReason.NOT_CARRIED
    )
    assert direction.take(frame(RELAY_MAX_FRAME_BYTES), "a", 0.0) is None
    assert direction.take(frame(10), "a", 0.0) is None


def test_what_is_dropped_costs_the_sender_nothing() -> None:
    direction = Direction("a", "b", 0.0)
    for _ in range(1000):
        assert direction.take(frame(100), "thief", 0.0) is DropReason.WRONG_SOURCE
        assert direction.take(frame(50)[:9], "a", 0.0) is DropReason.NOT_CARRIED
    taken = [direction.take(frame(100), "a", 0.0) for _ in range(300)]
    assert taken.count(None) in (199, 200)  # rounding
    assert set(taken) == {None, DropReason.PACKET_RATE}
