"""What one side tells the other of its NAT."""

from wzp_cli.protocol.messages.peer import Nat
from wzp_cli.protocol.nat import Allocation, Filtering, Mapping, NatFacts

__all__ = ["facts_of", "nat_of"]


def nat_of(facts: NatFacts) -> Nat:
    """Return facts as the peer is told them."""
    return Nat(
        mapping=facts.mapping.value,
        filtering=facts.filtering.value,
        allocation=facts.allocation.value,
        pooled=facts.pooled,
        mapped=bool(facts.port_mapped),
        blocked=bool(facts.udp_blocked),
    )


def facts_of(nat: Nat) -> NatFacts:
    """Return facts as the peer tells them; a word that nobody knows is UNKNOWN."""
    mappings = {each.value: each for each in Mapping}
    filterings = {each.value: each for each in Filtering}
    allocations = {each.value: each for each in Allocation}
    return NatFacts(
        mapping=mappings.get(nat.mapping, Mapping.UNKNOWN),
        filtering=filterings.get(nat.filtering, Filtering.UNKNOWN),
        allocation=allocations.get(nat.allocation, Allocation.UNKNOWN),
        pooled=nat.pooled,
        port_mapped=nat.mapped or None,
        udp_blocked=nat.blocked or None,
    )
