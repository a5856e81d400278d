"""A TURN server that answers as it likes: an allocation, or TurnUnavailable.

Each request that we send is answered by the next part of the script: not at all, as it
is, or with attributes of the fuzzer's choice under the right transaction id, signed
with the right key or not. Then the server sends what it likes beside.
"""

import random
import struct
from typing import Any

from aioice.stun import message_fingerprint, message_integrity
from aioice.turn import make_integrity_key

from fuzz._script import Script
from tests.support.virtual_time import VirtualLoop
from wzp_cli.address import Address
from wzp_cli.endpoint.stun.turn import Allocations
from wzp_cli.errors import TurnUnavailable
from wzp_cli.protocol.traversal.route import TurnRoute
from wzp_cli.protocol.turn import TurnGrant, split_channel_data

__all__ = ["MAX_BYTES", "SEEDS", "one"]

MAX_BYTES = 300
_SERVER, _PEER = Address("20.0.0.9", 3478), Address("20.0.0.9", 50000)
_GRANT = TurnGrant("20.0.0.9", "1700000600:name", "sesame")
_REALM = "turn.example"
_KEY = make_integrity_key(_GRANT.username, _REALM, _GRANT.password)
_MOST_PACKETS = 400
_CODES = (
    (401, "Unauthorized"),
    (438, "Stale"),
    (437, "Mismatch"),
    (300, "Try"),
    (508, ""),
)
_RELAYED = b"\0\1" + bytes.fromhex("e2423512a44b")
_LOOP = VirtualLoop()
_NO_TUNNELS: Any = None  # only servers reached by TCP have one

_DENIED = bytes([1])
_GRANTED = bytes([2, 0])
SEEDS = (
    _DENIED + _GRANTED * 4 + bytes([9]),
    _DENIED + _GRANTED + bytes([0]) * 3,
    bytes([3, 1, 0, 1, 2]) * 3,
    _DENIED + bytes([4, 1, 1, 2, 4, 0, 0, 2, 88, 0]) + _GRANTED * 3,
    _DENIED + _GRANTED * 2 + bytes([5, 8]) + b"\x40\x00\0\4wxyz",
)


class _Server:
    """What is at the other end of the wire."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.packets = 0
        self.allocations = Allocations(self.take, self.came, _NO_TUNNELS, None)

    def came(self, datagram: bytes, route: TurnRoute) -> None:
        assert datagram
        assert route == TurnRoute(_SERVER, _PEER)

    def take(self, datagram: bytes, to: Address) -> None:
        """Take what was sent; it may go nowhere but to the server."""
        assert to == _SERVER
        self.packets += 1
        assert self.packets < _MOST_PACKETS, "a server draws packets without end"
        if split_channel_data(datagram) is None:
            answer = self.answer(datagram)
            if answer:
                _LOOP.call_later(0.01, self.allocations.take, answer, _SERVER)

    def answer(self, request: bytes) -> bytes:
        how = self.script.byte() % 6 if self.script.goes_on else 0
        match how:
            case 0:
                return b""
            case 1:
                return _message(request, 0x0110, _denial(*_CODES[0]), None)
            case 2:
                return _message(request, 0x0100, _grant(self.script.byte()), _KEY)
            case 3:
                code, words = self.script.pick(_CODES)
                key = _KEY if self.script.byte() % 2 else None
                return _message(request, 0x0110, _denial(code, words), key)
            case 4:
                key = _KEY if self.script.byte() % 2 else None
                kind = self.script.pick((0x0100, 0x0110, 0x0010))
                return _message(request, kind, self.attributes(), key)
            case _:
                self.allocations.take(self.script.chunk(), _SERVER)
                return self.script.chunk()

    def attributes(self) -> bytes:
        body = b""
        for _ in range(self.script.byte() % 4):
            kind = self.script.pick((0x0D, 0x16, 0x20, 0x15, 0x14, 0x09, 0x8022, 0x0C))
            value = self.script.take(self.script.byte() % 32)
            body += _attribute(kind, value)
        return body


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def _denial(code: int, words: str) -> bytes:
    number = bytes((0, 0, code // 100, code % 100)) + words.encode()
    return (
        _attribute(0x09, number)
        + _attribute(0x14, _REALM.encode())
        + _attribute(0x15, b"nonce")
    )


def _grant(lies: int) -> bytes:
    lifetime = 600 if lies < 200 else lies - 200
    return _attribute(0x0D, lifetime.to_bytes(4, "big")) + _attribute(0x16, _RELAYED)


def _message(request: bytes, kind: int, body: bytes, key: bytes | None) -> bytes:
    """Return an answer to `request`, of its method, signed with `key`."""
    (method,) = struct.unpack_from("!H", request)
    message = struct.pack("!HH", method & 0x0F | kind, len(body)) + request[4:20] + body
    if key is not None:
        message += _attribute(0x08, message_integrity(message, key))
        message += _attribute(0x8028, message_fingerprint(message).to_bytes(4, "big"))
    return message[:2] + (len(message) - 20).to_bytes(2, "big") + message[4:]


def one(data: bytes) -> None:
    """Allocate, bind, send, refresh and give back, at a server that reads a script."""
    random.seed(1)
    _LOOP.accidents.clear()
    _LOOP.run_until_complete(_use(Script(data)))
    assert not _LOOP.accidents, _LOOP.accidents


async def _use(script: Script) -> None:
    server = _Server(script)
    began = _LOOP.time()
    try:
        async with server.allocations.open(_SERVER, _GRANT) as allocation:
            assert allocation.is_live
            assert allocation.relayed.port
            route = await allocation.bind(_PEER)
            server.allocations.carry(b"\x40sound", route)
            server.allocations.take(script.chunk(), _SERVER)
            server.allocations.take(b"\x40\0" + script.chunk(), _SERVER)
            await allocation.refresh()
    except TurnUnavailable as error:
        assert len(str(error)) < 400
        assert str(error).isprintable()
    assert len(server.allocations) == 0
    assert _LOOP.time() - began < 120
    assert not server.allocations.take(b"\x40\0\0\1x", _SERVER)
