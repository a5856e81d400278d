"""Coming to a relay: where it is, whose key it shows, whether it welcomes us."""

import asyncio

import pytest

from tests.support.rogue_relay import rogue_relay
from tests.support.world import RELAY, RELAY_HOST, World, scenario
from wzp_cli.address import Address
from wzp_cli.defaults import HANDSHAKE_TIMEOUT_S
from wzp_cli.errors import KeyChanged, NameNotFound, RelayUnreachable
from wzp_cli.events import Registered
from wzp_cli.protocol.identity import Keypair


def now() -> float:
    return asyncio.get_running_loop().time()


@scenario
async def test_the_relays_key_is_pinned_when_it_is_met_first(world: World) -> None:
    server = await world.relay()
    alice = await world.person("alice")
    assert alice.pins.keys == {str(RELAY): server.identity.key}
    (registered,) = alice.all(Registered)
    assert registered.relay_id == str(server.identity)
    assert registered.published
    assert alice.registration is not None
    assert alice.registration.relay_identity == server.identity
    assert alice.registration.extra_ports == (RELAY.port + 1,)
    assert alice.registration.is_up


@scenario
async def test_a_pinned_relay_is_met_again(world: World) -> None:
    server = await world.relay()
    alice = await world.person("alice", registers=False)
    alice.pins.pin(str(RELAY), server.identity.key)
    await alice.register(publishes=False)
    assert not alice.all(Registered)[0].published


@scenario
async def test_a_relay_with_another_key_is_refused_and_learns_nothing(
    world: World,
) -> None:
    server = await world.relay()
    alice = await world.person("alice", registers=False)
    old = Keypair.generate().identity.key
    alice.pins.pin(str(RELAY), old)
    with pytest.raises(KeyChanged):
        await alice.register()
    assert alice.pins.keys == {str(RELAY): old}
    assert alice.events == []
    await asyncio.sleep(1)
    assert not any(server.left.values()), "our own certificate never left"


@scenario
async def test_no_key_is_pinned_for_a_relay_that_does_not_welcome(
    world: World,
) -> None:
    async with rogue_relay(world) as hostile:
        alice = await world.person("alice", registers=False)
        with pytest.raises(RelayUnreachable):
            await alice.register()
    assert hostile.links
    assert alice.pins.keys == {}


# --- Where the relay is ---------------------------------------------------------


@scenario
async def test_nobody_is_there(world: World) -> None:
    world.name(RELAY.host, RELAY_HOST)
    alice = await world.person("alice", registers=False)
    with pytest.raises(RelayUnreachable, match=r"relay\.example.*20\.0\.0\.1"):
        await alice.register()
    assert now() == pytest.approx(HANDSHAKE_TIMEOUT_S, abs=0.1)


@scenario
async def test_a_name_without_address(world: World) -> None:
    world.name(RELAY.host)
    alice = await world.person("alice", registers=False)
    with pytest.raises(NameNotFound):
        await alice.register()


@scenario
async def test_the_second_address_is_tried_when_the_first_is_dead(
    world: World,
) -> None:
    await world.relay()
    world.name(RELAY.host, "20.0.0.99", RELAY_HOST)
    alice = await world.person("alice")
    assert alice.registration is not None
    assert alice.registration.address == Address(RELAY_HOST, RELAY.port)
