"""Calls through a real relay whose sound is written by other processes.

Each call is a real channel, asked for over registered links; then senders and receivers
take over the two clients' sockets, without QUIC in between.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from bench._load import PER_S, SECONDS, Load
from bench._stage import Program
from bench.channel import Pins
from wzp_cli.address import HostPort
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.factory import Bind, open_endpoint
from wzp_cli.protocol.names.identity import Keypair
from wzp_cli.protocol.traversal.route import ChannelRoute
from wzp_cli.services.relays.registration import Registration, register

Voice = tuple[int, ChannelRoute]
"""The socket of one side of a call, and what it sends to."""


@asynccontextmanager
async def clients(
    count: int, server: HostPort, *, publishes: bool = True
) -> AsyncIterator[list[tuple[Endpoint, Registration]]]:
    """Register so many, one after the other."""
    async with AsyncExitStack() as stack:
        clients = []
        for _ in range(count):
            endpoint = await stack.enter_async_context(
                open_endpoint(
                    Keypair.generate(), Bind(host=server.host), lambda event: None
                )
            )
            registration = await stack.enter_async_context(
                register(
                    *(endpoint, server, Pins(), lambda event: None),
                    publishes=publishes,
                )
            )
            clients.append((endpoint, registration))
        yield clients


async def through(program: Program, server: HostPort, calls: int) -> Load:
    """Measure what so many calls' sound does to a relay."""
    async with talkers(server, calls) as (everybody, voices):
        return await blast(program, everybody, voices, calls)


@asynccontextmanager
async def talkers(
    server: HostPort, calls: int
) -> AsyncIterator[tuple[list[Endpoint], list[Voice]]]:
    """Join callers and callees, each with each, until there are so many calls."""
    side = next(n for n in range(1, calls + 1) if n * n >= calls)
    async with (
        clients(side, server) as callees,
        clients(side, server, publishes=False) as callers,
    ):
        voices: list[Voice] = []
        for endpoint, registration in callers:
            for callee, _ in callees:
                if len(voices) < 2 * calls:
                    (route,) = await registration.connect(callee.identity)
                    back = ChannelRoute(route.relay, route.receive_id, route.send_id)
                    voices += [(descriptor(endpoint), route)]
                    voices += [(descriptor(callee), back)]
        yield [endpoint for endpoint, _ in (*callers, *callees)], voices


async def blast(
    program: Program,
    everybody: list[Endpoint],
    voices: list[Voice],
    calls: int,
) -> Load:
    """Let them talk, from other processes that have their sockets; count what came."""
    loop = asyncio.get_running_loop()
    descriptors = [descriptor(endpoint) for endpoint in everybody]
    for each in descriptors:
        loop.remove_reader(each)  # they only wait meanwhile
    told = {
        "voices": [(each, "08" + route.send_id.hex()) for each, route in voices],
        "relay": list(voices[0][1].relay),
        "seconds": SECONDS,
        "per_s": PER_S,
    }
    before_s, began_s = program.cpu_s(), time.monotonic()
    async with asyncio.TaskGroup() as group:
        receiving = group.create_task(
            process("receive", {"descriptors": descriptors}, descriptors)
        )
        sending = group.create_task(process("send", told, descriptors))
        await sending
        core = (program.cpu_s() - before_s) / (time.monotonic() - began_s)
    for endpoint in everybody:  # so that they can say goodbye
        wire = endpoint._wire
        loop.add_reader(descriptor(endpoint), wire._read)  # type: ignore[attr-defined]
    delays_us = receiving.result()["delays_us"]
    return Load.of(calls, sending.result(), delays_us, core)


def descriptor(endpoint: Endpoint) -> int:
    """Return the number of its one socket."""
    return endpoint._wire._sock.fileno()  # type: ignore[attr-defined]


async def process(kind: str, told: dict, descriptors: list[int]) -> dict:
    """Run one of bench/_voices.py, and return what it prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench._voices", kind),
        pass_fds=descriptors,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 30,
    )
    out, _ = await process.communicate(json.dumps(told).encode())
    return json.loads(out)
