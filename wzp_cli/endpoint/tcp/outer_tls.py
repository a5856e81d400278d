"""The TLS around the WebSocket: it gets us through firewalls, and proves nothing.

Who the relay is, its pinned key proves inside, in the QUIC handshake. So the dialler
takes any certificate here, also that of a proxy that looks inside: there it sees QUIC,
as every router does (docs/security.md, rule 8).
"""

import datetime
import os
import ssl
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from wzp_cli.errors import UsageError

__all__ = ["acceptor_context", "dialler_context", "load_certificate"]

_NAME = "wzp.invalid"
_VALID_DAYS = 3650
_ALPN = ["http/1.1"]


def dialler_context() -> ssl.SSLContext:
    """Return what dials with: any certificate is taken."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return _tuned(context)


def acceptor_context() -> ssl.SSLContext:
    """Return what a relay accepts with: a certificate of its own, made now."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = _self_signed()
    # OpenSSL takes it from a file alone: one that nobody else can read, for a moment.
    handle, path = tempfile.mkstemp(suffix=".pem")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(certificate)
        context.load_cert_chain(path)
    finally:
        Path(path).unlink()
    return _tuned(context)


def load_certificate(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return what a relay accepts with: the chain and key in these PEM files.

    Raises:
        UsageError: They can't be read, or do not fit together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Without a password: nobody is there to type one.
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(
            f"--tls-cert {certificate} and --tls-key {key}: {why}"
        ) from error
    return _tuned(context)


def _no_password() -> str:
    raise ValueError("the key is encrypted: store it without a password, mode 0600")


def _tuned(context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(_ALPN)
    return context


def _self_signed() -> bytes:
    """Return key and certificate in PEM; ECDSA, since every middlebox takes that."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=_VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(_NAME)]), False)
        .sign(key, hashes.SHA256())
    )
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ) + certificate.public_bytes(serialization.Encoding.PEM)
