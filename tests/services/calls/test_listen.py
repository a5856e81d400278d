"""Listening: who reaches a person, who a microphone, and who neither."""

import asyncio
import errno
from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import msgspec
import pytest

from tests.support.world import (
    Person,
    RelayAtWork,
    World,
    knows,
    never,
    no,
    scenario,
    yes,
)
from wzp_cli.address import Address
from wzp_cli.defaults.program import HELLO_TIMEOUT_S, MAX_SERVED_LINKS
from wzp_cli.errors import (
    ConnectionLost,
    NoAnswer,
    PeerDeclined,
    PeerOffline,
    PeerUnreachable,
    SoundError,
    StateUnusable,
    WrongPeer,
    WzpError,
)
from wzp_cli.events import (
    Answered,
    Candidate,
    Event,
    Hangup,
    Incoming,
    MediaStarted,
    Missed,
    Warned,
)
from wzp_cli.ports import Codec
from wzp_cli.protocol.messages import peer
from wzp_cli.protocol.messages import relay as relay_messages
from wzp_cli.protocol.messages.signal import Message
from wzp_cli.protocol.names.identity import Identity, Keypair
from wzp_cli.protocol.names.policy import Policy, PolicyOf
from wzp_cli.protocol.traversal.route import DirectRoute
from wzp_cli.services.calls.listen import AskHuman
from wzp_cli.services.conversation import Conversation, greet

UGLY = "\x1b]0;owned\x07\u202egnp.exe\n[bold]"


def is_safe(text: str) -> bool:
    return text.isprintable() and "\u202e" not in text and len(text) <= 64


async def asked_nobody(_: Incoming) -> bool:
    raise AssertionError("nobody was to be asked")


def refusing(blocked: Collection[Identity]) -> PolicyOf:
    """Return a policy by which these may not call."""
    return lambda identity: Policy(refused=identity in blocked)


async def listener(world: World, **settings: Any) -> tuple[Person, Person]:
    """Return a caller and somebody public, for callers that break the rules."""
    alice = await world.person("alice", registers=False)
    bob = await world.person("bob", None, registers=False)
    bob.listen(**settings)
    await asyncio.sleep(0)
    return alice, bob


async def dialled(alice: Person, bob: Person, name: str = "alice") -> Conversation:
    """Return what a caller has before it has said that it calls."""
    address = Address(bob.public_host, bob.endpoint.local.port)
    link = await alice.endpoint.dial_peer(DirectRoute(address), bob.identity)
    return await greet(link, name)


OFFER = peer.Offer(call="c1", media=["counting"])


# --- Who is asked, who is answered ----------------------------------------------


@pytest.mark.parametrize(
    ("auto_answer", "contact", "asks"),
    [
        ("nobody", True, True),
        ("nobody", False, True),
        ("contacts", True, False),
        ("contacts", False, True),
        ("all", True, False),
        ("all", False, False),
    ],
)
@scenario
async def test_who_is_answered_without_asking(
    world: World, auto_answer: str, contact: bool, asks: bool
) -> None:
    alice, bob = await world.people("alice", "bob")
    bob.listen(
        no if asks else asked_nobody,
        auto_answer=auto_answer,
        policy=knows(alice.identity) if contact else knows(),
    )
    if asks:
        with pytest.raises(PeerDeclined):
            await alice.call(bob, duration_s=1)
        assert bob.sounds == [], "no microphone before a human said yes"
    else:
        assert (await alice.call(bob, duration_s=1)).path == "direct"


@scenario
async def test_a_word_about_one_contact_counts_more(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    bob.listen(no, auto_answer="all", policy=knows(alice.identity, auto_answer=False))
    with pytest.raises(PeerDeclined):
        await alice.call(bob)


@scenario
async def test_who_is_blocked_finds_us_offline(world: World) -> None:
    await world.relay()
    alice, eve = await world.person("alice"), await world.person("eve")
    bob = await world.person("bob", registers=False)
    blocked = [eve.identity]
    await bob.register(refused=lambda: blocked)
    bob.listen(asked_nobody, auto_answer="all", policy=refusing(blocked))
    with pytest.raises(PeerOffline):
        await eve.call(bob)
    assert (await alice.call(bob, duration_s=1)).path == "direct"
    blocked.append(alice.identity)  # the relay learns of it when it announces her
    with pytest.raises(PeerUnreachable):
        await alice.call(bob, ring_timeout_s=3)
    with pytest.raises(PeerOffline):
        await alice.call(bob)
    assert len(bob.all(Incoming)) == 1


@scenario
async def test_who_is_blocked_is_closed_before_anything_is_said(world: World) -> None:
    blocked: list[Identity] = []
    eve, bob = await listener(
        world, ask=asked_nobody, auto_answer="all", policy=refusing(blocked)
    )
    blocked.append(eve.identity)
    with pytest.raises(ConnectionLost):
        await dialled(eve, bob)
    assert bob.events == []


@scenario
async def test_a_policy_that_can_not_be_read_lets_nobody_in(world: World) -> None:
    def broken(identity: Identity) -> Policy:
        raise StateUnusable("Line 1 of contacts is damaged")

    eve, bob = await listener(world, ask=asked_nobody, auto_answer="all", policy=broken)
    with pytest.raises(ConnectionLost):
        await dialled(eve, bob)
    assert "Line 1 of contacts" in (await bob.told(Warned)).message


@scenario
async def test_a_contact_that_is_always_relayed_learns_no_address(
    world: World,
) -> None:
    alice, bob = await world.people("alice", "bob")
    packets = world.record()
    bob.listen(policy=knows(alice.identity, always_relay=True))
    outcome = await alice.call(bob, duration_s=3)
    assert (outcome.path, outcome.time_to_direct_ms) == ("relay", None)
    assert bob.all(Candidate) == []
    assert not [p for p in packets if p.source.host == bob.public_host
                and p.to.host == alice.public_host]  # fmt: skip


@scenario
async def test_what_is_known_of_a_caller_is_told(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    bob.listen(policy=knows(alice.identity, verified=True))
    await alice.call(bob, duration_s=1)
    (incoming,), (answered,) = bob.all(Incoming), bob.all(Answered)
    assert (incoming.contact, incoming.verified) == ("a friend", True)
    assert (answered.contact, answered.verified) == ("a friend", True)
    assert [each.contact for each in alice.all(Answered)] == [None]


@scenario
async def test_who_may_be_taken_for_a_contact_by_name_is_told_so(world: World) -> None:
    bob, mallory = await world.people("bob", "Alice")
    asked: list[tuple[str, Identity]] = []

    def namesake(name: str, identity: Identity) -> str | None:
        asked.append((name, identity))
        return "Alice"

    bob.listen(no, namesake=namesake)
    with pytest.raises(PeerDeclined):
        await mallory.call(bob)
    assert asked == [("Alice", mallory.identity)], "by the key that was proven"
    assert [each.namesake for each in bob.all(Incoming)] == ["Alice"]


@scenario
async def test_a_contact_is_known_by_key_and_not_by_name(world: World) -> None:
    alice, bob, mallory = await world.people("alice", "bob", "alice")
    bob.listen(
        never,
        auto_answer="contacts",
        policy=knows(alice.identity),
        ring_timeout_s=3,
    )
    with pytest.raises(NoAnswer):
        await mallory.call(bob)
    assert bob.sounds == []
    assert (await alice.call(bob, duration_s=1)).path == "direct"


@scenario
async def test_what_is_told_of_a_call(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    bob.listen()
    await alice.call(bob, duration_s=1)
    await bob.told(Hangup)
    (incoming,) = bob.all(Incoming)
    assert (incoming.peer, incoming.name) == (str(alice.identity), "alice")
    assert incoming.via == "relay"
    order = [type(event) for event in bob.events]
    kinds: list[type[Event]] = [Incoming, Answered, MediaStarted, Hangup]
    assert [order.index(kind) for kind in kinds] == sorted(map(order.index, kinds))
    assert bob.outcomes[0].end.by == "peer"
    assert bob.outcomes[0].end.reason == "time is up"
    assert bob.outcomes[0].peer == str(alice.identity)


@scenario
async def test_nothing_reveals_where_either_is_before_the_answer(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    picked_up = asyncio.Event()

    async def later(_: Incoming) -> bool:
        await picked_up.wait()
        return True

    packets = world.record()
    bob.listen(later)
    call = alice.calls(bob, duration_s=1)
    await bob.told(Incoming)
    await asyncio.sleep(20)
    assert {p.to.host for p in packets} <= {
        alice.public_host,
        bob.public_host,
        "20.0.0.1",
    }
    assert all("20.0.0.1" in (p.to.host, p.source.host) for p in packets)
    assert bob.endpoint._checks == alice.endpoint._checks == {}
    picked_up.set()
    assert (await call.result()).path == "direct"


@scenario
async def test_a_declined_caller_learns_no_address(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    packets = world.record()
    bob.listen(no)
    with pytest.raises(PeerDeclined):
        await alice.call(bob)
    await asyncio.sleep(5)
    assert all("20.0.0.1" in (p.to.host, p.source.host) for p in packets)


@scenario
async def test_calls_come_one_after_the_other(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    bob.listen()
    for number in (1, 2, 3):
        await alice.call(bob, duration_s=0.5)
        await bob.told(Hangup, times=number)
        await asyncio.sleep(0.1)
    assert len(bob.outcomes) == 3


@scenario
async def test_once_ends_after_the_first_call_that_was_answered(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    answers = iter([no, yes])

    async def ask(incoming: Incoming) -> bool:
        return await next(answers)(incoming)

    listening = bob.listen(ask, once=True)
    with pytest.raises(PeerDeclined):
        await alice.call(bob)
    assert not listening.done
    await alice.call(bob, duration_s=1)
    outcome = await listening.result()
    assert outcome is not None
    assert outcome.peer == str(alice.identity)


@scenario
async def test_a_device_that_does_not_open_ends_once_and_is_told_otherwise(
    world: World,
) -> None:
    alice, bob = await world.people("alice", "bob")

    def broken() -> Any:
        raise SoundError("unplugged")

    bob.open_sound = broken  # type: ignore[method-assign]
    listening = bob.listen()
    outcome = await alice.call(bob)
    assert (outcome.end.by, outcome.end.reason) == ("peer", "failed")
    assert (await bob.told(Warned)).code == "sound"
    await listening.stop()
    listening = bob.listen(once=True)
    await alice.call(bob)
    with pytest.raises(SoundError):
        await listening.result()


@scenario
async def test_stopping_while_it_rings_tells_the_caller(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    listening = bob.listen(never)
    call = alice.calls(bob)
    await bob.told(Incoming)
    began = asyncio.get_running_loop().time()
    await listening.stop()
    with pytest.raises(WzpError):
        await call.result()
    assert asyncio.get_running_loop().time() - began < 1, "not after a timeout"


@scenario
async def test_stopping_in_a_call_hangs_up(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    listening = bob.listen()
    call = alice.calls(bob)
    await bob.told(MediaStarted)
    await listening.stop()
    outcome = await call.result()
    assert (outcome.end.by, outcome.end.reason) == ("peer", "hung up")
    assert bob.outcomes[0].end.by == "local"


# --- Relays that lie ------------------------------------------------------------


def lies_about_callers(relay: RelayAtWork, caller: str) -> None:
    """Let a relay announce every call as `caller`'s."""
    tell = relay.server.calls.tell

    def lie(link: Any, message: Message) -> None:
        if isinstance(message, relay_messages.Incoming):
            message = msgspec.structs.replace(message, caller=caller)
        tell(link, message)

    relay.server.calls.tell = lie


@pytest.mark.parametrize("auto_answer", ["nobody", "contacts", "all"])
@scenario
async def test_a_caller_announced_as_somebody_else_is_closed(
    world: World, auto_answer: str
) -> None:
    relay = await world.relay()
    alice, bob = await world.person("alice"), await world.person("bob")
    friend = Keypair.generate().identity
    lies_about_callers(relay, str(friend))
    bob.listen(
        asked_nobody,
        auto_answer=auto_answer,
        policy=knows(friend),
    )
    with pytest.raises(WzpError):
        await alice.call(bob)
    warned = await bob.told(Warned)
    assert warned.code == WrongPeer.code
    assert bob.all(Incoming) == []
    assert bob.sounds == []


@scenario
async def test_a_channel_to_somebody_else_ends_before_anything_is_said(
    world: World,
) -> None:
    relay = await world.relay()
    alice, bob = await world.person("alice"), await world.person("bob")
    mallory = await world.person("mallory")
    reachable = relay.server.presence.reachable

    def crooked(target: bytes, *, by: Any) -> Any:
        return reachable(mallory.identity.key, by=by)

    relay.server.presence.reachable = crooked  # type: ignore[method-assign]
    mallory.listen()
    with pytest.raises(WrongPeer):
        await alice.call(bob, duration_s=1)
    await asyncio.sleep(1)
    assert mallory.all(Incoming) == []


# --- Callers that break the rules -----------------------------------------------


@scenario
async def test_a_callers_name_and_reason_are_cleaned(world: World) -> None:
    alice, bob = await listener(world, ask=never)
    conversation = await dialled(alice, bob, UGLY)
    conversation.say(OFFER)
    incoming = await bob.told(Incoming)
    assert is_safe(incoming.name)
    conversation.say(peer.Cancel(call="c1", reason=UGLY))
    assert is_safe((await bob.told(Hangup)).reason)


@scenario
async def test_a_closing_reason_is_cleaned_while_it_rings(world: World) -> None:
    alice, bob = await listener(world, ask=never)
    conversation = await dialled(alice, bob)
    conversation.say(OFFER)
    await bob.told(Incoming)
    conversation.link.abort(UGLY * 5)
    assert is_safe((await bob.told(Hangup)).reason)


@scenario
async def test_a_call_named_with_escapes_is_told_without(world: World) -> None:
    alice, bob = await listener(world, ask=never)
    conversation = await dialled(alice, bob)
    conversation.say(peer.Offer(call=UGLY, media=["counting"]))
    assert is_safe((await bob.told(Incoming)).call)


@scenario
async def test_a_broken_message_while_it_rings_is_told_safely(world: World) -> None:
    alice, bob = await listener(world, ask=never)
    conversation = await dialled(alice, bob)
    conversation.say(OFFER)
    await bob.told(Incoming)
    body = b'{"type":"candidates","ufrag":"\\u001b[31m\\u202e' + b"x" * 999 + b'"}'
    conversation.link.send(len(body).to_bytes(4, "big") + body)
    assert is_safe((await bob.told(Hangup)).reason)


@pytest.mark.parametrize("code", [0x0, 0x1, 0x100 + 42, 0x100 + 120, 0x3FFFFFFF])
@scenario
async def test_however_the_caller_closes_while_it_rings_listening_goes_on(
    world: World, code: int
) -> None:
    alice, bob = await world.people("alice", "bob")
    asked = 0

    async def ask(incoming: Incoming) -> bool:
        nonlocal asked
        asked += 1
        return await (never if asked == 1 else yes)(incoming)

    bob.listen(ask, once=True)
    assert alice.registration is not None
    (route,) = await alice.registration.connect(bob.identity)
    link = await alice.endpoint.dial_peer(route, bob.identity)
    conversation = await greet(link, "alice")
    conversation.say(OFFER)
    await bob.told(Incoming)
    link.abort("odd", code)
    await asyncio.sleep(1)
    assert (await alice.call(bob, duration_s=1)).path == "direct"


@scenario
async def test_a_caller_that_hangs_up_with_its_offer_ends_nothing(
    world: World,
) -> None:
    alice, bob = await listener(world, once=True)
    for _ in range(5):
        conversation = await dialled(alice, bob)
        conversation.say(OFFER)
        conversation.link.abort("changed my mind")
        await asyncio.sleep(0.1)
    conversation = await dialled(alice, bob)
    conversation.say(OFFER)
    assert await conversation.heard() == peer.Ringing(call="c1")
    assert await conversation.heard() == peer.Answer(call="c1", media="counting")


@scenario
async def test_callers_that_say_nothing_are_let_go_and_block_nobody(
    world: World,
) -> None:
    alice, bob = await listener(world)
    silent = [await dialled(alice, bob) for _ in range(5)]
    conversation = await dialled(alice, bob)
    conversation.say(OFFER)
    assert isinstance(await conversation.heard(), peer.Ringing)
    await asyncio.sleep(HELLO_TIMEOUT_S + 1)
    assert all(each.link.ended for each in silent)
    assert len(bob.all(Warned)) == len(silent)


@scenario
async def test_so_many_callers_are_served_at_once_and_no_more(world: World) -> None:
    alice, bob = await listener(world)
    address = Address(bob.public_host, bob.endpoint.local.port)
    links = [
        await alice.endpoint.dial_peer(DirectRoute(address), bob.identity)
        for _ in range(MAX_SERVED_LINKS + 2)
    ]
    await asyncio.sleep(0.5)
    reasons = [each.end_reason for each in links if each.ended]
    assert reasons == ["too many callers at once"] * 2


@scenario
async def test_a_caller_without_hello(world: World) -> None:
    alice, bob = await listener(world)
    address = Address(bob.public_host, bob.endpoint.local.port)
    link = await alice.endpoint.dial_peer(DirectRoute(address), bob.identity)
    await asyncio.sleep(HELLO_TIMEOUT_S + 0.1)
    assert link.ended
    assert bob.all(Incoming) == []


@pytest.mark.parametrize(
    "message",
    [
        peer.Answer(call="c1", media="counting"),
        peer.Goodbye(reason="x"),
        peer.Opened(),
        peer.Hello(version="again"),
        peer.Candidates(ufrag="abcd", pwd="p" * 22, list=[]),
    ],
    ids=lambda message: type(message).__name__,
)
@scenario
async def test_something_else_in_place_of_an_offer(
    world: World, message: Message
) -> None:
    alice, bob = await listener(world)
    conversation = await dialled(alice, bob)
    conversation.say(message)
    with pytest.raises(ConnectionLost):
        await conversation.heard()
    assert bob.all(Incoming) == []
    assert bob.endpoint._checks == {}


@scenario
async def test_an_offer_of_nothing_that_we_speak(world: World) -> None:
    alice, bob = await listener(world)
    conversation = await dialled(alice, bob)
    conversation.say(peer.Offer(call="c1", media=[]))
    heard = await conversation.heard()
    assert heard == peer.Decline(call="c1", reason="unsupported")
    assert bob.all(Incoming) == []


@scenario
async def test_chatter_while_it_rings_is_passed_over(world: World) -> None:
    alice, bob = await listener(world, ask=never)
    conversation = await dialled(alice, bob)
    conversation.say(OFFER)
    await bob.told(Incoming)
    for message in (
        OFFER,
        peer.Answer(call="c1", media="counting"),
        peer.Opened(),
        peer.Candidates(ufrag="abcd", pwd="p" * 22, list=[]),
    ):
        conversation.say(message)
    await asyncio.sleep(1)
    assert bob.all(Hangup) == []
    assert len(bob.all(Incoming)) == 1
    assert bob.endpoint._checks == {}
    assert bob.sounds == []


@scenario
async def test_strangers_that_say_nothing_do_not_starve_a_relayed_call(
    world: World,
) -> None:
    await world.relay()
    alice, carol = await world.person("alice"), await world.person("carol")
    bob = await world.person("bob", None)
    bob.listen()
    await asyncio.sleep(0)
    address = Address(bob.public_host, bob.endpoint.local.port)
    for _ in range(MAX_SERVED_LINKS):
        await alice.endpoint.dial_peer(DirectRoute(address), bob.identity)
    outcome = await carol.call(bob, duration_s=1)
    assert outcome.frames.received > 20


@pytest.mark.parametrize("answer", [yes, no, never])
@scenario
async def test_it_rings_here_as_long_as_somebody_is_asked(
    world: World, answer: AskHuman
) -> None:
    alice, bob = await world.people("alice", "bob")
    tones: list[str] = []

    @asynccontextmanager
    async def tone() -> AsyncIterator[None]:
        tones.append("rings")
        try:
            yield
        finally:
            tones.append("is silent")

    async def ask(incoming: Incoming) -> bool:
        assert tones == ["rings"]
        return await answer(incoming)

    bob.listen(ask, play_tone=tone, ring_timeout_s=2)
    call = alice.calls(bob, duration_s=1)
    with suppress(WzpError):
        await call.result()
    assert tones == ["rings", "is silent"]


@scenario
async def test_who_is_answered_without_asking_does_not_ring(world: World) -> None:
    alice, bob = await world.people("alice", "bob")

    def tone() -> AbstractAsyncContextManager[None]:
        raise AssertionError("it rings")

    bob.listen(never, auto_answer="all", play_tone=tone)
    assert (await alice.call(bob, duration_s=1)).end.reason == "time is up"


@scenario
async def test_a_machine_without_files_fails_one_call_and_goes_on(
    world: World,
) -> None:
    """Such as the library of the codec, which is opened when it is first needed."""
    alice, bob = await world.people("alice", "bob")
    real = bob.codec
    tries = iter((OSError(errno.EMFILE, "Too many open files"),))

    def opened() -> Codec:
        if (error := next(tries, None)) is not None:
            raise error
        return real()

    bob.codec = opened
    bob.listen()
    with pytest.raises(WzpError):
        await alice.call(bob, duration_s=1)
    warned = await bob.told(Warned)
    assert (warned.code, warned.message) == (
        "resources",
        "a call failed: Too many open files",
    )
    assert (await alice.call(bob, duration_s=1)).end.by == "local"


@scenario
async def test_a_caller_that_dies_while_it_rings_is_missed(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    bob.listen(ask=never)
    calling = alice.calls(bob)
    await bob.told(Incoming)
    alice.vanish()
    ended = await bob.told(Hangup)
    assert (ended.by, ended.reason) == ("network", "the caller is gone: it fell silent")
    assert (await bob.told(Missed)).reason == "withdrawn"
    with pytest.raises(ConnectionLost, match="the peer is gone: it fell silent"):
        await calling.result()
