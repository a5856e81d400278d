"""What is told of a NAT, there and back."""

from wzp_cli.protocol.messages import peer
from wzp_cli.protocol.nat import Allocation, Filtering, Mapping, NatFacts
from wzp_cli.services.routes.facts import facts_of, nat_of


def test_facts_survive_the_wire() -> None:
    for mapping in Mapping:
        for filtering in Filtering:
            for allocation in Allocation:
                facts = NatFacts(
                    mapping, filtering, allocation, pooled=True, port_mapped=True
                )
                assert facts_of(nat_of(facts)) == facts
    assert facts_of(peer.Nat(mapping="odd", filtering="", allocation="x")) == NatFacts()
