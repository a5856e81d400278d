"""QUIC configurations. Peers are known by key, so we sign our own certificate."""

import datetime as dt
import ssl
from dataclasses import dataclass
from functools import cached_property

from aioquic.quic.configuration import QuicConfiguration
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from wzp_cli.defaults.endpoint import (
    CONNECTION_ID_BYTES,
    LINK_IDLE_TIMEOUT_S,
    MAX_QUEUED_BYTES,
    QUIC_MAX_DATAGRAM_FRAME_BYTES,
)
from wzp_cli.endpoint.links.quic import CONGESTION_CONTROL

__all__ = ["PEER_ALPN", "RELAY_ALPN", "Credentials"]

RELAY_ALPN = "wzp-relay/1"
PEER_ALPN = "wzp-peer/1"
_SERVER_NAME = "wzp.invalid"


@dataclass(frozen=True)
class Credentials:
    """An identity key and the certificate that shows it in TLS."""

    key: Ed25519PrivateKey

    @cached_property
    def certificate(self) -> x509.Certificate:
        """Self-signed, fixed subject, long validity: only the key is ever compared."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "wzp")])
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
            .not_valid_after(dt.datetime(2120, 1, 1, tzinfo=dt.UTC))
            .sign(self.key, None)
        )

    def dialler(self, alpn: str, idle_timeout_s: float) -> QuicConfiguration:
        """Return what a link that we dial runs on."""
        return self._configuration([alpn], idle_timeout_s, is_client=True)

    def acceptor(self, alpn: str) -> QuicConfiguration:
        """Return what links that we accept run on."""
        return self._configuration([alpn], LINK_IDLE_TIMEOUT_S, is_client=False)

    def _configuration(
        self, alpn: list[str], idle_timeout_s: float, *, is_client: bool
    ) -> QuicConfiguration:
        return QuicConfiguration(
            is_client=is_client,
            alpn_protocols=alpn,
            certificate=self.certificate,
            private_key=self.key,
            server_name=_SERVER_NAME if is_client else None,
            verify_mode=ssl.CERT_NONE,  # the key is judged in endpoint/links/quic.py
            connection_id_length=CONNECTION_ID_BYTES,
            congestion_control_algorithm=CONGESTION_CONTROL,
            idle_timeout=idle_timeout_s,
            max_data=2 * MAX_QUEUED_BYTES,
            max_stream_data=MAX_QUEUED_BYTES,
            max_datagram_frame_size=QUIC_MAX_DATAGRAM_FRAME_BYTES,
        )
