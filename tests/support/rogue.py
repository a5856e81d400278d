"""Peers that break the rules: aioquic's own connection, tampered with.

What a rogue says it encrypts rightly, so it reaches parts of our code that a damaged
datagram never does.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from aioquic import tls
from aioquic.buffer import Buffer
from aioquic.quic import events
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import NetworkAddress, QuicConnection
from aioquic.quic.packet import QuicPacketType, encode_long_header_first_byte
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from wzp_cli.address import Address
from wzp_cli.endpoint.links.tls import Credentials
from wzp_cli.endpoint.sockets.wire import Wire
from wzp_cli.protocol.names.identity import Keypair

__all__ = [
    "ACCEPTOR",
    "BAD_CERTIFICATES",
    "DIALLER",
    "Papers",
    "Puppet",
    "Rogue",
    "exchange",
    "papers_of",
]

DIALLER, ACCEPTOR = ("192.0.2.1", 1), ("192.0.2.2", 2)
SMALL_ORDER_KEY = b"\1" + bytes(31)
"""The neutral element: the signature (R = 1, S = 0) is right for every message."""

Tamper = Callable[[tls.Epoch, bytes], bytes]


class Papers:
    """What a rogue shows as its certificate, and how it signs."""

    def __init__(self, der: bytes, sign: Callable[[bytes], bytes]) -> None:
        self._der, self._sign = der, sign

    def public_bytes(self, _: Encoding) -> bytes:
        """Return the certificate."""
        return self._der

    def sign(self, data: bytes, *_: Any) -> bytes:
        """Return the signature of `data`."""
        return self._sign(data)


class _Nothing:
    """Added to a list of certificates, it leaves none."""

    def __radd__(self, _: object) -> list[object]:
        return []


def papers_of(key: Ed25519PrivateKey) -> Papers:
    """Return honest papers."""
    return Papers(_ed25519_der(key), key.sign)


def _ed25519_der(key: Ed25519PrivateKey) -> bytes:
    return Credentials(key).certificate.public_bytes(Encoding.DER)


def _certified(key: Any, algorithm: hashes.SHA256 | None) -> bytes:
    honest = Credentials(Ed25519PrivateKey.generate()).certificate
    certificate = (
        x509.CertificateBuilder()
        .subject_name(honest.subject)
        .issuer_name(honest.issuer)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(honest.not_valid_before_utc)
        .not_valid_after(honest.not_valid_after_utc)
        .sign(key, algorithm)
    )
    return certificate.public_bytes(Encoding.DER)


def _p256() -> Papers:
    key = ec.generate_private_key(ec.SECP256R1())
    algorithm = hashes.SHA256()
    return Papers(
        _certified(key, algorithm), lambda data: key.sign(data, ec.ECDSA(algorithm))
    )


def _ed448() -> Papers:
    key = ed448.Ed448PrivateKey.generate()
    return Papers(_certified(key, None), key.sign)


def _replaced(old: Callable[[Ed25519PrivateKey], bytes], new: bytes) -> Papers:
    key = Ed25519PrivateKey.generate()
    der, part = _ed25519_der(key), old(key)
    assert part in der
    return Papers(der.replace(part, new), lambda data: b"\1" + bytes(63))


def _small_order() -> Papers:
    return _replaced(lambda key: key.public_key().public_bytes_raw(), SMALL_ORDER_KEY)


def _unknown_algorithm() -> Papers:
    return _replaced(lambda key: b"\x06\x03\x2b\x65\x70", b"\x06\x03\x2b\x65\x7f")


def _unknown_version() -> Papers:
    return _replaced(lambda key: b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07")


def _garbage() -> Papers:
    return Papers(b"\x30\x03\x02\x01\x01", lambda data: bytes(64))


def _unsigned() -> Papers:
    key = Ed25519PrivateKey.generate()
    return Papers(_ed25519_der(key), lambda data: bytes(64))


BAD_CERTIFICATES: dict[str, Callable[[], Papers | None]] = {
    "none at all": lambda: None,
    "P-256": _p256,
    "Ed448": _ed448,
    "small order": _small_order,
    "unknown key algorithm": _unknown_algorithm,
    "unknown X.509 version": _unknown_version,
    "garbage": _garbage,
    "not signed for": _unsigned,
}


class Rogue(QuicConnection):
    """aioquic without our rules.

    Attributes:
        tamper: Changes the TLS messages of an epoch before they leave.
    """

    def __init__(
        self,
        alpn: str,
        papers: Papers | None = None,
        *,
        dialled_to: bytes | None = None,
        **options: Any,
    ) -> None:
        honest = Credentials(Keypair.generate().private_key)
        configuration = QuicConfiguration(
            is_client=dialled_to is None,
            alpn_protocols=[alpn],
            certificate=honest.certificate,
            private_key=honest.key,
            server_name="wzp.invalid",
            verify_mode=False,
            max_datagram_frame_size=65535,
            **options,
        )
        super().__init__(
            configuration=configuration, original_destination_connection_id=dialled_to
        )
        self.tamper: Tamper = lambda epoch, messages: messages
        self.papers = papers

    def _initialize(self, peer_cid: bytes) -> None:
        super()._initialize(peer_cid)
        context: Any = self.tls
        context._request_client_certificate = not self._is_client
        if self.papers is not None:
            context.certificate = context.certificate_private_key = self.papers
        elif self._is_client:
            context.certificate = None  # then it signs nothing either
        else:
            context.certificate_chain = _Nothing()
        ed25519 = [tls.SignatureAlgorithm.ED25519]
        context._signature_algorithms_for_private_key = lambda: ed25519

    def _push_crypto_data(self) -> None:
        for epoch, buffer in self._crypto_buffers.items():
            messages = buffer.data
            buffer.seek(0)
            if messages:
                messages = self.tamper(epoch, messages)
            self._crypto_streams[epoch].sender.write(messages)

    def packet(self, payload: bytes, epoch: tls.Epoch = tls.Epoch.ONE_RTT) -> bytes:
        """Return a packet with any payload, rightly encrypted."""
        payload = payload.ljust(4, b"\0")
        number, self._packet_number = self._packet_number, self._packet_number + 1
        crypto = self._cryptos[epoch]
        if epoch is tls.Epoch.ONE_RTT:
            header = Buffer(capacity=64)
            header.push_uint8(0x41 | crypto.key_phase << 2)
            header.push_bytes(self._peer_cid.cid)
        else:
            header = self._long_header(epoch, len(payload))
        header.push_uint16(number & 0xFFFF)
        return crypto.encrypt_packet(header.data, payload, number)

    def _long_header(self, epoch: tls.Epoch, size: int) -> Buffer:
        kind = {
            tls.Epoch.INITIAL: QuicPacketType.INITIAL,
            tls.Epoch.HANDSHAKE: QuicPacketType.HANDSHAKE,
        }[epoch]
        assert self._version is not None
        header = Buffer(capacity=256)
        header.push_uint8(encode_long_header_first_byte(self._version, kind, 1))
        header.push_uint32(self._version)
        for cid in (self._peer_cid.cid, self.host_cid):
            header.push_uint8(len(cid))
            header.push_bytes(cid)
        if epoch is tls.Epoch.INITIAL:
            header.push_uint_var(len(self._peer_token))
            header.push_bytes(self._peer_token)
        header.push_uint16(0x4000 | size + 2 + 16)
        return header


def exchange(
    dialler: QuicConnection, acceptor: QuicConnection, *, now: float = 1.0
) -> float:
    """Carry datagrams between two cores until both are silent; return when that is.

    To each other they are DIALLER and ACCEPTOR; what goes elsewhere fails the test.
    """
    if not dialler._connect_called:
        dialler.connect(ACCEPTOR, now)
    moved = True
    while moved:
        moved = False
        now += 0.03  # longer than an ACK is held back
        for sender, receiver, own, peer in (
            (dialler, acceptor, DIALLER, ACCEPTOR),
            (acceptor, dialler, ACCEPTOR, DIALLER),
        ):
            if sender._network_paths:
                for datagram, to in sender.datagrams_to_send(now):
                    assert to == peer
                    receiver.receive_datagram(datagram, own, now)
                    moved = True
    return now


class Puppet:
    """A core on a wire. An acceptor is made by `make` when the first Initial comes.

    Attributes:
        events: What the core reported.
    """

    def __init__(
        self,
        wire: Wire,
        quic: QuicConnection | None = None,
        *,
        make: Callable[[bytes], QuicConnection] | None = None,
    ) -> None:
        self.quic, self.wire = quic, wire
        self.events: list[events.QuicEvent] = []
        self._make = make
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        wire.start(self._receive)

    @property
    def core(self) -> Any:
        """The core, private parts and all."""
        return self.quic

    def connect(self, to: Address) -> None:
        """Dial."""
        assert self.quic is not None
        self.quic.connect(to, self._loop.time())
        self.flush()

    def send(self, datagram: bytes, to: Address) -> None:
        """Send anything."""
        self.wire.send(datagram, to)

    def flush(self) -> None:
        """Send what the core wants sent, and set its timer."""
        assert self.quic is not None
        for datagram, to in self.quic.datagrams_to_send(self._loop.time()):
            self.wire.send(datagram, to)
        while (event := self.quic.next_event()) is not None:
            self.events.append(event)
        self.stop()
        if (due := self.quic.get_timer()) is not None:
            self._timer = self._loop.call_at(due, self._on_timer)

    def stop(self) -> None:
        """Let time pass without it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def saw(self, kind: type[events.QuicEvent]) -> bool:
        """Whether the core has reported such an event."""
        return any(isinstance(event, kind) for event in self.events)

    def _on_timer(self) -> None:
        assert self.quic is not None
        self.quic.handle_timer(self._loop.time())
        self.flush()

    def _receive(self, datagram: bytes, source: NetworkAddress, own: str) -> None:
        if self.quic is None:
            assert self._make is not None
            self.quic = self._make(datagram[6 : 6 + datagram[5]])
        self.quic.receive_datagram(datagram, source, self._loop.time())
        self.flush()
