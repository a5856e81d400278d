"""The relay as its clients meet it, honest, gone and hostile, over real QUIC."""

import asyncio
from dataclasses import dataclass

import pytest

from tests.support.fakenet import RANDOM
from tests.support.memory_turn import SECRET, TURN_HOST, MemoryTurn
from tests.support.world import (
    RELAY,
    RELAY_HOST,
    Person,
    RelayAtWork,
    World,
    never,
    scenario,
)
from wzp_cli.address import Address
from wzp_cli.defaults.endpoint import LINK_IDLE_TIMEOUT_S, MAX_QUEUED_BYTES
from wzp_cli.defaults.program import HELLO_TIMEOUT_S
from wzp_cli.defaults.relay import (
    RELAY_CHANNEL_IDLE_S,
    RELAY_CHANNEL_MAX_PACKETS_PER_S,
    RELAY_MAX_CHANNELS_PER_IDENTITY,
    RELAY_MAX_CONNECTS_PER_CALLER_PER_MIN,
    RELAY_MAX_CONNECTS_PER_TARGET_PER_MIN,
    RELAY_MAX_DEVICES_PER_TARGET,
    RELAY_MAX_GRANTS_PER_IDENTITY_PER_MIN,
    RELAY_MAX_PROBES_PER_CLIENT_PER_MIN,
    RELAY_MAX_REGISTRATIONS_PER_SOURCE_PER_MIN,
    RELAY_SWEEP_S,
)
from wzp_cli.endpoint.links.link import Link
from wzp_cli.endpoint.links.message_stream import MessageStream
from wzp_cli.errors import ConnectionLost, WzpError
from wzp_cli.events import (
    Incoming,
    MediaStarted,
    RelayDraining,
    RelayReloaded,
    RelayStats,
)
from wzp_cli.protocol.demux import encode_frame
from wzp_cli.protocol.messages import relay
from wzp_cli.protocol.messages.signal import encode
from wzp_cli.protocol.names.identity import Identity, Keypair
from wzp_cli.protocol.turn import issue_grant
from wzp_cli.relay.access import AccessRules, token_digest
from wzp_cli.relay.forwarding.data_plane import DropReason
from wzp_cli.relay.server import RelaySettings, run_relay

AT = Address(RELAY_HOST, RELAY.port)


def now() -> float:
    return asyncio.get_running_loop().time()


@dataclass
class Client:
    """Somebody who speaks the relay's protocol word by word."""

    person: Person
    link: Link
    stream: MessageStream[relay.RelayMessage]

    @property
    def identity(self) -> Identity:
        return self.person.identity

    def say(self, *messages: relay.RelayMessage) -> None:
        for message in messages:
            self.stream.send(message)

    async def hear(self) -> relay.RelayMessage:
        async with asyncio.timeout(10):
            return await self.stream.receive()

    async def connect(self, target: Identity, request: str = "r") -> relay.RelayMessage:
        """Ask for channels; return the answer."""
        self.say(relay.Connect(request=request, target=str(target)))
        while True:
            message = await self.hear()
            if isinstance(message, relay.Connected | relay.Refused):
                return message

    def send(self, channel: relay.ChannelIds, datagram: bytes = b"\x40sound") -> None:
        """Send one datagram through a channel."""
        frame = encode_frame(bytes.fromhex(channel.send), datagram)
        self.person.endpoint._wire.send(frame, AT)


async def linked(world: World, person: Person) -> Client:
    link = await person.endpoint.dial_relay(AT, None)
    return Client(person, link, MessageStream(link, relay.RelayMessage))


async def client(
    world: World, name: str, *, publishes: bool = True, person: Person | None = None
) -> Client:
    """Return a client that has entered, and published."""
    person = person or await world.person(name, registers=False)
    one = await linked(world, person)
    one.say(relay.Enter(version="1"))
    assert isinstance(await one.hear(), relay.Welcome)
    if publishes:
        one.say(relay.Publish())
        assert await one.hear() == relay.Published()
    return one


async def channel_between(one: Client, two: Client) -> relay.ChannelIds:
    """Return the caller's view of a new channel; the callee has heard of it."""
    answer = await one.connect(two.identity)
    assert isinstance(answer, relay.Connected)
    (device,) = answer.devices
    incoming = await two.hear()
    assert isinstance(incoming, relay.Incoming)
    assert incoming.caller == str(one.identity)
    assert incoming.channel.send == device.channel.receive
    assert incoming.channel.receive == device.channel.send
    return device.channel


# --- Entering and being there ---------------------------------------------------


@scenario
async def test_a_client_is_welcomed_with_its_address_and_the_extra_ports(
    world: World,
) -> None:
    await world.relay()
    alice = await world.person("alice", registers=False, port=5000)
    one = await linked(world, alice)
    one.say(relay.Enter(version="1"))
    welcome = await one.hear()
    assert isinstance(welcome, relay.Welcome)
    assert welcome.address == f"{alice.public_host}:5000"
    assert welcome.ports == (RELAY.port + 1,)


@scenario
async def test_nothing_is_said_before_the_client_has_entered(world: World) -> None:
    server = await world.relay()
    one = await linked(world, await world.person("alice", registers=False))
    with pytest.raises(ConnectionLost):
        await one.hear()
    assert now() < HELLO_TIMEOUT_S + 1
    assert not any(server.left.values())


@scenario
async def test_whoever_speaks_before_entering_is_let_go(world: World) -> None:
    server = await world.relay()
    one = await linked(world, await world.person("alice", registers=False))
    one.say(relay.Publish())
    with pytest.raises(ConnectionLost):
        await one.hear()
    assert not any(server.left.values())


@scenario
async def test_only_the_published_are_found_and_unpublishing_hides(
    world: World,
) -> None:
    await world.relay()
    alice = await client(world, "alice", publishes=False)
    bob = await client(world, "bob", publishes=False)
    offline = relay.Refused(request="r", reason="offline")
    assert await alice.connect(bob.identity) == offline
    bob.say(relay.Publish())
    assert await bob.hear() == relay.Published()
    await channel_between(alice, bob)
    bob.say(relay.Unpublish())
    await asyncio.sleep(0.1)
    other = await client(world, "carol")
    assert await other.connect(bob.identity) == offline


@scenario
async def test_whom_one_calls_may_call_back_meanwhile(world: World) -> None:
    """Glare: a caller that has not published is found by the one it calls."""
    await world.relay()
    alice = await client(world, "alice", publishes=False)
    bob, carol = await client(world, "bob"), await client(world, "carol")
    channel = await channel_between(alice, bob)
    assert isinstance(await bob.connect(alice.identity), relay.Connected)
    assert isinstance(await carol.connect(alice.identity), relay.Refused)
    alice.say(relay.Closed(channel=channel.send))
    await asyncio.sleep(0.1)
    assert isinstance(await bob.connect(alice.identity, "again"), relay.Refused)


@scenario
async def test_a_channel_for_each_device_and_not_for_more_than_a_few(
    world: World,
) -> None:
    server = await world.relay()
    key = Keypair.generate()
    for number in range(RELAY_MAX_DEVICES_PER_TARGET + 3):
        person = await world.person(f"{number}", registers=False, keypair=key)
        await client(world, "", person=person)
    alice = await client(world, "alice")
    answer = await alice.connect(key.identity)
    assert isinstance(answer, relay.Connected)
    assert len(answer.devices) == RELAY_MAX_DEVICES_PER_TARGET
    assert len({device.device for device in answer.devices}) == len(answer.devices)
    assert server.left["channels"] == RELAY_MAX_DEVICES_PER_TARGET


@scenario
async def test_nobody_can_call_the_very_link_they_call_from(world: World) -> None:
    await world.relay()
    alice = await client(world, "alice")
    assert isinstance(await alice.connect(alice.identity), relay.Refused)


# --- Who may --------------------------------------------------------------------


@scenario
async def test_who_is_not_admitted_is_told_so_and_let_go(world: World) -> None:
    friend = Keypair.generate()
    rules = AccessRules(allowed=frozenset([friend.identity.key]))
    server = await world.relay(access=rules)
    person = await world.person("friend", registers=False, keypair=friend)
    await client(world, "", person=person)
    stranger = await linked(world, await world.person("stranger", registers=False))
    stranger.say(relay.Enter(version="1", token="none"), relay.Publish())
    assert await stranger.hear() == relay.Refused(request="", reason="access")
    with pytest.raises(ConnectionLost, match="no access"):
        await stranger.hear()
    assert server.server.presence.published == 1
    entered = server.server.facts().entered
    assert {k: n for k, n in entered.items() if n} == {"welcome": 1, "access": 1}


@scenario
async def test_a_token_admits_whoever_shows_it_on_entering(world: World) -> None:
    await world.relay(access=AccessRules(tokens=frozenset([token_digest("sesame")])))
    alice = await linked(world, await world.person("alice", registers=False))
    alice.say(relay.Enter(version="1", token="sesame"))
    assert isinstance(await alice.hear(), relay.Welcome)
    for token in ("", "Sesame", "sesame "):
        other = await linked(world, await world.person("other", registers=False))
        other.say(relay.Enter(version="1", token=token))
        assert await other.hear() == relay.Refused(request="", reason="access")


@scenario
async def test_rules_that_change_count_at_once_for_whoever_is_there(
    world: World,
) -> None:
    tokens = frozenset([token_digest("one"), token_digest("two")])
    server = await world.relay(access=AccessRules(tokens=tokens))
    people = {}
    for name in ("one", "two", "two again"):
        people[name] = await linked(world, await world.person(name, registers=False))
        people[name].say(relay.Enter(version="1", token=name.split()[0]))
        assert isinstance(await people[name].hear(), relay.Welcome)
        people[name].say(relay.Publish())
        assert await people[name].hear() == relay.Published()
    await channel_between(people["one"], people["two"])
    blocked = frozenset([people["two again"].identity.key])
    rules = AccessRules(frozenset([token_digest("two")]), None, blocked)
    server.server.reload(RelaySettings(rules))
    assert server.left["channels"] == server.left["charged"] == 0
    assert server.server.presence.published == 1
    assert isinstance(await people["two"].hear(), relay.Closed)
    for gone in ("one", "two again"):
        assert await people[gone].hear() == relay.Refused(request="", reason="access")
        with pytest.raises(ConnectionLost, match="withdrawn"):
            await people[gone].hear()
    (told,) = server.all(RelayReloaded)
    assert (told.tokens, told.allowed, told.blocked, told.closed) == (1, None, 1, 2)
    assert server.left["links"] == 1


# --- Stopping -------------------------------------------------------------------


@scenario
async def test_a_drain_without_calls_is_over_at_once(world: World) -> None:
    server = await world.relay()
    alice = await client(world, "alice")
    server.server.drain(10)
    assert await alice.hear() == relay.Draining(within_s=10)
    with pytest.raises(ConnectionLost, match="draining"):
        await alice.hear()
    before = now()
    await server.doing.result()
    assert now() - before < 0.5


@scenario
async def test_a_drain_waits_for_the_last_call_and_takes_nobody(world: World) -> None:
    server = await world.relay()
    alice, bob = await client(world, "alice"), await client(world, "bob")
    idle = await client(world, "idle")
    channel = await channel_between(alice, bob)
    server.server.drain(10)
    for told in (alice, bob, idle):
        assert await told.hear() == relay.Draining(within_s=10)
    with pytest.raises(ConnectionLost, match="draining"):
        await idle.hear()
    draining = relay.Refused(request="r", reason="draining")
    assert await alice.connect(bob.identity) == draining
    late = await linked(world, await world.person("late", registers=False))
    with pytest.raises(ConnectionLost, match="draining"):
        await late.hear()
    alice.send(channel)
    await asyncio.sleep(5)
    assert server.server.channels.forwarded_total[0] == 1
    assert server.server.facts().state == "draining"
    assert not server.doing.done
    alice.say(relay.Closed(channel=channel.send))
    before = now()
    await server.doing.result()
    assert now() - before < 0.5
    (event,) = server.all(RelayDraining)
    assert (event.channels, event.within_s) == (1, 10)
    assert not any(server.left.values())


@scenario
async def test_a_drain_is_over_after_its_time_whoever_still_talks(world: World) -> None:
    server = await world.relay()
    alice, bob = await client(world, "alice"), await client(world, "bob")
    await channel_between(alice, bob)
    server.server.drain(10)
    server.server.drain(100)
    await asyncio.sleep(9.5)
    assert not server.doing.done
    await asyncio.sleep(1)
    assert server.doing.done
    assert await bob.hear() == relay.Draining(within_s=10)
    with pytest.raises(ConnectionLost, match="stopped"):
        await bob.hear()


@scenario
async def test_offline_unknown_and_nonsense_are_answered_alike(world: World) -> None:
    await world.relay()
    alice = await client(world, "alice")
    hidden = await client(world, "hidden", publishes=False)
    gone = await client(world, "gone")
    gone.link.abort()
    await asyncio.sleep(0.1)
    answers = [
        await alice.connect(target)
        for target in (Keypair.generate().identity, hidden.identity, gone.identity)
    ]
    for text in ("", "wzp1", "x" * 64, str(alice.identity)[:-1]):
        alice.say(relay.Connect(request="r", target=text))
        answers.append(await alice.hear())
    assert answers == [relay.Refused(request="r", reason="offline")] * 7


@scenario
async def test_a_target_called_too_often_looks_offline(world: World) -> None:
    await world.relay()
    bob = await client(world, "bob")
    absent = Keypair.generate().identity
    callers = RELAY_MAX_CONNECTS_PER_TARGET_PER_MIN // 15 + 1
    answers: dict[Identity, list[relay.RelayMessage]] = {bob.identity: [], absent: []}
    for number in range(callers):
        for target, heard in answers.items():
            caller = await client(world, f"{number}")
            heard += [await caller.connect(target) for _ in range(15)]
    refused = relay.Refused(request="r", reason="offline")
    assert set(map(str, answers[absent])) == {str(refused)}
    rung = [a for a in answers[bob.identity] if isinstance(a, relay.Connected)]
    others = [a for a in answers[bob.identity] if a not in rung]
    assert len(rung) + 10 >= RELAY_MAX_CONNECTS_PER_TARGET_PER_MIN
    assert len(rung) <= RELAY_MAX_CONNECTS_PER_TARGET_PER_MIN + now() + 1
    assert others
    assert set(map(str, others)) == {str(refused)}


@scenario
async def test_a_caller_that_calls_too_often_is_told_so(world: World) -> None:
    await world.relay()
    alice = await client(world, "alice")
    world.start(kept(alice))
    answers = [
        await alice.connect(Keypair.generate().identity)
        for _ in range(RELAY_MAX_CONNECTS_PER_CALLER_PER_MIN + 2)
    ]
    limit = relay.Refused(request="r", reason="limit")
    assert answers[-2:] == [limit, limit]
    assert limit not in answers[:-2]
    await asyncio.sleep(60)
    assert await alice.connect(Keypair.generate().identity) != limit


@scenario
async def test_one_identity_holds_only_so_many_channels(world: World) -> None:
    server = await world.relay()
    key = Keypair.generate()
    for number in range(RELAY_MAX_DEVICES_PER_TARGET):
        person = await world.person(f"{number}", registers=False, keypair=key)
        await client(world, "", person=person)
    alice = [await client(world, "alice")]
    for _ in range(2):
        person = await world.person(
            "alice again", registers=False, keypair=alice[0].person.keypair
        )
        alice.append(await client(world, "", person=person))
    answers = [await one.connect(key.identity) for one in alice]
    assert [type(answer).__name__ for answer in answers] == [
        "Connected",
        "Connected",
        "Refused",
    ]
    assert answers[2] == relay.Refused(request="r", reason="limit")
    assert server.left["charged"] == RELAY_MAX_CHANNELS_PER_IDENTITY


@scenario
async def test_links_from_one_address_are_limited(world: World) -> None:
    server = await world.relay()
    world.net.delay_s = 0
    crowd = await world.person("crowd", registers=False)
    for _ in range(RELAY_MAX_REGISTRATIONS_PER_SOURCE_PER_MIN):
        (await client(world, "", person=crowd, publishes=False)).link.abort()
    one = await linked(world, crowd)
    one.say(relay.Enter(version="1"))
    with pytest.raises(ConnectionLost, match="too many"):
        await one.hear()
    await client(world, "from elsewhere")
    assert server.left["links"] == 1


# --- Channels -------------------------------------------------------------------


@scenario
async def test_frames_go_both_ways_between_the_two_and_nobody_else(
    world: World,
) -> None:
    server = await world.relay()
    alice, bob = await client(world, "alice"), await client(world, "bob")
    carol = await client(world, "carol")
    channel = await channel_between(alice, bob)
    packets = world.record()
    alice.send(channel, b"\x40up")
    carol.send(channel, b"\x40forged")
    await asyncio.sleep(0.1)
    bob_host = bob.person.public_host
    to_bob = [p.datagram[9:] for p in packets if p.to.host == bob_host]
    assert to_bob == [b"\x40up"]
    assert server.server.channels.drops == {DropReason.WRONG_SOURCE: 1}


@scenario
async def test_connecting_again_replaces_the_channel_and_tells_both(
    world: World,
) -> None:
    server = await world.relay()
    alice, bob = await client(world, "alice"), await client(world, "bob")
    first = await channel_between(alice, bob)
    alice.say(relay.Connect(request="2", target=str(bob.identity)))
    assert await bob.hear() == relay.Closed(channel=first.send)
    assert isinstance(await bob.hear(), relay.Incoming)
    assert await alice.hear() == relay.Closed(channel=first.receive)
    assert isinstance(await alice.hear(), relay.Connected)
    assert server.left["channels"] == server.left["charged"] == 1


@scenario
async def test_either_side_closes_a_channel_and_the_other_is_told(
    world: World,
) -> None:
    server = await world.relay()
    alice, bob = await client(world, "alice"), await client(world, "bob")
    channel = await channel_between(alice, bob)
    alice.say(relay.Closed(channel=channel.send))
    assert await bob.hear() == relay.Closed(channel=channel.send)
    channel = await channel_between(alice, bob)
    bob.say(relay.Closed(channel=channel.receive))
    assert await alice.hear() == relay.Closed(channel=channel.receive)
    assert server.left["channels"] == server.left["charged"] == 0


@scenario
async def test_nobody_else_closes_a_channel(world: World) -> None:
    server = await world.relay()
    alice, bob = await client(world, "alice"), await client(world, "bob")
    carol = await client(world, "carol")
    channel = await channel_between(alice, bob)
    for name in (channel.send, channel.receive, "00" * 8):
        carol.say(relay.Closed(channel=name))
    alice.say(relay.Closed(channel=channel.receive))
    await asyncio.sleep(0.1)
    assert server.left["channels"] == 1


@scenario
async def test_an_idle_channel_expires_and_both_are_told(world: World) -> None:
    server = await world.relay()
    alice, bob = await client(world, "alice"), await client(world, "bob")
    for one in (alice, bob):
        world.start(kept(one))
    channel = await channel_between(alice, bob)
    await asyncio.sleep(RELAY_CHANNEL_IDLE_S - 1)
    assert server.left["channels"] == 1
    await asyncio.sleep(1 + 2 * RELAY_SWEEP_S)
    assert server.left["channels"] == 0
    assert await alice.hear() == relay.Closed(channel=channel.receive)
    assert await bob.hear() == relay.Closed(channel=channel.send)
    assert server.left["charged"] == 0


async def kept(one: Client) -> None:
    for _ in range(100):
        await one.link.ping(5)
        await asyncio.sleep(10)


@scenario
async def test_a_channel_in_use_does_not_expire(world: World) -> None:
    server = await world.relay()
    alice, bob = await client(world, "alice"), await client(world, "bob")
    world.start(kept(alice))
    world.start(kept(bob))
    channel = await channel_between(alice, bob)
    for _ in range(20):
        alice.send(channel)
        await asyncio.sleep(RELAY_CHANNEL_IDLE_S / 3)
    assert server.left["channels"] == 1


@scenario
async def test_a_flood_through_a_channel_is_cut_to_its_rate(world: World) -> None:
    server = await world.relay()
    alice, bob = await client(world, "alice"), await client(world, "bob")
    channel = await channel_between(alice, bob)
    for _ in range(2000):
        alice.send(channel)
    await asyncio.sleep(0.1)
    packets, _ = server.server.channels.forwarded_total
    assert packets <= RELAY_CHANNEL_MAX_PACKETS_PER_S + 25
    assert server.server.channels.drops[DropReason.PACKET_RATE] > 1700


# --- Addresses ------------------------------------------------------------------


@scenario
async def test_channels_follow_a_client_once_its_new_address_is_checked(
    world: World,
) -> None:
    server = await world.relay()
    alice, bob = await client(world, "alice"), await client(world, "bob")
    channel = await channel_between(alice, bob)
    assert alice.person.nat is not None
    alice.person.nat.rebind("20.1.0.77")
    alice.send(channel)
    await asyncio.sleep(0.1)
    assert server.server.channels.drops == {DropReason.WRONG_SOURCE: 1}
    await alice.link.ping(5)
    observed = await alice.hear()
    port = alice.person.endpoint.local.port
    assert observed == relay.Observed(address=f"20.1.0.77:{port}")
    alice.send(channel)
    await asyncio.sleep(0.1)
    assert server.server.channels.forwarded_total[0] == 1
    packets = world.record()
    back = relay.ChannelIds(send=channel.receive, receive=channel.send)
    bob.send(back)
    await asyncio.sleep(0.1)
    assert "20.1.0.77" in {p.to.host for p in packets if p.datagram[0] == 8}


@scenario
async def test_a_client_lets_the_other_side_know_where_it_is(world: World) -> None:
    await world.relay()
    alice, bob = await client(world, "alice"), await client(world, "bob")
    thief = await client(world, "thief")
    channel = await channel_between(alice, bob)
    thief.say(relay.Reveal(channel=channel.send))
    bob.say(relay.Reveal(channel=channel.send))  # that is alice's to say
    alice.say(*3 * [relay.Reveal(channel=channel.send)])
    port = alice.person.endpoint.local.port
    where = f"{alice.person.public_host}:{port}"
    assert await bob.hear() == relay.Revealed(channel=channel.send, address=where)
    assert alice.person.nat is not None
    alice.person.nat.rebind("20.1.0.77")
    await alice.link.ping(5)
    moved = relay.Revealed(channel=channel.send, address=f"20.1.0.77:{port}")
    assert await bob.hear() == moved, "once, and again where it has moved"
    assert isinstance(await alice.hear(), relay.Observed), "bob has revealed nothing"


@scenario
async def test_credentials_for_turn_go_to_who_has_the_channel(world: World) -> None:
    server = MemoryTurn(world.net.host(TURN_HOST))
    serving = await world.relay(turn=server.service)
    alice, bob = await client(world, "alice"), await client(world, "bob")
    thief = await client(world, "thief")
    channel = await channel_between(alice, bob)
    thief.say(relay.TurnWanted(channel=channel.send))
    bob.say(relay.TurnWanted(channel=channel.send))  # that is alice's to ask
    alice.say(relay.TurnWanted(channel=channel.send))
    bob.say(relay.TurnWanted(channel=channel.receive))
    granted = [await each.hear() for each in (alice, bob)]
    for one, receive in zip(granted, (channel.receive, channel.send), strict=True):
        assert isinstance(one, relay.TurnGranted)
        assert (one.channel, one.server) == (receive, TURN_HOST)
        until, _, name = one.username.partition(":")
        expected = issue_grant(TURN_HOST, SECRET, name, int(until))
        assert one.password == expected.password
        assert "wzp1" not in one.username
    with pytest.raises(TimeoutError):
        await thief.hear()
    facts = serving.server.facts()
    assert facts.turn_grants == {"granted": 2, "limit": 0, "no_channel": 2}


@scenario
async def test_credentials_have_a_limit_and_a_relay_may_have_none(
    world: World,
) -> None:
    turn = MemoryTurn(world.net.host(TURN_HOST))
    server = await world.relay(turn=turn.service)
    alice, bob = await client(world, "alice"), await client(world, "bob")
    channel = await channel_between(alice, bob)
    wanted = relay.TurnWanted(channel=channel.send)
    alice.say(*[wanted] * (RELAY_MAX_GRANTS_PER_IDENTITY_PER_MIN + 5))
    for _ in range(RELAY_MAX_GRANTS_PER_IDENTITY_PER_MIN):
        assert isinstance(await alice.hear(), relay.TurnGranted)
    bob.say(relay.TurnWanted(channel=channel.receive))
    assert isinstance(await bob.hear(), relay.TurnGranted)
    assert server.server.facts().turn_grants["limit"] == 5
    server.server.reload(RelaySettings())
    bob.say(relay.TurnWanted(channel=channel.receive))
    for one in (alice, bob):
        with pytest.raises(TimeoutError):
            await one.hear()


@scenario
async def test_channels_never_follow_a_copied_packet(world: World) -> None:
    server = await world.relay()
    alice, bob = await client(world, "alice"), await client(world, "bob")
    channel = await channel_between(alice, bob)
    thief = world.net.host("20.5.0.1").wire(5000)
    await alice.link.ping(5)
    world.net.cut(alice.person.public_host, RELAY_HOST)
    packets = world.record()
    assert not await alice.link.ping(1)
    copied = [p.datagram for p in packets if p.source.host == alice.person.public_host]
    for datagram in copied:
        thief.send(datagram, AT)
    back = relay.ChannelIds(send=channel.receive, receive=channel.send)
    for _ in range(50):
        bob.send(back)
        await asyncio.sleep(0.02)
    to_thief = [p for p in packets if p.to.host == "20.5.0.1"]
    assert not [p for p in to_thief if p.datagram[0] == 8], "no frame of the call"
    sent = sum(len(p.datagram) for p in to_thief)
    assert 0 < sent <= 3 * sum(map(len, copied)), "RFC 9000's limit"
    assert server.server.channels.forwarded_total[0] == 50


@scenario
async def test_probes_go_to_the_client_alone_and_from_the_asked_port(
    world: World,
) -> None:
    await world.relay()
    alice = await client(world, "alice")
    packets = world.record()
    for port in (RELAY.port + 1, RELAY.port, 1, 65535):
        alice.say(relay.ProbeMe(port=port))
    await asyncio.sleep(0.5)
    probes = [p for p in packets if p.source.host == RELAY_HOST and p.datagram[0] < 4]
    assert [(p.source.port, p.to.host) for p in probes] == [
        (RELAY.port + 1, alice.person.public_host)
    ]


@scenario
async def test_probes_reach_other_ports_of_the_same_host_and_are_confirmed(
    world: World,
) -> None:
    await world.relay()
    alice = await client(world, "alice")
    packets = world.record()
    probe_id, extra = 24 * "a", RELAY.port + 1
    for to in (5000, 53, 1023):
        alice.say(relay.ProbeMe(port=extra, to=to, id=probe_id))
    while not isinstance(heard := await alice.hear(), relay.Probed):
        pass
    assert heard == relay.Probed(id=probe_id)
    await asyncio.sleep(0.5)
    probes = [p for p in packets if p.source == AT._replace(port=extra)]
    assert [p.to for p in probes] == [Address(alice.person.public_host, 5000)]
    assert probes[0].datagram[8:] == bytes.fromhex(probe_id)


@scenario
async def test_probes_have_a_limit(world: World) -> None:
    await world.relay()
    alice = await client(world, "alice")
    packets = world.record()
    for _ in range(2 * RELAY_MAX_PROBES_PER_CLIENT_PER_MIN):
        alice.say(relay.ProbeMe(port=RELAY.port + 1))
    await asyncio.sleep(0.5)
    probes = [p for p in packets if p.source == AT._replace(port=RELAY.port + 1)]
    assert len(probes) == RELAY_MAX_PROBES_PER_CLIENT_PER_MIN


@scenario
async def test_who_comes_by_tcp_draws_no_probe_of_udp(world: World) -> None:
    server = await world.relay()
    person = await world.person("alice", registers=False, by_tcp=server)
    by_tcp = AT._replace(port=443, tunnel=1)
    at, _ = await person.endpoint.tunnels.dial(by_tcp, RELAY.host)
    link = await person.endpoint.dial_relay(at, None)
    stream: MessageStream[relay.RelayMessage] = MessageStream(link, relay.RelayMessage)
    stream.send(relay.Enter(version="1"))
    welcome = await stream.receive()
    assert isinstance(welcome, relay.Welcome)
    assert Address.parse(welcome.address).host == person.public_host
    packets = world.record()
    stream.send(relay.ProbeMe(port=RELAY.port + 1))
    await asyncio.sleep(0.5)
    assert packets == []
    link.abort()


@scenario
async def test_plain_stun_requests_are_answered_on_all_ports(world: World) -> None:
    await world.relay()
    alice = await world.person("alice", RANDOM, registers=False)
    seen = {
        (await alice.endpoint.reflect(AT._replace(port=port))).reflexive.host
        for port in (RELAY.port, RELAY.port + 1)
    }
    assert seen == {alice.public_host}


# --- Clients that go ------------------------------------------------------------


async def in_use(world: World) -> tuple[RelayAtWork, Client, Client]:
    server = await world.relay()
    alice, bob = await client(world, "alice"), await client(world, "bob")
    await channel_between(alice, bob)
    await channel_between(bob, alice)
    return server, alice, bob


@scenario
async def test_a_client_that_leaves_frees_everything_and_the_other_is_told(
    world: World,
) -> None:
    server, alice, bob = await in_use(world)
    alice.link.abort("bye")
    closed = [await bob.hear() for _ in range(2)]
    assert all(isinstance(message, relay.Closed) for message in closed)
    assert server.left == {
        "links": 1,
        "streams": 1,
        "presence": 1,
        "channels": 0,
        "charged": 0,
        "reserved": 0,
    }
    bob.link.abort("bye")
    await asyncio.sleep(0.1)
    assert not any(server.left.values())


@scenario
async def test_a_client_that_disappears_frees_everything_too(world: World) -> None:
    server, alice, bob = await in_use(world)
    alice.person.vanish()
    bob.person.vanish()
    await asyncio.sleep(LINK_IDLE_TIMEOUT_S + 30)
    assert not any(server.left.values())
    assert server.server.presence.published == 0


@scenario
async def test_what_a_relay_tells_its_operator_names_nobody(world: World) -> None:
    """Its events are its log, its facts its metrics: also of calls and refusals."""
    relay = await world.relay()
    alice, bob = await world.people("alice", "bob")
    bob.listen()
    await alice.call(bob, duration_s=2)
    await asyncio.sleep(2 * RELAY_SWEEP_S)
    rules = AccessRules(blocked=frozenset({bob.identity.key}))
    relay.server.reload(RelaySettings(access=rules))
    relay.server.drain(1.0)
    await asyncio.sleep(2)
    told = repr(relay.events) + repr(relay.server.facts())
    assert "RelayStats" in told
    assert "RelayReloaded" in told
    for person in (alice, bob):
        keys = (str(person.identity), person.identity.short, person.identity.key.hex())
        for secret in (*keys, person.public_host, person.name):
            assert secret not in told


@scenario
async def test_statistics_tell_what_has_changed(world: World) -> None:
    server, alice, bob = await in_use(world)
    await asyncio.sleep(RELAY_SWEEP_S + 0.1)
    busy = server.all(RelayStats)[-1]
    assert (busy.links, busy.published, busy.channels) == (2, 2, 2)
    told = len(server.events)
    await asyncio.sleep(5)
    assert len(server.events) == told, "nothing new"
    alice.link.abort()
    bob.link.abort()
    await asyncio.sleep(RELAY_SWEEP_S + 0.1)
    idle = server.all(RelayStats)[-1]
    assert (idle.links, idle.published, idle.channels) == (0, 0, 0)


# --- Hostile clients ------------------------------------------------------------


def framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


@pytest.mark.parametrize("entered", [True, False])
@pytest.mark.parametrize(
    "raw",
    [
        b"\xff" * 50,
        framed(b"nonsense"),
        framed(b"[" * 4000),
        framed(b'{"type":"connect","request":1,"target":2}'),
        framed(b'{"type":"connect","request":"\\ud800","target":"x"}'),
        framed(b'{"type":"closed","channel":"' + b"g" * 16 + b'"}'),
        framed(b'{"type":"closed","channel":"00\\n0000000000000"}'),
        framed(b'{"type":"probe_me","port":0}'),
        framed(b'{"type":"enter","version":"' + b"v" * 100 + b'"}'),
        framed(b"{}") * 3,
        (1 << 31).to_bytes(4, "big"),
    ],
    ids=lambda raw: repr(raw[4:24]) if isinstance(raw, bytes) else str(raw),
)
@scenario
async def test_garbage_ends_its_client_and_nobody_else(
    world: World, raw: bytes, entered: bool
) -> None:
    server = await world.relay()
    alice, bob = await client(world, "alice"), await client(world, "bob")
    person = await world.person("mallory", registers=False)
    mallory = (
        await client(world, "", person=person)
        if entered
        else await linked(world, person)
    )
    mallory.link.send(raw)
    with pytest.raises(WzpError):
        await mallory.hear()
    await channel_between(alice, bob)
    await asyncio.sleep(0.1)
    assert server.left["links"] == 2


@pytest.mark.parametrize(
    "message",
    [
        relay.Enter(version="again"),
        relay.Welcome(version="1", address="x"),
        relay.Published(),
        relay.Observed(address="20.1.0.9:1"),
        relay.Connected(request="r", devices=[]),
        relay.Refused(request="r", reason="x"),
        relay.Incoming(
            channel=relay.ChannelIds(send="00" * 8, receive="11" * 8), caller="x"
        ),
        relay.Unpublish(),
    ],
    ids=lambda message: type(message).__name__,
)
@scenario
async def test_a_relays_own_words_said_to_it_are_passed_over(
    world: World, message: relay.RelayMessage
) -> None:
    await world.relay()
    alice = await client(world, "alice")
    alice.say(message)
    alice.say(relay.Publish())
    assert await alice.hear() == relay.Published()


@scenario
async def test_a_message_too_long_before_and_after_entering(world: World) -> None:
    await world.relay()
    long = framed(b'{"type":"new","x":"' + b"x" * 5000 + b'"}')
    person = await world.person("alice", registers=False)
    early = await linked(world, person)
    early.link.send(long)
    with pytest.raises(ConnectionLost):
        await early.hear()
    late = await client(world, "", person=person)
    late.link.send(long)
    late.say(relay.Publish())
    assert await late.hear() == relay.Published()


@scenario
async def test_a_flood_of_bytes_is_bounded(world: World) -> None:
    server = await world.relay()
    mallory = await client(world, "mallory")
    alice = await client(world, "alice")
    most = 0
    for _ in range(100):
        if not mallory.link.ended:
            mallory.link.send(bytes(20_000))
        await asyncio.sleep(0.01)
        most = max([most, *(link._inbox.size for link in server.endpoint.links)])
    assert most <= 2 * MAX_QUEUED_BYTES
    assert mallory.link.ended
    assert isinstance(await alice.connect(alice.identity), relay.Refused)


@scenario
async def test_a_flood_of_messages_does_not_starve_the_others(world: World) -> None:
    await world.relay()
    mallory, alice = await client(world, "mallory"), await client(world, "alice")
    bob = await client(world, "bob")
    target = str(Keypair.generate().identity)
    flood = encode(relay.Connect(request="r", target=target)) * 200
    for _ in range(5):
        mallory.link.send(flood)
    await channel_between(alice, bob)
    answers = [await mallory.hear() for _ in range(1000)]
    refused = [a.reason for a in answers if isinstance(a, relay.Refused)]
    assert refused.count("offline") <= RELAY_MAX_CONNECTS_PER_CALLER_PER_MIN
    assert len(refused) == 1000


@scenario
async def test_stray_frames_and_junk_draw_no_answer(world: World) -> None:
    server = await world.relay()
    wire = world.net.host("20.5.0.1").wire(5000)
    packets = world.record()
    for first in range(256):
        wire.send(bytes([first]) + bytes(40), AT)
        wire.send(bytes([first]), AT)
    wire.send(b"", AT)
    await asyncio.sleep(1)
    assert [p for p in packets if p.source.host == RELAY_HOST] == []
    assert server.left["links"] == 0


@scenario
async def test_a_relay_can_be_stopped_in_the_middle_of_everything(
    world: World,
) -> None:
    server = await world.relay()
    alice, bob = await world.person("alice"), await world.person("bob")
    bob.listen(never)
    call = alice.calls(bob)
    await bob.told(Incoming)
    await server.doing.stop()
    server.endpoint.close()
    with pytest.raises(WzpError):
        await call.result()


@scenario
async def test_run_relay_serves_until_it_is_cancelled(world: World) -> None:
    endpoint = await world.open_endpoint(world.net.host(RELAY_HOST), RELAY.port)
    world.name(RELAY.host, RELAY_HOST)
    events: list[object] = []
    serving = world.start(run_relay(endpoint, (), RelaySettings(), events.append))
    await asyncio.sleep(0)
    alice, bob = await world.person("alice"), await world.person("bob")
    bob.listen()
    await alice.call(bob, duration_s=1)
    assert alice.all(MediaStarted)
    assert not serving.done
    await serving.stop()
    assert isinstance(events[0], RelayStats)


@scenario
async def test_links_come_over_the_address_that_was_dialled(world: World) -> None:
    """A relay link's own address is where probes are sent from."""
    machine = world.net.host(RELAY_HOST)
    machine.attach("20.0.0.2")
    await world.relay(machine=machine)
    alice = await world.person("alice", registers=False)
    link = await alice.endpoint.dial_relay(Address("20.0.0.2", RELAY.port), None)
    one = Client(alice, link, MessageStream(link, relay.RelayMessage))
    one.say(relay.Enter(version="1"))
    await one.hear()
    packets = world.record()
    one.say(relay.ProbeMe(port=RELAY.port + 1))
    await asyncio.sleep(0.1)
    assert {p.source.host for p in packets if p.to.host == alice.public_host} == {
        "20.0.0.2"
    }
