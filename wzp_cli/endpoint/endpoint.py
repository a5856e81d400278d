"""The one UDP socket.

Everything that wzp sends or receives passes here: QUIC that we dial and QUIC that we
accept, STUN that we ask and STUN that we answer, and frames through a relay's channels.
That is why the reflexive address printed by `wzp detect-nat` is the address where
`wzp listen` can be called. Arriving datagrams are told apart by their first byte
(protocol/demux.py) and, for QUIC, by connection ID.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from wzp_cli.address import Address, HostPort
from wzp_cli.defaults.endpoint import (
    CALL_IDLE_TIMEOUT_S,
    CONNECTION_ID_BYTES,
    LINK_IDLE_TIMEOUT_S,
    QUIC_MIN_INITIAL_BYTES,
)
from wzp_cli.endpoint.links.accepting import Accepting, Channel
from wzp_cli.endpoint.links.admission import Strangers
from wzp_cli.endpoint.links.dialling import dial
from wzp_cli.endpoint.links.link import Link
from wzp_cli.endpoint.links.quic import KeyJudge, WzpQuic
from wzp_cli.endpoint.links.tls import PEER_ALPN, RELAY_ALPN, Credentials
from wzp_cli.endpoint.names import resolve
from wzp_cli.endpoint.sockets.spares import Spares
from wzp_cli.endpoint.sockets.wire import ErrorSink, Losses, Wire
from wzp_cli.endpoint.srv import LookUpSrv
from wzp_cli.endpoint.stun import message as stun
from wzp_cli.endpoint.stun.checks import CheckSession
from wzp_cli.endpoint.stun.hops import Walker, trace
from wzp_cli.endpoint.stun.transactions import StunSink, Transactions
from wzp_cli.endpoint.stun.turn import Allocations, DialTurn
from wzp_cli.endpoint.tunnels import DialTunnel, Tunnels
from wzp_cli.errors import RemoteProtocolError
from wzp_cli.protocol.demux import DatagramKind, encode_frame, kind_of, split_frame
from wzp_cli.protocol.names.identity import Identity, Keypair, is_acceptable_key
from wzp_cli.protocol.nat import Reflection
from wzp_cli.protocol.traversal.route import ChannelRoute, DirectRoute, Route, TurnRoute
from wzp_cli.protocol.traversal.spray import SprayBudget

__all__ = ["Endpoint", "Forward"]

Forward = Callable[[bytes, Address], tuple[bytes, Address] | None]
"""A relay's data plane: a frame and its source in, a frame and its target out."""

AnswerBinding = Callable[[bytes, Address], bool]
"""Whether to answer a plain Binding request (its bytes, its source)."""


class Endpoint:
    """One bound UDP port that dials, accepts, reflects and carries.

    Attributes:
        forward: Set by a relay: where frames go. Clients unwrap them instead.
        spray: What may still be sent to hosts that are silent.
        own_hosts: Kept by a relay: the own address that each client talks to, and
            that its frames therefore have to come from.
        answer_binding: Set by a relay: whether a plain Binding request is answered.
        tunnels: WebSockets that carry datagrams where UDP is blocked.
        turn: Our allocations at TURN servers.
    """

    def __init__(
        self,
        wire: Wire,
        keypair: Keypair,
        open_spare: Callable[[], Wire] | None = None,
        dial_tunnel: DialTunnel | None = None,
        look_up_srv: LookUpSrv | None = None,
        dial_turn: DialTurn | None = None,
    ) -> None:
        """Take the one socket, who we are, what opens spare sockets and WebSockets.

        And what asks DNS for SRV records, and connects to TURN servers by TCP; None:
        nothing does.
        """
        self.identity = keypair.identity
        self.spray = SprayBudget()
        self.forward: Forward | None = None
        self.own_hosts: dict[Address, str] = {}
        self.answer_binding: AnswerBinding | None = None
        self._look_up_srv = look_up_srv
        self._wire = wire
        self._loop = asyncio.get_running_loop()
        self._credentials = Credentials(keypair.private_key)
        self._accepting = Accepting(self, self._credentials, self._judge(None))
        self._links: dict[bytes, Link] = {}
        self._channels: dict[bytes, Channel] = {}
        self._checks: dict[str, CheckSession] = {}
        self._transactions = Transactions(self.carry)
        self._walker = Walker(wire)
        self._spares = Spares(open_spare, self._on_spare_datagram)
        self.tunnels = Tunnels(dial_tunnel, self._on_datagram)
        self.turn = Allocations(
            *(self._send, self._on_relayed), self.tunnels, dial_turn
        )
        wire.start(self._on_datagram)

    @property
    def local(self) -> Address:
        """The address that the socket is bound to."""
        return self._wire.local

    @property
    def losses(self) -> Losses:
        """Datagrams that this machine has lost, before us or behind us."""
        return self._wire.losses

    @property
    def handshakes(self) -> Counter[str]:
        """What became of Initials and handshakes that others began, by name."""
        return self._accepting.admission.counts

    @property
    def half_open(self) -> int:
        """How many handshakes that others began are under way."""
        return self._accepting.admission.half_open

    def now(self) -> float:
        """The loop's time in seconds."""
        return self._loop.time()

    async def resolve(self, server: HostPort) -> list[Address]:
        """Return the addresses of a server that this socket can reach, best first.

        Raises:
            NameNotFound: It has none.
        """
        return await resolve(server, v6=self._wire.local.is_v6)

    async def look_up_srv(self, records: str) -> list[HostPort]:
        """Return what the SRV records of this name lead to, in the order to try it."""
        return [] if self._look_up_srv is None else await self._look_up_srv(records)

    # -- links

    async def dial_relay(self, relay: Address, expect: Identity | None) -> Link:
        """Open a link to a relay; `expect` None takes whatever key it shows.

        Raises:
            ConnectionLost: No answer, or an end before the handshake was over.
            IdentityError: It showed another key than `expect`, or refused ours.
            VersionMismatch: No common version.
        """
        return await self._dial(
            DirectRoute(relay), RELAY_ALPN, expect, LINK_IDLE_TIMEOUT_S, virtual=False
        )

    async def dial_peer(self, route: Route, expect: Identity | None) -> Link:
        """Open an end-to-end link to a peer, first along `route`. Raises as above."""
        return await self._dial(
            route, PEER_ALPN, expect, CALL_IDLE_TIMEOUT_S, virtual=True
        )

    async def _dial(
        self,
        route: Route,
        alpn: str,
        expect: Identity | None,
        idle_timeout_s: float,
        *,
        virtual: bool,
    ) -> Link:
        configuration = self._credentials.dialler(alpn, idle_timeout_s)
        quic = WzpQuic(configuration, self._judge(expect))
        return await dial(quic, self, route, virtual=virtual)

    def _judge(self, expect: Identity | None) -> KeyJudge:
        own = self.identity.key

        def judge(key: bytes) -> bool:
            if expect is not None:
                return key == expect.key
            return key != own and is_acceptable_key(key)

        return judge

    def accept_peers(self, strangers: Strangers) -> None:
        """From now on, admit peers through announced channels, and strangers so."""
        self._accepting.expect_peers(strangers)

    def accept_relay_clients(self) -> None:
        """From now on, admit the clients of a relay."""
        self._accepting.expect_relay_clients()

    async def accept(self) -> Link:
        """Return the next link that somebody dialled to us, its handshake complete."""
        return await self._accepting.next()

    # -- channels

    def open_channel(self, route: ChannelRoute, *, admits: bool) -> None:
        """Take frames of this channel; `admits`: one peer may dial us through it."""
        self._channels[route.receive_id] = Channel(route, admits)

    def close_channel(self, route: ChannelRoute) -> None:
        """Drop frames of this channel from now on."""
        self._channels.pop(route.receive_id, None)

    # -- STUN

    async def reflect(self, server: Address, *, spare: int = 0) -> Reflection:
        """Ask a server for the address that it sees the one socket (or a spare) at.

        Raises:
            TimeoutError: No answer to any of the requests (STUN_TRIES_S).
        """
        return await self._transactions.reflect(DirectRoute(server, spare))

    def expecting(
        self, transaction_id: bytes, sink: StunSink
    ) -> AbstractContextManager[None]:
        """Bring what comes with a transaction id of ours to `sink`, while entered."""
        return self._transactions.expecting(transaction_id, sink)

    async def trace(self, toward: Address) -> list[str | None]:
        """Learn the routers on the way to a server by spare sockets, all at once.

        Returns:
            As `walk`, up to the last one that is heard.
        """
        return await trace(self._spares, toward)

    async def walk(self, toward: Address) -> list[str | None]:
        """Learn the routers on the way to a server, up to the first public one.

        One small datagram for each hop leaves the one socket, along the mapping that
        the server's link holds open.

        Returns:
            The routers' hosts, nearest first, None for a silent one; empty where the
            system does not tell.
        """
        return await self._walker.walk(toward)

    def open_checks(self) -> CheckSession:
        """Return a new session of keyed checks; `close_checks` ends it."""
        session = CheckSession(self)
        self._checks[session.local.ufrag] = session
        return session

    def close_checks(self, session: CheckSession) -> None:
        """Answer no more checks of this session."""
        self._checks.pop(session.local.ufrag, None)

    # -- spare sockets

    def open_spares(self, count: int) -> list[int]:
        """Open `count` more sockets, or as many as there may be; return their numbers.

        A route names one by its number; `close_spares` closes it.
        """
        return self._spares.open(count)

    def close_spares(self, numbers: Iterable[int]) -> None:
        """Close these spare sockets."""
        self._spares.close(numbers)

    def spare_port(self, number: int) -> int | None:
        """Return the local port of a spare; None: it is closed."""
        return self._spares.port(number)

    def watch_spare(self, number: int, sink: ErrorSink) -> bool:
        """Tell `sink` what becomes of a spare's datagrams; whether the system does."""
        return self._spares.watch_errors(number, sink)

    @property
    def spares(self) -> int:
        """How many spare sockets are open."""
        return len(self._spares)

    # -- what links and checks call

    def carry(
        self,
        datagram: bytes,
        route: Route,
        own: str = "",
        *,
        ttl: int | None = None,
        whole: bool = False,
    ) -> None:
        """Send one datagram along a route; `own`, `ttl`, `whole` are for direct ones.

        See `Wire.send`.
        """
        if isinstance(route, ChannelRoute):
            self._send(encode_frame(route.send_id, datagram), route.relay)
        elif isinstance(route, TurnRoute):
            self.turn.carry(datagram, route)
        elif route.spare:
            self._spares.send(route.spare, datagram, route.address, ttl, whole=whole)
        else:
            self._send(datagram, route.address, own, ttl, whole=whole)

    def _send(
        self,
        datagram: bytes,
        to: Address,
        own: str = "",
        ttl: int | None = None,
        *,
        whole: bool = False,
    ) -> None:
        if to.tunnel:
            self.tunnels.send(datagram, to)
        else:
            self._wire.send(datagram, to, ttl=ttl, source=own, whole=whole)

    def claim(self, connection_id: bytes, link: Link) -> None:
        """Bring datagrams for this connection ID to `link`."""
        self._links[connection_id] = link

    def release(self, connection_id: bytes) -> None:
        """Stop doing so."""
        self._links.pop(connection_id, None)

    def moved(self, link: Link, before: Address | None, now: Address | None) -> None:
        """Note which links go through which WebSocket."""
        self.tunnels.moved(link, before, now)

    @property
    def links(self) -> set[Link]:
        """Every link that is not over."""
        return set(self._links.values())

    def close(self) -> None:
        """Close every link, then the port."""
        for link in self.links:
            link.abort("shutting down")
        self._spares.close_all()
        self.tunnels.close_all()
        self._wire.close()

    # -- what arrives: routed here, understood elsewhere

    def _on_datagram(self, datagram: bytes, source: Address, own: str) -> None:
        if self.turn and self.turn.take(datagram, source):
            return
        if kind_of(datagram) is DatagramKind.RELAYED:
            self._on_frame(datagram, source)
        else:
            self._on_bare(datagram, DirectRoute(source), own)

    def _on_spare_datagram(self, datagram: bytes, source: Address, spare: int) -> None:
        self._on_bare(datagram, DirectRoute(source, spare), "")

    def pass_on(self, frame: bytes, source: Address) -> None:
        """Send a frame where `forward` says (a relay's)."""
        forwarded = self.forward(frame, source) if self.forward is not None else None
        if forwarded is not None:
            out, to = forwarded
            self._send(out, to, self.own_hosts.get(to, ""))

    def _on_frame(self, frame: bytes, source: Address) -> None:
        if self.forward is not None:
            self.pass_on(frame, source)
            return
        parts = split_frame(frame)
        channel = self._channels.get(parts[0]) if parts else None
        if parts and channel is not None and channel.route.relay == source:
            self._on_bare(parts[1], channel.route, "")

    def _on_relayed(self, datagram: bytes, route: TurnRoute) -> None:
        self._on_bare(datagram, route, "")

    def _on_bare(self, datagram: bytes, route: Route, own: str) -> None:
        match kind_of(datagram):
            case DatagramKind.STUN:
                self._on_stun(datagram, route, own)
            case DatagramKind.QUIC | DatagramKind.TURN_CHANNEL:
                self._on_quic(datagram, route, own)

    def _on_stun(self, datagram: bytes, route: Route, own: str) -> None:
        try:
            message = stun.decode(datagram)
        except RemoteProtocolError:
            return
        match message.kind:
            case "request" if message.username:
                session = self._checks.get(message.username.partition(":")[0])
                if session is not None:
                    session.take_request(message, route)
            case "request" if isinstance(route, DirectRoute):
                self._answer_binding(message, datagram, route, own)
            case "response" if not self._transactions.take(message, route):
                any(c.take_response(message, route) for c in self._checks.values())
            case "indication":
                self._transactions.take(message, route)

    def _answer_binding(
        self,
        message: stun.BindingMessage,
        datagram: bytes,
        route: DirectRoute,
        own: str,
    ) -> None:
        if self.answer_binding is None or route.spare:
            return
        if self.answer_binding(datagram, route.address):
            answer = stun.encode_response(message.transaction_id, route.address)
            self._send(answer, route.address, own)

    def _on_quic(self, datagram: bytes, route: Route, own: str) -> None:
        if datagram[0] & 0x80:
            length = datagram[5] if len(datagram) > 5 else 0
            link = self._links.get(datagram[6 : 6 + length])
        else:
            link = self._links.get(datagram[1 : 1 + CONNECTION_ID_BYTES])
        if link is not None:
            if self._accepting.admission.takes(link):
                link.receive(datagram, route, own)
        elif datagram[0] & 0x80 and len(datagram) >= QUIC_MIN_INITIAL_BYTES:
            channel = None
            if isinstance(route, ChannelRoute):
                channel = self._channels.get(route.receive_id)
            self._accepting.take(datagram, route, own, channel)
