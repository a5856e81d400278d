"""The real wire: one UDP socket of the system, dual-stack where there is IPv6.

On a dual-stack socket IPv4 hosts are IPv4-mapped, and its TTL option rules them (the
hop limit option rules IPv6 alone): measured, docs/nat.md.
"""

import asyncio
import contextlib
import errno
import socket
import struct
import sys
from typing import Any

from wzp_cli.address import Address
from wzp_cli.defaults.endpoint import RECEIVE_BATCH_DATAGRAMS, RECEIVE_BUFFER_BYTES
from wzp_cli.endpoint.sockets.datagram_address import (
    IP_PKTINFO,
    packet_info,
    socket_address,
)
from wzp_cli.endpoint.sockets.error_queue import ErrorQueue
from wzp_cli.endpoint.sockets.shared_port import share
from wzp_cli.endpoint.sockets.wire import ErrorSink, Losses, Sink

__all__ = ["UdpWire", "lost_unread", "open_udp_wire"]

_MAX_DATAGRAM_BYTES = 65535
_MAX_CACHED_ADDRESSES = 8192
_ANCILLARY_BYTES = 256
_SO_MEMINFO = 55  # Linux: nine 32-bit numbers about the socket, the last one its drops
_MEMINFO = struct.Struct("=9I")
_IP_MTU_DISCOVER = 10
_IPV6_MTU_DISCOVER = 23
_PMTUDISC_PROBE = 3


def open_udp_wire(port: int, *, host: str = "", multihomed: bool = False) -> "UdpWire":
    """Bind one UDP socket.

    Args:
        port: Port; 0 lets the system choose.
        host: Own address to bind ("": every one, IPv4 and IPv6).
        multihomed: Learn which own address each datagram came to, and answer from it
            (Linux; elsewhere the system chooses).

    Raises:
        OSError: The port is in use, or may not be bound.
    """
    sock = _bind(port, host)
    try:
        return UdpWire(sock, multihomed=multihomed and sys.platform == "linux")
    except BaseException:
        sock.close()
        raise


def _bind(port: int, host: str) -> socket.socket:
    if host and ":" not in host:
        return _bound(socket.AF_INET, (host, port))
    if socket.has_dualstack_ipv6() or host:
        try:
            return _bound(socket.AF_INET6, (host or "::", port))
        except OSError as error:
            if host or error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                raise
    return _bound(socket.AF_INET, ("0.0.0.0", port))


def _bound(family: socket.AddressFamily, address: tuple[str, int]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        sock.bind(address)
    except BaseException:
        sock.close()
        raise
    return sock


def lost_unread(sock: socket.socket) -> int:
    """Return how many datagrams were lost since nobody read them (0: not known)."""
    if sys.platform == "linux" and sock.fileno() >= 0:
        with contextlib.suppress(OSError, struct.error):
            info = sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
            return int(_MEMINFO.unpack(info)[-1])
    return 0


class UdpWire:
    """One bound UDP socket on the running loop."""

    def __init__(self, sock: socket.socket, *, multihomed: bool) -> None:
        self._sock = sock
        self._v6 = sock.family == socket.AF_INET6
        self._multihomed = multihomed
        self._loop = asyncio.get_running_loop()
        self._sink: Sink | None = None
        self._errors = ErrorQueue(sock)
        self._error_sink: ErrorSink | None = None
        self._addresses: dict[Any, Address] = {}
        host, port, *_ = sock.getsockname()
        self._local = Address(host, port)
        self._unsent = 0
        if multihomed:
            sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
            if self._v6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)

    @property
    def local(self) -> Address:
        """The bound address."""
        return self._local

    @property
    def losses(self) -> Losses:
        """See Wire; Linux tells what it received for nobody."""
        return Losses(lost_unread(self._sock), self._unsent)

    def share_port(self, beside: int) -> list[socket.socket]:
        """Bind so many sockets more to this port; see `shared_port.share`."""
        return share(self._sock, beside)

    def start(self, sink: Sink) -> None:
        """Bring each arriving datagram to `sink`, on the loop."""
        self._sink = sink
        self._loop.add_reader(self._sock.fileno(), self._read)

    def watch_errors(self, sink: ErrorSink | None) -> bool:
        """Tell `sink` of datagrams that don't arrive; whether this system does."""
        if self._sock.fileno() < 0:
            return False
        if sink is None:
            self._error_sink = None
            self._errors.close()
        elif self._errors.open():
            self._error_sink = sink
        return self._error_sink is not None

    def close(self) -> None:
        """Release the port."""
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock.fileno())
            self._sock.close()

    def send(
        self,
        datagram: bytes,
        to: Address,
        *,
        ttl: int | None = None,
        source: str = "",
        whole: bool = False,
    ) -> None:
        """Put one datagram on the network; one that can't leave is dropped."""
        target = socket_address(to, v6=self._v6)
        if target is None or self._sock.fileno() < 0:
            return
        if whole:
            self._put_with(_whole_options(to), datagram, target, source)
        elif ttl is not None:
            options = [(*option, ttl) for option in self._ttl_options(to)]
            self._put_with(options, datagram, target, source)
        else:
            self._put(datagram, target, source)

    def _put_with(
        self,
        options: list[tuple[int, int, int]],
        datagram: bytes,
        target: Any,
        source: str,
    ) -> None:
        """Send with the first of these options that the system takes, for once."""
        for level, option, value in options:
            try:
                normal = self._sock.getsockopt(level, option)
                self._sock.setsockopt(level, option, value)
            except OSError:
                continue
            try:
                self._put(datagram, target, source)
            finally:
                self._sock.setsockopt(level, option, normal)
            return

    def _put(self, datagram: bytes, target: Any, source: str) -> None:
        ancillary = []
        if source and self._multihomed:
            ancillary = packet_info(source, v6=self._v6)
        # An ICMP error about some earlier packet fails the next send: once more.
        for _ in range(2):
            try:
                if ancillary:
                    self._sock.sendmsg([datagram], ancillary, 0, target)
                else:
                    self._sock.sendto(datagram, target)
            except BlockingIOError:
                break
            except OSError:
                continue
            return
        self._unsent += 1

    def _ttl_options(self, to: Address) -> list[tuple[int, int]]:
        """Return what may rule the TTL toward `to`, by system; none: nothing is sent.

        On a dual-stack socket Linux and Windows take the option of IPv4 for IPv4
        hosts; BSDs and macOS refuse it, and take that of IPv6 for both.
        """
        hops = (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS)
        if to.is_v6:
            return [hops]
        ttl = (socket.IPPROTO_IP, socket.IP_TTL)
        return [ttl, hops] if self._v6 else [ttl]

    def _read(self) -> None:
        if self._error_sink is not None:
            for error in self._errors.read():
                self._error_sink(error)
        for _ in range(RECEIVE_BATCH_DATAGRAMS):
            own = ""
            try:
                if self._multihomed:
                    datagram, ancillary, _, peer = self._sock.recvmsg(
                        _MAX_DATAGRAM_BYTES, _ANCILLARY_BYTES
                    )
                    own = self._own_host(ancillary)
                else:
                    datagram, peer = self._sock.recvfrom(_MAX_DATAGRAM_BYTES)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error about some packet that we sent
            if self._sink is not None:
                self._sink(datagram, self._address(peer), own)
            if self._sock.fileno() < 0:
                return

    def _address(self, peer: Any) -> Address:
        address = self._addresses.get(peer)
        if address is None:
            if len(self._addresses) >= _MAX_CACHED_ADDRESSES:
                self._addresses.clear()
            host = peer[0].removeprefix("::ffff:")
            address = self._addresses[peer] = Address(host, peer[1])
        return address

    def _own_host(self, ancillary: list[tuple[int, int, bytes]]) -> str:
        for level, kind, info in ancillary:
            if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
                host = socket.inet_ntop(socket.AF_INET6, info[:16])
                return host.removeprefix("::ffff:")
            if level == socket.IPPROTO_IP and kind == IP_PKTINFO:
                return socket.inet_ntop(socket.AF_INET, info[4:8])
        return ""


def _whole_options(to: Address) -> list[tuple[int, int, int]]:
    """Return what forbids fragments toward `to`: Linux alone tells how, as a value."""
    if sys.platform != "linux":
        return []
    if to.is_v6:
        return [(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_PROBE)]
    return [(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_PROBE)]
