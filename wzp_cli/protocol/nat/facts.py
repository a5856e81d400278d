"""Words and values for a NAT's behaviour: RFC 4787 sections 4.1, 4.2 and 5.

What was not measured is UNKNOWN or None, never a guess.
"""

import enum
from dataclasses import dataclass

from wzp_cli.address import Address

__all__ = [
    "Allocation",
    "Filtering",
    "Ipv6Facts",
    "Mapping",
    "NatFacts",
    "Reflection",
    "RouterOffers",
]


class Mapping(enum.Enum):
    """On what the external address of one socket depends."""

    ENDPOINT_INDEPENDENT = "endpoint-independent"
    ADDRESS_DEPENDENT = "address-dependent"
    ADDRESS_AND_PORT_DEPENDENT = "address-and-port-dependent"
    ENDPOINT_DEPENDENT = "endpoint-dependent"
    NONE = "none"
    UNKNOWN = "unknown"


class Filtering(enum.Enum):
    """From whom packets to a mapping are let in."""

    ENDPOINT_INDEPENDENT = "endpoint-independent"
    ADDRESS_DEPENDENT = "address-dependent"
    ADDRESS_AND_PORT_DEPENDENT = "address-and-port-dependent"
    ENDPOINT_DEPENDENT = "endpoint-dependent"
    NONE = "none"
    UNKNOWN = "unknown"


class Allocation(enum.Enum):
    """Which external port a new mapping gets."""

    PRESERVING = "preserving"
    SEQUENTIAL = "sequential"
    RANDOM = "random"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Reflection:
    """One server's answer to "what is my address".

    Attributes:
        rtt_s: From the request that was answered to its answer.
        sent: Which request that was, counted from 1.
        other: Another host and port that the server answers at, if it says so.
        spare: The number of the spare socket that asked; 0: the one socket.
    """

    server: Address
    reflexive: Address
    rtt_s: float
    sent: int = 1
    other: Address | None = None
    spare: int = 0


@dataclass(frozen=True, slots=True)
class NatFacts:
    """What is known of one side's NAT.

    Attributes:
        pooled: The external address, not only the port, was seen to change.
        port_mapped: The router forwards our port on request; None: not asked.
        udp_blocked: No UDP comes back at all; None: not measured.
    """

    mapping: Mapping = Mapping.UNKNOWN
    filtering: Filtering = Filtering.UNKNOWN
    allocation: Allocation = Allocation.UNKNOWN
    pooled: bool = False
    port_mapped: bool | None = None
    udp_blocked: bool | None = None


@dataclass(frozen=True, slots=True)
class Ipv6Facts:
    """What is known of IPv6, which nobody translates.

    Attributes:
        reachable: A server answered over it; None: no server has it.
        filtering: The firewall's.
    """

    reachable: bool | None = None
    filtering: Filtering = Filtering.UNKNOWN


@dataclass(frozen=True, slots=True)
class RouterOffers:
    """By which protocols the router maps ports on request; None: not asked."""

    pcp: bool | None = None
    nat_pmp: bool | None = None
    upnp: bool | None = None
