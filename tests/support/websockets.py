"""A relay with a TCP port, and clients whose UDP goes nowhere: sockets on loopback."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from tests.support.world import Pins
from wzp_cli.address import HostPort
from wzp_cli.concurrency import task_group
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.factory import Bind, open_endpoint
from wzp_cli.endpoint.tcp.dialler import dial_tunnel
from wzp_cli.endpoint.tcp.listener import TunnelListener, open_tunnel_listener
from wzp_cli.endpoint.tcp.outer_tls import acceptor_context
from wzp_cli.events import Event
from wzp_cli.protocol.names.identity import Keypair
from wzp_cli.relay.server import Relay, RelaySettings
from wzp_cli.services.relays.registration import Registration, register

__all__ = ["LOOPBACK", "Client", "TcpRelay", "tcp_relay", "until"]

LOOPBACK = "127.0.0.1"


async def until(true: Callable[[], bool]) -> None:
    """Wait for what is on its way and tells nobody when it is there."""
    while not true():  # noqa: ASYNC110
        await asyncio.sleep(0.001)


@dataclass
class Client:
    """Somebody who registers; `events` keeps what was reported."""

    endpoint: Endpoint
    registration: Registration
    events: list[Event]


@dataclass
class TcpRelay:
    """A relay of which clients know a UDP port where nobody answers.

    Attributes:
        name: What clients call it; its UDP is silent unless `udp` is used.
    """

    endpoint: Endpoint
    listener: TunnelListener
    name: HostPort
    stack: AsyncExitStack
    pins: Pins = field(default_factory=Pins)

    async def client(
        self, keypair: Keypair | None = None, *, publishes: bool = True
    ) -> Client:
        """Register somebody."""
        events: list[Event] = []
        endpoint = await self.stack.enter_async_context(
            open_endpoint(
                keypair or Keypair.generate(),
                Bind(host=LOOPBACK),
                events.append,
                dial_tunnel=dial_tunnel,
            )
        )
        registration = await self.stack.enter_async_context(
            register(endpoint, self.name, self.pins, events.append, publishes=publishes)
        )
        return Client(endpoint, registration, events)


@asynccontextmanager
async def tcp_relay(*, udp_answers: bool = False) -> AsyncIterator[TcpRelay]:
    """Run a relay on loopback; clients get through by TCP (and UDP if it answers)."""
    async with AsyncExitStack() as stack:
        silent = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
        silent.bind((LOOPBACK, 0))
        endpoint = await stack.enter_async_context(
            open_endpoint(Keypair.generate(), Bind(host=LOOPBACK), lambda event: None)
        )
        listener = await stack.enter_async_context(
            open_tunnel_listener(endpoint, 0, acceptor_context(), host=LOOPBACK)
        )
        group = await stack.enter_async_context(task_group())
        server = Relay(
            endpoint,
            (),
            RelaySettings(),
            lambda event: None,
            tcp_port=listener.port,
        )
        serving = group.create_task(server.run())
        stack.callback(serving.cancel)
        port = endpoint.local.port if udp_answers else silent.getsockname()[1]
        async with AsyncExitStack() as clients:
            relay = TcpRelay(endpoint, listener, HostPort(LOOPBACK, port), clients)
            relay.pins.note_tcp_port(str(relay.name), listener.port)
            await asyncio.sleep(0)
            yield relay
