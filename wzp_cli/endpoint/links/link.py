"""One QUIC connection: aioquic's sans-IO core with a thin asyncio shell.

A link between peers sees one constant *virtual* peer address; which routes its packets
take is chosen here, packet by packet, so the same connection moves from relay to direct
and back. A link to a relay sees real addresses and leaves their validation to QUIC.
"""

import asyncio
import itertools
from collections.abc import Callable
from typing import NamedTuple, Protocol

from aioquic.quic import events

from wzp_cli.address import Address
from wzp_cli.defaults.endpoint import (
    FAREWELL_TIMEOUT_S,
    MAX_UNSENT_BYTES,
    MIN_DATAGRAM_PAYLOAD_BYTES,
    PEER_KEEPALIVE_S,
)
from wzp_cli.endpoint.links.ending import REASON_MAX_CHARACTERS, failure, in_words
from wzp_cli.endpoint.links.inbox import Inbox
from wzp_cli.endpoint.links.pings import UNWAITED, Pings
from wzp_cli.endpoint.links.quic import WzpQuic
from wzp_cli.errors import (
    ConnectionLost,
    IdentityError,
    LocalProtocolError,
    VersionMismatch,
)
from wzp_cli.protocol.names.identity import Identity
from wzp_cli.protocol.traversal.route import DirectRoute, Route

__all__ = ["Carrier", "Link", "Origin"]

_SIGNAL_STREAM = 0
_ERROR_REFUSED = 0x1
_ERROR_FLOOD = 0x2
_virtual_numbers = itertools.count(1)


class Origin(NamedTuple):
    """Where a datagram came from, as QUIC compares it: `own` is where it came to."""

    address: Address
    own: str


class Carrier(Protocol):
    """What a link needs of the endpoint that carries it."""

    def carry(self, datagram: bytes, route: Route, own: str = "") -> None:
        """Send one datagram along a route."""
        ...

    def claim(self, connection_id: bytes, link: "Link") -> None:
        """Bring datagrams for this connection ID to `link`."""
        ...

    def release(self, connection_id: bytes) -> None:
        """Stop doing so."""
        ...

    def moved(self, link: "Link", before: Address | None, now: Address | None) -> None:
        """Note where the other end of a link to or of a relay is; None: nowhere."""
        ...


class Link:
    """A QUIC connection on the one socket, the same for dialler and acceptor.

    Attributes:
        dialled: We opened it.
        routes: Where packets go: one route, or two while one is in doubt. Empty on an
            accepted relay link, which answers where QUIC has validated the client.
        on_address: Called with the client's address when a relay link's path changed.
        on_stray: Called with the route of an authentic packet that came another way.
        on_handshake_over: Called once: it is complete, or the link ended before.
        end_reason: Why it ended, once `ended`.
    """

    def __init__(
        self,
        quic: WzpQuic,
        carrier: Carrier,
        routes: tuple[Route, ...],
        *,
        dialled: bool,
        virtual: bool,
    ) -> None:
        self.dialled = dialled
        self.routes = routes
        self.on_address: Callable[[Address], None] | None = None
        self.on_stray: Callable[[Route], None] | None = None
        self.on_handshake_over: Callable[[Link], None] | None = None
        self.end_reason = ""
        self._end_code = 0
        self._quic = quic
        self._carrier = carrier
        self._loop = asyncio.get_running_loop()
        self._virtual = ("link", next(_virtual_numbers)) if virtual else None
        self._address: Origin | None = None
        self._place: Address | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: float | None = None
        self._keep_alive_timer: asyncio.TimerHandle | None = None
        self._identity: Identity | None = None
        self._complete = asyncio.Event()
        self._ended = asyncio.Event()
        self._inbox = Inbox()
        self._datagram_sink: Callable[[bytes], None] | None = None
        self._pings = Pings()
        self._connection_ids: set[bytes] = set()
        self.claim(quic.host_cid)

    # -- what its users call

    @property
    def identity(self) -> Identity:
        """The identity that the peer proved.

        Raises:
            LocalProtocolError: The handshake is not complete.
        """
        if self._identity is None:
            raise LocalProtocolError("identity asked for before it was proven")
        return self._identity

    @property
    def complete(self) -> bool:
        """Whether the handshake is over, or the link."""
        return self._complete.is_set()

    @property
    def ended(self) -> bool:
        """Whether the link is over."""
        return self._ended.is_set()

    @property
    def address(self) -> Address | None:
        """The client's validated address, of an accepted relay link."""
        return self._address.address if self._address else None

    @property
    def own_host(self) -> str:
        """The own address that the client talks to ("" unknown)."""
        return self._address.own if self._address else ""

    @property
    def smoothed_rtt_s(self) -> float | None:
        """QUIC's round-trip estimate in seconds, inflated by delayed ACKs."""
        return self._quic.smoothed_rtt_s

    @property
    def arrived_sent_at(self) -> float:
        """When the newest packet was sent that the peer has acknowledged."""
        return self._quic.arrived_sent_at

    @property
    def dropped_datagrams(self) -> int:
        """DATAGRAM frames dropped here because they waited too long."""
        return self._quic.dropped_datagrams

    @property
    def takes_sound(self) -> bool:
        """Whether the peer takes DATAGRAM frames as large as sound needs."""
        return self._quic.max_datagram_payload_bytes >= MIN_DATAGRAM_PAYLOAD_BYTES

    async def established(self) -> None:
        """Wait for the handshake.

        Raises:
            ConnectionLost, IdentityError, VersionMismatch: It failed.
        """
        await self._complete.wait()
        if self.ended:
            raise self.failure()

    async def wait_ended(self) -> None:
        """Wait for the end of the link, whoever ends it."""
        await self._ended.wait()

    def failure(self) -> ConnectionLost | IdentityError | VersionMismatch:
        """Return the end of the link as an error."""
        knows_peer = self._quic.peer_key is not None
        return failure(self._end_code, self.end_reason, knows_peer=knows_peer)

    def send(self, data: bytes) -> None:
        """Send `data` on the signalling stream.

        Raises:
            ConnectionLost: The link is over.
            LocalProtocolError: The dialler has not opened the stream yet.
        """
        self._demand_open()
        self._speak(data)
        self.flush()
        if self._quic.unsent_bytes(_SIGNAL_STREAM) > MAX_UNSENT_BYTES:
            self.abort("the peer does not listen", _ERROR_FLOOD)

    async def read(self) -> bytes:
        """Return what came next on the signalling stream; b"" once the link is over."""
        return await self._inbox.read()

    def send_datagram(self, payload: bytes, *beside: bytes) -> None:
        """Send `payload` unreliably, in one piece (RFC 9221).

        What is to go `beside` it goes in the same packet, where there is room.

        Raises:
            ConnectionLost: The link is over.
            LocalProtocolError: It is too large.
        """
        self._demand_open()
        for each in (*beside, payload):
            self._quic.send_datagram_frame(each)
        self.flush()

    def let_acks_wait(self, seconds: float) -> None:
        """Let acknowledgements wait for the next payload, which goes so often."""
        self._quic.let_acks_wait(seconds)

    def receive_datagrams(self, sink: Callable[[bytes], None]) -> None:
        """Bring each DATAGRAM payload to `sink`, on the loop; earlier ones are lost."""
        self._datagram_sink = sink

    def use_routes(self, routes: tuple[Route, ...]) -> None:
        """Send along these routes from now on (only of a link between peers)."""
        moved = routes[:1] != self.routes[:1]
        self.routes = routes
        if moved:
            self._quic.route_changed()

    def poke(self) -> None:
        """Send a keep-alive now, and wait for nothing."""
        if not self.ended:
            self._quic.send_ping(UNWAITED)
            self.flush()

    async def ping(self, timeout_s: float) -> bool:
        """Whether the peer acknowledges, within `timeout_s`."""
        if self.ended:
            return False
        with self._pings.new() as (number, answer):
            self._quic.send_ping(number)
            self.flush()
            try:
                async with asyncio.timeout(timeout_s):
                    await answer
            except TimeoutError:
                return False
        return not self.ended

    async def close(self, reason: str = "", last_words: bytes = b"") -> None:
        """Say `last_words`, see all acknowledged if that is quick, and close."""
        try:
            if not self.ended and self.complete:
                if last_words:
                    self._speak(last_words)
                await self._acknowledged(FAREWELL_TIMEOUT_S)
        finally:
            self.abort(reason)

    def abort(self, reason: str = "", code: int = 0) -> None:
        """Close at once: one CONNECTION_CLOSE, and the link is forgotten."""
        if self.ended:
            return
        reason = reason[:REASON_MAX_CHARACTERS]
        self._quic.close(error_code=code, reason_phrase=reason)
        self._end(code, reason)  # first: what is still queued must not end it again
        self.flush()

    def refuse(self, reason: str) -> None:
        """Close a link whose peer broke a rule."""
        self.abort(reason, _ERROR_REFUSED)

    # -- what the endpoint calls

    def start(self, to: Address) -> None:
        """Send the first flight (dialler only)."""
        if self._virtual is None:
            self._be_at(to)
        address = self._virtual or Origin(to, "")
        self._quic.connect(address, now=self._loop.time())
        self.flush()

    def receive(self, datagram: bytes, route: Route, own: str) -> None:
        """Take one datagram whose connection ID is ours."""
        if self._virtual is None:
            if not isinstance(route, DirectRoute):
                return
            # The dialler knows its relay by address alone: no `own` on that side.
            own = "" if self.dialled else own
            source: object = Origin(route.address, own)
        elif not self._complete.is_set() and route not in self.routes:
            return  # until the peer is known, only its first route is listened to
        else:
            source = self._virtual
        before = self._quic.authentic_packets
        try:
            self._quic.receive_datagram(datagram, source, now=self._loop.time())
        except IndexError:
            # aioquic 1.7.2, NEW_CONNECTION_ID: it retires every connection ID of the
            # peer's that we have, the one that came with it included.
            self.refuse("no connection ID left")
            return
        authentic = self._quic.authentic_packets > before
        if self._virtual and self._quic.owes_nothing:
            self._drain_events()
            self._set_timer()
        else:
            self._settle()
        if authentic and self._virtual and route not in self.routes and self.on_stray:
            self.on_stray(route)

    def claim(self, connection_id: bytes) -> None:
        """Have datagrams for this connection ID brought here until the link ends."""
        self._connection_ids.add(connection_id)
        self._carrier.claim(connection_id, self)

    def flush(self) -> None:
        """Send what the core wants sent, and set its timer."""
        if not self._quic.is_started:
            return
        for datagram, address in self._quic.datagrams_to_send(now=self._loop.time()):
            if self.routes:
                for route in self.routes:
                    self._carrier.carry(datagram, route)
            else:
                to, own = address
                self._carrier.carry(datagram, DirectRoute(to), own)
        # Writing NEW_CONNECTION_ID queues an event: look again after sending.
        self._drain_events()
        self._set_timer()

    # -- inside

    async def _acknowledged(self, timeout_s: float) -> None:
        """Wait, at most `timeout_s`, until the peer has all that was said."""
        deadline = self._loop.time() + timeout_s
        while await self.ping(deadline - self._loop.time()):
            # The ping may have come through where the words were lost.
            if not self._quic.unsent_bytes(_SIGNAL_STREAM):
                return

    def _demand_open(self) -> None:
        if self.ended:
            raise ConnectionLost(self.end_reason)
        if not self.complete:
            raise LocalProtocolError("nothing may be said before the peer is known")

    def _speak(self, data: bytes) -> None:
        try:
            self._quic.send_stream_data(_SIGNAL_STREAM, data)
        except ValueError as error:
            raise LocalProtocolError(str(error)) from error

    def _settle(self) -> None:
        self._drain_events()
        self.flush()
        self._note_address()
        if (end := self._quic.termination) is not None:
            self._end(end.error_code, end.reason_phrase)

    def _set_timer(self) -> None:
        due = None if self.ended else self._quic.get_timer()
        if due == self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = due
        self._timer = None if due is None else self._loop.call_at(due, self._on_timer)

    def _on_timer(self) -> None:
        due, self._timer, self._timer_at = self._timer_at, None, None
        # The loop may wake a clock tick early; the core must see its own time.
        self._quic.handle_timer(now=max(due or 0.0, self._loop.time()))
        self._settle()

    def _note_address(self) -> None:
        if self._virtual is not None or self.dialled or self.ended:
            return
        address = self._quic.validated_address
        if address is None or address == self._address:
            return
        self._address = address
        self._be_at(address.address)
        if self.on_address is not None:
            self.on_address(address.address)

    def _be_at(self, place: Address | None) -> None:
        before, self._place = self._place, place
        if place != before:
            self._carrier.moved(self, before, place)

    def _drain_events(self) -> None:
        while (event := self._quic.next_event()) is not None:
            if not self.ended:
                self._on_event(event)

    def _on_event(self, event: events.QuicEvent) -> None:
        match event:
            case events.DatagramFrameReceived():
                if self._datagram_sink is not None and self._complete.is_set():
                    self._datagram_sink(event.data)
            case events.StreamDataReceived():
                self._on_stream_data(event)
            case events.StreamReset() | events.StopSendingReceived():
                self.refuse("the signalling stream was cut off")
            case events.ConnectionIdIssued():
                self.claim(event.connection_id)
            case events.ConnectionIdRetired():
                self._release(event.connection_id)
            case events.PingAcknowledged():
                self._pings.acknowledged(event.uid)
            case events.HandshakeCompleted():
                self._on_handshake_completed()
            case events.ConnectionTerminated():
                self._end(event.error_code, event.reason_phrase)

    def _on_handshake_completed(self) -> None:
        if self._quic.peer_key is not None:
            self._identity = Identity(self._quic.peer_key)
        self._note_address()
        if self._virtual is not None:
            self._keep_alive_later()
        self._set_handshake_over()

    def _set_handshake_over(self) -> None:
        if not self._complete.is_set():
            self._complete.set()
            if self.on_handshake_over is not None:
                self.on_handshake_over(self)

    def _keep_alive_later(self) -> None:
        self._keep_alive_timer = self._loop.call_later(
            PEER_KEEPALIVE_S, self._keep_alive
        )

    def _keep_alive(self) -> None:
        """Between ringing and answer nothing else may flow for a long time."""
        self.poke()
        self._keep_alive_later()

    def _on_stream_data(self, event: events.StreamDataReceived) -> None:
        if event.stream_id != _SIGNAL_STREAM or not self._inbox.put(event.data):
            self.abort("too much, or not on the signalling stream", _ERROR_FLOOD)
        if event.end_stream:
            self.refuse("the signalling stream was cut off")

    def _end(self, code: int, reason: str) -> None:
        if self.ended:
            return
        self._end_code = code
        self.end_reason = in_words(reason)
        self._ended.set()
        self._set_handshake_over()
        self._inbox.end()
        self._pings.end()
        for connection_id in list(self._connection_ids):
            self._release(connection_id)
        self._be_at(None)
        if self._keep_alive_timer is not None:
            self._keep_alive_timer.cancel()
        self._set_timer()

    def _release(self, connection_id: bytes) -> None:
        self._connection_ids.discard(connection_id)
        self._carrier.release(connection_id)
