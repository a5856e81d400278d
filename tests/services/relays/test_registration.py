"""A client's standing with its relay, over real QUIC; relays good, gone and hostile."""

import asyncio
from collections.abc import Callable

import pytest

from tests.support.rogue_relay import incoming, rogue_relay, welcomed
from tests.support.standing import found_again, lost
from tests.support.world import RELAY, World, scenario
from wzp_cli.address import Address, HostPort
from wzp_cli.defaults.endpoint import LINK_IDLE_TIMEOUT_S
from wzp_cli.defaults.relay import RELAY_ANSWER_TIMEOUT_S
from wzp_cli.errors import AccessRefused, RelayUnreachable, RemoteProtocolError
from wzp_cli.events import Reflexive, Registered, Warned
from wzp_cli.protocol.messages import relay
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


# --- Lost and found -------------------------------------------------------------


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
