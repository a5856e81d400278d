"""A relay that ends both sides' QUIC, and its clients: what wzp is compared with.

`serve` is as small as such a relay can be: stock aioquic, and each DATAGRAM frame of
one side is sent on to the other. `call HOST PORT CALLS SECONDS PER_S` are the two sides
of so many calls; it prints a line when all are connected, when it sends no more, and
its result as JSON. A frame: call, side, the time in nanoseconds, and zeros up to what a
frame of bench/_blast.py carries.
"""

import asyncio
import datetime
import json
import ssl
import struct
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import serve
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import DatagramFrameReceived, QuicEvent
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench._blast import FRAME_BYTES

HEAD = struct.Struct("<IBQ")
TAIL = bytes(FRAME_BYTES - 9 - HEAD.size)  # a channel's header is not needed here
QUIET_S = 1.0
LATEST_S = 0.004


class Side(QuicConnectionProtocol):
    """One client's connection, at the relay."""

    others: dict[tuple[int, int], "Side"] = {}  # noqa: RUF012 - that is the relay

    def quic_event_received(self, event: QuicEvent) -> None:
        """Send each DATAGRAM frame on."""
        if not isinstance(event, DatagramFrameReceived):
            return
        call, side, sent_ns = HEAD.unpack_from(event.data)
        if not sent_ns:  # hello
            self.others[call, side] = self
            self._quic.send_datagram_frame(event.data)
            self.transmit()
        elif (other := self.others.get((call, 1 - side))) is not None:
            other._quic.send_datagram_frame(event.data)
            other.transmit()


class Client(QuicConnectionProtocol):
    """One side of a call."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.welcome = asyncio.Event()
        self.delays_us: list[int] = []

    def quic_event_received(self, event: QuicEvent) -> None:
        """Note how late each frame is."""
        if isinstance(event, DatagramFrameReceived):
            sent_ns = HEAD.unpack_from(event.data)[2]
            if not sent_ns:
                self.welcome.set()
            else:
                late_ns = time.monotonic_ns() - sent_ns
                self.delays_us.append(late_ns // 1000)

    def say(self, call: int, side: int, at_ns: int) -> None:
        """Send one frame."""
        self._quic.send_datagram_frame(HEAD.pack(call, side, at_ns) + TAIL)
        self.transmit()


async def relay() -> None:
    """Serve on any port of loopback; print it."""
    config = QuicConfiguration(is_client=False, max_datagram_frame_size=65535)
    with tempfile.TemporaryDirectory() as folder:
        pem = Path(folder) / "pem"
        pem.write_bytes(_certificate())
        config.load_cert_chain(pem)
    server = await serve("127.0.0.1", 0, configuration=config, create_protocol=Side)
    port = server._transport.get_extra_info("sockname")[1]
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


def _certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return signed.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


async def calls(host: str, port: int, count: int, seconds: float, per_s: float) -> None:
    """Connect both sides of all calls, let them talk, print what came."""
    config = QuicConfiguration(max_datagram_frame_size=65535)
    config.verify_mode = ssl.CERT_NONE
    async with AsyncExitStack() as stack:
        voices = []
        for call in range(count):
            for side in (0, 1):
                client: Any = await stack.enter_async_context(
                    connect(host, port, configuration=config, create_protocol=Client)
                )
                client.say(call, side, 0)
                await client.welcome.wait()
                voices.append((client, call, side))
        _print("connected")
        sent, took_s = await _talk(voices, seconds, per_s)
        _print("sent")
        await asyncio.sleep(QUIET_S)
        delays_us = [late for client, _, _ in voices for late in client.delays_us]
        told = {"sent": sent, "seconds": took_s, "delays_us": delays_us}
        _print(json.dumps(told))


async def _talk(
    voices: list[tuple[Any, int, int]], seconds: float, per_s: float
) -> tuple[int, float]:
    """Let each say `per_s` frames a second, evenly spread, as bench/_voices.py does."""
    rate, sent = per_s * len(voices), 0
    at_once = max(1, int(rate * LATEST_S))
    total = int(rate * seconds)
    began_ns = started_ns = time.monotonic_ns()
    while sent < total:
        due = min(total, int((time.monotonic_ns() - began_ns) / 1e9 * rate))
        if due <= sent:
            await asyncio.sleep(0.0005)
            continue
        if due - sent > at_once:
            began_ns += int((due - sent - at_once) / rate * 1e9)
            due = sent + at_once
        for number in range(sent, due):
            client, call, side = voices[number % len(voices)]
            client.say(call, side, time.monotonic_ns())
        sent = due
        await asyncio.sleep(0)
        if (time.monotonic_ns() - started_ns) / 1e9 > 3 * seconds:
            break  # this machine can't encrypt so many
    return sent, (time.monotonic_ns() - started_ns) / 1e9


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Do what the words say."""
    kind, *rest = sys.argv[1:]
    if kind == "serve":
        asyncio.run(relay())
    else:
        host, port, count, seconds, per_s = rest
        asyncio.run(calls(host, int(port), int(count), float(seconds), float(per_s)))


if __name__ == "__main__":
    main()
