"""All that was found out about one side's way to the internet, as advice wants it."""

import ipaddress
from dataclasses import dataclass, field

from wzp_cli.protocol.nat.facts import Ipv6Facts, NatFacts, RouterOffers

__all__ = ["Diagnosis", "carrier_hop", "offers_a_port", "router", "usable_port"]

_CARRIERS_OWN = ipaddress.ip_network("100.64.0.0/10")
_PRIVATE = tuple(
    map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is known. None: not measured.

    Attributes:
        local: Own addresses, without the port.
        reflexive: The host as servers see it, IPv4.
        answers: How many server hosts have answered.
        online: Whether this machine has an address on any network.
        names_found: Whether any server's name has led to an address.
        hops: The routers up to the first public one, nearest first; None in it: silent.
    """

    facts: NatFacts = field(default_factory=NatFacts)
    ipv6: Ipv6Facts = field(default_factory=Ipv6Facts)
    router: RouterOffers = field(default_factory=RouterOffers)
    local: tuple[str, ...] = ()
    reflexive: str | None = None
    answers: int = 0
    online: bool | None = None
    names_found: bool | None = None
    hops: tuple[str | None, ...] | None = None
    nat_layers: int | None = None
    carrier_nat: bool | None = None
    accepts_unsolicited_input: bool | None = None
    captive_portal: bool | None = None


def router(diagnosis: Diagnosis) -> str | None:
    """Return the address of the router that the user can set, if it is known."""
    first = diagnosis.hops[0] if diagnosis.hops else None
    return first if first is not None and _is_in(first, _PRIVATE) else None


def carrier_hop(diagnosis: Diagnosis) -> int | None:
    """Return at which hop the provider's NAT shows itself, counted from 1."""
    if not diagnosis.carrier_nat or diagnosis.hops is None:
        return None
    own = (_CARRIERS_OWN,)
    for number, hop in enumerate(diagnosis.hops, 1):
        if hop is not None and (
            _is_in(hop, own) or (number > 1 and _is_in(hop, _PRIVATE))
        ):
            return number
    return None


def offers_a_port(offers: RouterOffers) -> bool | None:
    """Return whether the router maps ports on request; None where it was not asked."""
    answers = (offers.pcp, offers.nat_pmp, offers.upnp)
    return True if True in answers else False if False in answers else None


def usable_port(
    offers: RouterOffers, carrier_nat: bool | None, nat_layers: int | None
) -> bool | None:
    """Return whether a port of the router's leads to the internet; None: not known."""
    offered = offers_a_port(offers)
    behind_others = carrier_nat or (nat_layers is not None and nat_layers > 1)
    return False if offered and behind_others else offered


def _is_in(
    host: str, networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
) -> bool:
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(ip in network for network in networks)
