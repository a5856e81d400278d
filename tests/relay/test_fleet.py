"""Relays that find each other's clients; between them a bus in memory."""

import asyncio

import msgspec
import pytest

from tests.support.fleet_bus import Hub
from tests.support.world import (
    RELAY,
    Person,
    RelayAtWork,
    World,
    scenario,
)
from wzp_cli.address import HostPort
from wzp_cli.defaults.relay import (
    FLEET_JOIN_S,
    RELAY_CHANNEL_IDLE_S,
    RELAY_MAX_CONNECTS_PER_TARGET_PER_MIN,
    RELAY_SWEEP_S,
)
from wzp_cli.endpoint.links.message_stream import MessageStream
from wzp_cli.errors import PeerOffline, RelayBusy, RelayUnreachable, WzpError
from wzp_cli.events import MediaStarted, Warned
from wzp_cli.protocol.messages import relay
from wzp_cli.protocol.messages.fleet import Ticket, Wanted, subject
from wzp_cli.protocol.names.identity import Keypair
from wzp_cli.relay.access import AccessRules
from wzp_cli.relay.server import RelaySettings

HOSTS = ("20.0.0.1", "20.0.0.2", "20.0.0.3")


def at(number: int) -> HostPort:
    return HostPort(HOSTS[number], RELAY.port)


class FleetAtWork:
    """Relays with one key and one bus."""

    def __init__(self, world: World, hub: Hub, relays: list[RelayAtWork]) -> None:
        self.world, self.hub, self.relays = world, hub, relays

    async def person(
        self, name: str, number: int, *, publishes: bool = True, **more: object
    ) -> Person:
        """Return somebody who is registered at one of them."""
        person = await self.world.person(name, registers=False, **more)  # type: ignore[arg-type]
        await person.register(at(number), publishes=publishes)
        return person

    @property
    def left(self) -> list[int]:
        """Channels, reservations and charges of each relay."""
        names = ("channels", "reserved", "charged")
        return [relay.left[name] for relay in self.relays for name in names]


async def fleet_of(world: World, count: int = 2, **more: object) -> FleetAtWork:
    hub, key = Hub(), Keypair.generate()
    relays = [
        await world.relay(host, keypair=key, hub=hub, **more)  # type: ignore[arg-type]
        for host in HOSTS[:count]
    ]
    return FleetAtWork(world, hub, relays)


@scenario
async def test_a_call_from_one_relay_to_another(world: World) -> None:
    fleet = await fleet_of(world)
    alice = await fleet.person("alice", 0, publishes=False)
    bob = await fleet.person("bob", 1)
    bob.listen()
    outcome = await alice.call(bob, duration_s=3)
    assert outcome.path == "direct"
    assert alice.all(MediaStarted)
    assert bob.all(MediaStarted)
    await asyncio.sleep(RELAY_CHANNEL_IDLE_S + 2 * RELAY_SWEEP_S)
    assert not any(fleet.left)
    assert [relay.left["links"] for relay in fleet.relays] == [1, 1], "bob left again"
    facts = [relay.server.facts().fleet for relay in fleet.relays]
    assert facts[0] is not None
    assert facts[1] is not None
    assert facts[0].asked["found"] == facts[0].joined == facts[1].answered == 1
    assert facts[1].held == 1


@scenario
async def test_a_call_that_stays_on_the_callers_relay(world: World) -> None:
    fleet = await fleet_of(world)
    alice, bob = await fleet.person("alice", 0), await fleet.person("bob", 1)
    bob.listen(direct=False)
    outcome = await alice.call(bob, duration_s=3, direct=False)
    assert outcome.path == "relay"
    assert len(bob.sound.numbers) > 100
    forwarded = [r.server.channels.forwarded_total[0] for r in fleet.relays]
    assert forwarded[0] > 200
    assert forwarded[1] == 0, "relays never forward to relays"


@scenario
async def test_the_first_frames_wait_for_the_callee(world: World) -> None:
    """Or each call between relays would begin with a lost packet's time-out."""
    fleet = await fleet_of(world)
    alice, bob = await fleet.person("alice", 0), await fleet.person("bob", 1)
    bob.listen()
    outcome = await alice.call(bob, duration_s=1)
    assert outcome.setup_ms is not None
    assert outcome.setup_ms < 400, "ten round trips of 40 ms"
    assert not any(fleet.relays[0].server.channels.drops.values())


@scenario
async def test_devices_at_several_relays_ring_together(world: World) -> None:
    fleet = await fleet_of(world, 3)
    key = Keypair.generate()
    devices = [await fleet.person(f"bob {n}", n, keypair=key) for n in range(3)]
    alice = await fleet.person("alice", 0)
    assert alice.registration is not None
    routes = await alice.registration.connect(key.identity)
    assert len(routes) == 3
    await asyncio.sleep(1)
    assert fleet.relays[0].left["channels"] == 3
    for each in devices[1:]:
        each.listen()
    outcome = await alice.call(devices[0], duration_s=1)
    assert outcome.peer == str(key.identity)


@scenario
async def test_both_call_each_other_at_once(world: World) -> None:
    """Who has published nothing is found by the one that it calls, here too."""
    fleet = await fleet_of(world)
    alice = await fleet.person("alice", 0, publishes=False)
    bob, carol = await fleet.person("bob", 1), await fleet.person("carol", 1)
    assert alice.registration is not None
    assert bob.registration is not None
    assert carol.registration is not None
    (route,) = await alice.registration.connect(bob.identity)
    assert len(await bob.registration.connect(alice.identity)) == 1
    with pytest.raises(PeerOffline):
        await carol.registration.connect(alice.identity)
    alice.registration.close_channel(route)
    await asyncio.sleep(0.5)
    with pytest.raises(PeerOffline):
        await bob.registration.connect(alice.identity)


@scenario
async def test_offline_is_told_at_once_and_alike(world: World) -> None:
    fleet = await fleet_of(world)
    alice, bob = await fleet.person("alice", 0), await fleet.person("bob", 1)
    hidden = await fleet.person("hidden", 1, publishes=False)
    assert alice.registration is not None
    assert bob.registration is not None
    began = asyncio.get_running_loop().time()
    for target in (Keypair.generate().identity, hidden.identity):
        with pytest.raises(PeerOffline):
            await alice.registration.connect(target)
    assert asyncio.get_running_loop().time() - began < 0.2
    await bob.registration.close()
    await asyncio.sleep(0.1)
    with pytest.raises(PeerOffline):
        await alice.registration.connect(bob.identity)


@scenario
async def test_a_target_has_one_budget_for_calls_from_everywhere(world: World) -> None:
    fleet = await fleet_of(world)
    bob = await fleet.person("bob", 1)
    (name,) = fleet.hub.seats[1].held
    answer = fleet.hub.seats[1].held[name]
    wanted = Wanted(
        call="0" * 16,
        secret="0" * 64,
        caller=str(Keypair.generate().identity),
        addresses=(f"{HOSTS[0]}:{RELAY.port}",),
    )
    answers = [
        await answer(msgspec.json.encode(wanted))
        for _ in range(RELAY_MAX_CONNECTS_PER_TARGET_PER_MIN + 5)
    ]
    assert answers[-1] == b'{"devices":[]}'
    told = [each for each in answers if each != b'{"devices":[]}']
    assert len(told) == RELAY_MAX_CONNECTS_PER_TARGET_PER_MIN
    assert name == subject(fleet.relays[0].identity, bob.identity)


@scenario
async def test_a_bus_that_is_away_leaves_single_relays(world: World) -> None:
    fleet = await fleet_of(world)
    alice, bob = await fleet.person("alice", 0), await fleet.person("bob", 1)
    carol = await fleet.person("carol", 0)
    fleet.hub.seats[0].up = False
    assert alice.registration is not None
    assert len(await alice.registration.connect(carol.identity)) == 1
    with pytest.raises(RelayBusy, match="fleet"):
        await alice.registration.connect(bob.identity)
    fleet.hub.seats[0].up = True
    assert len(await alice.registration.connect(bob.identity)) == 1


@scenario
async def test_a_relay_that_is_silent_is_no_proof_of_absence(world: World) -> None:
    fleet = await fleet_of(world)
    alice, bob = await fleet.person("alice", 0), await fleet.person("bob", 1)
    fleet.hub.seats[1].silent = True
    assert alice.registration is not None
    with pytest.raises(RelayBusy, match="fleet"):
        await alice.registration.connect(bob.identity)


@scenario
async def test_a_device_that_never_comes_is_given_up(world: World) -> None:
    fleet = await fleet_of(world)
    alice, bob = await fleet.person("alice", 0), await fleet.person("bob", 1)
    bob.vanish()
    assert alice.registration is not None
    await alice.registration.connect(bob.identity)
    assert fleet.relays[0].left["reserved"] == 1
    await asyncio.sleep(FLEET_JOIN_S + 2 * RELAY_SWEEP_S)
    assert not any(fleet.left)


@scenario
async def test_a_caller_that_leaves_is_waited_for_by_nobody(world: World) -> None:
    fleet = await fleet_of(world)
    alice, bob = await fleet.person("alice", 0), await fleet.person("bob", 1)
    assert alice.registration is not None
    connecting = world.start(alice.registration.connect(bob.identity))
    await asyncio.sleep(0.015)
    alice.endpoint.close()
    with pytest.raises(WzpError):
        await connecting.result()
    await asyncio.sleep(FLEET_JOIN_S + 2 * RELAY_SWEEP_S)
    assert not any(fleet.left)
    assert fleet.relays[0].left["links"] == 0


@scenario
async def test_a_ticket_is_for_one_device_once_and_for_a_while(world: World) -> None:
    fleet = await fleet_of(world, access=AccessRules(allowed=frozenset()))
    rules = RelaySettings(AccessRules())
    fleet.relays[0].server.reload(rules)  # admits nobody but with a ticket, later
    alice = await fleet.person("alice", 0)
    bob, thief = [await world.person(n, registers=False) for n in ("bob", "thief")]
    server = fleet.relays[0].server
    assert server.fleet is not None
    (caller,) = server._streams
    now = server.endpoint.now()
    call, wanted = server.fleet.begin(caller, alice.identity, bob.identity, now)
    ticket = str(Ticket.issue(call.name, "d" * 16, wanted.secret))
    forged = str(Ticket.issue(call.name, "d" * 16, "0" * 64))

    async def joins(who: Person, shown: str) -> list[relay.RelayMessage]:
        link = await who.endpoint.dial_relay(
            fleet.relays[0].endpoint.local._replace(host=HOSTS[0]), None
        )
        stream: MessageStream[relay.RelayMessage] = MessageStream(
            link, relay.RelayMessage
        )
        stream.send(relay.Enter(version="1", join=shown))
        first = await stream.receive()
        if isinstance(first, relay.Refused):
            return [first]
        return [first, await stream.receive()]

    server.reload(RelaySettings(AccessRules(allowed=frozenset([alice.identity.key]))))
    refused = [relay.Refused(request="", reason="access")]
    for who, shown in ((thief, ticket), (bob, forged), (bob, "x"), (bob, "a.b.c")):
        assert await joins(who, shown) == refused
    welcome, incoming = await joins(bob, ticket)
    assert isinstance(welcome, relay.Welcome)
    assert isinstance(incoming, relay.Incoming)
    assert incoming.caller == str(alice.identity)
    assert await joins(bob, ticket) == refused, "once"
    later = str(Ticket.issue(call.name, "e" * 16, wanted.secret))
    just_too_late = call.until_s + 0.001
    assert server.fleet.redeem(later, bob.identity, just_too_late) is None
    await asyncio.sleep(FLEET_JOIN_S + 1)
    assert await joins(bob, later) == refused, "for a while"


@scenario
async def test_who_is_blocked_here_joins_no_call_here(world: World) -> None:
    fleet = await fleet_of(world)
    alice, bob = await fleet.person("alice", 0), await fleet.person("bob", 1)
    blocked = AccessRules(blocked=frozenset([bob.identity.key]))
    fleet.relays[0].server.reload(RelaySettings(blocked))
    bob.listen()
    calling = alice.calls(bob, ring_timeout_s=3, duration_s=1)
    with pytest.raises(WzpError):
        await calling.result()
    assert fleet.relays[0].left["links"] == 1


@scenario
async def test_a_callers_relay_that_dies_ends_as_any_relay(world: World) -> None:
    """The call goes on directly; bob's own relay has nothing to do with it."""
    fleet = await fleet_of(world)
    alice, bob = await fleet.person("alice", 0), await fleet.person("bob", 1)
    bob.listen()
    calling = alice.calls(bob, duration_s=60)
    await alice.told(MediaStarted)
    await asyncio.sleep(2)
    fleet.relays[0].vanish()
    outcome = await calling.result()
    assert outcome.path == "direct"
    assert not bob.all(Warned, lambda event: event.code == "relay_lost")


@scenario
async def test_a_fleet_with_another_key_is_another_fleet(world: World) -> None:
    hub = Hub()
    for host in HOSTS[:2]:
        await world.relay(host, hub=hub)
    alice = await world.person("alice", registers=False)
    bob = await world.person("bob", registers=False)
    await alice.register(at(0))
    await bob.register(at(1))
    assert alice.registration is not None
    with pytest.raises(PeerOffline):
        await alice.registration.connect(bob.identity)


@scenario
async def test_a_relay_that_drains_offers_nobody(world: World) -> None:
    fleet = await fleet_of(world)
    alice, bob = await fleet.person("alice", 0), await fleet.person("bob", 1)
    carol = await fleet.person("carol", 1)
    assert alice.registration is not None
    assert carol.registration is not None
    await carol.registration.connect(bob.identity)
    fleet.relays[1].server.drain(10)
    with pytest.raises(PeerOffline):
        await alice.registration.connect(bob.identity)


@scenario
async def test_what_is_asked_names_nothing_but_keys(world: World) -> None:
    fleet = await fleet_of(world)
    alice = await fleet.person("alice", 0)
    assert alice.registration is not None
    target = Keypair.generate().identity
    with pytest.raises((PeerOffline, RelayUnreachable)):
        await alice.registration.connect(target)
    ((name, question),) = fleet.hub.asked
    assert name == f"wzp.1.{fleet.relays[0].identity}.{target}"
    assert set(msgspec.json.decode(question)) == {
        *("call", "secret", "caller", "addresses")
    }


@scenario
async def test_calls_through_a_relay_that_drains_move_to_another(world: World) -> None:
    fleet = await fleet_of(world)
    world.name(RELAY.host, *HOSTS[:2])
    alice, bob = await world.person("alice"), await world.person("bob")
    bob.listen(direct=False)
    calling = alice.calls(bob, duration_s=20, direct=False)
    await alice.told(MediaStarted)
    await asyncio.sleep(2)
    first = fleet.relays[0]
    assert first.left["channels"] == 1
    first.server.drain(10)
    began = asyncio.get_running_loop().time()
    await first.doing.result()
    assert asyncio.get_running_loop().time() - began < 5
    outcome = await calling.result()
    assert outcome.end.by == "local"
    assert bob.sound.longest_gap_s < 2
    assert fleet.relays[1].server.channels.forwarded_total[0] > 500


@scenario
async def test_calls_through_a_relay_that_is_killed_move_to_another(
    world: World,
) -> None:
    fleet = await fleet_of(world)
    world.name(RELAY.host, *HOSTS[:2])
    alice, bob = await world.person("alice"), await world.person("bob")
    bob.listen(direct=False)
    calling = alice.calls(bob, duration_s=30, direct=False)
    await alice.told(MediaStarted)
    await asyncio.sleep(2)
    fleet.relays[0].vanish()
    outcome = await calling.result()
    assert outcome.end.by == "local"
    assert fleet.relays[1].server.channels.forwarded_total[0] > 500


@scenario
async def test_a_relay_stops_whatever_it_still_had_to_tell_the_others(
    world: World,
) -> None:
    fleet = await fleet_of(world)
    fleet.hub.delay_s = 3600
    people = [await world.person(name, registers=False) for name in ("a", "b")]
    entering = [world.start(each.register(at(0))) for each in people]
    await asyncio.sleep(0.2)
    fleet.relays[0].server.drain(10)
    async with asyncio.timeout(1):
        await fleet.relays[0].doing.result()
    for each in entering:
        await each.stop()


@scenario
async def test_who_changes_its_mind_all_the_time_keeps_nobody_waiting(
    world: World,
) -> None:
    fleet = await fleet_of(world)
    mallory = await fleet.person("mallory", 0)
    assert mallory.registration is not None
    assert mallory.registration._session is not None
    stream = mallory.registration._session.stream

    async def waver() -> None:
        while True:
            for message in (relay.Unpublish(), relay.Publish()):
                stream.send(message)
                await asyncio.sleep(fleet.hub.delay_s / 2)

    wavering = world.start(waver())
    await asyncio.sleep(1)
    bob = await fleet.person("bob", 0)
    bob.listen()
    alice = await fleet.person("alice", 1)
    assert (await alice.call(bob, duration_s=1)).path == "direct"
    await wavering.stop()


@scenario
async def test_where_another_relay_takes_websockets_is_not_taken_for_home(
    world: World,
) -> None:
    fleet = await fleet_of(world)
    for number, each in enumerate(fleet.relays):
        each.server.tcp_port = 8440 + number
    alice, bob = await fleet.person("alice", 0), await fleet.person("bob", 1)
    bob.listen()
    await alice.call(bob, duration_s=1)
    assert bob.pins.tcp_ports == {str(at(1)): 8441}
