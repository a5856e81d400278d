"""Many clients in one process, each with a socket of its own.

Endpoints, QUIC and services are the real ones; the sound counts its frames.
"""

import asyncio
import random
import socket
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tests.support.world import CountingCodec, CountingSound, Pins, yes
from wzp_cli.address import HostPort
from wzp_cli.concurrency import task_group
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.factory import Bind, OpenWire, open_endpoint
from wzp_cli.errors import WzpError
from wzp_cli.events import Event
from wzp_cli.protocol.names.identity import Keypair
from wzp_cli.services.calls.call import CallSettings, call_identity
from wzp_cli.services.calls.listen import ListenSettings, listen
from wzp_cli.services.calls.talk import CallOutcome
from wzp_cli.services.relays.registration import Registration, register

__all__ = ["Client", "crowd", "named"]


class Client:
    """Somebody who takes every call, and makes some."""

    def __init__(self, keypair: Keypair, endpoint: Endpoint) -> None:
        self.identity = keypair.identity
        self.endpoint = endpoint
        self.registration: Registration
        self.busy = False
        self.ends: Counter[str] = Counter()

    async def take_calls(self) -> None:
        """Answer whoever calls, for ever."""
        settings = ListenSettings(on_outcome=self._note)
        await listen(
            *(self.endpoint, self.registration, settings, yes),
            *(_open_sound, _open_codec, _no_interfaces, _quiet),
        )

    def _note(self, outcome: CallOutcome) -> None:
        self.ends[f"taken, ended by {outcome.end.by}"] += 1

    async def call(self, other: "Client", duration_s: float, *, direct: bool) -> str:
        """Call somebody; return how that ended, in a word."""
        settings = CallSettings(
            direct=direct, duration_s=duration_s, ring_timeout_s=10.0
        )
        self.busy = other.busy = True
        try:
            outcome = await call_identity(
                *(self.endpoint, self.registration, other.identity, settings),
                *(_open_sound, _open_codec, _no_interfaces, _quiet),
            )
            end = f"made, ended by {outcome.end.by}"
        except WzpError as error:
            end = error.code
        finally:
            self.busy = other.busy = False
        self.ends[end] += 1
        return end


@asynccontextmanager
async def crowd(
    count: int, server: HostPort, open_wire: OpenWire
) -> AsyncIterator[list[Client]]:
    """Register so many clients, and let them take calls; each opens a socket so."""
    clients: list[Client] = []
    async with task_group() as group:
        tasks: list[asyncio.Task[None]] = []
        ready = asyncio.Semaphore(0)

        async def live() -> None:
            keypair = Keypair.generate()
            async with open_endpoint(
                keypair, Bind(), _quiet, open_wire=open_wire
            ) as ours:
                client = Client(keypair, ours)
                async with register(ours, server, Pins(), _quiet, publishes=True) as it:
                    client.registration = it
                    clients.append(client)
                    ready.release()
                    await client.take_calls()

        try:
            for _ in range(count):
                tasks.append(group.create_task(live()))
                await ready.acquire()
            yield clients
        finally:
            for task in tasks:
                task.cancel()


def named(name: str, hosts: Sequence[str]) -> None:
    """Give a name these addresses, in this loop alone; each client's order differs."""
    loop = asyncio.get_running_loop()
    before = loop.getaddrinfo

    async def getaddrinfo(host: Any, port: Any, **how: Any) -> Any:
        if host != name:
            return await before(host, port, **how)
        some = random.sample(list(hosts), len(hosts))
        kind = (socket.AF_INET, socket.SOCK_DGRAM, 17, "")
        return [(*kind, (each, port)) for each in some]

    loop.getaddrinfo = getaddrinfo  # type: ignore[method-assign]


@asynccontextmanager
async def _open_sound() -> AsyncIterator[CountingSound]:
    yield CountingSound()


def _open_codec(name: str | None) -> tuple[CountingCodec, str | None]:
    return CountingCodec(), None


def _no_interfaces() -> list[Any]:
    return []


def _quiet(event: Event) -> None:
    """Tell nobody."""
