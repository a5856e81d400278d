"""A laboratory of NATs: sites, servers and a core in network namespaces.

    with Lab("masquerade-drop", "carrier") as lab:      # sites "a" and "b"
        lab.host("r1").popen(["wzp", "relay"])
        lab.host("a").run(["wzp", "detect-nat", "--relay", lab.host("r1").address])
        lab.cut("a", "b")

Any program runs inside; the programs need not know. Several laboratories stand side by
side. `topology.py` says who stands where, `namespaces.py` who cleans up.
"""

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Literal, Self

from tests.netlab.capture import Capture, capturing
from tests.netlab.namespaces import LabUnavailable, Namespaces, tool
from tests.netlab.nats import KINDS, NatKind, parse_mappings
from tests.netlab.nats import Mapping as NatMapping
from tests.netlab.topology import CORE, Machine, SitePlan, SiteSpec, Topology

__all__ = ["Direction", "Host", "Lab", "Site", "SiteSpec"]

Direction = Literal["out", "in", "both"]
_ETH_P_ALL: Final = 3
_GRACE_S: Final = 2.0
_USERSPACE_NAT: Final = Path(__file__).with_name("userspace_nat.py")
_IP_FAMILIES: Final = ("ip", "ip6")

_SETTINGS: Final = """
put() { [ ! -e "/proc/sys/net/$1" ] || echo "$2" > "/proc/sys/net/$1"; }
put bridge/bridge-nf-call-iptables 0
put bridge/bridge-nf-call-ip6tables 0
put ipv4/conf/all/rp_filter 2
put ipv4/icmp_ratelimit 0
put ipv6/icmp/ratelimit 0
for path in /proc/sys/net/ipv6/conf/*; do
  name=${path##*/}
  case $name in
    lo|all|default|'*') ;;
    *) put ipv6/conf/$name/accept_dad 0
       put ipv6/conf/$name/accept_ra 0
       put ipv6/conf/$name/disable_ipv6 $NO_IPV6 ;;
  esac
done
"""
_FORWARDING: Final = """
put ipv4/ip_forward 1
put ipv6/conf/all/forwarding 1
"""


class Host:
    """One machine of the laboratory: a host, a server or a router.

    Attributes:
        addresses: Its own IPv4 addresses (private ones behind a NAT).
        addresses_v6: Its IPv6 addresses; empty unless the lab has IPv6.
        public: The IPv4 address others see it at.
    """

    def __init__(self, machine: Machine, public: str, spaces: Namespaces) -> None:
        self.name = machine.name
        self.addresses = tuple(machine.addresses)
        self.addresses_v6 = tuple(machine.addresses_v6)
        self.public = public
        self._spaces = spaces
        self._processes: list[subprocess.Popen[bytes]] = []
        self._translators: list[subprocess.Popen[bytes]] = []

    @property
    def address(self) -> str:
        """Its first IPv4 address."""
        return self.addresses[0]

    @property
    def namespace(self) -> str:
        """The full name of its namespace, as `ip netns list` shows it to root."""
        return self._spaces.full_name(self.name)

    @property
    def enter(self) -> list[str]:
        """The words that make a command run inside, for any shell of the same user."""
        return self._spaces.enter(self.name)

    def popen(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: int | IO[Any] | None = subprocess.DEVNULL,
        stdout: int | IO[Any] | None = None,
        stderr: int | IO[Any] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a program inside; its pid is the program's own.

        The lab ends it (SIGTERM, then SIGKILL) and reaps it when it is left.
        """
        process = subprocess.Popen(
            [*self.enter, *argv],
            env=env,
            cwd=cwd,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
        )
        self._processes.append(process)
        return process

    def run(
        self,
        argv: Sequence[str],
        timeout_s: float = 30.0,
        *,
        env: Mapping[str, str] | None = None,
        text: str | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program inside to its end; the exit code is the caller's to check.

        Raises:
            subprocess.TimeoutExpired: It did not end in time, and was killed.
        """
        return subprocess.run(
            [*self.enter, *argv],
            env=env,
            input=text or "",
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def socket(
        self, kind: int = socket.SOCK_DGRAM, *, family: int = socket.AF_INET
    ) -> socket.socket:
        """Open a socket, by default UDP, not bound, that lives inside; thread-safe."""
        return self._spaces.open_socket(self.name, family, kind, 0)

    @contextlib.contextmanager
    def capture(self, path: Path) -> Iterator[Capture]:
        """Write all IP packets of all its interfaces to a pcap file, from now on.

        A router shows a packet that it forwards twice, as it came and as it left.
        """
        everything = socket.htons(_ETH_P_ALL)
        source = self._spaces.open_socket(
            self.name, socket.AF_PACKET, socket.SOCK_DGRAM, everything
        )
        with capturing(source, path) as capture:
            yield capture

    def translate(self, words: Sequence[str]) -> None:
        """Start a userspace NAT or link here; `await_translators` waits for it."""
        argv = [sys.executable, "-I", "-S", str(_USERSPACE_NAT), *words]
        pipe = subprocess.PIPE
        self._translators.append(self.popen(argv, stdin=pipe, stdout=pipe, stderr=pipe))

    def await_translators(self) -> None:
        """Return when packets pass all of them.

        Raises:
            LabUnavailable: One has ended; its last line says why.
        """
        for process in self._translators:
            assert process.stdout is not None
            if process.stdout.readline() != b"ready\n":
                words = process.communicate()[1].decode(errors="replace")
                raise LabUnavailable(f"no userspace NAT: {words.splitlines()[-1]}")

    def flush_mappings(self) -> None:
        """Make this router forget its mappings, whoever translates."""
        if not self._translators:
            _checked(self, ["conntrack", "-F"])
        for process in self._translators:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(b"flush\n")
            process.stdin.flush()
            assert process.stdout.readline() == b"flushed\n"

    def stop(self) -> None:
        """End the programs that were started inside."""
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        while self._processes:
            _reap(self._processes.pop())


@dataclass(frozen=True)
class Site:
    """Hosts behind a NAT (or none).

    Attributes:
        hosts: Those on the LAN; the first has the site's name.
        nats: The routers that translate, home first.
        public: The outer IPv4 address; without a NAT the first host's own.
        network: The public IPv4 network that it is in; no other site is.
        prefix_v6: What the site's IPv6 addresses are in.
    """

    name: str
    kind: NatKind
    hosts: tuple[Host, ...]
    nats: tuple[Host, ...]
    public: str
    network: str
    prefix_v6: str

    def mappings(self, layer: int = 0) -> list[NatMapping]:
        """The conntrack entries of a NAT, the home router's unless told otherwise.

        A userspace NAT has none.
        """
        nat = self.nats[layer]
        return parse_mappings(_checked(nat, ["conntrack", "-L", "-f", "ipv4"]))

    def flush(self) -> None:
        """Forget every mapping, as routers do when they restart."""
        for nat in self.nats:
            nat.flush_mappings()


class Lab:
    """A laboratory; built on entering, removed on leaving."""

    def __init__(
        self,
        *sites: str | SiteSpec,
        hops: int = 1,
        ipv6: bool = False,
        servers: Sequence[str] = ("r1", "r2", "r3"),
    ) -> None:
        """Plan a laboratory.

        Args:
            sites: Names of kinds (the sites are then a, b, c...) or specifications.
            hops: Public routers between a site and a server; between two sites there
                are 2 * hops - 1.
            ipv6: Global IPv6 addresses everywhere, behind stateful firewalls at NATs.
            servers: Names of the public servers; the last has a second address.
        """
        specs = [_spec(site, n) for n, site in enumerate(sites)]
        self._plan = Topology(specs, servers, hops, ipv6)
        self._ipv6 = ipv6
        self._hosts: dict[str, Host] = {}
        self._sites: dict[str, Site] = {}
        self._spaces: Namespaces | None = None

    def __enter__(self) -> Self:
        self._spaces = spaces = Namespaces()
        try:
            self._raise_walls(spaces)
            self._people(spaces)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every program inside and remove everything."""
        try:
            for host in self._hosts.values():
                host.stop()
        finally:
            if self._spaces is not None:
                self._spaces.close()
                self._spaces = None

    def _raise_walls(self, spaces: Namespaces) -> None:
        names = {name: spaces.full_name(name) for name in self._plan.machines}
        links = "\n".join(self._plan.links)
        for name, full_name in names.items():
            links = links.replace(f"@{name}@", full_name)
        spaces.build([*(f"netns add {n}" for n in names.values()), links])
        machines = self._plan.machines.values()
        spaces.configure({m.name: self._script(m) for m in machines})

    def _script(self, machine: Machine) -> str:
        return "\n".join(
            [
                f"NO_IPV6={0 if self._ipv6 else 1}",
                _SETTINGS,
                _FORWARDING if machine.forwards else "",
                "ip -batch - <<'END'\nlink set dev lo up",
                *machine.ip_lines,
                "END",
                f"nft -f - <<'END'\n{machine.rules}\nEND" if machine.rules else "",
            ]
        )

    def _people(self, spaces: Namespaces) -> None:
        public = {h: p.public for p in self._plan.sites if p.routers for h in p.hosts}
        for machine in self._plan.machines.values():
            seen_at = public.get(machine.name, machine.addresses[0])
            self._hosts[machine.name] = host = Host(machine, seen_at, spaces)
            if machine.program:
                host.popen(machine.program)
            for words in machine.userspace:
                host.translate(words)
        for host in self._hosts.values():
            host.await_translators()
        for plan in self._plan.sites:
            self._sites[plan.spec.name] = self._site(plan)

    def _site(self, plan: SitePlan) -> Site:
        return Site(
            name=plan.spec.name,
            kind=plan.spec.nat,
            hosts=tuple(self._hosts[name] for name in plan.hosts),
            nats=tuple(self._hosts[name] for name in plan.routers),
            public=plan.public,
            network=plan.network,
            prefix_v6=plan.prefix_v6,
        )

    @property
    def holder_pid(self) -> int:
        """The process that owns the namespaces; it ends with the lab."""
        assert self._spaces is not None
        return self._spaces.holder_pid

    @property
    def rootless(self) -> bool:
        """Whether the namespaces are in an unprivileged user namespace."""
        assert self._spaces is not None
        return self._spaces.rootless

    @property
    def hosts(self) -> Mapping[str, Host]:
        """Every machine by name, routers ("a-nat1", "a-hop1", "core") included."""
        return self._hosts

    @property
    def sites(self) -> Mapping[str, Site]:
        """Every site by name."""
        return self._sites

    def host(self, name: str) -> Host:
        """One machine."""
        return self._hosts[name]

    def site(self, name: str) -> Site:
        """One site."""
        return self._sites[name]

    def cut(self, one: str, other: str) -> None:
        """Drop UDP between two machines (names or addresses) in the core, both ways."""
        for family, ones, others in zip(
            _IP_FAMILIES, self._public(one), self._public(other), strict=True
        ):
            for here in ones:
                for there in others:
                    self._drop("cuts", f"{family} saddr {here} {family} daddr {there}")
                    self._drop("cuts", f"{family} saddr {there} {family} daddr {here}")

    def part(self, one: str, other: str) -> None:
        """Drop everything between two machines in the core, TCP as well."""
        here, there = self._hosts[one].public, self._hosts[other].public
        self._add_rule("cuts", f"ip saddr {here} ip daddr {there} drop")
        self._add_rule("cuts", f"ip saddr {there} ip daddr {here} drop")

    def isolate(self, name: str) -> None:
        """Drop everything from and to a machine in the core."""
        address = self._hosts[name].public
        self._add_rule("cuts", f"ip saddr {address} drop")
        self._add_rule("cuts", f"ip daddr {address} drop")

    def drop_share(
        self, site: str, percent: float, direction: Direction = "both"
    ) -> None:
        """Lose a random share of a site's packets in the core, "in" is toward it."""
        share = round(percent * 100)
        chance = f"numgen random mod 10000 < {share}" if share < 10000 else ""
        networks = (self._sites[site].network, self._sites[site].prefix_v6)
        sides = {"out": ["saddr"], "in": ["daddr"], "both": ["saddr", "daddr"]}
        for family, network in zip(_IP_FAMILIES, networks, strict=True):
            for side in sides[direction]:
                self._add_rule("losses", f"{family} {side} {network} {chance} drop")

    def restore(self) -> None:
        """Undo every `cut`, `part`, `isolate` and `drop_share`."""
        self._nft("flush chain inet lab cuts\nflush chain inet lab losses")

    def _public(self, who: str) -> tuple[list[str], list[str]]:
        """The IPv4 and the IPv6 addresses the core knows someone by."""
        if who not in self._hosts:
            return ([], [who]) if ":" in who else ([who], [])
        host = self._hosts[who]
        behind_nat = host.public not in host.addresses
        v4 = [host.public] if behind_nat else list(host.addresses)
        return v4, list(host.addresses_v6)

    def _drop(self, chain: str, match: str) -> None:
        self._add_rule(chain, f"{match} meta l4proto udp drop")

    def _add_rule(self, chain: str, rule: str) -> None:
        self._nft(f"add rule inet lab {chain} {rule}")

    def _nft(self, text: str) -> None:
        _checked(self._hosts[CORE], ["nft", "-f", "-"], text)


def _spec(site: str | SiteSpec, number: int) -> SiteSpec:
    if isinstance(site, SiteSpec):
        return site
    return SiteSpec(name=chr(ord("a") + number), kind=KINDS[site])


def _checked(host: Host, argv: Sequence[str], text: str | None = None) -> str:
    """Run one of the lab's own tools; what it says, or RuntimeError."""
    done = host.run([tool(argv[0]), *argv[1:]], text=text)
    if done.returncode:
        raise RuntimeError(f"{host.name}: {' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout


def _reap(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
