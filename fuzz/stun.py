"""STUN off the network, ours and servers': decoded, and believed where it is keyed.

The first byte says how the rest becomes a message: as it is, or attributes put together
by us, with our key or without, so that the fuzzer gets past MESSAGE-INTEGRITY.
"""

from aioice.stun import message_fingerprint, message_integrity

from fuzz._script import Script
from wzp_cli.address import Address
from wzp_cli.endpoint.stun import message as stun
from wzp_cli.endpoint.stun.checks import CheckKey, CheckSession
from wzp_cli.endpoint.stun.reflector import BindingBudget
from wzp_cli.errors import RemoteProtocolError
from wzp_cli.protocol.traversal.route import DirectRoute, Route

__all__ = ["SEEDS", "one"]

_KEY = CheckKey("evtj", "VOkJxbRl1RmTxUk/WvJxBt")
_ASKED = bytes(range(12))
_PEER = Address("192.0.2.1", 32853)
_TYPES = (0x0001, 0x0101, 0x0111, 0x0011, 0x0003, 0x0103)
_ATTRIBUTES = (0x0001, 0x0006, 0x0008, 0x0009, 0x0020, 0x0025, 0x802C, 0x8028)

SEEDS = (
    bytes([0]) + stun.encode_request(_ASKED),
    bytes([0]) + stun.encode_request(_ASKED, change=stun.Change.PORT, size_bytes=60),
    bytes([0]) + stun.encode_indication(_ASKED),
    bytes([0]) + stun.encode_check(_ASKED, "evtj:h6vY", _KEY.password, nominates=True),
    bytes([0]) + stun.encode_response(_ASKED, _PEER, _KEY.password),
    bytes([0]) + stun.encode_response(_ASKED, Address("2001:db8::1", 9)),
    bytes([1, 0, 0, 1, 9]) + b"evtj:h6vY" + bytes([5, 0]),
    bytes([1, 1, 1, 4, 8, 0, 1]) + bytes.fromhex("a147e112a643"),
)


class _Carrier:
    """Keeps what a session sends."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, Route]] = []

    def carry(
        self, datagram: bytes, route: Route, own: str = "", *, ttl: int | None = None
    ) -> None:
        self.sent.append((datagram, route))

    def now(self) -> float:
        return 1.0


def one(data: bytes) -> None:
    """Take one datagram."""
    script = Script(data)
    keyed = script.byte() % 4
    datagram = _composed(script, keyed) if keyed else script.rest()
    try:
        message = stun.decode(datagram)
    except RemoteProtocolError:
        return
    assert message.kind in ("request", "response", "error", "indication")
    assert len(message.transaction_id) == 12
    for address in (message.mapped, message.other):
        assert address is None or Address.parse(str(address)) == address
    _is_answered_small(datagram)
    _is_believed_keyed_alone(datagram, message)


def _composed(script: Script, keyed: int) -> bytes:
    """Return attributes of the script's as a message; `keyed` 1: by us, rightly."""
    kind, transaction_id = script.pick(_TYPES), script.pick((_ASKED, bytes(12)))
    body = b""
    while script.goes_on:
        value = (script.pick(_ATTRIBUTES), script.chunk())
        body += value[0].to_bytes(2, "big") + len(value[1]).to_bytes(2, "big")
        body += value[1] + bytes(-len(value[1]) % 4)
    message = kind.to_bytes(2, "big") + len(body).to_bytes(2, "big")
    message += bytes.fromhex("2112a442") + transaction_id + body
    if keyed == 3:
        return message
    key = _KEY.password if keyed == 1 else "another"
    message += b"\0\x08\0\x14" + message_integrity(message, key.encode())
    message += b"\x80\x28\0\4" + message_fingerprint(message).to_bytes(4, "big")
    return message[:2] + (len(message) - 20).to_bytes(2, "big") + message[4:]


def _is_answered_small(datagram: bytes) -> None:
    """A relay's answer is at most twice as large as the request, headers and all."""
    budget = BindingBudget(0.0)
    for source, headers in ((_PEER, 28), (Address("2001:db8::1", 4433), 48)):
        if budget.allows(datagram, source, 0.0):
            answer = stun.encode_response(_ASKED, source)
            assert len(answer) + headers <= 2 * (len(datagram) + headers)


def _is_believed_keyed_alone(datagram: bytes, message: stun.BindingMessage) -> None:
    """A check is answered, and an answer counts, if it is keyed, and once."""
    carrier = _Carrier()
    session = CheckSession(carrier)
    session.local = session.remote = _KEY
    route = DirectRoute(_PEER)
    session._asked[_ASKED] = (route, 0.0)
    signed = message.is_signed_with(_KEY.password)
    session.take_request(message, route)
    assert len(carrier.sent) == signed
    for answer, to in carrier.sent:
        assert to == route
        assert len(answer) <= 2 * len(datagram)
    assert session.take_response(message, DirectRoute(Address("9.9.9.9", 9))) is False
    believed = session.take_response(message, route)
    assert believed == (signed and message.transaction_id == _ASKED)
    assert session.take_response(message, route) is False
