import asyncio

from tests.support.world import World, scenario
from wzp_cli.events import Incoming, Warned
from wzp_cli.protocol.names.identity import Keypair
from wzp_cli.services.relays.presence import who_is_online


@scenario
async def test_who_is_there_and_nobody_rings(world: World) -> None:
    relay = await world.relay()
    alice, bob = await world.person("alice"), await world.person("bob")
    carol = await world.person("carol", publishes=False)
    bob.listen()
    nobody = Keypair.generate().identity
    assert alice.registration is not None
    found = await who_is_online(
        alice.registration, [bob.identity, carol.identity, nobody]
    )
    assert found == {bob.identity: True, carol.identity: False, nobody: False}
    assert (await alice.call(bob, duration_s=1)).path == "direct", "nothing is in use"
    assert [type(event) for event in bob.all(Incoming)] == [Incoming]
    assert bob.all(Warned) == []
    await asyncio.sleep(1)
    assert relay.left["channels"] == relay.left["charged"] == 0


@scenario
async def test_who_has_blocked_us_is_offline_like_who_is(world: World) -> None:
    await world.relay()
    alice = await world.person("alice")
    bob = await world.person("bob", registers=False)
    await bob.register(refused=lambda: [alice.identity])
    assert alice.registration is not None
    found = await who_is_online(alice.registration, [bob.identity])
    assert found == {bob.identity: False}


@scenario
async def test_a_relay_that_is_asked_too_often_leaves_it_open(world: World) -> None:
    await world.relay()
    alice, bob = await world.person("alice"), await world.person("bob")
    assert alice.registration is not None
    answers = [
        (await who_is_online(alice.registration, [bob.identity]))[bob.identity]
        for _ in range(100)
    ]
    assert answers[0] is True
    assert answers[-1] is None
    assert False not in answers
