"""What can be read in a capture without a key: addresses, sizes, QUIC's first packets.

Over IPv4 and IPv6, by UDP and by TCP. Initial packets are encrypted with a key that is
made of a number in them (RFC 9001 section 5.2), so that everybody on the way can read
them.
"""

import base64
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from aioquic.buffer import Buffer
from aioquic.quic.crypto import CryptoError, CryptoPair
from aioquic.quic.packet import QuicPacketType, pull_quic_header

from wzp_cli.protocol.names.identity import Identity

__all__ = [
    "Seen",
    "identity_spellings",
    "initials",
    "read_capture",
    "streams",
    "unframed",
]

_FRAME: Final = 0x08
_FRAME_HEAD_BYTES: Final = 9


@dataclass(frozen=True)
class Seen:
    """One UDP datagram, or TCP segment with something in it. `at`: Unix seconds."""

    at: float
    source: str
    source_port: int
    to: str
    to_port: int
    payload: bytes
    is_tcp: bool = False


def read_capture(path: Path) -> list[Seen]:
    """Return what a pcap file of raw IP packets holds, as it came."""
    written, at, seen = path.read_bytes(), 24, []
    while at < len(written):
        seconds, nanoseconds, size = struct.unpack_from("=III", written, at)
        packet = written[at + 16 : at + 16 + size]
        at += 16 + size
        if (each := _seen(seconds + nanoseconds / 1e9, packet)) is not None:
            seen.append(each)
    return seen


def _seen(at: float, packet: bytes) -> Seen | None:
    """Read a packet; None for other protocols, fragments, and TCP without content."""
    if packet[0] >> 4 == 4:
        head, protocol, places = (packet[0] & 15) * 4, packet[9], packet[12:20]
    else:
        head, protocol, places = 40, packet[6], packet[8:40]
    if protocol not in (socket.IPPROTO_UDP, socket.IPPROTO_TCP):
        return None
    half = len(places) // 2
    source, to = (str(ip_address(each)) for each in (places[:half], places[half:]))
    source_port, to_port = struct.unpack_from("!HH", packet, head)
    is_tcp = protocol == socket.IPPROTO_TCP
    payload = packet[head + ((packet[head + 12] >> 4) * 4 if is_tcp else 8) :]
    if is_tcp and not payload:
        return None
    return Seen(at, source, source_port, to, to_port, payload, is_tcp)


def streams(captured: Iterable[Seen]) -> dict[tuple[str, int, str, int], bytes]:
    """Return what each TCP connection carried in each direction, as it was sent."""
    said: dict[tuple[str, int, str, int], bytes] = {}
    for each in captured:
        if each.is_tcp:
            way = (each.source, each.source_port, each.to, each.to_port)
            said[way] = said.get(way, b"") + each.payload
    return said


def unframed(datagrams: Iterable[Seen]) -> Iterator[bytes]:
    """Yield the payloads of UDP, and what is in a relay's frames, without the frame."""
    for each in datagrams:
        if each.is_tcp:
            continue
        framed = each.payload[:1] == bytes([_FRAME])
        yield each.payload[_FRAME_HEAD_BYTES:] if framed else each.payload


def initials(datagrams: Iterable[Seen]) -> list[bytes]:
    """Return the plain text of every Initial packet that anybody can read."""
    packets = []
    for payload in unframed(datagrams):
        packets += list(_initials_of(payload))
    ids = {destination for destination, _ in packets}
    return [
        plain
        for _, packet in packets
        for original in ids
        for dialler in (True, False)
        if (plain := _decrypted(packet, original, dialler=dialler)) is not None
    ]


def _initials_of(payload: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield destination connection ID and packet."""
    at = 0
    while at < len(payload) and payload[at] & 0x80:
        try:
            header = pull_quic_header(Buffer(data=payload[at:]), host_cid_length=8)
        except ValueError:
            return
        if header.packet_type == QuicPacketType.INITIAL:
            yield header.destination_cid, payload[at : at + header.packet_length]
        at += header.packet_length


def _decrypted(packet: bytes, original: bytes, *, dialler: bool) -> bytes | None:
    """Return what the dialler (or the acceptor) said in an Initial packet."""
    header = pull_quic_header(Buffer(data=packet), host_cid_length=8)
    assert header.version is not None
    pair = CryptoPair()
    pair.setup_initial(original, is_client=not dialler, version=header.version)
    offset = _number_offset(packet)
    try:
        plain_header, plain, _ = pair.decrypt_packet(packet, offset, 0)
    except CryptoError:
        return None
    return plain_header + plain


def _number_offset(packet: bytes) -> int:
    """Return where the packet number is: behind IDs, token and length."""
    buffer = Buffer(data=packet)
    buffer.pull_bytes(5)
    for _ in range(2):
        buffer.pull_bytes(buffer.pull_uint8())
    buffer.pull_bytes(buffer.pull_uint_var())
    buffer.pull_uint_var()
    return buffer.tell()


def identity_spellings(identity: Identity) -> list[bytes]:
    """Return an identity as it could be written: bytes, hex, base32, base64."""
    key = identity.key
    texts = [str(identity), identity.short, key.hex(), key.hex().upper()]
    texts += [base64.b32encode(key).decode().rstrip("=")]
    texts += [base64.b32encode(key).decode().rstrip("=").lower()]
    texts += [base64.b64encode(key).decode().rstrip("=")]
    return [key, key[::-1], *(text.encode() for text in texts)]
