"""Linux's error queue of a UDP socket: what became of datagrams that did not arrive.

A datagram whose TTL runs out draws an ICMP "time exceeded", one that is too big or not
wanted another error (RFC 792, RFC 1191, RFC 4443). Linux keeps it for the very socket
that sent it, so hops can be learnt without privileges and without a second socket. On a
dual-stack socket both options are needed, and the router comes IPv4-mapped in an IPv6
message: measured, docs/nat.md.
"""

import ipaddress
import socket
import struct
import sys
from typing import Final

from wzp_cli.endpoint.sockets.wire import Fate, IcmpError

__all__ = ["ErrorQueue"]

_IP_RECVERR: Final = 11
_IPV6_RECVERR: Final = 25
_MSG_ERRQUEUE: Final = 0x2000
_DATAGRAM_BYTES: Final = 2048
_ANCILLARY_BYTES: Final = 512
_MAX_AT_ONCE: Final = 64

_ERROR = struct.Struct(
    "=IBBBBII"
)  # struct sock_extended_err; the router's address next
_ORIGIN_ICMP: Final = 2
_ORIGIN_ICMP6: Final = 3
_PROHIBITED_V4: Final = (9, 10, 13)
_FATES_V4: Final = {(11, 0): Fate.EXPIRED, (3, 3): Fate.NO_PORT, (3, 4): Fate.TOO_BIG}
_FATES_V6: Final = {
    (3, 0): Fate.EXPIRED,
    (2, 0): Fate.TOO_BIG,
    (1, 1): Fate.PROHIBITED,
    (1, 4): Fate.NO_PORT,
}
_V4_AT: Final = _ERROR.size + 4
_V6_AT: Final = _ERROR.size + 8


class ErrorQueue:
    """The error queue of one socket. While it is open it has to be read."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._is_open = False

    def open(self) -> bool:
        """Have errors kept; whether this system does."""
        self._is_open = self._switch(1)
        return self._is_open

    def close(self) -> None:
        """Keep no more errors."""
        self.read()
        if self._is_open:
            self._switch(0)
        self._is_open = False

    def read(self) -> list[IcmpError]:
        """Return what was said of our datagrams since the last time.

        Never asks a queue that is not open: elsewhere the flag means something else,
        or there is no such call.
        """
        errors: list[IcmpError] = []
        if not self._is_open:
            return errors
        for _ in range(_MAX_AT_ONCE):
            try:
                _, ancillary, _, _ = self._sock.recvmsg(
                    _DATAGRAM_BYTES, _ANCILLARY_BYTES, _MSG_ERRQUEUE
                )
            except OSError:
                break
            errors += [e for each in ancillary if (e := _icmp_error(*each)) is not None]
        return errors

    def _switch(self, value: int) -> bool:
        if sys.platform != "linux":
            return False
        try:
            self._sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, value)
            if self._sock.family == socket.AF_INET6:
                self._sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, value)
        except OSError:
            return False
        return True


def _icmp_error(level: int, kind: int, error: bytes) -> IcmpError | None:
    """Return what a router or host said; None for what this machine says itself."""
    wanted = {socket.IPPROTO_IP: _IP_RECVERR, socket.IPPROTO_IPV6: _IPV6_RECVERR}
    if wanted.get(level) != kind or len(error) < _V4_AT + 4:
        return None
    _, origin, icmp_type, code, _, _, _ = _ERROR.unpack_from(error)
    fate = _fate(origin, icmp_type, code)
    router = _router(error)
    return IcmpError(fate, router) if fate and router else None


def _fate(origin: int, icmp_type: int, code: int) -> Fate | None:
    if origin == _ORIGIN_ICMP:
        if icmp_type == 3 and code in _PROHIBITED_V4:
            return Fate.PROHIBITED
        unreachable = Fate.UNREACHABLE if icmp_type == 3 else None
        return _FATES_V4.get((icmp_type, code), unreachable)
    if origin == _ORIGIN_ICMP6:
        unreachable = Fate.UNREACHABLE if icmp_type == 1 else None
        return _FATES_V6.get((icmp_type, code), unreachable)
    return None


def _router(error: bytes) -> str | None:
    (family,) = struct.unpack_from("=H", error, _ERROR.size)
    if family == socket.AF_INET:
        return str(ipaddress.IPv4Address(error[_V4_AT : _V4_AT + 4]))
    if family == socket.AF_INET6 and len(error) >= _V6_AT + 16:
        ip = ipaddress.IPv6Address(error[_V6_AT : _V6_AT + 16])
        return str(ip.ipv4_mapped or ip)
    return None
