"""The kinds of NAT a laboratory can build, one frozen value each, in a table.

A kind is its layers, home router first. A layer is what the router's kernel does (as
nftables rules), or a program that does everything instead: the userspace NAT, with any
behaviour that RFC 4787 has words for (UDP over IPv4 only), or any other `program`.
It runs in the router's namespace, where the kernel then has no rules and forwards
nothing. A router's inner interface is called `lan`, its outer one `wan`.
"""

import re
from dataclasses import dataclass
from typing import Final

from tests.netlab.userspace_nat import Behaviour
from wzp_cli.address import Address

__all__ = ["KINDS", "Layer", "Mapping", "NatKind", "parse_mappings", "ruleset"]


@dataclass(frozen=True)
class Layer:
    """One router that translates.

    Attributes:
        source_nat: The nftables statement for what leaves by `wan`; "" for none.
        accepts_input: Packets for the router itself pass its INPUT chain, so that an
            unsolicited one leaves a conntrack entry ("poisonable").
        forwards_udp: All UDP that reaches `wan` goes to the first inner host.
        blocks_udp: No UDP passes in either direction.
        program: Command that runs in the router as long as the lab lives, in place of
            all of the above.
        userspace: What the userspace NAT does, in place of all of the above.
    """

    source_nat: str = "masquerade"
    accepts_input: bool = False
    forwards_udp: bool = False
    blocks_udp: bool = False
    program: tuple[str, ...] = ()
    userspace: Behaviour | None = None

    @property
    def is_kernel(self) -> bool:
        """Whether the kernel translates."""
        return not self.program and self.userspace is None


@dataclass(frozen=True)
class NatKind:
    """A site's way to the internet; no layers: public addresses of its own."""

    name: str
    about: str
    layers: tuple[Layer, ...] = (Layer(),)

    @property
    def is_kernel(self) -> bool:
        """Whether nobody but the kernel translates."""
        return all(layer.is_kernel for layer in self.layers)


def _userspace(name: str, about: str, behaviour: Behaviour) -> NatKind:
    return NatKind(name, about, (Layer(userspace=behaviour),))


_ALL: Final = (
    NatKind("open", "public address, no NAT, no filter", ()),
    NatKind("masquerade-drop", "Linux or MikroTik masquerade, INPUT drops"),
    NatKind(
        "masquerade-accept",
        "bare Linux masquerade, INPUT accepts: unsolicited packets spoil mappings",
        (Layer(accepts_input=True),),
    ),
    NatKind(
        "fully-random",
        "another random external port for each destination, INPUT drops",
        (Layer(source_nat="masquerade random,fully-random"),),
    ),
    NatKind(
        "full-cone",
        "ports kept, all UDP from outside let in to the first host",
        (Layer(forwards_udp=True),),
    ),
    NatKind(
        "carrier",
        "home masquerade behind a carrier's (100.64.0.0/10), both INPUT drop",
        (Layer(), Layer()),
    ),
    NatKind(
        "udp-blocked",
        "masquerade that lets no UDP through, TCP only",
        (Layer(blocks_udp=True),),
    ),
    _userspace(
        "full-cone-user",
        "one mapping for all, anybody may answer",
        Behaviour(filtering="endpoint-independent"),
    ),
    _userspace(
        "address-restricted",
        "one mapping for all, any port of a known address may answer",
        Behaviour(filtering="address-dependent"),
    ),
    _userspace(
        "port-restricted",
        "one mapping for all, only who was sent to may answer",
        Behaviour(),
    ),
    _userspace(
        "port-restricted-random-port",
        "port-restricted, its one external port is random",
        Behaviour(allocation="random"),
    ),
    _userspace(
        "port-restricted-accepting",
        "port-restricted, unsolicited packets spoil mappings",
        Behaviour(accepts_input=True),
    ),
    _userspace(
        "port-restricted-hairpin",
        "port-restricted, its hosts reach each other's external addresses",
        Behaviour(hairpin=True),
    ),
    _userspace(
        "port-restricted-short",
        "port-restricted, forgets after 10 s without an answer, 30 s with one",
        Behaviour(unreplied_lifetime_s=10.0, lifetime_s=30.0),
    ),
    _userspace(
        "symmetric-sequential",
        "the next external port for each destination",
        Behaviour(mapping="address-and-port-dependent", allocation="sequential"),
    ),
    _userspace(
        "symmetric-random",
        "a random external port for each destination",
        Behaviour(mapping="address-and-port-dependent", allocation="random"),
    ),
)
KINDS: Final = {kind.name: kind for kind in _ALL}
"""Every kind by its name."""


def ruleset(layer: Layer, inner_host: str) -> str:
    """The nftables rules of one router.

    IPv6 is never translated: for it the forward chain is a stateful firewall.

    Args:
        layer: What the router does.
        inner_host: IPv4 address behind `lan` that gets what `forwards_udp` lets in.
    """
    if not layer.is_kernel:
        return ""
    to_host = f'iifname "wan" meta l4proto udp dnat to {inner_host}'
    let_in = 'iifname "wan" meta l4proto udp accept'
    source_nat = f'oifname "wan" {layer.source_nat}'
    return f"""
table ip nat {{
  chain prerouting {{
    type nat hook prerouting priority dstnat
    {to_host if layer.forwards_udp else ""}
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat
    {source_nat if layer.source_nat else ""}
  }}
}}
table inet filter {{
  chain input {{
    type filter hook input priority filter
    {"accept" if layer.accepts_input else ""}
    {_ONLY_ANSWERS}
  }}
  chain forward {{
    type filter hook forward priority filter
    {"meta l4proto udp drop" if layer.blocks_udp else ""}
    {let_in if layer.forwards_udp else ""}
    {_ONLY_ANSWERS}
  }}
}}
"""


_ONLY_ANSWERS: Final = """
    iifname "wan" ct state established,related accept
    iifname "wan" meta l4proto { icmp, ipv6-icmp } accept
    iifname "wan" drop
"""


@dataclass(frozen=True)
class Mapping:
    """One conntrack entry of a router.

    Attributes:
        source: Who sent first, as the router saw it before translation.
        destination: Where to, before translation.
        external: Where answers go: the mapping's outside, for what came from `lan`.
        replied: Whether an answer was seen.
    """

    protocol: str
    source: Address
    destination: Address
    external: Address
    replied: bool


_TUPLE: Final = re.compile(r"src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)")


def parse_mappings(listing: str) -> list[Mapping]:
    """Read what `conntrack -L` prints; entries without ports (ICMP) are left out."""
    return [
        _mapping(line, *_TUPLE.findall(line))
        for line in listing.splitlines()
        if len(_TUPLE.findall(line)) == 2
    ]


def _mapping(line: str, first: tuple[str, ...], answer: tuple[str, ...]) -> Mapping:
    source, destination, source_port, destination_port = first
    return Mapping(
        protocol=line.split()[0],
        source=Address(source, int(source_port)),
        destination=Address(destination, int(destination_port)),
        external=Address(answer[1], int(answer[3])),
        replied="[UNREPLIED]" not in line,
    )
