"""Calling: through all pairs of NATs, and all the ways in which nobody answers."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.support.fakenet import (
    ADDRESS_RESTRICTED,
    FULL_CONE,
    MASQUERADE,
    POISONABLE,
    RANDOM,
    SEQUENTIAL,
    NatKind,
)
from tests.support.world import (
    CountingCodec,
    Person,
    World,
    never,
    no,
    scenario,
    yes,
)
from wzp_cli.adapters.codecs.opus import open_opus
from wzp_cli.address import Address
from wzp_cli.defaults.endpoint import (
    CALL_IDLE_TIMEOUT_S,
    HANDSHAKE_TIMEOUT_S,
    PEER_KEEPALIVE_S,
)
from wzp_cli.defaults.program import RING_TIMEOUT_S
from wzp_cli.errors import (
    ConnectionLost,
    NoAnswer,
    PeerBusy,
    PeerDeclined,
    PeerOffline,
    PeerUnreachable,
    VersionMismatch,
    WrongPeer,
    WzpError,
)
from wzp_cli.events import Answered, Hangup, Incoming, MediaStarted, Ringing
from wzp_cli.protocol.names.identity import Keypair

KINDS: dict[str, NatKind | None] = {
    "public": None,
    "full-cone": FULL_CONE,
    "address-restricted": ADDRESS_RESTRICTED,
    "port-restricted": MASQUERADE,
    "poisonable": POISONABLE,
    "sequential": SEQUENTIAL,
    "random": RANDOM,
}
HARD = {"sequential", "random"}
OPEN_TO_HARD = {"public", "full-cone", "address-restricted"}
DIRECT = [
    pair
    for pair in itertools.product(KINDS, KINDS)
    if not HARD & set(pair) or OPEN_TO_HARD & set(pair)
]


def now() -> float:
    return asyncio.get_running_loop().time()


# --- Through NATs ---------------------------------------------------------------


@pytest.mark.parametrize(("ours", "theirs"), DIRECT)
@scenario
async def test_a_call_goes_direct(world: World, ours: str, theirs: str) -> None:
    await world.relay()
    alice = await world.person("alice", KINDS[ours])
    bob = await world.person("bob", KINDS[theirs])
    bob.listen()
    outcome = await alice.call(bob, duration_s=1.2)
    await asyncio.sleep(0.2)
    (heard,) = bob.outcomes
    assert (outcome.path, heard.path) == ("direct", "direct")
    assert outcome.why_not_direct is heard.why_not_direct is None
    assert outcome.time_to_direct_ms is not None
    assert outcome.time_to_direct_ms < 300
    assert alice.sound.numbers[-1] > 50
    assert bob.sound.numbers[-1] > 50
    assert outcome.frames.concealed <= 3
    assert max(alice.sound.longest_gap_s, bob.sound.longest_gap_s) < 0.1


@pytest.mark.parametrize(("ours", "theirs"), [("random", "random")])
@scenario
async def test_a_call_that_stays_on_the_relay_says_why(
    world: World, ours: str, theirs: str
) -> None:
    await world.relay()
    alice = await world.person("alice", KINDS[ours])
    bob = await world.person("bob", KINDS[theirs])
    bob.listen()
    outcome = await alice.call(bob, duration_s=6)
    assert outcome.path == "relay"
    assert outcome.time_to_direct_ms is None
    assert outcome.why_not_direct is not None
    assert bob.public_host in outcome.why_not_direct
    assert outcome.remote == "20.0.0.1:4433"
    assert outcome.frames.concealed == 0
    assert alice.sound.numbers == sorted(set(alice.sound.numbers))
    assert len(alice.sound.numbers) > 290


@scenario
async def test_sound_starts_at_once_and_not_when_the_path_is_found(
    world: World,
) -> None:
    alice, bob = await world.people("alice", "bob")
    bob.listen()
    outcome = await alice.call(bob, duration_s=1)
    assert outcome.first_audio_ms is not None
    assert outcome.first_audio_ms < 100
    assert alice.sound.numbers[0] <= 3
    assert len(alice.all(MediaStarted)) == len(bob.all(MediaStarted)) == 1
    assert outcome.setup_ms is not None
    assert 100 <= outcome.setup_ms <= 200, "seven ways of 20 ms over the relay"
    assert alice.all(Answered)[0].setup_ms == outcome.setup_ms


@scenario
async def test_with_opus(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    alice.codec = bob.codec = open_opus
    bob.listen()
    outcome = await alice.call(bob, duration_s=2)
    assert outcome.frames.received > 90
    assert outcome.frames.concealed <= 2
    assert outcome.quality.mos_est is not None
    assert outcome.quality.mos_est > 4


@scenario
async def test_loss_on_the_way_does_not_keep_a_call_from_coming_up(
    world: World,
) -> None:
    alice, bob = await world.people("alice", "bob")
    world.net.loss = 0.15
    bob.listen()
    outcome = await alice.call(bob, duration_s=6)
    assert outcome.path == "direct"
    assert 5 < outcome.quality.loss_pct < 30


# --- Without a relay ------------------------------------------------------------


async def strangers(world: World) -> tuple[Person, Person, Address]:
    """Return a caller behind a NAT, a public listener and where it listens."""
    alice = await world.person("alice", registers=False)
    bob = await world.person("bob", None, registers=False)
    return alice, bob, Address(bob.public_host, bob.endpoint.local.port)


@scenario
async def test_dialling_an_address(world: World) -> None:
    alice, bob, address = await strangers(world)
    bob.listen()
    outcome = await alice.dial(address, target=bob, duration_s=2)
    assert outcome.path == "direct"
    assert outcome.paths[0].path == "direct"
    assert outcome.time_to_direct_ms == 0
    assert outcome.peer == str(bob.identity)
    assert outcome.remote == str(address)
    assert bob.all(Incoming)[0].via == "direct"
    assert alice.sound.numbers[-1] > 80


@scenario
async def test_dialling_through_a_forwarded_port(world: World) -> None:
    alice = await world.person("alice", registers=False)
    bob = await world.person("bob", registers=False, port=5000)
    assert bob.nat is not None
    bob.nat.forward(5000, Address(bob.interfaces()[0].host, 5000))
    bob.listen()
    outcome = await alice.dial(Address(bob.public_host, 5000), duration_s=2)
    assert outcome.peer == str(bob.identity)


@scenario
async def test_somebody_else_answers_at_that_address(world: World) -> None:
    alice, bob, address = await strangers(world)
    mallory = await world.person("mallory", None, registers=False)
    bob.listen()
    with pytest.raises(WrongPeer):
        await alice.dial(address, target=mallory)
    await asyncio.sleep(1)
    assert bob.all(Incoming) == []


@scenario
async def test_nobody_listens_at_that_address(world: World) -> None:
    alice, _bob, address = await strangers(world)
    with pytest.raises(PeerUnreachable, match=str(address)):
        await alice.dial(address)
    assert now() == pytest.approx(HANDSHAKE_TIMEOUT_S, abs=0.1)


@scenario
async def test_a_listener_that_refuses_strangers_cannot_be_dialled(
    world: World,
) -> None:
    alice, bob, address = await strangers(world)
    bob.listen(strangers_dial=False)
    packets = world.record()
    with pytest.raises(PeerUnreachable):
        await alice.dial(address, duration_s=1)
    assert not [p for p in packets if p.source.host == bob.public_host], "silence"


@scenario
async def test_of_two_addresses_the_living_one_answers(world: World) -> None:
    alice, bob, address = await strangers(world)
    bob.listen()
    outcome = await alice.dial(Address("20.2.99.1", 5000), address, duration_s=1)
    assert outcome.remote == str(address)


# --- No call came of it ---------------------------------------------------------


@scenario
async def test_declined(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    bob.listen(no)
    with pytest.raises(PeerDeclined):
        await alice.call(bob)
    assert len(alice.all(Ringing)) == 1
    assert alice.sounds == bob.sounds == []


@scenario
async def test_not_there(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    with pytest.raises(PeerOffline):
        await alice.call(Keypair.generate().identity)
    assert bob.registration is not None
    await bob.registration.close()
    with pytest.raises(PeerOffline):
        await alice.call(bob)


@scenario
async def test_registered_but_not_listening(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    with pytest.raises(PeerUnreachable):
        await alice.call(bob)


@scenario
async def test_busy(world: World) -> None:
    alice, bob, carol = await world.people("alice", "bob", "carol")
    bob.listen()
    call = alice.calls(bob, duration_s=2)
    await alice.told(MediaStarted)
    with pytest.raises(PeerBusy):
        await carol.call(bob)
    assert (await call.result()).frames.concealed <= 3
    assert len(bob.all(Incoming)) == 1
    await asyncio.sleep(1)
    assert (await carol.call(bob, duration_s=1)).peer == str(bob.identity)


@scenario
async def test_busy_while_another_call_rings(world: World) -> None:
    alice, bob, carol = await world.people("alice", "bob", "carol")
    bob.listen(never)
    call = alice.calls(bob)
    await alice.told(Ringing)
    with pytest.raises(PeerBusy):
        await carol.call(bob)
    await call.stop()


@scenario
async def test_it_rings_until_the_caller_has_had_enough(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    bob.listen(never, ring_timeout_s=100)
    began = now()
    with pytest.raises(NoAnswer):
        await alice.call(bob)
    assert now() - began == pytest.approx(RING_TIMEOUT_S, abs=0.2)
    told = await bob.told(Hangup)
    assert (told.reason, told.by) == ("timeout", "peer")


@scenario
async def test_it_rings_until_the_callee_has_had_enough(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    bob.listen(never, ring_timeout_s=7)
    with pytest.raises(NoAnswer):
        await alice.call(bob)
    assert now() < 8
    assert bob.all(Hangup) == [Hangup(reason="nobody answered", by="local")]


@scenario
async def test_the_caller_gives_up(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    bob.listen(never)
    call = alice.calls(bob)
    await bob.told(Incoming)
    await call.stop()
    assert await bob.told(Hangup) == Hangup(reason="cancelled", by="peer")
    assert now() < 1
    again = alice.calls(bob)
    await bob.told(Incoming, times=2)
    await again.stop()


@scenario
async def test_the_callee_vanishes_while_it_rings(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    bob.listen(never)
    call = alice.calls(bob)
    await alice.told(Ringing)
    bob.vanish()
    began = now()
    with pytest.raises(ConnectionLost):
        await call.result()
    assert now() - began < PEER_KEEPALIVE_S + CALL_IDLE_TIMEOUT_S


@scenario
async def test_the_callee_hangs_up_while_it_rings(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    listening = bob.listen(never)
    call = alice.calls(bob)
    await alice.told(Ringing)
    await listening.stop()
    with pytest.raises(WzpError) as caught:
        await call.result()
    assert caught.value.exit_code in (4, 5)


@scenario
async def test_the_relay_dies_while_it_rings(world: World) -> None:
    relay = await world.relay()
    alice, bob = await world.person("alice"), await world.person("bob")
    bob.listen(never)
    call = alice.calls(bob)
    await alice.told(Ringing)
    relay.vanish()
    with pytest.raises(ConnectionLost):
        await call.result()
    assert now() < 15
    await bob.told(Hangup)
    assert now() < 15


@scenario
async def test_no_codec_in_common(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    alice.codec = lambda: CountingCodec("another")
    bob.listen()
    with pytest.raises(VersionMismatch):
        await alice.call(bob)
    assert bob.all(Incoming) == []


# --- Several devices ------------------------------------------------------------


async def with_devices(world: World, count: int) -> tuple[Person, list[Person]]:
    (alice,) = await world.people("alice")
    key = Keypair.generate()
    return alice, [
        await world.person(f"bob {number}", keypair=key) for number in range(count)
    ]


@scenario
async def test_all_devices_ring_and_the_first_to_answer_wins(world: World) -> None:
    alice, devices = await with_devices(world, 3)
    picked_up = asyncio.Event()

    async def later(_: Incoming) -> bool:
        await picked_up.wait()
        return True

    devices[0].listen(never)
    devices[1].listen(later)
    devices[2].listen(never)
    call = alice.calls(devices[0], duration_s=2)
    for device in devices:
        await device.told(Incoming)
    picked_up.set()
    for other in (devices[0], devices[2]):
        told = await other.told(Hangup)
        assert (told.reason, told.by) == ("answered-elsewhere", "peer")
        assert other.sounds == []
    assert (await call.result()).path == "direct"
    assert len(alice.all(Ringing)) == 1
    assert devices[1].sound.numbers


@scenario
async def test_when_two_answer_at_once_one_of_them_talks(world: World) -> None:
    alice, devices = await with_devices(world, 2)
    for device in devices:
        device.listen()
    outcome = await alice.call(devices[0], duration_s=3)
    await asyncio.sleep(1)
    talked = [d for d in devices if d.sounds and len(d.sound.numbers) > 100]
    assert len(talked) == 1
    assert outcome.frames.received > 100
    for device in devices:
        assert len(device.all(Hangup)) == 1, "the other one was told"
    assert len(set(alice.sound.numbers)) == len(alice.sound.numbers)


@scenario
async def test_what_several_devices_said_the_most_telling_first(world: World) -> None:
    alice, devices = await with_devices(world, 3)
    devices[0].listen(never, ring_timeout_s=5)
    devices[1].listen(no)
    with pytest.raises(PeerDeclined):
        await alice.call(devices[0])


@scenario
async def test_a_dead_device_does_not_hold_up_the_others(world: World) -> None:
    alice, devices = await with_devices(world, 2)
    devices[0].listen()
    devices[1].listen()
    devices[1].vanish()
    outcome = await alice.call(devices[0], duration_s=1)
    assert outcome.setup_ms is not None
    assert outcome.setup_ms < 300
    assert now() < 3


@scenario
async def test_one_device_declines_and_another_still_answers(world: World) -> None:
    alice, devices = await with_devices(world, 2)
    answered = asyncio.Event()

    async def later(_: Incoming) -> bool:
        await answered.wait()
        return True

    devices[0].listen(no)
    devices[1].listen(later)
    call = alice.calls(devices[0], duration_s=1)
    await asyncio.sleep(3)
    answered.set()
    assert (await call.result()).path == "direct"


# --- Both at once ---------------------------------------------------------------


@scenario
async def test_both_call_each_other_at_once(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    calls = [alice.calls(bob, duration_s=2), bob.calls(alice, duration_s=2)]
    outcomes = [await call.result() for call in calls]
    assert [outcome.path for outcome in outcomes] == ["direct", "direct"]
    assert alice.sound.numbers[-1] > 80
    assert bob.sound.numbers[-1] > 80


# --- Nothing is left ------------------------------------------------------------


@scenario
async def test_after_a_call_nothing_is_left_of_it(world: World) -> None:
    relay = await world.relay()
    alice, bob = await world.person("alice"), await world.person("bob")
    bob.listen(yes)
    await alice.call(bob, duration_s=1)
    await asyncio.sleep(1)
    for person in (alice, bob):
        assert len(person.endpoint.links) == 1, "the one to the relay"
        assert person.endpoint._channels == {}
        assert person.endpoint._checks == {}
    assert relay.left["channels"] == relay.left["charged"] == 0


@scenario
async def test_after_a_call_that_was_not_taken_nothing_is_left_either(
    world: World,
) -> None:
    relay = await world.relay()
    alice, bob = await world.person("alice"), await world.person("bob")
    bob.listen(no)
    with pytest.raises(PeerDeclined):
        await alice.call(bob)
    call = alice.calls(bob)
    await asyncio.sleep(0.05)  # somewhere in the middle of it
    await call.stop()
    await asyncio.sleep(1)
    for person in (alice, bob):
        assert len(person.endpoint.links) == 1
        assert person.endpoint._channels == {}
    assert relay.left["channels"] == relay.left["charged"] == 0


@scenario
async def test_the_caller_hears_that_it_rings_until_somebody_answers(
    world: World,
) -> None:
    alice, bob = await world.people("alice", "bob")
    answers = asyncio.Event()

    async def ask(_: Incoming) -> bool:
        await answers.wait()
        return True

    tones: list[str] = []

    @asynccontextmanager
    async def tone() -> AsyncIterator[None]:
        tones.append("rings")
        try:
            yield
        finally:
            tones.append("is silent")

    bob.listen(ask)
    call = alice.calls(bob, play_tone=tone, duration_s=1)
    await asyncio.sleep(0.001)
    assert tones == []
    await alice.told(Ringing)
    await asyncio.sleep(1)
    assert tones == ["rings"]
    answers.set()
    await alice.told(Answered)
    assert tones == ["rings", "is silent"]
    await call.result()


@scenario
async def test_a_call_that_nobody_takes_leaves_no_tone_behind(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    tones: list[str] = []

    @asynccontextmanager
    async def tone() -> AsyncIterator[None]:
        tones.append("rings")
        try:
            yield
        finally:
            tones.append("is silent")

    bob.listen(never)
    with pytest.raises(NoAnswer):
        await alice.call(bob, play_tone=tone, ring_timeout_s=2)
    assert tones == ["rings", "is silent"]
