"""A TURN server on the network in memory: honest, or as bad as the test wants.

It speaks with aioice's codec, judges passwords as coturn's `use-auth-secret` does, and
relays UDP through channels. (The real coturn: tests/netlab/test_turn.py.)
"""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from aioice.stun import Class, Message, Method, parse_message
from aioice.turn import make_integrity_key

from tests.support.fakenet import FakeWire, Host
from wzp_cli.address import Address
from wzp_cli.endpoint.tunnels import TakeDatagram, TunnelEnd
from wzp_cli.errors import TurnUnavailable
from wzp_cli.protocol.turn import (
    TurnGrant,
    encode_channel_data,
    issue_grant,
    split_channel_data,
)
from wzp_cli.relay.turn import TurnService

__all__ = ["SECRET", "TURN_HOST", "MemoryTurn", "unix_now"]

TURN_HOST: Final = "20.0.0.9"
SECRET: Final = "sesame"
_PORT = 3478
_REALM = "turn.example"
_DELAY_S = 0.010


def unix_now() -> float:
    """The world's time of day."""
    return 1_700_000_000 + asyncio.get_running_loop().time()


@dataclass
class _Allocation:
    wire: FakeWire
    username: str
    peers: dict[int, Address] = field(default_factory=dict)


class _Stream:
    """A client's end of a TCP connection; fits `TunnelEnd`."""

    def __init__(
        self, server: "MemoryTurn", client: Address, sink: TakeDatagram
    ) -> None:
        self.on_end: Callable[[], None] = lambda: None
        self.dropped = 0
        self.sink = sink
        self._server, self._client, self._over = server, client, False

    def send(self, datagram: bytes) -> None:
        if not self._over:
            loop = asyncio.get_running_loop()
            loop.call_later(_DELAY_S, self._server._take, datagram, self._client, "")

    def close(self) -> None:
        if not self._over:
            self._over = True
            self._server.forget(self._client)
            self.on_end()


class MemoryTurn:
    """One server.

    Attributes:
        asked: Methods of the authentic requests, in order.
        users: Names that were used.
        silent: It answers nothing any more.
        lies: Attributes put into each answer that grants something; None takes one out.
        refuses: Methods refused with this code.
        streams_at: The addresses where it takes TCP.
        dialled: Who was dialled by TCP: address, name, whether TLS was meant.
    """

    def __init__(self, machine: Host, secret: str = SECRET) -> None:
        self.at = Address(TURN_HOST, _PORT)
        self.asked: list[Method] = []
        self.users: set[str] = set()
        self.silent = False
        self.lies: dict[str, Any] = {}
        self.refuses: dict[Method, int] = {}
        self.streams_at: set[Address] = set()
        self.nonce = b"first"
        self._secret = secret
        self._machine = machine
        self._allocations: dict[Address, _Allocation] = {}
        self._numbers = itertools.count(1)
        self._free_at: dict[Address, float] = {}
        self._streams: dict[Address, _Stream] = {}
        self.dialled: list[tuple[Address, str, bool]] = []
        self._wire = machine.wire(_PORT)
        self._wire.start(self._take)

    def __len__(self) -> int:
        """Count the allocations."""
        return len(self._allocations)

    @property
    def service(self) -> TurnService:
        """What a relay is told of it."""
        return TurnService(TURN_HOST, SECRET, unix_now)

    def grant(self, secret: str = SECRET, good_for_s: float = 600.0) -> TurnGrant:
        """Return what a relay would hand out."""
        return issue_grant(TURN_HOST, secret, "name", unix_now() + good_for_s)

    def say(self, *datagrams: bytes) -> None:
        """Send these to every client."""
        for client in self._allocations:
            for datagram in datagrams:
                self._send(datagram, client)

    async def dial(
        self, server: Address, name: str, tls: bool, sink: TakeDatagram
    ) -> TunnelEnd:
        """Take a connection by TCP; fits `DialTurn`."""
        self.dialled.append((server._replace(tunnel=0), name, tls))
        if server._replace(tunnel=0) not in self.streams_at:
            await asyncio.sleep(_DELAY_S)
            raise TurnUnavailable(f"{server}: Connection refused")
        client = Address("20.99.0.1", server.tunnel, tunnel=next(self._numbers))
        stream = self._streams[client] = _Stream(self, client, sink)
        return stream

    def cut(self) -> None:
        """Cut all TCP connections."""
        for stream in list(self._streams.values()):
            stream.close()

    def forget(self, client: Address) -> None:
        """Note that a TCP connection is over, and with it its allocation."""
        self._streams.pop(client, None)
        allocation = self._allocations.pop(client, None)
        if allocation is not None:
            allocation.wire.close()

    def _send(self, datagram: bytes, client: Address) -> None:
        if client in self._streams:
            stream = self._streams[client]
            asyncio.get_running_loop().call_later(_DELAY_S, stream.sink, datagram)
        elif not client.is_tcp:
            self._wire.send(datagram, client)

    def restart(self) -> None:
        """Forget every client."""
        for allocation in self._allocations.values():
            allocation.wire.close()
        self._allocations.clear()

    def _take(self, datagram: bytes, client: Address, own: str) -> None:
        if self.silent:
            return
        if datagram[0] >= 64:
            self._relay(datagram, client)
            return
        message = parse_message(datagram)
        if message.message_class is Class.REQUEST:
            self._answer(message, client)

    def _relay(self, data: bytes, client: Address) -> None:
        allocation, parts = self._allocations.get(client), split_channel_data(data)
        if allocation and parts and parts[0] in allocation.peers:
            allocation.wire.send(parts[1], allocation.peers[parts[0]])

    def _answer(self, request: Message, client: Address) -> None:
        answer = Message(request.message_method, Class.ERROR, request.transaction_id)
        username = request.attributes.get("USERNAME", "")
        grant = self._expected(username, client)
        key = make_integrity_key(username, _REALM, grant.password) if grant else b""
        if not request.check_message_integrity(key):
            self._deny(answer, 401, "Unauthorized")
        elif request.attributes["NONCE"] != self.nonce:
            self._deny(answer, 438, "Stale nonce")
        elif (code := self._why_not(request.message_method, client)) is not None:
            answer.attributes["ERROR-CODE"] = (code, "No\x1b[2J\nway")
            answer.add_message_integrity(key)
        else:
            self.asked.append(request.message_method)
            self.users.add(username)
            answer = self._grant(request, client, username)
            answer.add_message_integrity(key)
        self._send(bytes(answer), client)

    def _why_not(self, method: Method, client: Address) -> int | None:
        """An allocation that was given back stands for another second, as coturn's."""
        now_s = asyncio.get_running_loop().time()
        is_there = client in self._allocations
        if method is Method.ALLOCATE:
            is_free = not is_there and now_s >= self._free_at.get(client, 0.0)
            return self.refuses.get(method, None if is_free else 437)
        return self.refuses.get(method, None if is_there else 437)

    def _expected(self, username: str, client: Address) -> TurnGrant | None:
        """Whoever was let in may stay, as at coturn."""
        until, _, name = username.partition(":")
        known = self._allocations.get(client)
        is_known = known is not None and known.username == username
        if not until.isdigit() or (int(until) < unix_now() and not is_known):
            return None
        return issue_grant(TURN_HOST, self._secret, name, int(until))

    def _deny(self, answer: Message, code: int, reason: str) -> None:
        answer.attributes["ERROR-CODE"] = (code, reason)
        answer.attributes["REALM"] = _REALM
        answer.attributes["NONCE"] = self.nonce

    def _grant(self, request: Message, client: Address, username: str) -> Message:
        answer = Message(request.message_method, Class.RESPONSE, request.transaction_id)
        given: dict[str, Any] = {}
        match request.message_method:
            case Method.ALLOCATE:
                relayed = self._allocate(client, username)
                given["XOR-RELAYED-ADDRESS"] = (relayed.host, relayed.port)
                given["XOR-MAPPED-ADDRESS"] = (client.host, client.port)
                given["LIFETIME"] = 600
            case Method.REFRESH if request.attributes["LIFETIME"] == 0:
                self._allocations.pop(client).wire.close()
                self._free_at[client] = asyncio.get_running_loop().time() + 1
                given["LIFETIME"] = 0
            case Method.REFRESH:
                given["LIFETIME"] = 600
            case Method.CHANNEL_BIND:
                peer = Address(*request.attributes["XOR-PEER-ADDRESS"])
                number = request.attributes["CHANNEL-NUMBER"]
                self._allocations[client].peers[number] = peer
        given |= self.lies
        answer.attributes.update({k: v for k, v in given.items() if v is not None})
        return answer

    def _allocate(self, client: Address, username: str) -> Address:
        wire = self._machine.wire()
        self._allocations[client] = _Allocation(wire, username)
        wire.start(self._back(client))
        return Address(TURN_HOST, wire.local.port)

    def _back(self, client: Address) -> Callable[[bytes, Address, str], None]:
        def take(datagram: bytes, source: Address, own: str) -> None:
            allocation = self._allocations[client]
            for number, peer in allocation.peers.items():
                if peer == source and not self.silent:
                    self._send(encode_channel_data(number, datagram), client)

        return take
