"""Certificates of a test's own: an authority, and what it has signed."""

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["Authority"]


class Authority:
    """Signs certificates.

    Attributes:
        path: Its own certificate, in PEM.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test CA")])
        self.path = folder / "ca.pem"
        extension = x509.BasicConstraints(ca=True, path_length=None)
        self.path.write_bytes(self._signed(self._name, self._key, extension))

    def issue(self, host: str, *, valid_days: int = 1) -> tuple[Path, Path]:
        """Return certificate and key, in PEM, of a host by name or number."""
        key = ec.generate_private_key(ec.SECP256R1())
        try:
            name: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            name = x509.DNSName(host)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        extension = x509.SubjectAlternativeName([name])
        certificate = self._folder / f"{host}.pem"
        certificate.write_bytes(self._signed(subject, key, extension, valid_days))
        private = self._folder / f"{host}.key"
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return certificate, private

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        extension: x509.ExtensionType,
        valid_days: int = 1,
    ) -> bytes:
        now = datetime.datetime.now(datetime.UTC)
        first = now - datetime.timedelta(days=10)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(first)
            .not_valid_after(now + datetime.timedelta(days=valid_days))
            .add_extension(extension, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM)
