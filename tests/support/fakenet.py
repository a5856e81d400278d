"""A network in memory: hosts, RFC 4787 NATs, no sockets, no root, same every time.

Hosts and NATs stand on segments: the public one, and one inside each NAT. A packet goes
up through NATs, across, and down again; it is dropped where its TTL ends, where a NAT
does not let it in, on a cut or by loss. Delay, jitter, loss and cuts are the public
segment's. Each NAT costs one hop, a segment as many as it has routers.

    net = FakeNet()
    home = net.nat("198.51.100.7", MASQUERADE)
    wire = net.host("192.168.1.2", nat=home).wire(5000)
    server = net.host("192.0.2.1").wire(4433)
"""

import asyncio
import collections
import errno
import heapq
import itertools
import math
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.support.bottleneck import Bottleneck
from wzp_cli.address import Address
from wzp_cli.endpoint.sockets.wire import ErrorSink, Losses, Sink
from wzp_cli.protocol.nat import Allocation, Filtering, Mapping

__all__ = [
    "ADDRESS_RESTRICTED",
    "FULL_CONE",
    "MASQUERADE",
    "POISONABLE",
    "RANDOM",
    "SEQUENTIAL",
    "FakeNet",
    "FakeWire",
    "Host",
    "Nat",
    "NatKind",
    "Packet",
]

_DEFAULT_TTL = 64
_HEADERS = 28
_POISON_S = 30.0
_LOOPBACK = ("127.0.0.1", "::1")


@dataclass(frozen=True)
class NatKind:
    """How a NAT behaves (RFC 4787).

    Attributes:
        accepts_input: An uninvited packet leaves an entry for its 5-tuple, as on a
            router whose own INPUT chain accepts it; our later packet to that peer then
            gets another external port (docs/nat.md, poisoned conntrack), until that
            pair was silent for 30 s.
        lifetime_s: How long a mapping lasts after its last packet from inside.
    """

    mapping: Mapping = Mapping.ENDPOINT_INDEPENDENT
    filtering: Filtering = Filtering.ADDRESS_AND_PORT_DEPENDENT
    allocation: Allocation = Allocation.PRESERVING
    delta: int = 1
    hairpinning: bool = False
    accepts_input: bool = False
    lifetime_s: float = math.inf


MASQUERADE = NatKind()
POISONABLE = NatKind(accepts_input=True)
FULL_CONE = NatKind(filtering=Filtering.ENDPOINT_INDEPENDENT)
ADDRESS_RESTRICTED = NatKind(filtering=Filtering.ADDRESS_DEPENDENT)
SEQUENTIAL = NatKind(
    mapping=Mapping.ADDRESS_AND_PORT_DEPENDENT, allocation=Allocation.SEQUENTIAL
)
RANDOM = NatKind(
    mapping=Mapping.ADDRESS_AND_PORT_DEPENDENT, allocation=Allocation.RANDOM
)


@dataclass(frozen=True, slots=True)
class Packet:
    """One datagram, as it is seen on one segment ("public", or a NAT's `name`)."""

    datagram: bytes
    source: Address
    to: Address
    ttl: int
    segment: str = ""


class _Segment:
    """Hosts and NATs that reach each other without translation."""

    def __init__(self, name: str, hops: int, gateway: "Nat | None") -> None:
        self.name, self.hops, self.gateway = name, hops, gateway
        self.directory: dict[str, Host | Nat] = {}


def _scope(behaviour: Mapping | Filtering, remote: Address) -> tuple[str | int, ...]:
    """Return the part of `remote` on which a behaviour depends."""
    if behaviour.value == "endpoint-independent":
        return ()
    return (remote.host,) if behaviour.value == "address-dependent" else remote


class Nat:
    """A router. IPv6, and IPv4 where it has no external host, is filtered only.

    Attributes:
        blocked: Drop everything (a network that lets no UDP out).
    """

    def __init__(
        self, external: str, kind: NatKind, outside: _Segment, hops: int, seed: str
    ) -> None:
        self.name = external or seed
        self.external, self.kind, self.outside = external, kind, outside
        self.inside = _Segment(self.name, hops, self)
        self.blocked = False
        self._random = random.Random(seed)
        self._next = self._random.randrange(20_000, 50_000)
        self._forwards: dict[int, Address] = {}
        self.rebind()

    def rebind(self, external: str = "") -> None:
        """Forget all mappings; take a new external host if one is given."""
        self._mapped: dict[tuple[object, ...], Address] = {}
        self._inner: dict[Address, Address] = {}
        self._opened: set[tuple[object, ...]] = set()
        self._poisoned: dict[tuple[Address, Address], float] = {}
        self._used: dict[Address, float] = {}
        if external:
            del self.outside.directory[self.external]
            self.external = external
            self.outside.directory[external] = self

    def forward(self, port: int, to: Address) -> None:
        """Let everybody reach `to` through the external `port` (a port mapping)."""
        self._forwards[port] = to

    def outbound(self, packet: Packet) -> Packet | None:
        """Translate and open; None where the packet ends here."""
        if self.blocked or packet.ttl <= 1:
            return None
        self._forget_idle()
        source, to = packet.source, packet.to
        external = source
        if self.external and not source.is_v6:
            external = self._map((source, *_scope(self.kind.mapping, to)), source)
            if (external, to) in self._poisoned:
                self._poisoned[external, to] = asyncio.get_running_loop().time()
                external = self._map((source, "instead", to), source)
        self._inner[external] = source
        self._used[external] = asyncio.get_running_loop().time()
        self._opened.add((external, *_scope(self.kind.filtering, to)))
        return replace(packet, source=external, ttl=packet.ttl - 1)

    def inbound(self, packet: Packet) -> Packet | None:
        """Translate back; None where the packet is not let in."""
        if self.blocked:
            return None
        self._forget_idle()
        to_us = packet.to.host == self.external
        inner = self._forwards.get(packet.to.port) if to_us else None
        inner = inner or self._admitted(packet)
        if inner is None and to_us and self.kind.accepts_input:
            now = asyncio.get_running_loop().time()
            self._poisoned[packet.to, packet.source] = now
        if inner is None or packet.ttl <= 1:
            return None
        return replace(packet, to=inner, ttl=packet.ttl - 1)

    def _forget_idle(self) -> None:
        """Forget mappings that were silent for longer than they live."""
        now = asyncio.get_running_loop().time()
        for pair in [p for p, at in self._poisoned.items() if at < now - _POISON_S]:
            del self._poisoned[pair]
        oldest = now - self.kind.lifetime_s
        for external in [each for each, at in self._used.items() if at < oldest]:
            del self._used[external], self._inner[external]
            self._mapped = {k: v for k, v in self._mapped.items() if v != external}
            self._opened = {each for each in self._opened if each[0] != external}

    def _admitted(self, packet: Packet) -> Address | None:
        scope = _scope(self.kind.filtering, packet.source)
        opened = (packet.to, *scope) in self._opened
        if not opened or (packet.to, packet.source) in self._poisoned:
            return None
        return self._inner.get(packet.to)

    def _map(self, key: tuple[object, ...], source: Address) -> Address:
        if key not in self._mapped:
            self._mapped[key] = self._allocate(source.port)
            self._inner[self._mapped[key]] = source
        return self._mapped[key]

    def _allocate(self, preferred: int) -> Address:
        wish = Address(self.external, preferred)
        if self.kind.allocation is Allocation.PRESERVING and wish not in self._inner:
            return wish
        while True:
            if self.kind.allocation is Allocation.SEQUENTIAL:
                self._next += self.kind.delta
                port = 1024 + self._next % 64_512
            else:
                port = self._random.randrange(1024, 65_536)
            if (free := Address(self.external, port)) not in self._inner:
                return free


class FakeWire:
    """A `wzp_cli.endpoint.sockets.wire.Wire` on a host of this network."""

    def __init__(self, host: "Host", port: int) -> None:
        self._host, self._port = host, port
        self._sink: Sink | None = None

    @property
    def local(self) -> Address:
        """The bound address, as a dual-stack or an IPv4 socket has it."""
        v6 = any(":" in address for address in self._host.addresses)
        return Address("::" if v6 else "0.0.0.0", self._port)

    @property
    def losses(self) -> Losses:
        """See Wire; this machine loses nothing."""
        return Losses(0, 0)

    def start(self, sink: Sink) -> None:
        """See Wire; what came before is lost."""
        self._sink = sink

    def send(
        self,
        datagram: bytes,
        to: Address,
        *,
        ttl: int | None = None,
        source: str = "",
        whole: bool = False,
    ) -> None:
        """See Wire."""
        if whole and len(datagram) + _HEADERS > self._host.path_mtu:
            return
        if self._host.wires.get(self._port) is self:
            hops = _DEFAULT_TTL if ttl is None else ttl
            self._host.send(bytes(datagram), self._port, to, hops, source)

    def watch_errors(self, sink: ErrorSink | None) -> bool:
        """See Wire; this network does not tell."""
        return False

    def close(self) -> None:
        """See Wire; a second time does nothing."""
        self._sink = None
        if self._host.wires.get(self._port) is self:
            del self._host.wires[self._port]

    def receive(self, packet: Packet) -> None:
        """Bring a packet to the sink (called by the network)."""
        if self._sink is not None:
            self._sink(packet.datagram, packet.source, packet.to.host)


class Host:
    """A machine with one or several addresses, perhaps behind different NATs.

    Attributes:
        path_mtu: The largest IPv4 packet that leaves it unfragmented.
    """

    def __init__(self, net: "FakeNet") -> None:
        self._net = net
        self.path_mtu = 1500
        self.addresses: dict[str, _Segment] = {}
        self.wires: dict[int, FakeWire] = {}

    def attach(self, address: str, nat: Nat | None = None) -> None:
        """Give the host another address; the first one is the default."""
        self.addresses[address] = segment = nat.inside if nat else self._net.public
        segment.directory[address] = self
        while (gateway := segment.gateway) is not None:
            segment = gateway.outside
            if not gateway.external or ":" in address:  # routed, not translated
                segment.directory[address] = gateway

    def detach(self, address: str) -> None:
        """Take an address away (a network change)."""
        del self.addresses[address].directory[address]
        del self.addresses[address]

    def wire(self, port: int = 0) -> FakeWire:
        """Bind a UDP port (0: a random one) on every address.

        Raises:
            OSError: EADDRINUSE.
        """
        while not port:
            ephemeral = self._net.random.randrange(32_768, 60_999)
            port = 0 if ephemeral in self.wires else ephemeral
        if port in self.wires:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        self.wires[port] = FakeWire(self, port)
        return self.wires[port]

    def send(
        self, datagram: bytes, port: int, to: Address, ttl: int, source: str
    ) -> None:
        """Route a datagram out of one of our addresses; drop it where none fits."""
        if to.host in self.addresses or to.host in _LOOPBACK:
            own = Address(to.host, port)
            return self._net.deliver(self, Packet(datagram, own, to, ttl))
        fitting = [a for a in self.addresses if (":" in a) == to.is_v6]
        fitting.sort(key=lambda a: to.host not in self.addresses[a].directory)
        if source in fitting or (fitting and not source):
            own = Address(source or fitting[0], port)
            packet = Packet(datagram, own, to, ttl)
            self._net.carry(packet, self.addresses[own.host])


class FakeNet:
    """The public segment, and the clockwork of all others.

    Attributes:
        delay_s, jitter_s: Each packet's one-way delay across the public segment, and
            the largest random addition to it.
        loss: Share of packets lost there, 0 to 1.
        drops: Packets that ended on the way, counted by reason.
    """

    def __init__(
        self, *, seed: int = 0, delay_s: float = 0, loss: float = 0, hops: int = 6
    ) -> None:
        self.random = random.Random(seed)
        self.delay_s, self.jitter_s, self.loss = delay_s, 0.0, loss
        self.public = _Segment("public", hops, None)
        self.drops: collections.Counter[str] = collections.Counter()
        self._delays_s: dict[frozenset[str], float] = {}
        self._cuts: set[frozenset[str]] = set()
        self._narrow: dict[str, tuple[Bottleneck, Bottleneck]] = {}
        self._taps: list[Callable[[Packet], None]] = []
        self._flying: list[tuple[float, int, Packet]] = []
        self._numbers = itertools.count()

    def host(self, *addresses: str, nat: Nat | None = None) -> Host:
        """Return a new machine with these addresses, behind `nat` or public."""
        host = Host(self)
        for address in addresses:
            host.attach(address, nat)
        return host

    def nat(
        self,
        external: str,
        kind: NatKind = MASQUERADE,
        *,
        behind: Nat | None = None,
        hops: int = 0,
    ) -> Nat:
        """Return a new NAT, itself perhaps `behind` another one (a carrier's).

        Args:
            external: Its IPv4 host on the outside; "" for a plain firewall.
            kind: Its behaviour.
            behind: The NAT on whose inside it stands; None: the public segment.
            hops: Routers on its inside.
        """
        outside = behind.inside if behind else self.public
        seed = f"{external}/{self.random.random()}"
        nat = Nat(external, kind, outside, hops, seed)
        if external:
            outside.directory[external] = nat
        return nat

    def on_packet(self, tap: Callable[[Packet], None]) -> None:
        """Show `tap` each packet on each segment that it enters, before any loss."""
        self._taps.append(tap)

    def cut(self, a: str, b: str) -> None:
        """From now on, drop all packets between two public addresses."""
        self._cuts.add(frozenset((a, b)))

    def mend(self, a: str, b: str) -> None:
        """Undo `cut`."""
        self._cuts.discard(frozenset((a, b)))

    def delay(self, a: str, b: str, delay_s: float) -> None:
        """Set the one-way delay between two public addresses."""
        self._delays_s[frozenset((a, b))] = delay_s

    def narrow(self, host: str, bps: float, room_s: float) -> tuple[Bottleneck, ...]:
        """Let a public address have a narrow link, and return its way up and down."""
        self._narrow[host] = Bottleneck(bps, room_s), Bottleneck(bps, room_s)
        return self._narrow[host]

    def carry(self, packet: Packet, segment: _Segment) -> None:
        """Take a packet that has just entered `segment`."""
        packet = replace(packet, segment=segment.name)
        for tap in self._taps:
            tap(packet)
        packet = replace(packet, ttl=packet.ttl - segment.hops)
        if packet.ttl < 1:
            self.drops["ttl"] += 1
        elif segment is self.public:
            self._cross(packet)
        else:
            self._arrive(packet, segment)

    def _cross(self, packet: Packet) -> None:
        pair = frozenset((packet.source.host, packet.to.host))
        if pair in self._cuts:
            self.drops["cut"] += 1
        elif self.loss and self.random.random() < self.loss:
            self.drops["loss"] += 1
        elif (queue_s := self._queue_s(packet)) is None:
            self.drops["queue"] += 1
        elif (
            delay_s := queue_s
            + self._delays_s.get(pair, self.delay_s)
            + (self.jitter_s and self.random.uniform(0, self.jitter_s))
        ):
            loop = asyncio.get_running_loop()
            when = loop.time() + delay_s
            heapq.heappush(self._flying, (when, next(self._numbers), packet))
            loop.call_at(when, self._land)
        else:
            self._arrive(packet, self.public)

    def _queue_s(self, packet: Packet) -> float | None:
        """How long the narrow links on the way hold a packet; None: one drops it."""
        now, waits_s = asyncio.get_running_loop().time(), 0.0
        for host, way in (packet.source.host, 0), (packet.to.host, 1):
            if host in self._narrow:
                takes_s = self._narrow[host][way].passes(len(packet.datagram), now)
                if takes_s is None:
                    return None
                waits_s += takes_s
        return waits_s

    def _land(self) -> None:
        # The earliest, and of two equal ones the first: asyncio's heap may swap them.
        self._arrive(heapq.heappop(self._flying)[2], self.public)

    def _arrive(self, packet: Packet, segment: _Segment) -> None:
        station = segment.directory.get(packet.to.host, segment.gateway)
        if isinstance(station, Host):
            self.deliver(station, packet)
        elif station is None:
            self.drops["no route"] += 1
        elif station is segment.gateway:
            self._leave(packet, station)
        else:
            self._enter(packet, station)

    def _leave(self, packet: Packet, nat: Nat) -> None:
        translated = nat.outbound(packet)
        if translated is None:
            self.drops["ttl or blocked"] += 1
        elif translated.to.host != nat.external:
            self.carry(translated, nat.outside)
        elif nat.kind.hairpinning:
            self._enter(translated, nat)
        else:
            self.drops["hairpin"] += 1

    def _enter(self, packet: Packet, nat: Nat) -> None:
        translated = nat.inbound(packet)
        if translated is None:
            self.drops["filter"] += 1
        elif translated.to.host not in nat.inside.directory:
            self.drops["no route"] += 1
        else:
            self.carry(translated, nat.inside)

    def deliver(self, host: Host, packet: Packet) -> None:
        """Bring a packet to the wire that it is for, in the loop's next turn."""
        if (wire := host.wires.get(packet.to.port)) is None:
            self.drops["no port"] += 1
        else:
            asyncio.get_running_loop().call_soon(wire.receive, packet)
