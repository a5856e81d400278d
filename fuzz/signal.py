"""Signalling frames: every family of messages, whole and in pieces.

The first byte names the family, the second how the stream is cut into pieces.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from fuzz._script import Script
from wzp_cli.defaults.program import MAX_MESSAGE_BEFORE_HELLO_BYTES, MAX_MESSAGE_BYTES
from wzp_cli.errors import LocalProtocolError, RemoteProtocolError
from wzp_cli.protocol.messages import control, fleet
from wzp_cli.protocol.messages.peer import PeerMessage
from wzp_cli.protocol.messages.relay import RelayMessage
from wzp_cli.protocol.messages.signal import MessageDecoder, Unknown, encode

__all__ = ["SEEDS", "one"]

_SECRET = "5e" * 32
_FRAMED = {0: PeerMessage, 1: RelayMessage}
_DECODERS: dict[int, MessageDecoder[Any]] = {
    id(family): MessageDecoder(family, limit_bytes=0) for family in _FRAMED.values()
}
_LIMITS = (MAX_MESSAGE_BEFORE_HELLO_BYTES, MAX_MESSAGE_BYTES)


def _framed(*bodies: bytes) -> bytes:
    return b"".join(len(body).to_bytes(4, "big") + body for body in bodies)


_PEER_BODIES = (
    b'{"type":"hello","version":"0.1","name":"a","features":["red"]}',
    b'{"type":"offer","call":"c","media":["opus","pcmu"]}',
    b'{"type":"answer","call":"c","media":"opus"}',
    b'{"type":"decline","call":"c","reason":"busy"}',
    b'{"type":"candidates","ufrag":"abcd","pwd":"0123456789012345678901",'
    b'"list":[{"type":"host","address":"192.0.2.1:5000"}],"nat":{"pooled":true}}',
    b'{"type":"searching","sockets":16,"samples":[1,65535],"step":-2}',
    b'{"type":"quality","loss_pct":1.5,"jitter_ms":2,"concealed_ms":0,"buffer_ms":60,'
    b'"expected":50,"lost":2,"gaps":1,"queue_ms":3.5}',
    b'{"type":"hold","on":true}',
    b'{"type":"tomorrow","x":[1,{}]}',
)
_RELAY_BODIES = (
    b'{"type":"enter","version":"0.1","token":"t","join":"c.d.m"}',
    b'{"type":"welcome","version":"1","address":"192.0.2.1:9","ports":[4434],"tcp":443}',
    b'{"type":"publish","refuses":["wzp1abc"]}',
    b'{"type":"connected","request":"r","devices":[{"device":"d","channel":'
    b'{"send":"0123456789abcdef","receive":"fedcba9876543210"}}]}',
    b'{"type":"summoned","addresses":["192.0.2.1:9"],"ticket":"a.b.c"}',
    b'{"type":"probe_me","port":4434,"to":5,"id":"0123456789abcdef01234567"}',
    b'{"type":"turn_granted","channel":"0123456789abcdef","server":"t","username":"u",'
    b'"password":"p"}',
)
_REQUESTS = (
    b'{"type":"status"}',
    b'{"type":"detect-nat","servers":[{"name":"r:1","kind":"stun"}],"timeout_s":3.5}',
    b'{"type":"mapping-lifetime","relays":["r:1"],"silences_s":[5,10.5]}',
    b'{"type":"call","peer":"bob","sound":{"gain_in":-3.5},"duration_s":1e300}',
    b'{"type":"mute","on":null}',
)
_REPLIES = (
    b'{"type":"event","event":{"event":"hangup","reason":"r","by":"peer"}}',
    b'{"type":"result","result":{"peer":"p","name":"n","state":"talking","muted":true,'
    b'"held":false}}',
    b'{"type":"error","code":"c","message":"m","hint":null,"exit":4}',
)
_FLEET = (
    b'{"call":"0123456789abcdef","secret":"' + _SECRET.encode() + b'","caller":"wzp1a",'
    b'"addresses":["192.0.2.1:4433"]}',
    b'{"devices":["0123456789abcdef"]}',
)

SEEDS = (
    *(bytes([0, 7]) + _framed(body) for body in _PEER_BODIES),
    *(bytes([1, 250]) + _framed(body) for body in _RELAY_BODIES),
    bytes([0, 3]) + _framed(*_PEER_BODIES[:3]),
    *(bytes([2, 0]) + body for body in _REQUESTS),
    *(bytes([3, 0]) + body for body in _REPLIES),
    *(bytes([4, 0]) + body for body in _FLEET),
    bytes([5, 0])
    + b"0123456789abcdef.fedcba9876543210.00112233445566778899aabbccddeeff",
    bytes([0, 0]) + _framed(b"[" * 3000),
    *(bytes([6, 0, n]) + bytes([1, n]) * 4 for n in range(34)),
)


def one(data: bytes) -> None:
    """Take what came on one stream."""
    script = Script(data)
    family, cut = script.byte() % 7, script.byte()
    if family == 6:
        _take_composed(script)
    elif family in _FRAMED:
        _take_stream(_FRAMED[family], cut, script.rest())
    else:
        _OTHERS[family](script.rest())


_KINDS = tuple(
    (number, kind) for number, family in _FRAMED.items() for kind in family.__args__
)
_CHANNEL = {"send": "0123456789abcdef", "receive": "fedcba9876543210"}
_VALUES: tuple[Any, ...] = (
    *(0, 1, -1, 9, 70_000, 2**63, 2**64, 1.5, -0.0, 1e300, None, True, False),
    *("", "a", "x" * 64, "x" * 65, "x" * 300, "\u202e", "0123456789abcdef", "00" * 12),
    *("opus", "192.0.2.1:5000", "[::1]:9", "declined", "0123456789abcdef\n"),
    *([], ["opus"], ["x"] * 9, ["x"] * 40, [1, 65535], [0], [[]], {}, _CHANNEL),
    *([{"type": "host", "address": "192.0.2.1:5000"}], [{"type": "prflx"}]),
    *([{"device": "d", "channel": _CHANNEL}], {"pooled": True}, {"mapping": 1}),
)


def _take_composed(script: Script) -> None:
    """Take a message of a known type, each field of which has some value or none."""
    number, kind = script.pick(_KINDS)
    message = {"type": kind.__struct_config__.tag}
    for name in kind.__struct_fields__:
        if script.byte() % 4:
            message[name] = script.pick(_VALUES)
    body = msgspec.json.encode(message)
    _take_stream(_FRAMED[number], 255, _framed(body) + script.rest())


def _take_stream(family: Any, cut: int, stream: bytes) -> None:
    limit = _LIMITS[cut % 2]
    whole = _messages(family, limit, [stream])
    size = max(cut + 1, len(stream) // 8)
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert _messages(family, limit, pieces) == whole, "cuts make a difference"
    for message in whole:
        _returns(family, message)


def _messages(family: Any, limit: int, pieces: list[bytes]) -> list[Any]:
    """Return what is read, and at the end True if the rules were broken."""
    decoder = _DECODERS[id(family)]
    decoder.limit_bytes, decoder._buffer = limit, bytearray()
    read: list[Any] = []
    for piece in pieces:
        try:
            for message in decoder.feed(piece):
                read.append(message)
        except RemoteProtocolError as error:
            assert len(str(error)) < 300
            return [*read, True]
        assert len(decoder._buffer) <= limit + 4
    return read


def _returns(family: Any, message: Any) -> None:
    """What was understood can be said, and is understood as the same."""
    if isinstance(message, bool | Unknown):
        return
    try:
        said = encode(message)
    except LocalProtocolError:
        return
    assert _messages(family, MAX_MESSAGE_BYTES, [said]) == [message]


def _take_request(line: bytes) -> None:
    try:
        request = control.decode_request(line)
    except RemoteProtocolError:
        return
    if not isinstance(request, Unknown):
        assert control.decode_request(control.encode_request(request)) == request


def _take_reply(line: bytes) -> None:
    try:
        reply = control.decode_reply(line)
        if isinstance(reply, control.Told):
            event = control.decode_event(reply)
            if event is not None:
                again = control.decode_event(control.told(event))
                assert again == event
        elif isinstance(reply, control.Result):
            control.read_result(reply, control.CallSteered)
    except RemoteProtocolError:
        return


def _take_fleet(data: bytes) -> None:
    for decode in (fleet.decode_wanted, fleet.decode_found):
        try:
            decode(data)
        except RemoteProtocolError:
            continue


def _take_join(data: bytes) -> None:
    """Judge a ticket that came in `enter`: any text that JSON can hold."""
    try:
        text = msgspec.json.decode(b'"' + data + b'"', type=str)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return
    ticket = fleet.Ticket.parse(text)
    if ticket is not None:
        assert not ticket.is_genuine(_SECRET)
        issued = fleet.Ticket.issue(ticket.call, ticket.device, _SECRET)
        assert issued.is_genuine(_SECRET)


_OTHERS: dict[int, Callable[[bytes], None]] = {
    2: _take_request,
    3: _take_reply,
    4: _take_fleet,
    5: _take_join,
}
