"""An answered call, and all the ways in which it ends."""

import asyncio
from typing import Any

import pytest

from tests.support.fakenet import RANDOM
from tests.support.world import RELAY_HOST, Person, World, scenario
from wzp_cli.address import Address
from wzp_cli.defaults.endpoint import CALL_IDLE_TIMEOUT_S
from wzp_cli.errors import SoundError
from wzp_cli.events import Hangup, MediaStarted, Stats, Warned
from wzp_cli.protocol.messages import peer
from wzp_cli.protocol.messages.signal import Message
from wzp_cli.protocol.traversal.route import DirectRoute
from wzp_cli.services.conversation import Conversation, greet
from wzp_cli.services.relays import keeping

UGLY = "\x1b]0;owned\x07\u202egnp.exe\n[bold]"


def now() -> float:
    return asyncio.get_running_loop().time()


def is_safe(text: str) -> bool:
    return text.isprintable() and "\u202e" not in text


async def talking(
    world: World, *, ours: bool = True, theirs: bool = True
) -> tuple[Person, Person, Any]:
    """Return two people in a call, and the caller's side of it."""
    alice, bob = await world.people("alice", "bob")
    bob.listen(direct=theirs)
    call = alice.calls(bob, direct=ours)
    await alice.told(MediaStarted)
    await bob.told(MediaStarted)
    await asyncio.sleep(1)
    return alice, bob, call


async def only_relay(world: World) -> tuple[Person, Person, Any]:
    return await talking(world, ours=False)


async def odd_peer(world: World) -> tuple[Person, Conversation]:
    """Return a listener in a call, and a caller that says what the test wants."""
    alice = await world.person("alice", registers=False)
    bob = await world.person("bob", None, registers=False)
    bob.listen()
    await asyncio.sleep(0)
    address = Address(bob.public_host, bob.endpoint.local.port)
    link = await alice.endpoint.dial_peer(DirectRoute(address), bob.identity)
    conversation = await greet(link, "alice")
    conversation.say(peer.Offer(call="c1", media=["counting"]))
    while not isinstance(await conversation.heard(), peer.Answer):
        pass
    return bob, conversation


# --- Ends that somebody wants ---------------------------------------------------


@scenario
async def test_time_is_up(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    bob.listen()
    began = now()
    outcome = await alice.call(bob, duration_s=5)
    assert now() - began == pytest.approx(5.3, abs=0.2)
    assert (outcome.end.by, outcome.end.reason) == ("local", "time is up")
    told = await bob.told(Hangup)
    assert (told.by, told.reason) == ("peer", "time is up")
    assert alice.outcomes == [outcome]


@scenario
async def test_the_callees_time_is_up(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    bob.listen(duration_s=2)
    outcome = await alice.call(bob)
    assert (outcome.end.by, outcome.end.reason) == ("peer", "time is up")
    assert bob.outcomes[0].end.by == "local"


@scenario
async def test_a_recording_ends_the_call_once_all_of_it_was_heard(
    world: World,
) -> None:
    alice, bob = await world.people("alice", "bob")
    alice.frames = 100
    bob.listen()
    outcome = await alice.call(bob)
    assert outcome.end.reason == "end of the recording"
    await bob.told(Hangup)
    await asyncio.sleep(1)
    heard = bob.sound.numbers
    assert (heard[0], heard[-1]) == (1, 100)
    assert len(heard) >= 98, "the jitter buffer may leave out a frame"


@scenario
async def test_the_callees_recording_does_not_end_the_call(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    bob.frames = 20
    bob.listen()
    outcome = await alice.call(bob, duration_s=3)
    assert outcome.end.reason == "time is up"
    assert outcome.frames.concealed == 0, "silence is sent in its place"


@scenario
async def test_stopping_the_caller_hangs_up(world: World) -> None:
    alice, bob, call = await talking(world)
    await call.stop()
    assert alice.outcomes[0].end.by == "local"
    told = await bob.told(Hangup)
    assert (told.by, told.reason) == ("peer", "hung up")


# --- Ends that nobody wants -----------------------------------------------------


@scenario
async def test_a_peer_that_vanishes_ends_the_call_with_a_reason(world: World) -> None:
    alice, bob, call = await talking(world)
    bob.vanish()
    began = now()
    outcome = await call.result()
    assert outcome.end.by == "network"
    assert outcome.end.reason
    assert CALL_IDLE_TIMEOUT_S - 1 < now() - began < CALL_IDLE_TIMEOUT_S + 2
    assert alice.all(Hangup)[0].by == "network"


@scenario
async def test_a_relay_that_dies_does_not_end_a_direct_call(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "KEEPALIVE_MIN_S", 1.0)
    monkeypatch.setattr(keeping, "KEEPALIVE_MAX_S", 2.0)
    relay = await world.relay()
    alice, bob = await world.person("alice"), await world.person("bob")
    bob.listen()
    call = alice.calls(bob, duration_s=45)
    await alice.told(MediaStarted)
    await asyncio.sleep(1)
    relay.vanish()
    outcome = await call.result()
    assert outcome.end.reason == "time is up"
    assert outcome.path == "direct"
    assert len(outcome.paths) == 2
    assert outcome.frames.concealed <= 5
    # A new link would not have the call's channels: the old one is given all its time.
    assert alice.all(Warned)[0].code == "relay_lost"


@pytest.mark.parametrize("who", ["alice", "bob"])
@scenario
async def test_a_relayed_call_outlives_a_short_outage(
    world: World, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    """A keep-alive that fails meanwhile must not cost the call its channel."""
    monkeypatch.setattr(keeping, "KEEPALIVE_MIN_S", 0.5)
    monkeypatch.setattr(keeping, "KEEPALIVE_MAX_S", 1.0)
    await world.relay()
    alice, bob = [await world.person(name, RANDOM) for name in ("alice", "bob")]
    bob.listen()
    call = alice.calls(bob, duration_s=60)
    await alice.told(MediaStarted)
    cut_off = alice if who == "alice" else bob
    world.net.cut(cut_off.public_host, RELAY_HOST)
    await asyncio.sleep(6)
    world.net.mend(cut_off.public_host, RELAY_HOST)
    outcome = await call.result()
    assert outcome.end.reason == "time is up"
    assert outcome.path == "relay"


@scenario
async def test_a_relay_that_dies_ends_a_relayed_call_with_a_reason(
    world: World,
) -> None:
    relay = await world.relay()
    alice, bob = await world.person("alice"), await world.person("bob")
    bob.listen()
    call = alice.calls(bob, direct=False)
    await alice.told(MediaStarted)
    relay.vanish()
    began = now()
    outcome = await call.result()
    assert outcome.end.by == "network"
    assert outcome.end.reason
    assert now() - began < CALL_IDLE_TIMEOUT_S + 2
    await bob.told(Hangup)
    assert now() - began < CALL_IDLE_TIMEOUT_S + 2


@scenario
async def test_a_device_that_does_not_open_here_is_told_to_the_peer(
    world: World,
) -> None:
    alice, bob = await world.people("alice", "bob")

    def broken() -> Any:
        raise SoundError("unplugged")

    alice.open_sound = broken  # type: ignore[method-assign]
    bob.listen()
    with pytest.raises(SoundError):
        await alice.call(bob)
    told = await bob.told(Hangup)
    assert (told.by, told.reason) == ("peer", "failed")


@scenario
async def test_a_device_that_breaks_in_the_call_ends_it(world: World) -> None:
    alice, bob, call = await talking(world)

    async def unplugged() -> bytes | None:
        raise SoundError("unplugged")

    alice.sound.source.read = unplugged  # type: ignore[method-assign]
    outcome = await call.result()
    assert (outcome.end.by, outcome.end.reason) == ("local", "unplugged")
    assert (await bob.told(Hangup)).by == "peer"


@scenario
async def test_a_source_that_failed_quietly_is_warned_of(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    bob.frames = 50
    bob.listen()
    call = alice.calls(bob, duration_s=3)
    await bob.told(MediaStarted)
    bob.sound.failed = SoundError("the microphone went away")
    await call.result()
    assert [event.code for event in bob.all(Warned)] == ["sound"]


# --- Peers that break the rules -------------------------------------------------


@scenario
async def test_a_hang_up_reason_is_cleaned(world: World) -> None:
    bob, conversation = await odd_peer(world)
    await conversation.hang_up(UGLY)
    told = await bob.told(Hangup)
    assert told.by == "peer"
    assert told.reason == "]0;ownedgnp.exe [bold]"
    assert bob.outcomes[0].end.reason == told.reason


@pytest.mark.parametrize("code", [0x0, 0x1, 0x100 + 42, 0x100 + 120, 0x3FFFFFFF])
@scenario
async def test_however_the_peer_closes_the_call_ends_with_a_safe_reason(
    world: World, code: int
) -> None:
    bob, conversation = await odd_peer(world)
    conversation.link.abort(UGLY, code)
    told = await bob.told(Hangup)
    assert told.by == "network"
    assert is_safe(told.reason)
    assert len(bob.outcomes) == 1
    assert bob.all(Warned) == []


@scenario
async def test_a_broken_message_ends_the_call(world: World) -> None:
    bob, conversation = await odd_peer(world)
    body = b'{"type":"candidates","ufrag":"\\u001b[31m\\u202e' + b"x" * 999 + b'"}'
    conversation.link.send(len(body).to_bytes(4, "big") + body)
    told = await bob.told(Hangup)
    assert told.by == "network"
    assert is_safe(told.reason)


@scenario
async def test_an_answered_elsewhere_that_crosses_the_answer_is_a_hang_up(
    world: World,
) -> None:
    bob, conversation = await odd_peer(world)
    await conversation.leave(peer.Cancel(call="c1", reason="answered-elsewhere"))
    told = await bob.told(Hangup)
    assert (told.by, told.reason) == ("peer", "answered-elsewhere")


@pytest.mark.parametrize(
    "message",
    [
        peer.Hello(version="again"),
        peer.Offer(call="c2", media=["counting"]),
        peer.Ringing(call="c1"),
        peer.Answer(call="c1", media="another"),
        peer.Decline(call="c1", reason="busy"),
        peer.Opened(),
        peer.Quality(loss_pct=-1, jitter_ms=1e300, concealed_ms=0, buffer_ms=0),
    ],
    ids=lambda message: type(message).__name__,
)
@scenario
async def test_words_out_of_place_are_passed_over(
    world: World, message: Message
) -> None:
    bob, conversation = await odd_peer(world)
    for _ in range(3):
        conversation.say(message)
    await asyncio.sleep(1)
    assert bob.all(Hangup) == []
    await conversation.hang_up("enough")
    assert (await bob.told(Hangup)).reason == "enough"


@pytest.mark.parametrize("payload", [b"", b"\0", b"\1\0", b"\x7f" * 1000, bytes(1170)])
@scenario
async def test_junk_in_place_of_sound_is_dropped(world: World, payload: bytes) -> None:
    bob, conversation = await odd_peer(world)
    for _ in range(50):
        conversation.link.send_datagram(payload)
        await asyncio.sleep(0.02)
    assert bob.all(Hangup) == []
    assert bob.all(MediaStarted) == []
    await conversation.hang_up("enough")
    await bob.told(Hangup)
    assert bob.outcomes[0].frames.received == 0


@scenario
async def test_a_peer_that_never_names_candidates_stays_where_the_call_began(
    world: World,
) -> None:
    bob, conversation = await odd_peer(world)
    await asyncio.sleep(5)
    await conversation.hang_up("enough")
    await bob.told(Hangup)
    assert bob.outcomes[0].path == "direct"
    assert bob.outcomes[0].frames.sent > 200


# --- What is told ---------------------------------------------------------------


@scenario
async def test_statistics_come_each_second(world: World) -> None:
    alice, bob, call = await talking(world)
    await asyncio.sleep(4)
    await call.stop()
    for person in (alice, bob):
        stats = person.all(Stats)
        assert 4 <= len(stats) <= 6
        last = stats[-1]
        assert last.path == "direct"
        assert last.rtt_ms == pytest.approx(20, abs=1)
        assert last.loss_pct == last.concealed_ms == 0
        assert last.tx_bps == pytest.approx(last.rx_bps, rel=0.1)
        assert last.mos_est is not None


@scenario
async def test_a_call_knows_what_it_was(world: World) -> None:
    alice, bob, call = await talking(world)
    await call.stop()
    await bob.told(Hangup)
    (outcome,) = alice.outcomes
    assert outcome.peer == str(bob.identity)
    assert [span.path for span in outcome.paths] == ["relay", "direct"]
    assert outcome.paths[0].from_ms == 0
    assert outcome.time_to_direct_ms == outcome.paths[1].from_ms
    assert outcome.remote.startswith(bob.public_host)
    assert outcome.rtt_ms == pytest.approx(20, abs=1)
    assert outcome.frames.sent == pytest.approx(outcome.frames.received, abs=8)
    assert bob.outcomes[0].setup_ms is None


@scenario
async def test_a_relayed_call_knows_why(world: World) -> None:
    alice, bob, call = await only_relay(world)
    await call.stop()
    await bob.told(Hangup)
    assert alice.outcomes[0].why_not_direct == "this side keeps to the relay"
    assert bob.outcomes[0].why_not_direct == "the peer keeps to the relay"
    assert alice.outcomes[0].path == bob.outcomes[0].path == "relay"
