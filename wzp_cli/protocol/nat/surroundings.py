"""What the routers on the way out say of NATs, and which relay to prefer."""

import ipaddress
from collections.abc import Mapping as Table
from collections.abc import Sequence
from typing import Final

from wzp_cli.address import Address
from wzp_cli.defaults.diagnosis import (
    PREFERRED_RELAY_BETTER_S,
    PREFERRED_RELAY_BETTER_SHARE,
)
from wzp_cli.protocol.nat.facts import Mapping
from wzp_cli.protocol.reach import is_public

__all__ = ["carrier_nat", "nat_layers", "preferred_relay"]

_SHARED: Final = ipaddress.ip_network("100.64.0.0/10")  # RFC 6598: carriers' NATs


def _is_shared(host: str) -> bool:
    return ipaddress.ip_address(host.partition("%")[0]) in _SHARED


def nat_layers(
    mapping: Mapping, own: Sequence[Address], hops: Sequence[str | None]
) -> int | None:
    """Return how many NATs are in a row; 0: none; None: it can't be told.

    One router with a private address is one NAT. A carrier's shared range inside of
    which a home router stands is two. Several private routers may route or translate.

    Args:
        mapping: As judged; NONE is no NAT.
        own: Our own addresses.
        hops: The routers up to the first public one; None for a silent one.
    """
    if mapping is Mapping.NONE:
        return 0
    if mapping is Mapping.UNKNOWN and any(is_public(each.host) for each in own):
        return None
    inside = _inside(hops)
    if inside is None:
        return None
    if len(inside) == 1:
        return 1
    shared = [_is_shared(host) for host in inside]
    return 2 if shared == [False, True] else None


def carrier_nat(own: Sequence[Address], hops: Sequence[str | None]) -> bool | None:
    """Return whether a NAT of the provider's is on the way; None: it can't be told."""
    v4 = [each.host for each in own if not each.is_v6]
    if any(map(_is_shared, (*v4, *(hop for hop in hops if hop)))):
        return True
    inside = _inside(hops)
    # A second private router may be the provider's as well as the user's.
    return None if inside is None or len(inside) > 1 else False


def _inside(hops: Sequence[str | None]) -> list[str] | None:
    """Return the routers before the first public one, all of which have answered."""
    known = [hop for hop in hops if hop is not None]
    if len(known) < len(hops) or not known or not is_public(known[-1]):
        return None
    return known[:-1]


def preferred_relay(before: str | None, rtts_s: Table[str, float]) -> str | None:
    """Return the relay to use: the one before, unless another is much better.

    Args:
        before: The preferred one so far.
        rtts_s: Round trip to each relay that has answered.
    """
    if not rtts_s:
        return before
    best = min(rtts_s, key=lambda relay: rtts_s[relay])
    if before is None or before not in rtts_s:
        return best
    saved_s = rtts_s[before] - rtts_s[best]
    much_s = max(
        PREFERRED_RELAY_BETTER_S, PREFERRED_RELAY_BETTER_SHARE * rtts_s[before]
    )
    return best if saved_s >= much_s else before
