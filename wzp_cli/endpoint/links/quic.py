"""aioquic's connection as wzp needs it: every private attribute we touch is here.

tests/endpoint/links/test_quic.py holds a contract test for each of them, so that a new
version of aioquic fails there and not in a call. What is changed, and why:

- TLS: X25519 and Ed25519 alone; the peer's certificate is demanded on both sides and
  its key judged *inside* the handshake, before our own certificate leaves; handshake
  messages are bounded.
- DATAGRAM: an oversize frame would block aioquic's queue for ever, and the queue has no
  bound: the size is checked, and the oldest of a full queue is dropped.
- ACK: rides with the next media packet instead of a packet of its own. What brings
  nothing but sound and acknowledgements needs no look at what else could be sent.
- Congestion: a fixed window; the codec adapts the rate, since Reno ruins voice.
- Streams: one, opened by the dialler.
- The end: parts that point back at their connection let go of it. A dead link would
  wait for a full round of Python's collector, which comes to dozens of them at once.
"""

import functools
from collections.abc import Callable, Iterable
from typing import Any

from aioquic import tls
from aioquic.buffer import Buffer
from aioquic.quic import connection
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.congestion.base import (
    QuicCongestionControl,
    register_congestion_control,
)
from aioquic.quic.connection import END_STATES, QuicConnection, QuicReceiveContext
from aioquic.quic.crypto import NoCallback
from aioquic.quic.events import ConnectionTerminated
from aioquic.quic.packet_builder import QuicSentPacket
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from wzp_cli.defaults.endpoint import (
    CONGESTION_WINDOW_BYTES,
    DATAGRAM_QUEUE_FRAMES,
    DELAYED_ACK_S,
    MAX_TLS_MESSAGE_BYTES,
)
from wzp_cli.errors import LocalProtocolError

__all__ = ["CONGESTION_CONTROL", "KeyJudge", "WzpQuic"]

CONGESTION_CONTROL = "wzp-fixed"
_PACKET_OVERHEAD_BYTES = 30

KeyJudge = Callable[[bytes], bool]
"""Takes the peer's raw Ed25519 key; whether to go on with the handshake."""


class _FixedWindow(QuicCongestionControl):
    """A fixed window, and what acknowledgements told.

    Attributes:
        has_lost: Whether packets were found lost, since somebody set it to False.
        arrived_sent_at: When the newest packet was sent that the peer has.
    """

    def __init__(self, *, max_datagram_size: int) -> None:
        super().__init__(max_datagram_size=max_datagram_size)
        self.congestion_window = CONGESTION_WINDOW_BYTES
        self.has_lost = False
        self.arrived_sent_at = 0.0

    def on_packet_acked(self, *, now: float, packet: QuicSentPacket) -> None:
        self.bytes_in_flight -= packet.sent_bytes
        self.arrived_sent_at = max(self.arrived_sent_at, packet.sent_time or 0.0)

    def on_packet_sent(self, *, packet: QuicSentPacket) -> None:
        self.bytes_in_flight += packet.sent_bytes

    def on_packets_expired(self, *, packets: Iterable[QuicSentPacket]) -> None:
        self.bytes_in_flight -= sum(packet.sent_bytes for packet in packets)

    def on_packets_lost(self, *, now: float, packets: Iterable[QuicSentPacket]) -> None:
        self.has_lost = True
        self.on_packets_expired(packets=packets)

    def on_persistent_congestion(self) -> None:
        pass

    def on_rtt_measurement(self, *, now: float, rtt: float) -> None:
        pass


register_congestion_control(CONGESTION_CONTROL, _FixedWindow)

# Else each connection makes and keeps 33 of the four sets that there are: 7 KiB.
connection.EPOCHS = functools.cache(connection.EPOCHS)


class WzpQuic(QuicConnection):
    """One QUIC connection between two identities.

    Attributes:
        peer_key: The peer's raw Ed25519 key once it was judged; None before.
        authentic_packets: Packets of the peer's that decrypted, all told.
        dropped_datagrams: DATAGRAM frames dropped because the queue was full.
    """

    def __init__(
        self,
        configuration: QuicConfiguration,
        judge: KeyJudge,
        *,
        original_destination_connection_id: bytes | None = None,
        retry_source_connection_id: bytes | None = None,
    ) -> None:
        super().__init__(
            configuration=configuration,
            original_destination_connection_id=original_destination_connection_id,
            retry_source_connection_id=retry_source_connection_id,
        )
        self.peer_key: bytes | None = None
        self.authentic_packets = 0
        self.dropped_datagrams = 0
        self._judge = judge
        assert isinstance(self._loss._cc, _FixedWindow)
        self._window = self._loss._cc
        self._ack_delay = DELAYED_ACK_S
        self._wants_look = True
        self._quiet_until = 0
        for limit, streams in (
            (self._local_max_streams_bidi, 0 if configuration.is_client else 1),
            (self._local_max_streams_uni, 0),
        ):
            limit.sent = limit.value = streams

    def _idle_timeout(self) -> float:
        """Return after how much silence the link is over: what it was set to.

        aioquic waits for three probe timeouts at the least (RFC 9000 section 10.1). A
        process that was stopped for 13 s reads acknowledgements so late that this is a
        minute and more, of a call that the other side has long given up.
        """
        remote_s = self._remote_max_idle_timeout
        own_s = self._configuration.idle_timeout
        return own_s if remote_s is None else min(own_s, remote_s)

    # -- the handshake

    def _initialize(self, peer_cid: bytes) -> None:
        super()._initialize(peer_cid)
        context = self.tls
        context._supported_groups = [tls.Group.X25519]
        context._signature_algorithms = [tls.SignatureAlgorithm.ED25519]
        context._request_client_certificate = not self._is_client
        self._bound_handshake(context)
        self._demand_certificate(context)
        for pair in self._cryptos.values():  # a log of keys, which is never kept
            for crypto in (pair.recv, pair.send):
                crypto._setup_cb = crypto._teardown_cb = NoCallback

    def _confirm_handshake(self) -> None:
        """See aioquic; TLS says nothing any more, and its room of 48 KiB is let go."""
        super()._confirm_handshake()
        self._crypto_buffers = {}

    def _bound_handshake(self, context: tls.Context) -> None:
        handle_message = context.handle_message

        def bounded(input_data: bytes, output_buf: dict[tls.Epoch, Buffer]) -> None:
            handle_message(input_data, output_buf)
            if len(context._receive_buffer) > MAX_TLS_MESSAGE_BYTES:
                raise tls.AlertDecodeError("handshake message too long")

        context.handle_message = bounded  # type: ignore[method-assign]

    def _demand_certificate(self, context: tls.Context) -> None:
        set_peer_certificate = context._set_peer_certificate
        server_handle_certificate = context._server_handle_certificate

        def judged(certificate: tls.Certificate) -> None:
            try:
                set_peer_certificate(certificate)
            except x509.InvalidVersion as error:  # no ValueError: aioquic lets it out
                raise tls.AlertBadCertificate(str(error)) from error
            key = _raw_key(context._peer_certificate)
            if key is None or not self._judge(key):
                raise tls.AlertBadCertificate("identity refused")
            self.peer_key = key

        def demanded(input_buf: Buffer) -> None:
            server_handle_certificate(input_buf)
            if self.peer_key is None:
                raise tls.AlertBadCertificate("identity missing")

        context._set_peer_certificate = judged  # type: ignore[method-assign]
        context._server_handle_certificate = demanded  # type: ignore[method-assign]

    # -- DATAGRAM frames

    @property
    def max_datagram_payload_bytes(self) -> int:
        """Largest payload that fits; 0 while the peer takes none."""
        remote = self._remote_max_datagram_frame_size
        if not remote:
            return 0
        return min(self._max_datagram_size - _PACKET_OVERHEAD_BYTES, remote - 4)

    def let_acks_wait(self, seconds: float) -> None:
        """Let an ACK wait so long for a media packet to ride with, 20 ms at least."""
        self._ack_delay = max(seconds, DELAYED_ACK_S)

    def send_datagram_frame(self, data: bytes) -> None:
        """Queue `data`; a full queue drops its oldest, since old sound is worth least.

        Raises:
            LocalProtocolError: It is too large for one packet.
        """
        if len(data) > self.max_datagram_payload_bytes:
            raise LocalProtocolError(f"DATAGRAM of {len(data)} bytes")
        while len(self._datagrams_pending) >= DATAGRAM_QUEUE_FRAMES:
            self._datagrams_pending.popleft()
            self.dropped_datagrams += 1
        self._datagrams_pending.append(data)
        space = self._spaces[tls.Epoch.ONE_RTT]
        if space.ack_at is not None:
            space.ack_at = 0.0

    # -- what needs no answer but an acknowledgement

    @property
    def owes_nothing(self) -> bool:
        """Whether, since the last look, nothing came that could make us send at once.

        Sound and acknowledgements that tell of no loss are such; an acknowledgement
        that is due later has its timer. Only where the peer's address can't change.
        """
        waits = self._wants_look or self._window.has_lost or self._datagrams_pending
        return not waits and self._handshake_confirmed

    def _handle_ack_frame(
        self, context: QuicReceiveContext, frame_type: int, buf: Buffer
    ) -> None:
        follows = self._follows_quiet(buf)
        super()._handle_ack_frame(context, frame_type, buf)
        if follows:
            self._quiet_until = buf.tell()

    def _handle_datagram_frame(
        self, context: QuicReceiveContext, frame_type: int, buf: Buffer
    ) -> None:
        follows = self._follows_quiet(buf)
        super()._handle_datagram_frame(context, frame_type, buf)
        if follows:
            self._quiet_until = buf.tell()

    def _follows_quiet(self, buf: Buffer) -> bool:
        """Whether the frame whose type was just read is the first, or follows such."""
        return buf.tell() - 1 == self._quiet_until

    @property
    def arrived_sent_at(self) -> float:
        """When the newest packet was sent that the peer has acknowledged."""
        return self._window.arrived_sent_at

    # -- paths

    def datagrams_to_send(self, now: float) -> list[tuple[bytes, Any]]:
        """Return what to send: to an unproven address, at most three times what came.

        aioquic sees to that everywhere but in the CONNECTION_CLOSE.
        """
        datagrams = super().datagrams_to_send(now)
        self._wants_look = self._window.has_lost = False
        if self._state in END_STATES:
            self._let_go()
        path = self._network_paths[0]
        if path.is_validated or path.bytes_sent <= 3 * path.bytes_received:
            return datagrams
        return []

    def _payload_received(
        self,
        context: QuicReceiveContext,
        plain: bytes,
        crypto_frame_required: bool = False,
    ) -> tuple[bool, bool]:
        self.authentic_packets += 1
        self._quiet_until = 0
        wanted, self._wants_look = self._wants_look, True  # whatever is raised here
        kinds = super()._payload_received(context, plain, crypto_frame_required)
        self._wants_look = wanted or self._quiet_until != len(plain)
        return kinds

    def _probe_preferred_address(self) -> None:
        """Ignore it: a hostile acceptor could name any address on our network."""
        self._remote_preferred_address = None

    @property
    def validated_address(self) -> Any:
        """The address of the active path once QUIC has validated it, or None."""
        path = self._network_paths[0] if self._network_paths else None
        return path.addr if path is not None and path.is_validated else None

    @property
    def is_started(self) -> bool:
        """Whether there is somebody to send to."""
        return bool(self._network_paths)

    @property
    def termination(self) -> ConnectionTerminated | None:
        """How it ended, once nothing is sent or taken any more.

        aioquic's own event says so only after the closing period, three probe timeouts.
        """
        return self._close_event if self._state in END_STATES else None

    def unsent_bytes(self, stream_id: int) -> int:
        """What we said on a stream and the peer has not acknowledged yet."""
        stream = self._streams.get(stream_id)
        return len(stream.sender._buffer) if stream is not None else 0

    @property
    def smoothed_rtt_s(self) -> float | None:
        """QUIC's own round-trip estimate."""
        return self._loss._rtt_smoothed if self._loss._rtt_initialized else None

    def _let_go(self) -> None:
        """Drop what points back at us: nothing is sent or taken any more."""
        vars(self.tls).clear()
        self._QuicConnection__frame_handlers.clear()  # type: ignore[attr-defined]
        self._loss._send_probe = _never
        for space in self._spaces.values():  # who is told that a packet has arrived
            self._loss.discard_space(space)

    def route_changed(self) -> None:
        """Forget the round-trip time and backoff of the old route."""
        self._loss._rtt_initialized = False
        self._loss._pto_count = 0


def _never() -> None:
    """Stand in for what no link does after its end."""


def _raw_key(certificate: x509.Certificate | None) -> bytes | None:
    """Return the raw Ed25519 key of a certificate; None for any other kind."""
    if certificate is None:
        return None
    try:
        key = certificate.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key.public_bytes_raw() if isinstance(key, Ed25519PublicKey) else None
