import asyncio

import pytest

from tests.support.fakenet import MASQUERADE, RANDOM, SEQUENTIAL, NatKind
from tests.support.world import Person, World, knows, scenario
from wzp_cli.address import Address
from wzp_cli.errors import ConnectionLost, PeerOffline
from wzp_cli.events import Answered, Incoming, MediaStarted, Pinged
from wzp_cli.protocol.names.identity import Identity, Keypair
from wzp_cli.services.calls.ping import (
    PingOutcome,
    PingSettings,
    ping_address,
    ping_identity,
)


async def ping(
    alice: Person, target: Person | Identity, **settings: bool | int
) -> PingOutcome:
    assert alice.registration is not None
    return await ping_identity(
        alice.endpoint,
        alice.registration,
        target.identity if isinstance(target, Person) else target,
        PingSettings("alice", **settings),  # type: ignore[arg-type]
        alice.interfaces,
        alice.report,
    )


@pytest.mark.parametrize("kind", [MASQUERADE, SEQUENTIAL], ids=["R", "Q"])
def test_a_contact_finds_the_direct_path_and_nobody_rings(kind: NatKind) -> None:
    @scenario
    async def play(world: World) -> None:
        await world.relay()
        alice, bob = await world.person("alice", kind), await world.person("bob")
        bob.listen(policy=knows(alice.identity))
        outcome = await ping(alice, bob, count=5)
        assert outcome.path == "direct"
        assert outcome.peer == str(bob.identity)
        assert [span.path for span in outcome.paths] == ["relay", "direct"]
        assert (outcome.sent, len(outcome.rtts_ms)) == (5, 5)
        assert outcome.why_not_direct is None
        assert [event.number for event in alice.all(Pinged)] == [1, 2, 3, 4, 5]
        for event in (Incoming, Answered, MediaStarted):
            assert not bob.all(event)
        await asyncio.sleep(1)
        assert alice.endpoint.spares == bob.endpoint.spares == 0
        assert bob.endpoint._checks == {}

    play()


@scenario
async def test_a_stranger_learns_no_address(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    packets = world.record()
    bob.listen()
    outcome = await ping(alice, bob, count=3)
    assert outcome.path == "relay"
    assert "contacts" in (outcome.why_not_direct or "")
    assert len(outcome.rtts_ms) == 3
    homes = {alice.public_host, bob.public_host}
    assert not [p for p in packets if {p.source.host, p.to.host} == homes]


@scenario
async def test_until_direct_stops_at_once(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    bob.listen(auto_answer="all")
    outcome = await ping(alice, bob, until_direct=True)
    assert outcome.path == "direct"
    assert outcome.sent <= 2


@scenario
async def test_no_direct_path_and_why(world: World) -> None:
    alice, bob = await world.people("alice", "bob", kind=RANDOM)
    bob.listen(auto_answer="all")
    outcome = await ping(alice, bob, count=2)
    assert outcome.path == "relay"
    assert "at random" in (outcome.why_not_direct or "")


@scenario
async def test_a_call_in_progress_is_not_disturbed(world: World) -> None:
    alice, bob, carol = await world.people("alice", "bob", "carol")
    bob.listen(auto_answer="all")
    call = alice.calls(bob, duration_s=5)
    await bob.told(MediaStarted)
    outcome = await ping(carol, bob, count=2)
    assert len(outcome.rtts_ms) == 2
    assert (await call.result()).path == "direct"


@scenario
async def test_a_bare_address(world: World) -> None:
    await world.relay()
    alice = await world.person("alice")
    bob = await world.person("bob", None)
    bob.listen()
    at = Address(bob.public_host, bob.endpoint.local.port)
    outcome = await ping_address(
        alice.endpoint, [at], None, PingSettings(count=1), alice.interfaces,
        alice.report,
    )  # fmt: skip
    assert (outcome.path, outcome.remote) == ("direct", str(at))


@scenario
async def test_nobody_is_there(world: World) -> None:
    (alice,) = await world.people("alice")
    with pytest.raises(PeerOffline):
        await ping(alice, Keypair.generate().identity)


@scenario
async def test_a_peer_that_goes_away(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    listening = bob.listen(auto_answer="all")
    pinging = world.start(ping(alice, bob, count=50))
    await alice.told(Pinged)
    await listening.stop()
    with pytest.raises(ConnectionLost):
        await pinging.result()
