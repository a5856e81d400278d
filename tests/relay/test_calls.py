"""Calls at one relay, from its inside: what is charged, held and given back."""

import asyncio

import pytest

from tests.support.fleet_bus import Hub
from tests.support.world import RELAY, Person, World, scenario
from wzp_cli.address import HostPort
from wzp_cli.defaults.relay import RELAY_MAX_CHANNELS_PER_IDENTITY
from wzp_cli.endpoint.links.message_stream import MessageStream
from wzp_cli.errors import ConnectionLost, PeerOffline, RelayBusy
from wzp_cli.protocol.messages import relay
from wzp_cli.protocol.names.identity import Keypair

HERE, THERE = "20.0.0.1", "20.0.0.2"


async def at(world: World, name: str, host: str, **more: object) -> Person:
    person = await world.person(name, registers=False, **more)  # type: ignore[arg-type]
    await person.register(HostPort(host, RELAY.port))
    return person


@scenario
async def test_a_call_that_is_given_up_before_anybody_came_leaves_nothing(
    world: World,
) -> None:
    hub, key = Hub(), Keypair.generate()
    server, _ = [await world.relay(h, keypair=key, hub=hub) for h in (HERE, THERE)]
    alice, bob = await at(world, "alice", HERE), await at(world, "bob", THERE)
    bob.vanish()
    assert alice.registration is not None
    (route,) = await alice.registration.connect(bob.identity)
    assert (server.left["reserved"], server.left["charged"]) == (1, 1)
    alice.registration.close_channel(route)
    await asyncio.sleep(0.1)
    assert (server.left["reserved"], server.left["charged"]) == (0, 0)


@scenario
async def test_what_is_reserved_counts_as_a_channel(world: World) -> None:
    hub, key = Hub(), Keypair.generate()
    server, _ = [await world.relay(h, keypair=key, hub=hub) for h in (HERE, THERE)]
    alice, bob = await at(world, "alice", HERE), await at(world, "bob", THERE)
    bob.vanish()
    assert alice.registration is not None
    server.server.limits._channels[alice.identity.key] = RELAY_MAX_CHANNELS_PER_IDENTITY
    with pytest.raises(RelayBusy, match="limit"):
        await alice.registration.connect(bob.identity)
    assert server.left["reserved"] == 0


@scenario
async def test_who_was_asked_for_in_vain_may_not_call_back(world: World) -> None:
    hub, key = Hub(), Keypair.generate()
    server, _ = [await world.relay(h, keypair=key, hub=hub) for h in (HERE, THERE)]
    alice = await world.person("alice", registers=False)
    await alice.register(HostPort(HERE, RELAY.port), publishes=False)
    assert alice.registration is not None
    with pytest.raises(PeerOffline):
        await alice.registration.connect(Keypair.generate().identity)
    assert not server.server.presence.is_findable(alice.identity.key)
    assert hub.seats[0].held == {}


@scenario
async def test_who_comes_after_the_caller_gave_up_finds_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, key = Hub(), Keypair.generate()
    server, _ = [await world.relay(h, keypair=key, hub=hub) for h in (HERE, THERE)]
    alice, bob = await at(world, "alice", HERE), await at(world, "bob", THERE)
    assert alice.registration is not None
    assert bob.registration is not None
    summoned: list[relay.Summoned] = []
    monkeypatch.setattr(
        bob.registration.joins, "summon", lambda word, home: summoned.append(word)
    )
    (route,) = await alice.registration.connect(bob.identity)
    alice.registration.close_channel(route)
    await asyncio.sleep(0.1)
    for _ in range(2):
        link = await bob.endpoint.dial_relay(
            server.endpoint.local._replace(host=HERE), None
        )
        stream: MessageStream[relay.RelayMessage] = MessageStream(
            link, relay.RelayMessage
        )
        stream.send(relay.Enter(version="1", join=summoned[0].ticket))
        assert isinstance(await stream.receive(), relay.Welcome)
        with pytest.raises(ConnectionLost, match="the call is over"):
            await stream.receive()
    assert not any(server.left[name] for name in ("channels", "reserved", "charged"))
