"""A house of endpoints on one network in memory, in virtual time.

The endpoints, their aioquic and TLS are the real ones. What a test leaves behind fails
it: an exception on the receive path, a timer that outlives the endpoints.

    async def scenario(house: House) -> None:
        alice, bob = house.machine(), house.machine()
        bob.endpoint.accept_peers(Strangers.PROVEN)
        here, there = await meet(alice, bob)

    house_of(scenario)
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.support.fakenet import FakeNet, FakeWire, Host, Packet
from tests.support.virtual_time import run
from wzp_cli.address import Address
from wzp_cli.concurrency import task_group
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.links.admission import Strangers
from wzp_cli.endpoint.links.link import Link
from wzp_cli.protocol.names.identity import Keypair
from wzp_cli.protocol.traversal.route import ChannelRoute, DirectRoute, Route
from wzp_cli.relay.forwarding.channels import ChannelTable

__all__ = ["House", "Machine", "Mailbox", "house_of", "link_pair", "meet", "turns"]

PORT = 4433


class Mailbox:
    """A bare wire that keeps what comes."""

    def __init__(self, wire: FakeWire, address: Address) -> None:
        self.wire, self.address = wire, address
        self.got: list[tuple[bytes, Address]] = []
        wire.start(lambda datagram, source, own: self.got.append((datagram, source)))

    @property
    def got_bytes(self) -> int:
        """All that came."""
        return sum(len(datagram) for datagram, _ in self.got)

    def send(self, datagram: bytes, to: Address) -> None:
        """Send one datagram."""
        self.wire.send(datagram, to)


@dataclass
class Machine:
    """A host with one endpoint."""

    host: Host
    wire: FakeWire
    address: Address
    keypair: Keypair
    endpoint: Endpoint

    @property
    def route(self) -> DirectRoute:
        """The way straight to it."""
        return DirectRoute(self.address)


@dataclass
class House:
    """The network and what stands on it."""

    net: FakeNet = field(default_factory=FakeNet)
    machines: list[Machine] = field(default_factory=list)
    packets: list[Packet] = field(default_factory=list)
    _hosts: int = 0

    def __post_init__(self) -> None:
        self.net.on_packet(self.packets.append)

    def host(self) -> tuple[Host, str]:
        """Return a new public host and its address."""
        self._hosts += 1
        address = f"20.0.0.{self._hosts}"
        return self.net.host(address), address

    def machine(self, keypair: Keypair | None = None) -> Machine:
        """Return a new host with an endpoint."""
        host, address = self.host()
        wire = host.wire(PORT)
        keypair = keypair or Keypair.generate()
        endpoint = Endpoint(wire, keypair, lambda: host.wire(0))
        machine = Machine(host, wire, Address(address, PORT), keypair, endpoint)
        self.machines.append(machine)
        return machine

    def mailbox(self) -> Mailbox:
        """Return a bare wire on a new host."""
        host, address = self.host()
        return Mailbox(host.wire(PORT), Address(address, PORT))

    def channel(
        self, relay: Machine, caller: Machine, callee: Machine
    ) -> tuple[ChannelRoute, ChannelRoute]:
        """Join two machines through a relay's table; return each one's route."""
        table = ChannelTable()
        now = relay.endpoint.now
        relay.endpoint.forward = lambda frame, source: table.forward(
            frame, source, now()
        )
        channel = table.open(
            ("caller", caller.address), ("callee", callee.address), now()
        )
        there, back = channel.caller_id, channel.callee_id
        return (
            ChannelRoute(relay.address, there, back),
            ChannelRoute(relay.address, back, there),
        )

    def sent(self, source: Address, to: Address | None = None) -> list[bytes]:
        """Return the datagrams that left `source` so far (those toward `to`)."""
        return [
            packet.datagram
            for packet in self.packets
            if packet.source == source and to in (None, packet.to)
        ]

    def close(self) -> None:
        """Close every endpoint."""
        for machine in self.machines:
            machine.endpoint.close()


def state_of(endpoint: Endpoint) -> dict[str, int]:
    """Return how much an endpoint remembers."""
    admission = endpoint._accepting.admission
    return {
        "links": len(endpoint.links),
        "connection ids": len(endpoint._links),
        "channels": len(endpoint._channels),
        "transactions": len(endpoint._transactions),
        "checks": sum(len(s._asked) for s in endpoint._checks.values()),
        "sessions": len(endpoint._checks),
        "deadlines": len(endpoint._accepting._deadlines),
        "half open": len(admission._half_open_strangers)
        + len(admission._half_open_channels),
        "accepted": endpoint._accepting._accepted.qsize(),
        "events": sum(len(link._quic._events) for link in endpoint.links),
    }


def house_of(scenario: Callable[[House], Awaitable[None]]) -> None:
    """Run a scenario in a new house, and see that nothing is left of it."""

    async def in_house() -> None:
        house = House()
        try:
            await scenario(house)
        finally:
            house.close()
        await turns()
        for machine in house.machines:
            assert not machine.endpoint.links
            assert not machine.endpoint._accepting._deadlines
        assert not live_timers()

    run(in_house())


def live_timers() -> list[asyncio.TimerHandle]:
    """Return the timers of links that still wait."""
    scheduled: list[asyncio.TimerHandle] = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    return [
        handle
        for handle in scheduled
        if not handle.cancelled()
        and isinstance(getattr(handle._callback, "__self__", None), Link | Endpoint)  # type: ignore[attr-defined]
    ]


async def turns(count: int = 5) -> None:
    """Let the loop bring what is under way; time does not pass."""
    for _ in range(count):
        await asyncio.sleep(0)


async def link_pair(
    dialler: Machine, acceptor: Machine, route: Route | None = None
) -> tuple[Link, Link]:
    """Dial a machine that accepts; return the dialler's link and the acceptor's."""
    async with task_group() as group:
        dialling = group.create_task(
            dialler.endpoint.dial_peer(
                route or acceptor.route, acceptor.endpoint.identity
            )
        )
        accepted = await acceptor.endpoint.accept()
    return dialling.result(), accepted


async def meet(house: House) -> tuple[Machine, Machine, Link, Link]:
    """Return two new machines, and both ends of a link between them."""
    alice, bob = house.machine(), house.machine()
    bob.endpoint.accept_peers(Strangers.PROVEN)
    here, there = await link_pair(alice, bob)
    return alice, bob, here, there
