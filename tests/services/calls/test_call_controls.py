"""Mute, hold and push-to-talk: the switches alone, and through two real endpoints."""

import asyncio
from typing import Any

import pytest

from tests.support.world import Person, World, scenario
from wzp_cli.defaults.media import MEDIA_FRAME_BYTES
from wzp_cli.endpoint.links.link import Link
from wzp_cli.events import Event, Hangup, Held, MediaStarted, Muted
from wzp_cli.ports import FrameSink, FrameSource
from wzp_cli.protocol.media.level import level
from wzp_cli.services.calls.call_controls import CallControls, HeardSink, SpokenSource

SILENCE = bytes(MEDIA_FRAME_BYTES)
VOICE = b"\1\2" * 960


# --- The switches alone ---------------------------------------------------------


def switches() -> tuple[CallControls, list[Event], list[bool]]:
    told: list[Event] = []
    peer_told: list[bool] = []
    return CallControls(told.append, tell_peer=peer_told.append), told, peer_told


def test_a_call_begins_with_both_sides_open() -> None:
    controls, told, _ = switches()
    assert controls.speaks
    assert controls.hears
    assert told == []


def test_what_is_set_already_is_not_told_again() -> None:
    controls, told, peer_told = switches()
    for _ in range(2):
        controls.mute()
        controls.hold()
        controls.peer_holds(True)
    for _ in range(2):
        controls.mute(False)
        controls.hold(False)
        controls.peer_holds(False)
    assert told == [
        Muted(muted=True),
        Held(held=True, by="local"),
        Held(held=True, by="peer"),
        Muted(muted=False),
        Held(held=False, by="local"),
        Held(held=False, by="peer"),
    ]
    assert peer_told == [True, False]


def test_push_to_talk_lets_the_voice_out_between_press_and_release() -> None:
    controls, told, _ = switches()
    spoke = []
    for switch, on in (
        (controls.push_to_talk, True),
        (controls.press, True),
        (controls.press, False),
        (controls.push_to_talk, False),
    ):
        switch(on)
        spoke.append(controls.speaks)
    assert spoke == [False, True, False, True]
    assert [event.muted for event in told if isinstance(event, Muted)] == [
        True,
        False,
        True,
        False,
    ]


def test_push_to_talk_is_told_though_nothing_else_changes() -> None:
    controls, told, _ = switches()
    assert not controls.pushes_to_talk
    controls.mute()
    controls.push_to_talk()
    assert controls.pushes_to_talk
    controls.mute(False)
    controls.press()
    controls.push_to_talk(False)
    assert told == [
        Muted(muted=True),
        Muted(muted=True, push_to_talk=True),
        Muted(muted=False, push_to_talk=True),
        Muted(muted=False),
    ]


def test_a_pedal_pushes_to_talk_and_muting_ends_that() -> None:
    controls, _, _ = switches()
    controls.mute()
    spoke = []
    for switch, on in (
        (controls.talk, True),  # the first time opens what was muted
        (controls.talk, False),
        (controls.talk, None),
        (controls.talk, None),
        (controls.switch_mute, None),  # out of push-to-talk: heard
        (controls.switch_mute, None),
        (controls.talk, False),
        (controls.switch_mute, True),
        (controls.switch_mute, False),
    ):
        switch(on)
        spoke.append((controls.speaks, controls.pushes_to_talk))
    assert spoke == [
        (True, True),
        (False, True),
        (True, True),
        (False, True),
        (True, False),
        (False, False),
        (False, True),
        (False, False),
        (True, False),
    ]


def test_mute_counts_more_than_what_is_pressed() -> None:
    controls, _, _ = switches()
    controls.push_to_talk()
    controls.mute()
    controls.press()
    assert not controls.speaks
    controls.mute(False)
    assert controls.speaks


@pytest.mark.parametrize("who", ["local", "peer", "both"])
def test_on_hold_nobody_speaks_and_nobody_hears(who: str) -> None:
    controls, _, _ = switches()
    if who != "peer":
        controls.hold()
    if who != "local":
        controls.peer_holds(True)
    assert (controls.speaks, controls.hears) == (False, False)
    controls.hold(False)
    assert controls.hears is (who == "local")


class Kept:
    """A source, a sink and a recording that keep what they are given."""

    def __init__(self) -> None:
        self.spoken: list[bytes] = []
        self.written: list[bytes] = []
        self.said = self.spoken.append
        self.heard_frames: list[bytes] = []
        self.heard = self.heard_frames.append
        self.left = 3

    async def read(self) -> bytes | None:
        self.left -= 1
        return VOICE if self.left >= 0 else None

    async def wanted(self) -> None:
        """At once."""

    def write(self, pcm: bytes) -> None:
        self.written.append(pcm)


def test_what_is_held_back_is_neither_sent_nor_played_nor_recorded() -> None:
    async def scenario() -> None:
        controls, _, _ = switches()
        kept = Kept()
        source: FrameSource = SpokenSource(kept, controls, kept)
        sink: FrameSink = HeardSink(kept, controls, kept)
        assert await source.read() == VOICE
        controls.mute()
        assert await source.read() == SILENCE
        await sink.wanted()
        sink.write(VOICE)
        controls.hold()
        sink.write(VOICE)
        controls.mute(False)
        assert await source.read() == SILENCE
        assert await source.read() is None
        assert kept.spoken == [VOICE, SILENCE, SILENCE]
        assert kept.written == kept.heard_frames == [VOICE, SILENCE]

    asyncio.run(scenario())


# --- Through two real endpoints -------------------------------------------------


async def talking(
    world: World,
) -> tuple[Person, Person, CallControls, CallControls, Any]:
    """Return two people in a call, and the switches of both."""
    alice, bob = await world.people("alice", "bob")
    ours: list[CallControls] = []
    theirs: list[CallControls] = []
    bob.listen(on_controls=theirs.append)
    call = alice.calls(bob, on_controls=ours.append)
    await alice.told(MediaStarted)
    await bob.told(MediaStarted)
    await asyncio.sleep(1)
    return alice, bob, ours[0], theirs[0], call


def loud(person: Person, since: int) -> list[bool]:
    """Return which frames since then had sound in them."""
    frames = [pcm for _, pcm in person.sound.sink.heard[since:]]
    return [level(pcm).peak_dbfs is not None for pcm in frames]


async def settled(*people: Person) -> list[int]:
    """Let what is under way arrive; return where the next second begins."""
    await asyncio.sleep(0.5)
    return [len(person.sound.sink.heard) for person in people]


@scenario
async def test_nothing_of_a_muted_voice_arrives_and_all_of_the_other(
    world: World,
) -> None:
    alice, bob, controls, _, call = await talking(world)
    controls.mute()
    at_alice, at_bob = await settled(alice, bob)
    await asyncio.sleep(2)
    assert not any(loud(bob, at_bob))
    assert len(loud(bob, at_bob)) >= 98, "silence at the same pace"
    assert all(loud(alice, at_alice))
    controls.mute(False)
    (at_bob,) = await settled(bob)
    await asyncio.sleep(1)
    assert all(loud(bob, at_bob))
    assert [event.muted for event in alice.all(Muted)] == [True, False]
    assert bob.all(Muted) == []
    await call.stop()
    assert alice.outcomes[0].frames.concealed <= 1


@scenario
async def test_a_muted_side_sends_as_many_packets_of_the_same_size(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, controls, _, call = await talking(world)
    sizes: list[int] = []
    send = Link.send_datagram

    def keep(link: Link, payload: bytes, *beside: bytes) -> None:
        if link.dialled:
            sizes.append(len(payload))
        send(link, payload, *beside)

    monkeypatch.setattr(Link, "send_datagram", keep)
    counted: list[tuple[int, frozenset[int]]] = []
    for muted in (False, True):
        controls.mute(muted)
        sizes.clear()
        await asyncio.sleep(2)
        counted.append((len(sizes), frozenset(sizes)))
    await call.stop()
    (open_count, open_sizes), (muted_count, muted_sizes) = counted
    assert open_count == pytest.approx(muted_count, abs=1)
    assert open_sizes == muted_sizes


@scenario
async def test_hold_silences_both_and_the_other_side_is_told(world: World) -> None:
    alice, bob, controls, _, call = await talking(world)
    controls.hold()
    told = await bob.told(Held)
    assert (told.held, told.by) == (True, "peer")
    at_alice, at_bob = await settled(alice, bob)
    await asyncio.sleep(1)
    assert not any(loud(alice, at_alice) + loud(bob, at_bob))
    controls.hold(False)
    await bob.told(Held, lambda event: not event.held)
    at_alice, at_bob = await settled(alice, bob)
    await asyncio.sleep(1)
    assert all(loud(alice, at_alice) + loud(bob, at_bob))
    assert [(event.held, event.by) for event in alice.all(Held)] == [
        (True, "local"),
        (False, "local"),
    ]
    await call.stop()


@scenario
async def test_both_may_hold_and_both_have_to_resume(world: World) -> None:
    alice, bob, ours, theirs, call = await talking(world)
    ours.hold()
    theirs.hold()
    await alice.told(Held, lambda event: event.by == "peer")
    ours.hold(False)
    at_alice, at_bob = await settled(alice, bob)
    await asyncio.sleep(0.5)
    assert not any(loud(alice, at_alice) + loud(bob, at_bob))
    theirs.hold(False)
    at_alice, at_bob = await settled(alice, bob)
    await asyncio.sleep(0.5)
    assert all(loud(alice, at_alice) + loud(bob, at_bob))
    await call.stop()


@scenario
async def test_push_to_talk_in_a_call(world: World) -> None:
    _, bob, controls, _, call = await talking(world)
    controls.push_to_talk()
    (at_bob,) = await settled(bob)
    await asyncio.sleep(0.5)
    assert not any(loud(bob, at_bob))
    controls.press()
    (at_bob,) = await settled(bob)
    await asyncio.sleep(0.5)
    controls.press(False)
    assert all(loud(bob, at_bob))
    (at_bob,) = await settled(bob)
    await asyncio.sleep(0.5)
    assert not any(loud(bob, at_bob))
    await call.stop()


@scenario
async def test_hanging_up_by_the_controls_tells_both(world: World) -> None:
    _, bob, controls, _, call = await talking(world)
    controls.hang_up()
    outcome = await call.result()
    assert (outcome.end.by, outcome.end.reason) == ("local", "hung up")
    assert (await bob.told(Hangup)).by == "peer"


@scenario
async def test_switches_after_the_end_do_no_harm(world: World) -> None:
    _, _, controls, _, call = await talking(world)
    await call.stop()
    controls.mute()
    controls.hold()
    controls.hang_up()
