"""A client's standing with its relay, over real QUIC; relays good, gone and hostile."""

import asyncio
from collections.abc import Callable

import pytest

from tests.support.fakenet import Packet
from tests.support.rogue_relay import incoming, rogue_relay, welcomed
from tests.support.world import RELAY, RELAY_HOST, Person, World, scenario
from wzp_cli.address import Address, HostPort
from wzp_cli.defaults.endpoint import (
    HANDSHAKE_TIMEOUT_S,
    LINK_IDLE_TIMEOUT_S,
    UDP_AGAIN_MAX_S,
)
from wzp_cli.defaults.relay import (
    KEEPALIVE_ANSWER_S,
    KEEPALIVE_MAX_S,
    RELAY_ANSWER_TIMEOUT_S,
    RELAY_BACKOFF_MAX_S,
)
from wzp_cli.errors import (
    AccessRefused,
    PeerOffline,
    RelayUnreachable,
    RemoteProtocolError,
)
from wzp_cli.events import Candidate, MediaStarted, Reflexive, Registered, Warned
from wzp_cli.protocol.messages import relay
from wzp_cli.protocol.names.identity import Keypair
from wzp_cli.relay.access import AccessRules, token_digest
from wzp_cli.relay.server import RelaySettings
from wzp_cli.services.relays.registration import Registration, register


def now() -> float:
    return asyncio.get_running_loop().time()


@scenario
async def test_what_the_relay_sees_is_told(world: World) -> None:
    await world.relay()
    alice = await world.person("alice", port=5000)
    seen = Address(alice.public_host, 5000)
    assert alice.all(Reflexive) == [Reflexive(address=str(seen), via=str(RELAY))]
    assert alice.registration is not None
    assert alice.registration.reflexive == seen


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


# --- Lost and found -------------------------------------------------------------


async def lost(person: Person, times: int = 1) -> None:
    await person.told(Warned, lambda event: event.code == "relay_lost", times=times)


async def found_again(person: Person) -> None:
    await person.told(Registered, times=2)
    await asyncio.sleep(0.001)
    assert person.registration is not None
    assert person.registration.is_up


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
async def test_another_relay_in_its_place_is_never_taken(world: World) -> None:
    server = await world.relay()
    alice = await world.person("alice")
    server.vanish()
    await lost(alice)
    impostor = await world.relay(machine=server.host)
    warned = await alice.told(Warned, lambda event: event.code == "key_changed")
    assert alice.registration is not None
    assert warned.message
    await asyncio.sleep(300)
    assert not alice.registration.is_up
    assert not any(impostor.left.values())


# --- What is refused ------------------------------------------------------------


@scenario
async def test_who_is_not_admitted_is_told_so(world: World) -> None:
    await world.relay(access=AccessRules(allowed=frozenset()))
    alice = await world.person("alice", registers=False)
    for publishes in (True, False):
        with pytest.raises(AccessRefused, match="access"):
            await alice.register(publishes=publishes)


@scenario
async def test_a_token_is_shown_and_whose_token_is_withdrawn_is_told_so(
    world: World,
) -> None:
    rules = AccessRules(tokens=frozenset([token_digest("sesame")]))
    server = await world.relay(access=rules)
    alice = await world.person("alice", registers=False)
    await alice.register(token="sesame")
    server.server.reload(RelaySettings(AccessRules(tokens=frozenset())))
    told = await alice.told(Warned, lambda event: event.code == "access_refused")
    assert RELAY.host in told.message
    server.server.reload(RelaySettings(rules))
    await alice.told(Registered, times=2)


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


@scenario
async def test_a_target_that_is_not_there(world: World) -> None:
    (alice,) = await world.people("alice")
    assert alice.registration is not None
    with pytest.raises(PeerOffline):
        await alice.registration.connect(Keypair.generate().identity)


# --- Hostile relays -------------------------------------------------------------


def framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


@pytest.mark.parametrize(
    "message",
    [
        incoming("nobody"),
        incoming(""),
        incoming("wzp1" + "a" * 55),
        relay.Observed(address="nonsense"),
        relay.Observed(address="20.1.0.1:0"),
        relay.Observed(address=""),
        relay.Connected(request="never asked", devices=[]),
        relay.Refused(request="never asked", reason="limit"),
        relay.Refused(request="", reason="draining"),
        relay.Closed(channel="00" * 8),
        relay.Revealed(channel="00" * 8, address="20.1.0.1:5000"),
        relay.Reveal(channel="00" * 8),
        relay.Welcome(version="again", address="20.1.0.1:1"),
        relay.Published(),
        relay.Enter(version="who is who"),
        relay.ProbeMe(port=1),
        framed(b'{"type":"from the future","x":[]}'),
    ],
    ids=lambda message: type(message).__name__,
)
@scenario
async def test_strange_messages_are_passed_over(
    world: World, message: relay.RelayMessage | bytes
) -> None:
    async with rogue_relay(world) as hostile:
        alice = await welcomed(world, hostile)
        before = len(alice.events)
        hostile.say(message)
        await asyncio.sleep(120)
        assert alice.registration is not None
        assert alice.registration.is_up
        assert len(alice.events) == before
        assert len(hostile.links) == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff" * 100,
        framed(b"not json"),
        framed(b"[]"),
        framed(b"{}"),
        framed(b"\xff\xfe"),
        framed(b"[" * 16_000),
        framed(b'{"type":"observed"}'),
        framed(b'{"type":"observed","address":' + b'"a' * 1 + b'"' + b"}" * 3),
        framed(b'{"type":"incoming","channel":{"send":"x","receive":"y"}}'),
        framed(b'{"type":"closed","channel":"ZZZZZZZZZZZZZZZZ"}'),
        (1 << 20).to_bytes(4, "big"),
        framed(b" " * 70_000),
    ],
    ids=str,
)
@scenario
async def test_broken_messages_cost_the_relay_its_link_and_us_nothing(
    world: World, raw: bytes
) -> None:
    async with rogue_relay(world) as hostile:
        alice = await welcomed(world, hostile)
        hostile.say(raw)
        await lost(alice)
        assert now() < 2
        await found_again(alice)


@pytest.mark.parametrize(
    "raw", [framed(b"not json"), b"\xff" * 100], ids=["text", "junk"]
)
@scenario
async def test_a_broken_welcome_is_one_of_our_errors(world: World, raw: bytes) -> None:
    async with rogue_relay(world) as hostile:
        alice = await world.person("alice", registers=False)
        registering = world.start(alice.register())
        await asyncio.sleep(0.2)
        hostile.say(raw)
        with pytest.raises(RemoteProtocolError):
            await registering.result()


@scenario
async def test_a_flood_ends_the_link_and_not_the_client(world: World) -> None:
    async with rogue_relay(world) as hostile:
        alice = await welcomed(world, hostile)
        hostile.links[-1].send(bytes(1_000_000))
        await found_again(alice)


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


@scenario
async def test_a_relay_that_only_keeps_the_link_up_is_unreachable(
    world: World,
) -> None:
    async with rogue_relay(world) as hostile:
        alice = await world.person("alice", registers=False)
        with pytest.raises(RelayUnreachable):
            await alice.register()
        assert now() == pytest.approx(RELAY_ANSWER_TIMEOUT_S, abs=0.2)
        await asyncio.sleep(0.1)
        assert hostile.links[0].ended


# --- The end --------------------------------------------------------------------


@scenario
async def test_leaving_frees_everything_at_the_relay(world: World) -> None:
    server = await world.relay()
    alice = await world.person("alice", registers=False)
    async with register(
        alice.endpoint, RELAY, alice.pins, alice.report, publishes=True
    ) as registration:
        assert server.left["presence"] == 1
        assert registration.is_up
    await asyncio.sleep(0.1)
    assert not any(server.left.values())


@scenario
async def test_giving_back_a_channel_of_a_lost_relay_is_no_error(world: World) -> None:
    server = await world.relay()
    alice, bob = await world.person("alice"), await world.person("bob")
    assert alice.registration is not None
    (route,) = await alice.registration.connect(bob.identity)
    server.vanish()
    await asyncio.sleep(LINK_IDLE_TIMEOUT_S)
    alice.registration.close_channel(route)
    assert alice.endpoint._channels == {}


@scenario
async def test_before_the_first_welcome_there_is_no_relay_to_speak_of(
    world: World,
) -> None:
    alice = await world.person("alice", registers=False)
    server = HostPort("relay.example", 1)
    registration = Registration(
        alice.endpoint, server, alice.pins, alice.report, publishes=True
    )
    assert not registration.is_up
    for ask in (lambda: registration.address, lambda: registration.relay_identity):
        with pytest.raises(RelayUnreachable):
            ask()
    with pytest.raises(RelayUnreachable):
        await registration.connect(alice.identity)
    await registration.close()


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
async def test_a_proxy_that_opens_the_websocket_finds_nothing(world: World) -> None:
    """It reads every message inside the outer TLS, whose certificate proves nothing."""
    rules = AccessRules(tokens=frozenset([token_digest("sesame")]))
    server = await world.relay(access=rules)
    alice = await world.person("Alice Liddell", registers=False, by_tcp=server)
    bob = await world.person("Robert Boyle", registers=False, by_tcp=server)
    read = bytearray()
    sink_of = server.endpoint.tunnels.sink_of

    def opened(remote: Address) -> Callable[[bytes], None]:
        sink = sink_of(remote)

        def take(datagram: bytes) -> None:
            read.extend(datagram)
            sink(datagram)

        return take

    server.endpoint.tunnels.sink_of = opened  # type: ignore[method-assign]
    for person in (alice, bob):
        assert person.nat is not None
        person.nat.blocked = True
        await person.register(token="sesame")
    bob.listen()
    assert (await alice.call(bob, duration_s=2)).path == "relay"
    assert len(read) > 2 * 50 * 60, "the sound of both passed here"
    for person in (alice, bob):
        key = person.identity.key
        for secret in (key, key.hex().encode(), str(person.identity).encode()):
            assert secret not in read
        assert person.name.encode() not in read
    for word in (b"sesame", b"connect", b"candidates", b"20.1.0."):
        assert word not in read


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
