import asyncio

import pytest

from tests.support.fakenet import FULL_CONE, MASQUERADE, RANDOM, SEQUENTIAL, NatKind
from tests.support.world import RELAY, RELAY_HOST, World, scenario
from wzp_cli.address import Address
from wzp_cli.defaults.paths import MEASURE_TIMEOUT_S
from wzp_cli.protocol.nat import Allocation, Mapping, NatFacts
from wzp_cli.services.routes.measure import Measured, measure_nat

AT = Address(RELAY_HOST, RELAY.port)
DEPENDENT = Mapping.ADDRESS_AND_PORT_DEPENDENT


async def measured(world: World, kind: NatKind | None, *ports: int) -> Measured:
    await world.relay()
    alice = await world.person("alice", kind)
    own = [Address(next(iter(alice.host.addresses)), alice.endpoint.local.port)]
    found = await measure_nat(alice.endpoint, AT, ports or (RELAY.port + 1,), own)
    assert alice.endpoint.spares == 0
    return found


@pytest.mark.parametrize(
    ("kind", "mapping", "allocation", "step"),
    [
        (None, Mapping.NONE, Allocation.UNKNOWN, 0),
        (MASQUERADE, Mapping.UNKNOWN, Allocation.UNKNOWN, 0),
        (FULL_CONE, Mapping.UNKNOWN, Allocation.UNKNOWN, 0),
        (SEQUENTIAL, DEPENDENT, Allocation.SEQUENTIAL, 1),
        (RANDOM, DEPENDENT, Allocation.RANDOM, 0),
    ],
    ids=["public", "masquerade", "full cone", "sequential", "random"],
)
def test_a_nat_is_what_it_is(
    kind: NatKind | None, mapping: Mapping, allocation: Allocation, step: int
) -> None:
    @scenario
    async def play(world: World) -> None:
        found = await measured(world, kind)
        assert (found.facts.mapping, found.facts.allocation) == (mapping, allocation)
        assert found.step == step

    play()


@scenario
async def test_the_ports_that_are_long_in_use_do_not_mislead(world: World) -> None:
    """The link's mapping is old: the NAT has counted on since."""
    await world.relay()
    alice = await world.person("alice", SEQUENTIAL)
    neighbour = world.net.host("192.168.9.9", nat=alice.nat).wire(5000)
    for port in range(1024, 2024):
        neighbour.send(b"x", Address("20.5.0.1", port))
    own = [Address("192.168.1.2", alice.endpoint.local.port)]
    found = await measure_nat(alice.endpoint, AT, (RELAY.port + 1,), own)
    assert found.facts.allocation is Allocation.SEQUENTIAL


@scenario
async def test_silence_is_unknown_and_costs_little_time(world: World) -> None:
    await world.relay()
    alice = await world.person("alice")
    world.net.cut(alice.public_host, RELAY_HOST)
    began = asyncio.get_running_loop().time()
    found = await measure_nat(alice.endpoint, AT, (RELAY.port + 1,), [])
    assert found == Measured(found.facts)
    assert found.facts.mapping is Mapping.UNKNOWN
    took_s = asyncio.get_running_loop().time() - began
    assert took_s == pytest.approx(MEASURE_TIMEOUT_S, abs=0.01)


@scenario
async def test_through_tcp_nothing_is_asked_and_udp_is_blocked(world: World) -> None:
    alice = await world.person("alice", registers=False)
    by_tcp = AT._replace(port=443, tunnel=1)
    packets = world.record()
    found = await measure_nat(alice.endpoint, by_tcp, (RELAY.port + 1,), [])
    assert found.facts == NatFacts(udp_blocked=True)
    assert packets == []
