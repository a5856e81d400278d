"""The TCP port of `wzp relay`: opened as it was said, or a clear word why not."""

import asyncio
from pathlib import Path

import pytest

from tests.adapters.test_nats_bus import certificate as written
from wzp_cli.cli.relay import tcp as relay_tcp
from wzp_cli.cli.relay.tcp import certificate, tunnel_listener
from wzp_cli.cli.relay.words import RelayWords
from wzp_cli.endpoint.factory import Bind, open_endpoint
from wzp_cli.errors import EnvironmentFault, UsageError
from wzp_cli.protocol.names.identity import Keypair


def opened(words: RelayWords) -> int | None:
    """Return the port that was opened; None: none was."""

    async def scenario() -> int | None:
        async with (
            open_endpoint(Keypair.generate(), Bind(), print) as endpoint,
            tunnel_listener(endpoint, words) as listener,
        ):
            return None if listener is None else listener.port

    return asyncio.run(scenario())


def test_a_port_is_opened_where_one_is_wanted() -> None:
    assert opened(RelayWords()) is None
    assert opened(RelayWords(tcp="127.0.0.1:0"))


def test_without_the_library_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relay_tcp, "find_spec", lambda name: None)
    with pytest.raises(EnvironmentFault, match=r"install wzp\[tcp\]"):
        opened(RelayWords(tcp="127.0.0.1:0"))


def test_the_certificate_is_the_files_or_an_own_one(tmp_path: Path) -> None:
    cert, key = written(tmp_path)
    words = RelayWords(tcp="127.0.0.1:0", tls_cert=cert, tls_key=key)
    certificate(words)
    assert opened(words)
    key.write_text("no PEM")
    with pytest.raises(UsageError, match=str(key)):
        certificate(words)
    certificate(RelayWords())
