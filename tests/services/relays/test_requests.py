"""What a relay is asked, and never answers or refuses."""

import asyncio

import pytest

from tests.support.rogue_relay import rogue_relay, welcomed
from tests.support.world import World, scenario
from wzp_cli.defaults.relay import RELAY_ANSWER_TIMEOUT_S
from wzp_cli.errors import PeerOffline, RelayUnreachable
from wzp_cli.protocol.names.identity import Keypair


def now() -> float:
    return asyncio.get_running_loop().time()


@scenario
async def test_a_target_that_is_not_there(world: World) -> None:
    (alice,) = await world.people("alice")
    assert alice.registration is not None
    with pytest.raises(PeerOffline):
        await alice.registration.connect(Keypair.generate().identity)


@scenario
async def test_a_relay_that_never_answers_a_connect(world: World) -> None:
    async with rogue_relay(world) as hostile:
        alice = await welcomed(world, hostile)
        assert alice.registration is not None
        began = now()
        with pytest.raises(RelayUnreachable):
            await alice.registration.connect(Keypair.generate().identity)
        assert now() - began == pytest.approx(RELAY_ANSWER_TIMEOUT_S, abs=0.1)


@scenario
async def test_a_relay_that_is_lost_while_it_is_asked(world: World) -> None:
    async with rogue_relay(world) as hostile:
        alice = await welcomed(world, hostile)
        assert alice.registration is not None
        asking = world.start(alice.registration.connect(Keypair.generate().identity))
        await asyncio.sleep(1)
        hostile.links[-1].abort()
        with pytest.raises(RelayUnreachable):
            await asking.result()
        assert now() < 2
