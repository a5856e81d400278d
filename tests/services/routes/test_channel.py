"""A relay that restarts in mid-call costs the call some seconds of its channel."""

import asyncio
from typing import Any

import pytest

from tests.support.fakenet import RANDOM
from tests.support.world import Person, RelayAtWork, World, scenario
from wzp_cli.defaults.endpoint import CALL_IDLE_TIMEOUT_S
from wzp_cli.defaults.relay import KEEPALIVE_MAX_S
from wzp_cli.events import MediaStarted, PathChanged, Registered
from wzp_cli.protocol.names.identity import Keypair
from wzp_cli.protocol.traversal.route import ChannelRoute
from wzp_cli.services.calls.talk import CallOutcome

RECOVERY_S = 6.0
"""Doubt, an unanswered keep-alive, a new link, its proof, a channel, a check."""


async def restart(world: World, relay: RelayAtWork, away_s: float = 0.1) -> RelayAtWork:
    """Kill a relay, and start it again with the same key."""
    relay.vanish()
    await asyncio.sleep(away_s)
    return await world.relay(keypair=KEY, machine=relay.host)


KEY = Keypair.generate()


async def talking(world: World, **call: Any) -> tuple[RelayAtWork, Person, Person, Any]:
    relay = await world.relay(keypair=KEY)
    alice, bob = [await world.person(name, RANDOM) for name in ("alice", "bob")]
    bob.listen()
    outcome = alice.calls(bob, **call)
    for person in (alice, bob):
        await person.told(MediaStarted)
    await asyncio.sleep(2)
    return relay, alice, bob, outcome


def longest_gap_s(*people: Person) -> float:
    return max(person.sound.longest_gap_s for person in people)


def nothing_is_left(relay: RelayAtWork, *people: Person) -> bool:
    return relay.left["channels"] == 0 and not any(
        person.endpoint._channels for person in people
    )


@pytest.mark.parametrize("away_s", [0.1, 4.0])
@scenario
async def test_a_relayed_call_goes_on_over_a_relay_that_restarted(
    world: World, away_s: float
) -> None:
    relay, alice, bob, call = await talking(world, duration_s=40)
    anew = await restart(world, relay, away_s)
    outcome: CallOutcome = await call.result()
    assert outcome.end.reason == "time is up"
    assert outcome.path == "relay"
    assert longest_gap_s(alice, bob) < away_s + RECOVERY_S < CALL_IDLE_TIMEOUT_S + 1
    assert anew.server.channels.forwarded_total[0] > 2 * 20 * 50
    await asyncio.sleep(1)
    assert nothing_is_left(anew, alice, bob)


@scenario
async def test_a_direct_call_has_its_relay_to_fall_back_to_again(world: World) -> None:
    relay = await world.relay(keypair=KEY)
    alice, bob = [await world.person(name) for name in ("alice", "bob")]
    bob.listen()
    call = alice.calls(bob, duration_s=60)
    await alice.told(PathChanged, lambda event: event.path == "direct")
    await restart(world, relay)
    await asyncio.sleep(KEEPALIVE_MAX_S)
    assert longest_gap_s(alice, bob) < 0.1, "not noticed"
    world.net.cut(alice.public_host, bob.public_host)
    await alice.told(PathChanged, lambda event: event.path == "relay")
    outcome = await call.result()
    assert [span.path for span in outcome.paths] == ["relay", "direct", "relay"]
    assert longest_gap_s(alice, bob) < 1.0


@scenario
async def test_of_several_devices_the_one_in_the_call_gets_the_channel(
    world: World,
) -> None:
    relay = await world.relay(keypair=KEY)
    alice, key = await world.person("alice", RANDOM), Keypair.generate()
    phone, desk = [
        await world.person(name, RANDOM, keypair=key) for name in ("phone", "desk")
    ]
    phone.listen()
    call = alice.calls(phone, duration_s=40)
    await alice.told(MediaStarted)
    desk.listen()
    anew = await restart(world, relay)
    outcome = await call.result()
    assert outcome.end.reason == "time is up"
    assert longest_gap_s(alice, phone) < RECOVERY_S
    assert desk.sounds == []
    await asyncio.sleep(1)
    assert nothing_is_left(anew, alice, phone, desk)


@scenario
async def test_a_relay_that_closes_a_channel_in_a_call_is_asked_again(
    world: World,
) -> None:
    relay, alice, bob, call = await talking(world, duration_s=20)
    server = relay.server
    (channel,) = {
        channel
        for link in server.endpoint.links
        for channel in server.channels.called_by(link)
    }
    server.calls.close(server.channels.close(channel.caller, channel.caller_id), None)
    outcome = await call.result()
    assert outcome.end.reason == "time is up"
    assert longest_gap_s(alice, bob) < RECOVERY_S
    await asyncio.sleep(1)
    assert nothing_is_left(relay, alice, bob)


@scenario
async def test_a_channel_announced_with_the_peers_name_is_not_believed(
    world: World,
) -> None:
    """The relay sends a stranger's checks through a channel "of the peer"."""
    _relay, alice, bob, call = await talking(world, duration_s=10)
    mallory = await world.person("mallory", RANDOM)
    assert mallory.registration is not None
    assert bob.registration is not None
    (route,) = await mallory.registration.connect(bob.identity)
    await asyncio.sleep(0.1)
    there = ChannelRoute(route.relay, route.receive_id, route.send_id)
    announced = bob.registration._channels._announced
    announced[there.receive_id] = (there, alice.identity)
    session = mallory.endpoint.open_checks()
    session.remote = session.local
    session.send(route, ttl=None, nominates=True)
    await asyncio.sleep(1)
    assert there.receive_id in announced, "nobody took it"
    assert (await call.result()).end.reason == "time is up"


@scenario
async def test_a_channel_announced_for_somebody_else_is_not_the_peers(
    world: World,
) -> None:
    """The relay lets the peer's own checks come out of a stranger's channel."""
    _relay, alice, bob, call = await talking(world, duration_s=10)
    mallory = await world.person("mallory", RANDOM)
    assert mallory.registration is not None
    assert bob.registration is not None
    (route,) = await mallory.registration.connect(bob.identity)
    await asyncio.sleep(0.1)
    (peers,) = alice.endpoint._checks.values()
    copied = mallory.endpoint.open_checks()
    copied.remote = peers.remote
    copied.send(route, ttl=None, nominates=True)
    await asyncio.sleep(1)
    there = ChannelRoute(route.relay, route.receive_id, route.send_id)
    assert bob.registration.announced(there) == mallory.identity, "nobody took it"
    assert (await call.result()).end.reason == "time is up"


@scenario
async def test_a_peer_that_brings_ever_more_channels_has_one_more(world: World) -> None:
    _relay, alice, bob, call = await talking(world, duration_s=20)
    assert alice.registration is not None
    assert bob.registration is not None
    held = bob.registration._channels.in_use
    (mine,) = alice.endpoint._checks.values()
    for _ in range(5):
        (route,) = await alice.registration.connect(bob.identity)
        await asyncio.sleep(0.1)
        mine.send(route, ttl=None, nominates=False)
        alice.endpoint.close_channel(route)  # and answers nothing there
        await asyncio.sleep(0.1)
    assert len(held) <= 2
    assert (await call.result()).end.reason == "time is up"


@scenario
async def test_the_next_call_goes_through_the_relay_that_restarted(
    world: World,
) -> None:
    relay, alice, bob, call = await talking(world, duration_s=15)
    await restart(world, relay)
    await call.result()
    for person in (alice, bob):
        assert len(person.all(Registered)) == 2
    assert (await alice.call(bob, duration_s=1)).frames.received > 0
