"""Links that others dial to us: from their Initial to the end of the handshake."""

import asyncio
from dataclasses import dataclass

from aioquic.buffer import Buffer
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.packet import QuicHeader, QuicPacketType, pull_quic_header

from wzp_cli.defaults.endpoint import (
    CONNECTION_ID_BYTES,
    HANDSHAKE_TIMEOUT_S,
    QUIC_MIN_INITIAL_DCID_BYTES,
)
from wzp_cli.endpoint.links.admission import Admission, Admitted, Retry, Strangers
from wzp_cli.endpoint.links.link import Carrier, Link
from wzp_cli.endpoint.links.quic import KeyJudge, WzpQuic
from wzp_cli.endpoint.links.tls import PEER_ALPN, RELAY_ALPN, Credentials
from wzp_cli.protocol.traversal.route import ChannelRoute, DirectRoute, Route, TurnRoute

__all__ = ["Accepting", "Channel"]


@dataclass(slots=True)
class Channel:
    """A channel that frames are taken of; `admits`: one peer may dial us through it."""

    route: ChannelRoute
    admits: bool


class Accepting:
    """Admits Initials, and hands links over once their handshake is complete.

    Attributes:
        admission: Judges Initials and counts half-open links.
    """

    def __init__(
        self, carrier: Carrier, credentials: Credentials, judge: KeyJudge
    ) -> None:
        """Take what carries the links, who we are, and what judges the others' keys."""
        self._carrier, self._credentials, self._judge = carrier, credentials, judge
        self._loop = asyncio.get_running_loop()
        self._acceptor: QuicConfiguration | None = None
        self._takes_relay_clients = False
        self.admission = Admission(self._loop.time())
        self._accepted: asyncio.Queue[Link] = asyncio.Queue()
        self._deadlines: dict[Link, asyncio.TimerHandle] = {}

    def expect_peers(self, strangers: Strangers) -> None:
        """From now on, admit peers through announced channels, and strangers so."""
        self._acceptor = self._credentials.acceptor(PEER_ALPN)
        self.admission.strangers = strangers

    def expect_relay_clients(self) -> None:
        """From now on, admit the clients of a relay."""
        self._acceptor = self._credentials.acceptor(RELAY_ALPN)
        self._takes_relay_clients = True
        self.admission.expect_relay_clients(self._loop.time())

    async def next(self) -> Link:
        """Return the next link that somebody dialled to us, its handshake complete."""
        return await self._accepted.get()

    def take(
        self, datagram: bytes, route: Route, own: str, channel: Channel | None
    ) -> None:
        """Take a datagram of no link that we know; `channel`: what it came through."""
        spare = isinstance(route, DirectRoute) and route.spare
        if self._acceptor is None or spare or isinstance(route, TurnRoute):
            return
        header = _initial_header(datagram, self._acceptor)
        if header is None:
            return
        match self._verdict(route, channel, header):
            case Retry(datagram=retry):
                self._carrier.carry(retry, route, own)
            case Admitted() as admitted:
                self._admit(admitted, header, datagram, route, own)

    def _verdict(
        self,
        route: DirectRoute | ChannelRoute,
        channel: Channel | None,
        header: QuicHeader,
    ) -> Admitted | Retry | None:
        if isinstance(route, DirectRoute):
            now = self._loop.time()
            return self.admission.judge_stranger(header, route.address, now)
        return None if channel is None else self._judge_channel(channel, header)

    def _judge_channel(self, channel: Channel, header: QuicHeader) -> Admitted | None:
        if not channel.admits or not self.admission.channel_has_room():
            return None
        channel.admits = False
        return Admitted(header.destination_cid)

    def _admit(
        self,
        admitted: Admitted,
        header: QuicHeader,
        datagram: bytes,
        route: Route,
        own: str,
    ) -> None:
        assert self._acceptor is not None
        quic = WzpQuic(
            self._acceptor,
            self._judge,
            original_destination_connection_id=admitted.original_destination_cid,
            retry_source_connection_id=admitted.retry_source_cid,
        )
        relayed = self._takes_relay_clients
        routes = () if relayed else (route,)
        link = Link(quic, self._carrier, routes, dialled=False, virtual=not relayed)
        link.claim(header.destination_cid)
        link.on_handshake_over = self._on_handshake_over
        source = route.address if isinstance(route, DirectRoute) else None
        proven = admitted.retry_source_cid is not None
        self.admission.opened(link, source, proven=proven)
        self._deadlines[link] = self._loop.call_later(
            HANDSHAKE_TIMEOUT_S, link.abort, "handshake took too long"
        )
        link.receive(datagram, route, own)

    def _on_handshake_over(self, link: Link) -> None:
        self._deadlines.pop(link).cancel()
        self.admission.settled(link)
        if not link.ended:
            self._accepted.put_nowait(link)


def _initial_header(datagram: bytes, config: QuicConfiguration) -> QuicHeader | None:
    try:
        header = pull_quic_header(
            Buffer(data=datagram), host_cid_length=CONNECTION_ID_BYTES
        )
    except ValueError:
        return None
    if header.packet_type is not QuicPacketType.INITIAL:
        return None
    if header.version not in config.supported_versions:
        return None
    if len(header.destination_cid) < QUIC_MIN_INITIAL_DCID_BYTES:
        return None
    return header
