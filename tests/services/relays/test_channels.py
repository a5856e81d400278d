"""Channels: asked for, announced, claimed by calls, closed, told about."""

import asyncio

from tests.support.rogue_relay import incoming, rogue_relay, welcomed
from tests.support.world import RELAY, RELAY_HOST, World, scenario
from wzp_cli.address import Address
from wzp_cli.defaults.relay import MAX_ANNOUNCED_CHANNELS
from wzp_cli.protocol.messages import relay
from wzp_cli.protocol.names.identity import Keypair
from wzp_cli.protocol.traversal.route import ChannelRoute


@scenario
async def test_a_channel_for_each_device_both_ways(world: World) -> None:
    (alice,) = await world.people("alice")
    key = Keypair.generate()
    devices = [await world.person(f"bob {n}", keypair=key) for n in range(3)]
    assert alice.registration is not None
    routes = await alice.registration.connect(key.identity)
    assert len(set(routes)) == 3
    assert {route.relay for route in routes} == {Address(RELAY_HOST, RELAY.port)}
    await asyncio.sleep(0.1)
    for route in routes[1:]:
        alice.registration.close_channel(route)
    await asyncio.sleep(0.1)
    claimed = [
        device.registration.claim(_mirror(route))
        for device in devices
        for route in routes
        if device.registration is not None
    ]
    assert claimed.count(alice.identity) == 1, "of the one that is still open"
    assert claimed.count(None) == 8


@scenario
async def test_each_side_decides_whether_the_other_learns_where_it_is(
    world: World,
) -> None:
    alice, bob = await world.people("alice", "bob")
    assert alice.registration is not None
    assert bob.registration is not None
    (route,) = await alice.registration.connect(bob.identity)
    await asyncio.sleep(0.1)
    back = _mirror(route)
    bob.registration.claim(back)
    looked: list[Address | None] = []
    home = bob.registration
    home.watchers.add(lambda: looked.append(home.seen_at(back)))
    alice.registration.reveal(route)
    await asyncio.sleep(0.1)
    port = alice.endpoint.local.port
    seen = Address(alice.public_host, port)
    assert looked == [seen]
    assert alice.registration.seen_at(route) is None, "bob has said nothing"

    assert alice.nat is not None
    alice.nat.rebind("20.1.0.77")
    alice.registration.nudge()
    await asyncio.sleep(1)
    assert looked == [seen, Address("20.1.0.77", port)]
    assert alice.registration.reflexive == Address("20.1.0.77", port)
    bob.registration.close_channel(back)
    assert bob.registration.seen_at(back) is None


def _mirror(route: ChannelRoute) -> ChannelRoute:
    return ChannelRoute(route.relay, route.receive_id, route.send_id)


@scenario
async def test_announcements_without_end_are_forgotten_in_turn(world: World) -> None:
    async with rogue_relay(world) as hostile:
        alice = await welcomed(world, hostile)
        caller = str(Keypair.generate().identity)
        announced = []
        for _ in range(40):
            batch = [incoming(caller) for _ in range(20)]
            hostile.say(*batch)
            announced += batch
            await asyncio.sleep(0.05)
        assert alice.registration is not None
        assert alice.registration.is_up
        known = [
            each
            for each in announced
            if alice.registration.claim(_announced_route(each)) is not None
        ]
        assert len(alice.endpoint._channels) == MAX_ANNOUNCED_CHANNELS
        assert known == announced[-MAX_ANNOUNCED_CHANNELS:]


@scenario
async def test_announcements_without_end_take_no_channel_from_a_call(
    world: World,
) -> None:
    async with rogue_relay(world) as hostile:
        alice = await welcomed(world, hostile)
        caller = Keypair.generate().identity
        first = incoming(str(caller))
        hostile.say(first)
        await asyncio.sleep(0.1)
        assert alice.registration is not None
        route = _announced_route(first)
        assert alice.registration.claim(route) == caller
        for _ in range(10):
            hostile.say(*[incoming(str(caller)) for _ in range(20)])
            await asyncio.sleep(0.05)
        hostile.say(relay.Closed(channel=first.channel.receive))
        await asyncio.sleep(0.1)
        assert route.receive_id in alice.endpoint._channels
        assert alice.registration.claim(route) is None
        alice.registration.close_channel(route)
        assert route.receive_id not in alice.endpoint._channels


def _announced_route(message: relay.Incoming) -> ChannelRoute:
    return ChannelRoute(
        Address(RELAY_HOST, RELAY.port),
        bytes.fromhex(message.channel.send),
        bytes.fromhex(message.channel.receive),
    )


@scenario
async def test_the_same_channel_again_and_again_is_one_channel(world: World) -> None:
    async with rogue_relay(world) as hostile:
        alice = await welcomed(world, hostile)
        assert alice.registration is not None
        asking = world.start(alice.registration.connect(Keypair.generate().identity))
        await asyncio.sleep(0.1)
        asked = hostile.heard[-1]
        assert isinstance(asked, relay.Connect)
        ids = relay.ChannelIds(send="aa" * 8, receive="bb" * 8)
        devices = [relay.Device(device=str(n), channel=ids) for n in range(16)]
        hostile.say(relay.Connected(request=asked.request, devices=devices))
        for route in await asking.result():
            alice.registration.close_channel(route)
        assert alice.endpoint._channels == {}
