"""Calls over networks that lose: what both sides report makes up for it."""

import pytest

from tests.support.world import World, scenario
from wzp_cli.services import conversation


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
