"""Who stands where in a laboratory, with which addresses: pure, nothing is run here.

    a, a2 --LAN-- a-nat1 --carrier-- a-nat2 --11.0.1.0/24-- a-hop1 --45.1.1.0/24-- core
                                                                                   |||
    servers r1 5.0.1.2, r2 5.0.2.2, r3 5.0.3.2 and 5.0.3.3 -------------------------'||
    other sites, each with an arm of routers of its own ----------------------------- '

`hops` counts the public routers between a site and a server, the core included: each
site's arm has `hops - 1` of its own, so two sites are `2 * hops - 1` routers apart.
The public ranges are ones that `ipaddress` calls global (documentation ranges are not).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from tests.netlab.nats import KINDS, Layer, NatKind, ruleset
from tests.netlab.userspace_nat import Impairment, format_words

__all__ = ["CORE", "Machine", "SitePlan", "SiteSpec", "Topology"]

CORE: Final = "core"
_FIRST_INDEX: Final = 100
_CORE_RULES: Final = """
table inet lab {
  chain cuts { }
  chain losses { }
  chain forward {
    type filter hook forward priority filter
    jump cuts
    jump losses
  }
}
"""


@dataclass(frozen=True)
class SiteSpec:
    """What to build for one site.

    Attributes:
        kind: A kind, or the name of one.
        lan: IPv4 network of the LAN behind a NAT; None gives each site its own.
        delay_ms: One-way delay between the site and the core, for IPv4; as the next two
            it holds in both directions. See `Impairment` for them and more.
        uplink: The way out of the site, in place of those three.
        downlink: The way into the site, likewise.
        behind: An earlier site of two layers whose outer NAT, the carrier's, serves
            this one as well. The kind is then of the home router alone, and the link is
            the other site's.
        seed: Makes the link's chance the same each time: the n-th packet of a direction
            meets the same fate.
    """

    name: str
    kind: NatKind | str
    hosts: int = 1
    lan: str | None = None
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    loss_pct: float = 0.0
    uplink: Impairment | None = None
    downlink: Impairment | None = None
    behind: str | None = None
    seed: str | None = None

    @property
    def nat(self) -> NatKind:
        """The kind itself."""
        return KINDS[self.kind] if isinstance(self.kind, str) else self.kind

    @property
    def links(self) -> tuple[Impairment, Impairment]:
        """What is done to packets out of the site, and into it."""
        both = Impairment(
            delay_ms=self.delay_ms, jitter_ms=self.jitter_ms, loss_pct=self.loss_pct
        )
        return self.uplink or both, self.downlink or both


@dataclass
class Machine:
    """One namespace: its addresses and what configures it.

    Attributes:
        program: Runs there as long as the lab lives.
        userspace: So do `userspace_nat.py` with each of these words.
    """

    name: str
    forwards: bool = False
    rules: str = ""
    program: tuple[str, ...] = ()
    userspace: list[tuple[str, ...]] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    addresses_v6: list[str] = field(default_factory=list)
    ip_lines: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class SitePlan:
    """A site as it will stand: names of its machines, and where it is on the net."""

    spec: SiteSpec
    hosts: tuple[str, ...]
    routers: tuple[str, ...]
    public: str
    network: str
    prefix_v6: str


@dataclass(frozen=True)
class _Segment:
    """One link or LAN: number 1 is toward the core, 2 and up are inside."""

    v4: IPv4Network
    v6: IPv6Network

    def host(self, number: int) -> str:
        return str(self.v4[number])

    def host_v6(self, number: int) -> str:
        return str(self.v6[number])


class Topology:
    """All machines and links of a laboratory."""

    def __init__(
        self, sites: Sequence[SiteSpec], servers: Sequence[str], hops: int, ipv6: bool
    ) -> None:
        self.machines: dict[str, Machine] = {}
        self.links: list[str] = []
        self._ipv6 = ipv6
        self._hops = hops
        self._add(Machine(CORE, forwards=True, rules=_CORE_RULES))
        for number, name in enumerate(servers, start=1):
            self._add_server(name, number, addresses=2 if name == servers[-1] else 1)
        self._guests: dict[str, list[str]] = {}
        for spec in sites:
            if spec.behind is not None:
                self._guests.setdefault(spec.behind, []).append(f"{spec.name}-nat1")
        self.sites: list[SitePlan] = []
        for number, spec in enumerate(sites, start=1):
            add = self._add_site if spec.behind is None else self._add_guest
            self.sites.append(add(spec, number))

    def _add(self, machine: Machine) -> None:
        if machine.name in self.machines:
            raise ValueError(f"two machines are called {machine.name!r}")
        self.machines[machine.name] = machine

    def _add_server(self, name: str, number: int, addresses: int) -> None:
        link = _Segment(
            IPv4Network(f"5.0.{number}.0/24"), IPv6Network(f"2a00:5:0:{number}::/64")
        )
        self._add(Machine(name))
        self._wire(link, CORE, name, [(name, "eth0")])
        for extra in range(3, 2 + addresses):
            self._address(name, "eth0", link, extra)
        self._default_route(name, link)

    def _add_site(self, spec: SiteSpec, number: int) -> SitePlan:
        layers = spec.nat.layers
        segments = self._segments(spec, number)
        hosts = self._add_hosts(spec)
        routers = self._add_routers(spec.name, layers, segments)
        self._wire_site(spec.name, hosts, routers, segments)
        for depth, router in enumerate([*routers, CORE]):
            self._route_down(router, segments, depth, number, len(layers))
        uplink = segments[len(layers)]
        self._impair(spec, str(uplink.v4))
        return SitePlan(
            spec=spec,
            hosts=tuple(hosts),
            routers=tuple(routers[: len(layers)]),
            public=uplink.host(2),
            network=str(uplink.v4),
            prefix_v6=f"2a00:11:{number}::/48",
        )

    def _add_guest(self, spec: SiteSpec, number: int) -> SitePlan:
        """Add a site whose home router was wired to its host's carrier already."""
        host = next(plan for plan in self.sites if plan.spec.name == spec.behind)
        (layer,) = spec.nat.layers
        lan = self._segments(spec, number)[0]
        hosts = self._add_hosts(spec)
        router = self.machines[f"{spec.name}-nat1"]
        router.forwards, router.rules = layer.is_kernel, ruleset(layer, lan.host(2))
        router.userspace = _translator(layer)
        self._wire(lan, router.name, "lan", [(name, "eth0") for name in hosts])
        for name in hosts:
            self._default_route(name, lan)
        return replace(
            host,
            spec=spec,
            hosts=tuple(hosts),
            routers=(router.name, *host.routers[1:]),
        )

    def _add_hosts(self, spec: SiteSpec) -> list[str]:
        hosts = [f"{spec.name}{n if n > 1 else ''}" for n in range(1, spec.hosts + 1)]
        for host in hosts:
            self._add(Machine(host))
        return hosts

    def _impair(self, spec: SiteSpec, network: str) -> None:
        out, into = (format_words(link) for link in spec.links)
        if out or into:
            words = ("--link", spec.name, network, "--out", out, "--in", into)
            seed = () if spec.seed is None else ("--seed", spec.seed)
            self.machines[CORE].userspace.append(words + seed)

    def _segments(self, spec: SiteSpec, number: int) -> list[_Segment]:
        """From the hosts outward; the one below the first public router is 11.0/16."""
        inner = [spec.lan or f"10.0.{number}.0/24", f"100.64.{number}.0/24"]
        inner = inner[: len(spec.nat.layers)]
        arm = [f"45.{number}.{hop}.0/24" for hop in range(1, self._hops)]
        return [
            _Segment(IPv4Network(v4), IPv6Network(f"2a00:11:{number}:{k}::/64"))
            for k, v4 in enumerate([*inner, f"11.0.{number}.0/24", *arm], start=1)
        ]

    def _add_routers(
        self, site: str, layers: Sequence[Layer], segments: Sequence[_Segment]
    ) -> list[str]:
        nats = [
            Machine(
                f"{site}-nat{depth}",
                forwards=layer.is_kernel,
                rules=ruleset(layer, segment.host(2)),
                program=layer.program,
                userspace=_translator(layer),
            )
            for depth, (layer, segment) in enumerate(
                zip(layers, segments, strict=False), start=1
            )
        ]
        arm = [Machine(f"{site}-hop{n}", forwards=True) for n in range(1, self._hops)]
        for machine in [*nats, *arm]:
            self._add(machine)
        return [machine.name for machine in [*nats, *arm]]

    def _wire_site(
        self,
        site: str,
        hosts: Sequence[str],
        routers: Sequence[str],
        segments: Sequence[_Segment],
    ) -> None:
        below = [[(host, "eth0") for host in hosts], *[[(r, "wan")] for r in routers]]
        for guest in self._guests.get(site, []):
            self._add(Machine(guest))
            below[1].append((guest, "wan"))
        for inner, outer, segment in zip(
            below, [*routers, CORE], segments, strict=True
        ):
            self._wire(segment, outer, "lan" if outer != CORE else site, inner)
            for name, _ in inner:
                self._default_route(name, segment)

    def _wire(
        self,
        segment: _Segment,
        outer: str,
        interface: str,
        inner: Sequence[tuple[str, str]],
    ) -> None:
        """Connect machines to `interface` of `outer`, over a bridge if there are more.

        `@name@` stands for the full name of a namespace until the lab knows it.
        """
        ports = [interface] if len(inner) == 1 else _bridge_ports(interface, inner)
        if ports != [interface]:
            self.links.append(f"link add name {interface} netns @{outer}@ type bridge")
        for number, (port, (name, eth)) in enumerate(
            zip(ports, inner, strict=True), start=2
        ):
            self._cable(f"{port} netns @{outer}@", f"{eth} netns @{name}@")
            self._address(name, eth, segment, number)
            self.machines[name].ip_lines.append(f"link set dev {eth} up")
            if port != interface:
                join = f"link set dev {port} master {interface} up"
                self.machines[outer].ip_lines.append(join)
        self._address(outer, interface, segment, 1)
        self.machines[outer].ip_lines.append(f"link set dev {interface} up")

    def _cable(self, one: str, other: str) -> None:
        """Add a veth pair whose ends have different interface numbers.

        Where both have the same (each the first of its namespace), Linux takes up to
        a second to see the carrier, and drops what is sent until then.
        """
        index = _FIRST_INDEX + 2 * len(self.links)
        self.links.append(
            f"link add index {index} name {one} type veth "
            f"peer index {index + 1} name {other}"
        )

    def _address(
        self, name: str, interface: str, segment: _Segment, number: int
    ) -> None:
        machine = self.machines[name]
        machine.addresses.append(segment.host(number))
        machine.ip_lines.append(
            f"addr add {segment.host(number)}/{segment.v4.prefixlen} dev {interface}"
        )
        if self._ipv6:
            machine.addresses_v6.append(segment.host_v6(number))
            machine.ip_lines.append(
                f"addr add {segment.host_v6(number)}/64 dev {interface} nodad"
            )

    def _default_route(self, name: str, segment: _Segment) -> None:
        self._route(name, "default", segment.host(1))
        if self._ipv6:
            self._route(name, "default", segment.host_v6(1))

    def _route_down(
        self,
        router: str,
        segments: Sequence[_Segment],
        depth: int,
        number: int,
        layers: int,
    ) -> None:
        """Tell a router what lies inside, beyond the link just below it."""
        below = segments[depth]
        if depth > layers:
            self._route(router, f"11.0.{number}.0/24", below.host(2))
        if depth > layers + 1:  # the arm's own links, which ICMP errors come from
            self._route(router, f"45.{number}.0.0/16", below.host(2))
        if depth > 0 and self._ipv6:
            self._route(router, f"2a00:11:{number}::/48", below.host_v6(2))

    def _route(self, name: str, to: str, via: str) -> None:
        self.machines[name].ip_lines.append(f"route add {to} via {via}")


def _translator(layer: Layer) -> list[tuple[str, ...]]:
    behaviour = layer.userspace
    return [] if behaviour is None else [("--nat", format_words(behaviour))]


def _bridge_ports(interface: str, inner: Sequence[tuple[str, str]]) -> list[str]:
    return [f"{interface}{n}" for n in range(1, len(inner) + 1)]
