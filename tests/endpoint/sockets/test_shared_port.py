"""On real sockets: one port, several sockets, and the kernel's choice among them."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from wzp_cli.endpoint.sockets import shared_port
from wzp_cli.endpoint.sockets.shared_port import number_of, share
from wzp_cli.protocol.demux import encode_frame

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone does it")
V6 = pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="there is no IPv6")
FAMILIES = [
    pytest.param("127.0.0.1", socket.AF_INET, id="IPv4"),
    pytest.param("::1", socket.AF_INET6, marks=V6, id="IPv6"),
    pytest.param("127.0.0.1", socket.AF_INET6, marks=V6, id="IPv4 on a dual stack"),
]


@contextmanager
def group(family: socket.AddressFamily, beside: int) -> Iterator[list[socket.socket]]:
    with socket.socket(family, socket.SOCK_DGRAM) as first:
        if family == socket.AF_INET6:
            first.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        first.bind(("::" if family == socket.AF_INET6 else "127.0.0.1", 0))
        others = share(first, beside)
        try:
            yield [first, *others]
        finally:
            for each in others:
                each.close()


def came_to(sockets: list[socket.socket], datagram: bytes) -> int:
    """Return which socket has this datagram."""
    for number, sock in enumerate(sockets):
        sock.setblocking(False)
        try:
            assert sock.recv(2048) == datagram
        except BlockingIOError:
            continue
        return number
    raise AssertionError("it came nowhere")


@LINUX
@pytest.mark.parametrize(("host", "family"), FAMILIES)
def test_a_frame_comes_where_its_id_says_and_all_else_to_the_first(
    host: str, family: socket.AddressFamily
) -> None:
    with group(family, 3) as sockets:
        to = (host, sockets[0].getsockname()[1])
        kind = socket.AF_INET6 if ":" in host else socket.AF_INET
        assert len(sockets) == 4
        seen = set()
        for _ in range(40):
            with socket.socket(kind, socket.SOCK_DGRAM) as sender:  # any port
                channel_id = os.urandom(8)
                frame = encode_frame(channel_id, b"\x40sound")
                sender.sendto(frame, to)
                expected = number_of(channel_id, 4)
                assert came_to(sockets, frame) == expected
                seen.add(expected)
                for first in (0, 1, 7, 9, 0x40, 0xC0, 0xFF):
                    other = bytes([first]) + os.urandom(30)
                    sender.sendto(other, to)
                    assert came_to(sockets, other) == 0
                for short in (b"", b"\x08", b"\x08\xff\xff\xff"):
                    sender.sendto(short, to)
                    assert came_to(sockets, short) == 0
        assert seen == {0, 1, 2, 3}


@LINUX
def test_the_port_is_taken_for_everybody_else() -> None:
    with group(socket.AF_INET, 1) as sockets:
        where = sockets[0].getsockname()
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
            pytest.raises(OSError, match="in use"),
        ):
            other.bind(where)


@LINUX
def test_what_comes_while_nobody_reads_waits() -> None:
    """A forwarder that is started again finds it: its socket was never closed."""
    with group(socket.AF_INET, 1) as sockets:
        frame = encode_frame(b"\0\0\0\1" + bytes(4), b"\x40")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(frame, sockets[0].getsockname())
        os.close(os.dup(sockets[1].fileno()))  # as a child's copy does
        assert came_to(sockets, frame) == 1


def test_where_the_system_cannot_there_is_the_one_socket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with group(socket.AF_INET, 0) as sockets:
        assert len(sockets) == 1
    monkeypatch.setattr(shared_port, "_SO_ATTACH_REUSEPORT_CBPF", 9999)
    with group(socket.AF_INET, 2) as sockets:
        assert len(sockets) == 1
    monkeypatch.setattr(sys, "platform", "darwin")
    with group(socket.AF_INET, 2) as sockets:
        assert len(sockets) == 1
