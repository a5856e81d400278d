"""A TURN server through TCP or TLS, where a network blocks UDP.

It carries the datagrams of one allocation as a WebSocket carries a relay's (tunnel.py),
under the same rules (paced.py).

The server's certificate has to be valid for its name: its key is pinned nowhere else.
It could only drop, delay and count; what is inside is encrypted from end to end.
"""

import asyncio
import ssl
from pathlib import Path

from wzp_cli.address import Address
from wzp_cli.defaults.endpoint import HANDSHAKE_TIMEOUT_S, TUNNEL_MAX_UNSENT_BYTES
from wzp_cli.endpoint.tcp.paced import PacedStream
from wzp_cli.endpoint.tcp.unsent import keep_little_unsent
from wzp_cli.endpoint.tunnels import TakeDatagram
from wzp_cli.errors import RemoteProtocolError, TurnUnavailable
from wzp_cli.protocol.turn_stream import StreamCutter, pad

__all__ = ["TurnStream", "dial_turn", "verifying_context"]


def verifying_context(ca: Path | None) -> ssl.SSLContext:
    """Return what trusts these certificates in PEM; None: those of the system.

    Raises:
        TurnUnavailable: They can't be read.
    """
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise TurnUnavailable(f"turn-ca {ca}: {error.strerror or error}") from error


async def dial_turn(
    server: Address, name: str, context: ssl.SSLContext | None, sink: TakeDatagram
) -> "TurnStream":
    """Connect to a TURN server.

    Args:
        server: Its TCP address.
        name: The name or number that its certificate has to be for.
        context: Whom to trust; None speaks TCP without TLS.
        sink: Takes the messages that come.

    Raises:
        TurnUnavailable: Nobody is there, or somebody else.
    """
    stream = TurnStream(sink)
    try:
        async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
            await _connect(server, name, context, stream)
    except ssl.SSLCertVerificationError as error:
        stream.close()
        why = f"its certificate is not right: {error.verify_message}"
        raise TurnUnavailable(f"{server}: {why}") from error
    except OSError as error:  # TimeoutError and SSLError are OSErrors
        stream.close()
        raise TurnUnavailable(f"{server}: {str(error) or 'no answer'}") from error
    except BaseException:
        stream.close()
        raise
    return stream


async def _connect(
    server: Address, name: str, context: ssl.SSLContext | None, stream: "TurnStream"
) -> None:
    loop = asyncio.get_running_loop()
    tcp, _ = await loop.create_connection(asyncio.Protocol, server.host, server.port)
    try:
        keep_little_unsent(tcp)
        if context is None:
            tcp.set_protocol(stream)
            stream.start(tcp)
        else:
            over = await loop.start_tls(tcp, stream, context, server_hostname=name)
            assert over is not None
            stream.start(over)
    except BaseException:
        tcp.abort()
        raise


class TurnStream(PacedStream):
    """One connection to a TURN server."""

    def __init__(self, sink: TakeDatagram) -> None:
        super().__init__(sink)
        self._cutter = StreamCutter()

    def _take(self, piece: bytes) -> int:
        try:
            messages = self._cutter.take(piece)
        except RemoteProtocolError:
            self.close()
            return 0
        for message in messages:
            if not self._over:
                self._sink(message)
        return len(messages)

    def _write(self, datagram: bytes) -> None:
        assert self._transport is not None
        self._transport.write(pad(datagram))
        if self._transport.get_write_buffer_size() > TUNNEL_MAX_UNSENT_BYTES:
            self.close()  # the other side does not read
