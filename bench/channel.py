"""How many packets one relay passes on: a channel, frames of 130 bytes, over loopback.

Relay, sender and receiver are three processes. The channel is a real one, asked for
over registered links; then the sender writes into the caller's socket and the receiver
reads the listener's, without QUIC in between.
"""

import asyncio
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass

from bench._blast import FRAME_BYTES
from bench._stage import Program, folder, introduce, percentile, relay, show
from wzp_cli.address import HostPort
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.factory import Bind, open_endpoint
from wzp_cli.protocol.names.identity import Keypair
from wzp_cli.services.relays.registration import register

RATES = (1_000, 5_000, 20_000, 0)
SECONDS = 5
LIFTED = (sys.executable, "-m", "bench._lifted_relay")


@dataclass(frozen=True)
class Passage:
    """What one run brought. `relay_cpu` is a share of a core."""

    sent: int
    delays_us: list[float]
    relay_cpu: float


class Pins:
    """No relay was met before."""

    def pinned(self, name: str) -> bytes | None:
        """Return None."""
        return None

    def pin(self, name: str, key: bytes) -> None:
        """Forget it."""

    def tcp_port(self, name: str) -> int | None:
        """Return None."""
        return None

    def note_tcp_port(self, name: str, port: int) -> None:
        """Forget it."""


def main() -> None:
    """Measure each rate without and with the relay, and print a table."""
    introduce("channel", f"{' '.join(LIFTED[1:])} relay; {SECONDS} s at each rate")
    rows = []
    with folder() as home, relay(home, LIFTED) as (program, address):
        for rate in RATES:
            for through in (False, True):
                passage = asyncio.run(
                    _passage(program, HostPort.parse(address), rate, through=through)
                )
                rows.append(_row(rate, passage, through=through))
    head = [
        "sent", "packets/s", "received/s", "share %", "p50 us", "p99 us", "relay CPU %",
        "per core-s",
    ]  # fmt: skip
    show(f"frames of {FRAME_BYTES} bytes", head, rows)


async def _passage(
    program: Program, server: HostPort, rate: int, *, through: bool
) -> Passage:
    async with AsyncExitStack() as stack:
        caller, listener = [
            await stack.enter_async_context(
                open_endpoint(
                    Keypair.generate(), Bind(host=server.host), lambda event: None
                )
            )
            for _ in range(2)
        ]
        for endpoint, publishes in ((listener, True), (caller, False)):
            registration = await stack.enter_async_context(
                register(
                    endpoint, server, Pins(), lambda event: None, publishes=publishes
                )
            )
        (route,) = await registration.connect(listener.identity)
        target = route.relay if through else listener.local
        header = (b"\x08" + route.send_id).hex()
        return await _blast(
            program, caller, listener, [*target[:2], header, rate, SECONDS]
        )


async def _blast(
    program: Program, caller: Endpoint, listener: Endpoint, words: list[object]
) -> Passage:
    """Let two processes use the endpoints' sockets, which meanwhile only wait."""
    loop = asyncio.get_running_loop()
    senders = [endpoint._wire._sock.fileno() for endpoint in (caller, listener)]
    for descriptor in senders:
        loop.remove_reader(descriptor)
    before_s, began_s = program.cpu_s(), loop.time()
    async with asyncio.TaskGroup() as group:
        received = group.create_task(_run("receive", senders[1]))
        sent = group.create_task(_run("send", senders[0], *words))
        await sent
        share = (program.cpu_s() - before_s) / (loop.time() - began_s)
    delays_us = [int(word) / 1000 for word in received.result().split()]
    return Passage(int(sent.result()), delays_us, share)


async def _run(kind: str, descriptor: int, *words: object) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench._blast", kind, str(descriptor)),
        *map(str, words),
        pass_fds=[descriptor],
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    return out.decode()


def _row(rate: int, passage: Passage, *, through: bool) -> list[str]:
    delays_us = passage.delays_us
    name = f"{rate}/s" if rate else "saturated"
    return [
        f"{name}, {'by relay' if through else 'no relay'}",
        f"{passage.sent / SECONDS:.0f}",
        f"{len(delays_us) / SECONDS:.0f}",
        f"{100 * len(delays_us) / passage.sent:.1f}",
        *(f"{percentile(delays_us, share):.0f}" for share in (0.5, 0.99)),
        f"{100 * passage.relay_cpu:.0f}" if through else "-",
        f"{len(delays_us) / SECONDS / passage.relay_cpu:.0f}" if through else "-",
    ]


if __name__ == "__main__":
    main()
