"""Calls over networks that lose: what both sides report makes up for it."""

import msgspec
import pytest

from tests.support.world import World, scenario
from wzp_cli.adapters.codecs.opus import open_opus
from wzp_cli.events import Hangup, Judged, Stats
from wzp_cli.protocol.messages.peer import Quality
from wzp_cli.services import conversation
from wzp_cli.services.sound.media import MediaStream


@scenario
async def test_what_is_lost_is_made_up_for(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    bob.listen()
    world.net.loss = 0.1
    frames = (await alice.call(bob, duration_s=30)).frames
    assert frames.received == pytest.approx(0.9 * frames.sent, rel=0.04)
    assert frames.recovered > 90
    assert frames.concealed < 0.02 * frames.sent


@scenario
async def test_without_loss_nothing_is_sent_twice(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    bob.listen()
    outcome = await alice.call(bob, duration_s=10)
    assert outcome.frames.recovered == 0
    assert outcome.quality.rx_bps == pytest.approx(50 * 73 * 8, rel=0.02)


@scenario
async def test_a_peer_that_does_not_know_redundancy_is_sent_plain_frames(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "REDUNDANCY", "something-else")
    alice, bob = await world.people("alice", "bob")
    bob.listen()
    world.net.loss = 0.1
    frames = (await alice.call(bob, duration_s=10)).frames
    assert frames.recovered == 0
    assert frames.concealed > 0.05 * frames.sent


@scenario
async def test_each_side_learns_how_the_other_hears_it(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    listening = bob.listen(once=True)
    world.net.loss = 0.1
    outcome = await alice.call(bob, duration_s=20)
    await listening.result()
    told = [stats.heard_by_peer for stats in alice.all(Stats)][2:]
    assert all(heard is not None for heard in told)
    assert outcome.heard_by_peer is not None
    assert outcome.heard_by_peer.loss_pct == pytest.approx(10, abs=4)
    theirs = bob.outcomes[-1].frames
    assert outcome.heard_by_peer.recovered_ms == pytest.approx(
        20 * theirs.recovered, rel=0.15
    )


@scenario
async def test_the_verdict_comes_last_and_tells_what_was_made_up_for(
    world: World,
) -> None:
    alice, bob = await world.people("alice", "bob")
    bob.listen()
    world.net.loss = 0.05
    outcome = await alice.call(bob, duration_s=20)
    assert [type(event) for event in alice.events[-2:]] == [Hangup, Judged]
    assert outcome.verdict == alice.events[-1]
    assert outcome.verdict.quality == "good"
    assert outcome.verdict.sentence.endswith("of packets were lost and made up for.")


@scenario
async def test_a_sender_that_paused_does_not_take_that_for_a_queue(
    world: World,
) -> None:
    alice, bob = await world.people("alice", "bob")
    bob.listen()
    calling = alice.calls(bob, duration_s=20)
    await alice.told(Stats, times=3)
    bob.sound.source.pause(0.4)
    await calling.result()
    plain_bps = 50 * 73 * 8
    rates = [stats.rx_bps for stats in alice.all(Stats)][5:]
    assert min(rates) == pytest.approx(plain_bps, rel=0.05)


@scenario
async def test_a_narrow_link_is_noticed_before_its_losses_are_many(
    world: World,
) -> None:
    alice, bob = await world.people("alice", "bob")
    alice.codec = bob.codec = open_opus
    listening = bob.listen(once=True)
    world.net.delay_s = 0.020
    up, down = world.net.narrow(alice.public_host, 40_000, 0.2)
    outcome = await alice.call(bob, duration_s=10)
    await listening.result()
    for person, way in (alice, down), (bob, up):
        frames = person.outcomes[-1].frames
        assert frames.recovered == 0, "no copies were sent"
        assert frames.concealed < 0.08 * frames.received
        assert way.dropped < 60
    assert outcome.verdict.limited_by == "bandwidth"


@scenario
async def test_an_older_peer_is_told_on_the_stream_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "QUICK_REPORTS", "something-else")
    alice, bob = await world.people("alice", "bob")
    bob.listen()
    world.net.loss = 0.1
    sent: list[int] = []
    world.net.on_packet(lambda packet: sent.append(len(packet.datagram)))
    frames = (await alice.call(bob, duration_s=20)).frames
    assert frames.recovered > 50
    assert frames.concealed < 0.03 * frames.sent


@scenario
async def test_a_peer_that_tells_nonsense_ends_no_call(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is less than nothing has no root: the estimate was a complex number."""
    true_report = MediaStream.report

    def lie(media: MediaStream) -> Quality:
        told = true_report(media)
        return msgspec.structs.replace(told, concealed_ms=-1e6, buffer_ms=-1e300)

    monkeypatch.setattr(MediaStream, "report", lie)
    alice, bob = await world.people("alice", "bob")
    bob.listen()
    outcome = await alice.call(bob, duration_s=4)
    assert outcome.end.reason == "time is up"
    assert outcome.heard_by_peer is not None
    assert outcome.heard_by_peer.concealed_ms == 0
