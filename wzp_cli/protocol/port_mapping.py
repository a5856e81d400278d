"""What is said to a router for a port of its own: PCP (RFC 6887), NAT-PMP (RFC 6886).

UDP over IPv4 only. Both protocols use the router's port 5351; a router that knows the
older one alone answers a PCP request in NAT-PMP, as "unsupported version".
"""

import struct
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from wzp_cli.address import Address
from wzp_cli.errors import RemoteProtocolError

__all__ = [
    "NONCE_BYTES",
    "Grant",
    "nat_pmp_address_request",
    "nat_pmp_map_request",
    "pcp_announce_request",
    "pcp_map_request",
    "read_nat_pmp_address",
    "read_nat_pmp_end",
    "read_nat_pmp_grant",
    "read_pcp_announce",
    "read_pcp_end",
    "read_pcp_grant",
    "refusal",
]

NONCE_BYTES = 12

_NAT_PMP, _PCP = 0, 2
_RESPONSE = 0x80
_ANNOUNCE, _MAP = 0, 1  # of PCP
_ADDRESS, _MAP_UDP = 0, 1  # of NAT-PMP
_UDP = 17
_PCP_HEADER = struct.Struct("!BBHI16s")
_PCP_ANSWER = struct.Struct("!BBBBII12x")
_PCP_MAPPING = struct.Struct("!12sB3xHH16s")
_NAT_PMP_REQUEST = struct.Struct("!BBHHHI")
_NAT_PMP_ANSWER = struct.Struct("!BBHI")
_NAT_PMP_MAPPING = struct.Struct("!HHI")
_UNSUPPORTED_VERSION = 1

_PCP_RESULTS = {
    2: "not authorized",
    3: "malformed request",
    4: "unsupported operation",
    6: "malformed option",
    7: "its own network is down",
    8: "no resources left",
    9: "unsupported protocol",
    10: "the user's quota is used up",
    11: "it cannot give that address or port",
    12: "there is another NAT in between",
    13: "too many peers",
}
_NAT_PMP_RESULTS = {
    2: "not authorized",
    3: "its own network is down",
    4: "no resources left",
    5: "unsupported operation",
}


@dataclass(frozen=True, slots=True)
class Grant:
    """A mapping as the router gave it.

    Attributes:
        external: Where the router takes packets in for us.
        lifetime_s: How long, unless it is asked again.
    """

    external: Address
    lifetime_s: int


def refusal(result: int, *, pcp: bool) -> str:
    """Return a result code in words."""
    return (_PCP_RESULTS if pcp else _NAT_PMP_RESULTS).get(result, f"error {result}")


# -- PCP


def pcp_announce_request(client: str) -> bytes:
    """Return the question whether PCP is spoken; it maps nothing.

    Args:
        client: Our address, as the router sees it.
    """
    return _pcp_request(_ANNOUNCE, client, 0)


def pcp_map_request(
    client: str, port: int, nonce: bytes, lifetime_s: int, wanted: Address | None
) -> bytes:
    """Return the request to map a UDP port.

    Args:
        client: Our address, as the router sees it.
        port: Ours, which packets are sent on to.
        nonce: NONCE_BYTES; the same for the same mapping, and unknown to others.
        lifetime_s: For how long; 0 ends the mapping.
        wanted: What the router should give if it can; None: any.
    """
    outside = Address("0.0.0.0", 0) if wanted is None else wanted
    mapping = _PCP_MAPPING.pack(nonce, _UDP, port, outside.port, _packed(outside.host))
    return _pcp_request(_MAP, client, lifetime_s) + mapping


def read_pcp_announce(answer: bytes) -> None:
    """Check that an answer shows PCP to be spoken, whatever it says.

    Raises:
        RemoteProtocolError: It does not.
    """
    result, _ = _read_pcp(answer, _ANNOUNCE)
    if result == _UNSUPPORTED_VERSION:
        raise RemoteProtocolError("another version of PCP")


def read_pcp_grant(answer: bytes, port: int, nonce: bytes) -> Grant | int:
    """Return what was given, or the code of a refusal.

    Raises:
        RemoteProtocolError: It is not the answer to this request.
    """
    result, lifetime_s, external, host = _read_pcp_mapping(answer, port, nonce)
    return result or Grant(_outside(_unpacked(host), external), lifetime_s)


def read_pcp_end(answer: bytes, port: int, nonce: bytes) -> int:
    """Return the result of a request with lifetime 0. Raises as `read_pcp_grant`."""
    return _read_pcp_mapping(answer, port, nonce)[0]


def _read_pcp_mapping(
    answer: bytes, port: int, nonce: bytes
) -> tuple[int, int, int, bytes]:
    result, lifetime_s = _read_pcp(answer, _MAP)
    try:
        mapping = _PCP_MAPPING.unpack_from(answer, _PCP_ANSWER.size)
    except struct.error as error:
        raise RemoteProtocolError("an answer about no mapping") from error
    its_nonce, protocol, internal, external, host = mapping
    if (its_nonce, protocol, internal) != (nonce, _UDP, port):
        raise RemoteProtocolError("an answer about another mapping")
    return result, lifetime_s, external, host


def _pcp_request(operation: int, client: str, lifetime_s: int) -> bytes:
    return _PCP_HEADER.pack(_PCP, operation, 0, lifetime_s, _packed(client))


def _read_pcp(answer: bytes, operation: int) -> tuple[int, int]:
    try:
        version, its, _, result, lifetime_s, _ = _PCP_ANSWER.unpack_from(answer)
    except struct.error as error:
        raise RemoteProtocolError("too short for PCP") from error
    if (version, its) != (_PCP, _RESPONSE | operation):
        raise RemoteProtocolError("not an answer in PCP")
    return result, lifetime_s


def _packed(host: str) -> bytes:
    return IPv6Address(f"::ffff:{host}").packed


def _unpacked(host: bytes) -> IPv4Address:
    inner = IPv6Address(host).ipv4_mapped
    if inner is None:
        raise RemoteProtocolError("an external address that is not IPv4")
    return inner


# -- NAT-PMP


def nat_pmp_address_request() -> bytes:
    """Return the question for the router's external address; it maps nothing."""
    return bytes((_NAT_PMP, _ADDRESS))


def nat_pmp_map_request(port: int, lifetime_s: int, wanted_port: int) -> bytes:
    """Return the request to map a UDP port; lifetime and port 0 end the mapping."""
    return _NAT_PMP_REQUEST.pack(_NAT_PMP, _MAP_UDP, 0, port, wanted_port, lifetime_s)


def read_nat_pmp_address(answer: bytes) -> str | int:
    """Return the router's external address, or the code of a refusal.

    Raises:
        RemoteProtocolError: It is not the answer to this request.
    """
    result = _read_nat_pmp(answer, _ADDRESS)
    host = answer[_NAT_PMP_ANSWER.size :][:4]
    try:
        return result or str(IPv4Address(host))
    except AddressValueError as error:
        raise RemoteProtocolError("an answer without an address") from error


def read_nat_pmp_grant(answer: bytes, port: int, host: str) -> Grant | int:
    """Return what was given, or the code of a refusal.

    Args:
        answer: What came.
        port: Ours, that was asked for.
        host: The router's external address, which this answer does not tell.

    Raises:
        RemoteProtocolError: It is not the answer to this request.
    """
    result, external, lifetime_s = _read_nat_pmp_mapping(answer, port)
    return result or Grant(_outside(IPv4Address(host), external), lifetime_s)


def read_nat_pmp_end(answer: bytes, port: int) -> int:
    """Return the result of ending a mapping. Raises as `read_nat_pmp_grant`."""
    return _read_nat_pmp_mapping(answer, port)[0]


def _read_nat_pmp_mapping(answer: bytes, port: int) -> tuple[int, int, int]:
    result = _read_nat_pmp(answer, _MAP_UDP)
    try:
        its, external, lifetime_s = _NAT_PMP_MAPPING.unpack_from(
            answer, _NAT_PMP_ANSWER.size
        )
    except struct.error as error:
        raise RemoteProtocolError("an answer about no mapping") from error
    if its != port:
        raise RemoteProtocolError("an answer about another mapping")
    return result, external, lifetime_s


def _read_nat_pmp(answer: bytes, operation: int) -> int:
    try:
        version, its, result, _ = _NAT_PMP_ANSWER.unpack_from(answer)
    except struct.error as error:
        raise RemoteProtocolError("too short for NAT-PMP") from error
    if (version, its) != (_NAT_PMP, _RESPONSE | operation):
        raise RemoteProtocolError("not an answer in NAT-PMP")
    return int(result)


def _outside(host: IPv4Address, port: int) -> Address:
    if port == 0 or host.is_unspecified:
        raise RemoteProtocolError("a mapping without an address or a port")
    return Address(str(host), port)
