"""Hostile clients of bench/floods.py: `python -m bench._floods KIND HOST PORT SECONDS`.

Each floods as fast as it is allowed to (or can), from many addresses of loopback where
that makes it worse, and prints how much it sent. `pair` kinds read two channel headers
and two socket descriptors first, as JSON from standard input.
"""

import asyncio
import json
import os
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection

from wzp_cli.address import Address
from wzp_cli.endpoint.factory import Bind, open_endpoint
from wzp_cli.endpoint.links.tls import RELAY_ALPN
from wzp_cli.errors import WzpError
from wzp_cli.protocol.messages import relay
from wzp_cli.protocol.messages.signal import encode
from wzp_cli.protocol.names.identity import Keypair

PACKETS_PER_S = 10_000
SOURCES = 200
LINKS = 100
_BURST = 50


def paced(seconds: float, per_s: float) -> Iterator[int]:
    """Yield numbers, `per_s` of them a second (in small bursts), for so long."""
    began_s = time.monotonic()
    number = 0
    while (spent_s := time.monotonic() - began_s) < seconds:
        if number >= spent_s * per_s:
            time.sleep(_BURST / per_s)
        for _ in range(_BURST):
            yield number
            number += 1


def sources() -> list[socket.socket]:
    """Return sockets of as many hosts as a botnet has, all of them here."""
    found = []
    for number in range(SOURCES):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.bind((f"127.1.{number // 250}.{1 + number % 250}", 0))
        found.append(sock)
    return found


def spray(to: tuple[str, int], seconds: float, datagram: Callable[[int], bytes]) -> int:
    """Send datagrams from all of them; return how many."""
    socks = sources()
    sent = 0
    for number in paced(seconds, PACKETS_PER_S):
        with suppress(OSError):
            socks[number % SOURCES].sendto(datagram(number), to)
            sent += 1
    return sent


def initials(to: tuple[str, int], seconds: float, different: int = 300) -> int:
    """First flights of real handshakes that never go on, so many different ones."""
    config = QuicConfiguration(alpn_protocols=[RELAY_ALPN], server_name="wzp.invalid")
    flights = []
    for _ in range(different):
        quic = QuicConnection(configuration=config)
        quic.connect(to, now=0.0)
        flights += [datagram for datagram, _ in quic.datagrams_to_send(now=0.0)]
    return spray(to, seconds, lambda number: flights[number % len(flights)])


def copies(to: tuple[str, int], seconds: float) -> int:
    """Initials of handshakes that the relay has begun already, again and again."""
    return initials(to, seconds, different=100)


def bindings(to: tuple[str, int], seconds: float) -> int:
    """STUN Binding requests."""
    return spray(
        to,
        seconds,
        lambda number: struct.pack("!HHI", 1, 0, 0x2112A442) + os.urandom(12),
    )


def strange_frames(to: tuple[str, int], seconds: float) -> int:
    """Frames of channels that nobody has."""
    body = b"\x40" + bytes(120)
    return spray(to, seconds, lambda number: b"\x08" + os.urandom(8) + body)


def own_frames(to: tuple[str, int], seconds: float) -> int:
    """Frames of an own channel, fifty times as many as it may carry."""
    told = json.load(sys.stdin)
    sock = socket.socket(fileno=told["descriptor"])
    frame = bytes.fromhex(told["header"]) + b"\x40" + bytes(120)
    sent = 0
    for _ in paced(seconds, PACKETS_PER_S):
        with suppress(OSError):
            sock.sendto(frame, to)
            sent += 1
    return sent


# --- those that take a link


async def registrations(to: Address, seconds: float) -> int:
    """Whole handshakes, one after the other, from many hosts at once."""
    done = 0
    until_s = time.monotonic() + seconds

    async def one(number: int) -> None:
        nonlocal done
        while time.monotonic() < until_s:
            bind = Bind(host=f"127.1.0.{number}")
            with suppress(WzpError):
                async with open_endpoint(Keypair.generate(), bind, print) as endpoint:
                    link = await endpoint.dial_relay(to, None)
                    link.send(encode(relay.Enter(version="1")))
                    await link.read()
                    done += 1

    async with asyncio.TaskGroup() as group:
        for number in range(1, 21):
            group.create_task(one(number))
    return done


async def linked(
    to: Address, seconds: float, say: Callable[[int], bytes], pause_s: float
) -> int:
    """Hold links from many hosts, each of which says something again and again."""
    said = 0
    until_s = time.monotonic() + seconds

    async def one(number: int, first: bytes) -> None:
        nonlocal said
        while time.monotonic() < until_s:
            bind = Bind(host=f"127.1.0.{number}")
            with suppress(WzpError):
                async with open_endpoint(Keypair.generate(), bind, print) as endpoint:
                    link = await endpoint.dial_relay(to, None)
                    if first:
                        link.send(first)
                        await link.read()
                    while time.monotonic() < until_s:
                        link.send(say(said))
                        said += 1
                        await asyncio.sleep(pause_s)

    first = encode(relay.Enter(version="1")) if pause_s < 1 else b""
    async with asyncio.TaskGroup() as group:
        for number in range(1, LINKS + 1):
            group.create_task(one(number, first))
    return said


def connect(number: int) -> bytes:
    """Return a wish to call somebody, another one each time."""
    del number
    target = str(Keypair.generate().identity)
    return encode(relay.Connect(request="0" * 16, target=target))


async def connects(to: Address, seconds: float) -> int:
    """Wishes to call people who are not there."""
    return await linked(to, seconds, connect, 0.02)


async def slow_streams(to: Address, seconds: float) -> int:
    """A byte of a message now and then."""
    return await linked(to, seconds, lambda number: b"\0", 1.0)


async def huge_messages(to: Address, seconds: float) -> int:
    """Messages as long as they may be, of a type that nobody knows."""
    body = b'{"type":"x","y":"' + b"y" * 16000 + b'"}'
    message = len(body).to_bytes(4, "big") + body
    return await linked(to, seconds, lambda number: message, 0.05)


PLAIN = {
    "Initials": initials,
    "copies of Initials": copies,
    "Binding requests": bindings,
    "frames of no channel": strange_frames,
    "frames of an own channel": own_frames,
}
LINKED = {
    "registrations": registrations,
    "connects": connects,
    "slow streams": slow_streams,
    "huge messages": huge_messages,
}


def main() -> None:
    """Flood, and tell how much."""
    kind, host, port, seconds = sys.argv[1:]
    if kind in PLAIN:
        sent = PLAIN[kind]((host, int(port)), float(seconds))
    else:
        sent = asyncio.run(LINKED[kind](Address(host, int(port)), float(seconds)))
    json.dump({"sent": sent}, sys.stdout)


if __name__ == "__main__":
    main()
