import pytest

from tests.services.diagnosis.test_filtering import RELAYS, ask, two_relays
from tests.support.world import World, scenario


@pytest.mark.parametrize(
    ("path_mtu", "found"), [(1500, 1500), (1499, 1492), (1420, 1420), (1200, None)]
)
@scenario
async def test_the_largest_packet_that_passes(
    world: World, path_mtu: int, found: int | None
) -> None:
    await two_relays(world)
    alice = await world.person("alice", registers=False)
    alice.host.path_mtu = path_mtu
    assert (await ask(alice, RELAYS)).path_mtu_bytes == found


@scenario
async def test_loss_does_not_make_it_smaller(world: World) -> None:
    await two_relays(world)
    alice = await world.person("alice", registers=False)
    world.net.loss = 0.1
    for _ in range(5):
        assert (await ask(alice, RELAYS)).path_mtu_bytes == 1500
