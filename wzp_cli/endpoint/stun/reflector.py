"""A relay's extra ports: they answer STUN, and never carry a call.

From one address, several ports show port dependence and allocation; and a packet from a
port that the client never wrote to shows how its NAT filters.
"""

import asyncio

from wzp_cli.address import Address
from wzp_cli.defaults.endpoint import STUN_ANSWERS_PER_S
from wzp_cli.endpoint.sockets.udp import open_udp_wire
from wzp_cli.endpoint.sockets.wire import Wire
from wzp_cli.endpoint.stun import message as stun
from wzp_cli.errors import RemoteProtocolError
from wzp_cli.protocol.buckets import TokenBucket
from wzp_cli.protocol.demux import DatagramKind, kind_of

__all__ = ["BindingBudget", "Reflector", "open_reflector"]

_LARGEST_ANSWER_V4_BYTES = 32
_LARGEST_ANSWER_V6_BYTES = 44
_HEADERS_V4_BYTES = 28
_HEADERS_V6_BYTES = 48
_MAX_AMPLIFICATION = 2


class BindingBudget:
    """How many plain Binding requests a relay's port answers, and which.

    An answer with its IP and UDP headers is at most twice as large as the request.
    """

    def __init__(self, now: float) -> None:
        self._bucket = TokenBucket(STUN_ANSWERS_PER_S, STUN_ANSWERS_PER_S, now)

    def allows(self, request: bytes, source: Address, now: float) -> bool:
        """Whether to answer `request`."""
        headers = _HEADERS_V6_BYTES if source.is_v6 else _HEADERS_V4_BYTES
        answer = _LARGEST_ANSWER_V6_BYTES if source.is_v6 else _LARGEST_ANSWER_V4_BYTES
        if answer + headers > _MAX_AMPLIFICATION * (len(request) + headers):
            return False
        return self._bucket.take(1, now)


class Reflector:
    """One extra port."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._loop = asyncio.get_running_loop()
        self._budget = BindingBudget(self._loop.time())
        wire.start(self._on_datagram)

    @property
    def port(self) -> int:
        """The port."""
        return self._wire.local.port

    def probe(self, client: Address, own: str, transaction_id: bytes = b"") -> None:
        """Send one Binding indication, from the own address that the client uses."""
        self._wire.send(stun.encode_indication(transaction_id), client, source=own)

    def close(self) -> None:
        """Release the port."""
        self._wire.close()

    def _on_datagram(self, datagram: bytes, source: Address, own: str) -> None:
        if kind_of(datagram) is not DatagramKind.STUN:
            return
        try:
            message = stun.decode(datagram)
        except RemoteProtocolError:
            return
        if message.kind == "request" and self._budget.allows(
            datagram, source, self._loop.time()
        ):
            answer = stun.encode_response(message.transaction_id, source)
            self._wire.send(answer, source, source=own)


def open_reflector(port: int, host: str = "") -> Reflector:
    """Bind an extra port.

    Raises:
        OSError: It is in use, or may not be bound.
    """
    return Reflector(open_udp_wire(port, host=host, multihomed=True))
