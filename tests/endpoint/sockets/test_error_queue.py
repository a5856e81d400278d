"""What the error queue says is read right; netlab/test_hops.py asks real routers."""

import socket
import struct
from typing import cast

import pytest

from wzp_cli.endpoint.sockets.error_queue import ErrorQueue, _icmp_error
from wzp_cli.endpoint.sockets.wire import Fate, IcmpError

V4, V6 = (socket.IPPROTO_IP, 11), (socket.IPPROTO_IPV6, 25)


def error(origin: int, kind: int, family: int, host: str, code: int = 0) -> bytes:
    packed = socket.inet_pton(family, host)
    before = bytes(2) if family == socket.AF_INET else bytes(6)
    address = struct.pack("=H", family) + before + packed
    return struct.pack("=IBBBBII", 113, origin, kind, code, 0, 0, 0) + address


EXPIRED_V4 = error(2, 11, socket.AF_INET, "10.0.1.1")
EXPIRED_MAPPED = error(2, 11, socket.AF_INET6, "::ffff:10.0.1.1")
EXPIRED_V6 = error(3, 3, socket.AF_INET6, "2a00::1")


V4_HOST, V6_HOST = (socket.AF_INET, "10.0.1.1"), (socket.AF_INET6, "2a00::1")


@pytest.mark.parametrize(
    ("where", "message", "router"),
    [
        (V4, EXPIRED_V4, "10.0.1.1"),
        (V6, EXPIRED_MAPPED, "10.0.1.1"),
        (V6, EXPIRED_V6, "2a00::1"),
        (V4, error(2, 8, *V4_HOST), None),  # no error at all
        (V4, error(1, 11, *V4_HOST), None),  # by this machine
        ((socket.SOL_SOCKET, 11), EXPIRED_V4, None),
        (V6, EXPIRED_V4, "10.0.1.1"),
    ],
)
def test_who_says_that_a_datagram_died(
    where: tuple[int, int], message: bytes, router: str | None
) -> None:
    said = _icmp_error(*where, message)
    assert said == (IcmpError(Fate.EXPIRED, router) if router else None)


@pytest.mark.parametrize(
    ("where", "message", "fate"),
    [
        (V4, error(2, 3, *V4_HOST, code=0), Fate.UNREACHABLE),
        (V4, error(2, 3, *V4_HOST, code=3), Fate.NO_PORT),
        (V4, error(2, 3, *V4_HOST, code=4), Fate.TOO_BIG),
        (V4, error(2, 3, *V4_HOST, code=13), Fate.PROHIBITED),
        (V6, error(3, 1, *V6_HOST, code=0), Fate.UNREACHABLE),
        (V6, error(3, 1, *V6_HOST, code=1), Fate.PROHIBITED),
        (V6, error(3, 1, *V6_HOST, code=4), Fate.NO_PORT),
        (V6, error(3, 2, *V6_HOST), Fate.TOO_BIG),
    ],
)
def test_what_became_of_it(where: tuple[int, int], message: bytes, fate: Fate) -> None:
    said = _icmp_error(*where, message)
    assert said is not None
    assert said.fate is fate


@pytest.mark.parametrize("message", [EXPIRED_V4, EXPIRED_V6])
def test_a_cut_message_names_nobody(message: bytes) -> None:
    address = 4 if message is EXPIRED_V4 else 16
    for length in range(len(message)):
        cut = message[:length]
        named = _icmp_error(*V4, cut) or _icmp_error(*V6, cut)
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
