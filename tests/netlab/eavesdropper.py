"""What can be read in a capture without a key: addresses, sizes, QUIC's first packets.

Initial packets are encrypted with a key that is made of a number in them (RFC 9001
section 5.2), so that everybody on the way can read them.
"""

import base64
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aioquic.buffer import Buffer
from aioquic.quic.crypto import CryptoError, CryptoPair
from aioquic.quic.packet import QuicPacketType, pull_quic_header

from wzp_cli.protocol.names.identity import Identity

__all__ = ["Seen", "identity_spellings", "initials", "read_capture", "unframed"]

_FRAME: Final = 0x08
_FRAME_HEAD_BYTES: Final = 9


@dataclass(frozen=True)
class Seen:
    """One UDP datagram over IPv4. `at`: Unix seconds."""

    at: float
    source: str
    to: str
    payload: bytes


def read_capture(path: Path) -> list[Seen]:
    """Return the datagrams of a pcap file of raw IP packets."""
    written, at, seen = path.read_bytes(), 24, []
    while at < len(written):
        seconds, nanoseconds, size = struct.unpack_from("=III", written, at)
        packet = written[at + 16 : at + 16 + size]
        at += 16 + size
        if packet[0] >> 4 == 4 and packet[9] == socket.IPPROTO_UDP:
            head = (packet[0] & 15) * 4 + 8
            source, to = (socket.inet_ntoa(packet[n : n + 4]) for n in (12, 16))
            at_s = seconds + nanoseconds / 1e9
            seen.append(Seen(at_s, source, to, packet[head:]))
    return seen


def unframed(datagrams: Iterable[Seen]) -> Iterator[bytes]:
    """Yield the payloads, and what is in a relay's frames, without the frame."""
    for each in datagrams:
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
