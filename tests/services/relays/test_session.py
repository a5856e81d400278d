"""Coming to a relay: where it is, whose key it shows, whether it welcomes us."""

import asyncio

import pytest

from tests.support.rogue_relay import rogue_relay
from tests.support.world import RELAY, RELAY_HOST, World, scenario
from wzp_cli.address import Address
from wzp_cli.defaults.endpoint import HANDSHAKE_TIMEOUT_S
from wzp_cli.defaults.relay import ADDRESS_STAGGER_S
from wzp_cli.errors import KeyChanged, NameNotFound, RelayUnreachable
from wzp_cli.events import Registered
from wzp_cli.protocol.names.identity import Keypair


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


# --- UDP first, TCP where it is blocked -----------------------------------------


@scenario
async def test_where_udp_is_blocked_tcp_takes_over_without_waiting_for_it(
    world: World,
) -> None:
    server = await world.relay()
    alice = await world.person("alice", registers=False, by_tcp=server)
    assert alice.nat is not None
    alice.nat.blocked = True
    began = now()
    registration = await alice.register()
    assert registration.address == Address(RELAY_HOST, 443, tunnel=1)
    assert alice.all(Registered)[0].transport == "tcp"
    assert now() - began < 2 * ADDRESS_STAGGER_S
    assert registration.reflexive is not None
    assert registration.reflexive.host == alice.public_host
    assert registration.reflexive.is_tcp


@scenario
async def test_where_udp_works_tcp_is_not_even_tried(world: World) -> None:
    server = await world.relay()
    alice = await world.person("alice", by_tcp=server)
    assert alice.registration is not None
    assert alice.registration.address == Address(RELAY_HOST, RELAY.port)
    assert len(alice.endpoint.tunnels) == 0
    await asyncio.sleep(1)
    assert len(server.endpoint.tunnels) == 0


@scenario
async def test_udp_that_is_slow_leaves_no_websocket_behind(world: World) -> None:
    server = await world.relay()
    world.net.delay_s = 0.2
    alice = await world.person("alice", by_tcp=server)
    assert alice.registration is not None
    await asyncio.sleep(5)
    open_now = len(alice.endpoint.tunnels), len(server.endpoint.tunnels)
    assert open_now in ((0, 0), (1, 1)), "one link, one way"
    assert len(server.endpoint.links) == 1
    assert alice.registration.address.is_tcp == (open_now == (1, 1))


@scenario
async def test_neither_answers(world: World) -> None:
    server = await world.relay()
    alice = await world.person("alice", registers=False, by_tcp=server)
    alice.pins.note_tcp_port(str(RELAY), 444)
    assert alice.nat is not None
    alice.nat.blocked = True
    with pytest.raises(
        RelayUnreachable, match=r"20\.0\.0\.1:4433, 20\.0\.0\.1:444/tcp"
    ):
        await alice.register()
    assert len(alice.endpoint.tunnels) == 0


@scenario
async def test_a_port_that_the_relay_has_told_is_remembered(world: World) -> None:
    server = await world.relay()
    server.server.tcp_port = 8443
    alice = await world.person("alice")
    assert alice.pins.tcp_ports == {str(RELAY): 8443}


@scenario
async def test_a_websocket_to_a_relay_with_another_key_is_closed(
    world: World,
) -> None:
    server = await world.relay()
    alice = await world.person("alice", registers=False, by_tcp=server)
    assert alice.nat is not None
    alice.nat.blocked = True
    alice.pins.pin(str(RELAY), Keypair.generate().identity.key)
    with pytest.raises(KeyChanged):
        await alice.register()
    await asyncio.sleep(1)
    assert len(alice.endpoint.tunnels) == len(server.endpoint.tunnels) == 0
    assert not any(server.left.values())
