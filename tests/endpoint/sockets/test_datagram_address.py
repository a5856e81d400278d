"""What a socket calls an address; that the kernel takes it, test_udp.py shows."""

import socket

from wzp_cli.address import Address
from wzp_cli.endpoint.sockets.datagram_address import packet_info, socket_address

V4, V6 = Address("192.0.2.1", 9), Address("2001:db8::1", 9)


def test_a_dual_stack_socket_has_ipv4_hosts_mapped() -> None:
    assert socket_address(V4, v6=True) == ("::ffff:192.0.2.1", 9)
    assert socket_address(V6, v6=True) == ("2001:db8::1", 9)
    assert socket_address(V4, v6=False) == ("192.0.2.1", 9)
    assert socket_address(V6, v6=False) is None


def test_a_scope_is_a_number_to_the_kernel() -> None:
    index, name = socket.if_nameindex()[0]
    target = socket_address(Address(f"fe80::1%{name}", 9), v6=True)
    assert target == ("fe80::1", 9, 0, index)
    assert socket_address(Address("fe80::1%nowhere", 9), v6=True) is None


def test_an_own_host_goes_beside_the_datagram() -> None:
    ((level, _, info),) = packet_info("192.0.2.1", v6=False)
    assert (level, info) == (socket.IPPROTO_IP, bytes(4) + b"\xc0\0\2\1" + bytes(4))
    ((level, _, info),) = packet_info("192.0.2.1", v6=True)
    mapped = bytes(10) + b"\xff\xff\xc0\0\2\1" + bytes(4)
    assert (level, info) == (socket.IPPROTO_IPV6, mapped)
    ((_, _, info),) = packet_info("2001:db8::1", v6=True)
    assert info == socket.inet_pton(socket.AF_INET6, "2001:db8::1") + bytes(4)
