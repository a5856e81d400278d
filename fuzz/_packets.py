"""QUIC packets that anybody can make: Initials with the right keys and any payload."""

from typing import NamedTuple

from aioquic import tls
from aioquic.buffer import Buffer
from aioquic.quic.crypto import CryptoPair
from aioquic.quic.packet import (
    QuicPacketType,
    QuicProtocolVersion,
    encode_long_header_first_byte,
)

from fuzz._script import Script
from tests.support.rogue import ACCEPTOR, Rogue

__all__ = [
    "FRAMES",
    "Hello",
    "client_hello",
    "crypto_frame",
    "edited",
    "initial",
    "keep",
]

_VERSION = QuicProtocolVersion.VERSION_1
_SMALLEST_BYTES = 1200  # RFC 9000, 14.1: a server drops smaller ones unread
_HEAD_BYTES, _TAG_BYTES = 12, 16  # beside both connection ids and the token
_MOST_KEPT = 24

FRAMES: tuple[bytes, ...] = tuple(
    bytes.fromhex(frame)
    for frame in (
        "01",  # PING
        "0200000000",  # ACK of 0
        "0244440000",
        "03000000000000",
        "040041444100",  # RESET_STREAM
        "050041444100",  # STOP_SENDING
        "0600010100",  # CRYPTO: a TLS message's first byte
        "060004040000007f",
        "0703aabbcc",  # NEW_TOKEN
        "0a0003616263",  # STREAM 0
        "0e0040400361626300",
        "0b04036162",
        "1044444444",  # MAX_DATA
        "1100ffffffffffffffff",
        "12ffffffffffffffff",
        "1400150000160000",  # BLOCKED, of three kinds
        "1801000801020304050607080102030405060708090a0b0c0d0e0f10",  # NEW_CONNECTION_ID
        "1900",  # RETIRE_CONNECTION_ID
        "1a0102030405060708",  # PATH_CHALLENGE
        "1b0102030405060708",
        "1c000003616263",  # CONNECTION_CLOSE
        "1d0003616263",
        "1e",  # HANDSHAKE_DONE
        "3003616263",  # DATAGRAM
        "310361626302",
    )
)


def initial(payload: bytes, destination: bytes, source: bytes, token: bytes) -> bytes:
    """Return a client's first datagram, of at least 1200 bytes."""
    taken = _HEAD_BYTES + len(destination + source + token) + _TAG_BYTES
    payload = payload.ljust(max(4, _SMALLEST_BYTES - taken), b"\0")
    head = Buffer(capacity=1500)
    head.push_uint8(encode_long_header_first_byte(_VERSION, QuicPacketType.INITIAL, 1))
    head.push_uint32(_VERSION)
    for cid in (destination, source):
        head.push_uint8(len(cid))
        head.push_bytes(cid)
    head.push_uint_var(len(token))
    head.push_bytes(token)
    head.push_uint16(0x4000 | len(payload) + 2 + 16)
    head.push_uint16(0)
    crypto = CryptoPair()
    crypto.setup_initial(destination, is_client=True, version=_VERSION)
    return crypto.encrypt_packet(head.data, payload, 0)


def crypto_frame(message: bytes) -> bytes:
    """Return TLS bytes as they stand in an Initial."""
    return b"\x06\0" + (0x4000 | len(message)).to_bytes(2, "big") + message


class Hello(NamedTuple):
    """The TLS message that a dialler begins with, and the connection id it names."""

    message: bytes
    source: bytes


def client_hello(alpn: str) -> Hello:
    """Return what a dialler begins with."""
    said: list[bytes] = []

    def keep(epoch: tls.Epoch, messages: bytes) -> bytes:
        said.append(messages)
        return messages

    rogue = Rogue(alpn)
    rogue.tamper = keep
    rogue.connect(ACCEPTOR, 1.0)
    return Hello(said[0], rogue.host_cid)


def keep(kept: list[bytes], datagram: bytes) -> None:
    """Keep the first ones of all that come."""
    if len(kept) < _MOST_KEPT:
        kept.append(datagram)


def edited(script: Script, data: bytes) -> bytes:
    """Return `data` with some pieces exchanged, cut out or put in by the script."""
    for _ in range(script.byte() % 4):
        at = script.number(2) % (len(data) + 1)
        gone = script.byte() % 16
        data = data[:at] + script.chunk() + data[at + gone :]
    return data
