"""Several sockets on one UDP port, and which of them a relayed frame comes to (Linux).

The sockets are a group (SO_REUSEPORT), and a classic BPF program chooses one for each
datagram by what is in it. It gets the UDP payload, and returns a number in the order in
which the sockets were bound:

    first byte is not 8 (a relayed frame)   ->  0, the one socket
    otherwise                               ->  first 4 bytes of the id, mod count

A channel id is chosen so that its frames come where they should. A socket's number
changes when one before it is closed; so whoever holds them closes all or none, and a
process that uses one dies without that.
"""

import array
import socket
import struct
import sys
from typing import Final

from wzp_cli.defaults.endpoint import RECEIVE_BUFFER_BYTES

__all__ = ["number_of", "share"]

_SO_ATTACH_REUSEPORT_CBPF: Final = 51  # include/uapi/asm-generic/socket.h
_FRAME_TYPE: Final = 8
_INSTRUCTION: Final = struct.Struct("=HBBI")  # struct sock_filter
_LOAD_BYTE, _LOAD_WORD, _MODULO = 0x30, 0x20, 0x94  # include/uapi/linux/filter.h
_IF_EQUAL, _RETURN, _RETURN_ACCUMULATOR = 0x15, 0x06, 0x16


def number_of(channel_id: bytes, count: int) -> int:
    """Return which of `count` sockets the frames with this id come to."""
    return int.from_bytes(channel_id[:4], "big") % count


def share(sock: socket.socket, beside: int) -> list[socket.socket]:
    """Bind `beside` more sockets to the port of a bound UDP socket, and steer frames.

    `sock` was bound for itself alone, so that nobody else's was there before.

    Returns:
        Socket 1 and on, blocking; `sock` is 0. None of them where the system can't.
    """
    if sys.platform != "linux" or beside < 1:
        return []
    bound: list[socket.socket] = []
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        for _ in range(beside):
            bound.append(_beside(sock))
        _steer(sock, 1 + beside)
    except OSError:
        for each in bound:
            each.close()
        return []
    return bound


def _beside(first: socket.socket) -> socket.socket:
    sock = socket.socket(first.family, socket.SOCK_DGRAM)
    try:
        if first.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(first.getsockname())
    except BaseException:
        sock.close()
        raise
    return sock


def _steer(sock: socket.socket, count: int) -> None:
    program = b"".join(
        _INSTRUCTION.pack(*instruction)
        for instruction in (
            (_LOAD_BYTE, 0, 0, 0),  # a datagram that is too short ends with 0
            (_IF_EQUAL, 0, 3, _FRAME_TYPE),
            (_LOAD_WORD, 0, 0, 1),
            (_MODULO, 0, 0, count),
            (_RETURN_ACCUMULATOR, 0, 0, 0),
            (_RETURN, 0, 0, 0),
        )
    )
    held = array.array("B", program)
    length = len(program) // _INSTRUCTION.size
    sock_fprog = struct.pack("@HP", length, held.buffer_info()[0])
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, sock_fprog)
