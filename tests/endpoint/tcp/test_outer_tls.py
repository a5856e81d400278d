"""The outer TLS: a client takes any certificate, a relay may have an operator's."""

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from wzp_cli.endpoint.tcp import outer_tls
from wzp_cli.endpoint.tcp.outer_tls import (
    acceptor_context,
    dialler_context,
    load_certificate,
)
from wzp_cli.errors import UsageError


def shake(client: ssl.SSLContext, server: ssl.SSLContext) -> ssl.SSLObject:
    """Run a handshake in memory; return the client's side."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname="relay.example")
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ours


def files(folder: Path) -> tuple[Path, Path]:
    """Write a certificate and its key."""
    pem = outer_tls._self_signed()
    at = pem.index(b"-----BEGIN CERTIFICATE")
    certificate, key = folder / "chain.pem", folder / "key.pem"
    certificate.write_bytes(pem[at:])
    key.write_bytes(pem[:at])
    return certificate, key


def test_a_relay_without_a_certificate_makes_one_and_any_client_takes_it() -> None:
    seen = shake(dialler_context(), acceptor_context())
    assert seen.version() in ("TLSv1.2", "TLSv1.3")
    assert seen.selected_alpn_protocol() == "http/1.1"
    assert seen.getpeercert(binary_form=True)


def test_nothing_stays_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    acceptor_context()
    assert list(tmp_path.iterdir()) == []


def test_an_operators_certificate_is_shown(tmp_path: Path) -> None:
    certificate, key = files(tmp_path)
    seen = shake(dialler_context(), load_certificate(certificate, key))
    der = ssl.PEM_cert_to_DER_cert(certificate.read_text())
    assert seen.getpeercert(binary_form=True) == der


def test_files_that_are_missing_damaged_or_do_not_fit(tmp_path: Path) -> None:
    certificate, key = files(tmp_path)
    (tmp_path / "other").mkdir()
    _, other_key = files(tmp_path / "other")
    broken = tmp_path / "broken.pem"
    broken.write_text("no PEM")
    for pair, says in (
        ((tmp_path / "none.pem", key), "No such file"),
        ((broken, key), "broken"),
        ((certificate, other_key), "(?i)mismatch"),
    ):
        with pytest.raises(UsageError, match=says):
            load_certificate(*pair)


def test_an_encrypted_key_asks_nobody(tmp_path: Path) -> None:
    certificate, key = files(tmp_path)
    plain = serialization.load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(
        plain.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(UsageError, match="without a password"):
        load_certificate(certificate, key)
