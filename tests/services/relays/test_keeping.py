"""A link to a relay that is kept: silence, restarts, relays that stop, TCP and UDP."""

import asyncio

import pytest

from tests.support.fakenet import Packet
from tests.support.rogue_relay import rogue_relay, welcomed
from tests.support.standing import found_again, lost
from tests.support.world import RELAY, RELAY_HOST, Person, World, scenario
from wzp_cli.address import Address
from wzp_cli.defaults.endpoint import HANDSHAKE_TIMEOUT_S, UDP_AGAIN_MAX_S
from wzp_cli.defaults.relay import (
    KEEPALIVE_ANSWER_S,
    KEEPALIVE_MAX_S,
    RELAY_BACKOFF_MAX_S,
)
from wzp_cli.errors import RelayUnreachable
from wzp_cli.events import Candidate, MediaStarted, Reflexive, Registered, Warned
from wzp_cli.protocol.names.identity import Keypair
from wzp_cli.services.relays.registration import register


def now() -> float:
    return asyncio.get_running_loop().time()


@scenario
async def test_a_moved_nat_is_noticed_by_the_keep_alive_and_told(world: World) -> None:
    await world.relay()
    alice = await world.person("alice", port=5000)
    assert alice.nat is not None
    alice.nat.rebind("20.1.0.77")
    moved = await alice.told(Reflexive, lambda event: event.changed)
    assert moved.address == "20.1.0.77:5000"
    assert now() < KEEPALIVE_MAX_S + 1
    assert len(alice.all(Registered)) == 1, "the same link goes on"


@scenario
async def test_an_idle_registration_stays_for_hours(world: World) -> None:
    server = await world.relay()
    alice = await world.person("alice")
    await asyncio.sleep(3000)
    assert server.left["links"] == 1
    assert len(alice.events) == 2, "seen and registered, at the start"


@scenario
async def test_a_relay_that_dies_and_comes_back(world: World) -> None:
    key = Keypair.generate()
    server = await world.relay(keypair=key)
    alice, bob = await world.person("alice"), await world.person("bob")
    began = now()
    server.vanish()
    assert alice.registration is not None
    await lost(alice)
    assert now() - began <= KEEPALIVE_MAX_S + KEEPALIVE_ANSWER_S + 0.1
    assert not alice.registration.is_up
    with pytest.raises(RelayUnreachable):
        await alice.registration.connect(bob.identity)
    await asyncio.sleep(600)
    back = now()
    await world.relay(keypair=key, machine=server.host)
    await found_again(alice)
    await found_again(bob)
    assert now() - back <= RELAY_BACKOFF_MAX_S + HANDSHAKE_TIMEOUT_S
    bob.listen()
    assert (await alice.call(bob, duration_s=1)).path == "direct"


@scenario
async def test_a_relay_that_is_away_at_the_start_is_called_until_it_answers(
    world: World,
) -> None:
    alice = await world.person("alice", registers=False)
    registering = register(
        *(alice.endpoint, RELAY, alice.pins, alice.report), publishes=True, later=True
    )
    came: list[bool] = []
    async with registering as registration:
        registration.watchers.add(lambda: came.append(registration.is_up))
        await asyncio.sleep(300)
        assert not registration.is_up
        assert (alice.events, came) == ([], [])
        await world.relay()
        registered = await alice.told(Registered)
        await asyncio.sleep(0.001)
        assert (registered.published, registration.is_up) == (True, True)
        assert came[-1] is True
        bob = await world.person("bob")
        assert bob.registration is not None
        assert await bob.registration.connect(alice.identity)
    assert not registration.is_up


@scenario
async def test_who_leaves_before_the_relay_has_answered(world: World) -> None:
    alice = await world.person("alice", registers=False)
    registering = register(
        *(alice.endpoint, RELAY, alice.pins, alice.report), publishes=True, later=True
    )
    async with registering:
        await asyncio.sleep(10)
    assert alice.events == []


@scenario
async def test_a_relay_that_says_goodbye_is_lost_at_once(world: World) -> None:
    server = await world.relay()
    alice = await world.person("alice")
    began = now()
    await server.doing.stop()
    server.endpoint.close()
    await lost(alice)
    assert now() - began < 0.1


def tries(packets: list[Packet], person: Person) -> list[bytes]:
    """Return the destination connection ID of each link that was tried."""
    return list(
        dict.fromkeys(
            packet.datagram[6:14]
            for packet in packets
            if packet.source.host == person.public_host
            and packet.datagram[0] & 0xF0 == 0xC0
        )
    )


@scenario
async def test_a_relay_that_is_away_is_called_ever_more_rarely(world: World) -> None:
    server = await world.relay()
    alice = await world.person("alice")
    server.vanish()
    await lost(alice)
    packets = world.record()
    await asyncio.sleep(60)
    first_minute = len(tries(packets, alice))
    packets.clear()
    await asyncio.sleep(1800)
    later = len(tries(packets, alice)) / 30
    assert 3 <= first_minute <= 12
    assert 2 <= later <= 5, "each half minute at most, with jitter"


@scenario
async def test_a_relay_that_takes_us_and_throws_us_out_is_not_hammered(
    world: World,
) -> None:
    async with rogue_relay(world) as hostile:
        hostile.then = lambda link: link.refuse("go away")
        alice = await welcomed(world, hostile)
        await asyncio.sleep(600)
    assert 20 < len(hostile.links) < 70
    assert alice.registration is not None


@scenario
async def test_a_relay_that_stops_is_left_and_found_again(world: World) -> None:
    key = Keypair.generate()
    server = await world.relay(keypair=key)
    alice = await world.person("alice")
    server.server.drain(10)
    await alice.told(Warned, lambda event: event.code == "relay_draining")
    await server.doing.result()
    server.endpoint.close()
    await alice.told(Warned, lambda event: event.code == "relay_lost")
    server.vanish()
    await world.relay(keypair=key, machine=server.host)
    await alice.told(Registered, times=2)


# --- Through TCP ----------------------------------------------------------------


async def two_without_udp(world: World) -> tuple[Person, Person]:
    server = await world.relay()
    people = []
    for name in ("alice", "bob"):
        person = await world.person(name, registers=False, by_tcp=server)
        assert person.nat is not None
        person.nat.blocked = True
        await person.register()
        people.append(person)
    return people[0], people[1]


@scenario
async def test_two_people_call_through_tcp_alone(world: World) -> None:
    alice, bob = await two_without_udp(world)
    bob.listen()
    outcome = await alice.call(bob, duration_s=3)
    assert outcome.path == "relay"
    assert outcome.why_not_direct is not None
    assert "our network lets no UDP out" in outcome.why_not_direct
    for person in (alice, bob):
        assert len(person.sound.numbers) >= 140
        assert person.sound.longest_gap_s < 0.1
    assert not [c for c in bob.all(Candidate) if c.type == "srflx"], (
        "a TCP address is no candidate"
    )


@scenario
async def test_udp_that_works_again_is_used_again(world: World) -> None:
    server = await world.relay()
    alice = await world.person("alice", registers=False, by_tcp=server)
    assert alice.nat is not None
    alice.nat.blocked = True
    await alice.register()
    await asyncio.sleep(2 * UDP_AGAIN_MAX_S)
    assert len(server.endpoint.tunnels) == 1, "still blocked"
    alice.nat.blocked = False
    await alice.told(Registered, lambda event: event.transport == "udp")
    assert alice.registration is not None
    assert alice.registration.address == Address(RELAY_HOST, RELAY.port)
    await asyncio.sleep(1)
    assert len(server.endpoint.tunnels) == len(alice.endpoint.tunnels) == 0
    assert server.left["links"] == 1
    assert server.left["presence"] == 1
    assert not alice.all(Warned), "nothing was lost"
    bob = await world.person("bob")
    alice.listen()
    assert (await bob.call(alice, duration_s=1)).path == "direct"


@scenario
async def test_a_call_through_tcp_is_not_disturbed_by_udp_coming_back(
    world: World,
) -> None:
    alice, bob = await two_without_udp(world)
    bob.listen()
    call = world.start(alice.call(bob, duration_s=3 * UDP_AGAIN_MAX_S))
    await bob.told(MediaStarted)
    for person in (alice, bob):
        assert person.nat is not None
        person.nat.blocked = False
    outcome = await call.result()
    assert bob.sound.longest_gap_s < 0.1
    assert outcome.why_not_direct is not None
    await alice.told(Registered, lambda event: event.transport == "udp")


@scenario
async def test_a_lost_tcp_connection_is_noticed_at_once(world: World) -> None:
    alice, _ = await two_without_udp(world)
    (server,) = world.relays
    for remote in list(server.endpoint.tunnels._open):
        server.endpoint.tunnels.close(remote)
    lost_at = now()
    await alice.told(Warned, lambda event: event.code == "relay_lost")
    assert now() - lost_at < 1
    await alice.told(Registered, times=2)
