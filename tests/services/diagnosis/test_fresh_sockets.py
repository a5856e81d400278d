import pytest

from tests.services.diagnosis.test_filtering import RELAYS, ask, two_relays
from tests.support.fakenet import MASQUERADE, RANDOM, SEQUENTIAL, NatKind
from tests.support.world import World, scenario
from wzp_cli.protocol.nat import Allocation

RANDOM_PORT = NatKind(allocation=Allocation.RANDOM)
EVERY_THIRD = NatKind(
    mapping=SEQUENTIAL.mapping, allocation=Allocation.SEQUENTIAL, delta=3
)
DOWNWARDS = NatKind(
    mapping=SEQUENTIAL.mapping, allocation=Allocation.SEQUENTIAL, delta=-1
)


@pytest.mark.parametrize(
    ("kind", "allocation", "delta"),
    [
        (MASQUERADE, Allocation.PRESERVING, None),
        (RANDOM, Allocation.RANDOM, None),
        (RANDOM_PORT, Allocation.RANDOM, None),
        (SEQUENTIAL, Allocation.SEQUENTIAL, 1),
        (EVERY_THIRD, Allocation.SEQUENTIAL, 3),
        (DOWNWARDS, Allocation.SEQUENTIAL, -1),
    ],
)
@scenario
async def test_how_ports_are_given_out(
    world: World, kind: NatKind, allocation: Allocation, delta: int | None
) -> None:
    await two_relays(world)
    alice = await world.person("alice", kind, registers=False)
    report = await ask(alice, RELAYS)
    assert (report.facts.allocation, report.port_delta) == (allocation, delta)


@pytest.mark.parametrize(
    ("kind", "hairpins"),
    [
        (MASQUERADE, False),
        (NatKind(hairpinning=True), True),
        (NatKind(mapping=RANDOM.mapping, hairpinning=True), None),
        (None, None),
    ],
)
@scenario
async def test_hairpinning(
    world: World, kind: NatKind | None, hairpins: bool | None
) -> None:
    await two_relays(world)
    alice = await world.person("alice", kind, registers=False)
    assert (await ask(alice, RELAYS)).hairpinning is hairpins
