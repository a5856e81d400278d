"""What the error queue says is read right; netlab/test_hops.py asks real routers."""

import socket
import struct
from typing import cast

import pytest

from wzp_cli.endpoint.error_queue import ErrorQueue, _router

V4, V6 = (socket.IPPROTO_IP, 11), (socket.IPPROTO_IPV6, 25)


def error(origin: int, kind: int, family: int, host: str) -> bytes:
    packed = socket.inet_pton(family, host)
    before = bytes(2) if family == socket.AF_INET else bytes(6)
    address = struct.pack("=H", family) + before + packed
    return struct.pack("=IBBBBII", 113, origin, kind, 0, 0, 0, 0) + address


EXPIRED_V4 = error(2, 11, socket.AF_INET, "10.0.1.1")
EXPIRED_MAPPED = error(2, 11, socket.AF_INET6, "::ffff:10.0.1.1")
EXPIRED_V6 = error(3, 3, socket.AF_INET6, "2a00::1")


@pytest.mark.parametrize(
    ("where", "message", "router"),
    [
        (V4, EXPIRED_V4, "10.0.1.1"),
        (V6, EXPIRED_MAPPED, "10.0.1.1"),
        (V6, EXPIRED_V6, "2a00::1"),
        (V4, error(2, 3, socket.AF_INET, "10.0.1.1"), None),  # unreachable
        (V6, error(3, 1, socket.AF_INET6, "2a00::1"), None),
        (V4, error(1, 11, socket.AF_INET, "10.0.1.1"), None),  # by this machine
        ((socket.SOL_SOCKET, 11), EXPIRED_V4, None),
        (V6, EXPIRED_V4, "10.0.1.1"),
    ],
)
def test_only_a_datagram_that_died_on_the_way_names_a_router(
    where: tuple[int, int], message: bytes, router: str | None
) -> None:
    assert _router(*where, message) == router


@pytest.mark.parametrize("message", [EXPIRED_V4, EXPIRED_V6])
def test_a_cut_message_names_nobody(message: bytes) -> None:
    address = 4 if message is EXPIRED_V4 else 16
    for length in range(len(message)):
        cut = message[:length]
        named = _router(*V4, cut) or _router(*V6, cut)
        assert named is None or length >= len(message) - address


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_an_empty_queue_is_read_at_once(family: socket.AddressFamily) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        queue = ErrorQueue(sock)
        assert queue.open()
        assert queue.read() == []
        queue.close()


def test_a_queue_that_is_not_open_is_left_alone() -> None:
    """Elsewhere there is none: the socket has no such call, or means another thing."""
    queue = ErrorQueue(cast(socket.socket, object()))
    assert queue.read() == []
    queue.close()
