"""What openers and checks alone don't connect, in the in-memory network."""

import asyncio
import errno
from collections import Counter
from dataclasses import replace
from itertools import count

import msgspec
import pytest

from tests.services.routes.test_paths import named, odd_call, odd_peer
from tests.support.fakenet import (
    ADDRESS_RESTRICTED,
    MASQUERADE,
    POISONABLE,
    RANDOM,
    SEQUENTIAL,
    NatKind,
    Packet,
)
from tests.support.world import RELAY_HOST, Person, RelayAtWork, World, scenario
from wzp_cli.address import Address
from wzp_cli.defaults.paths import (
    MEASURE_SPARES,
    OPENER_TTLS_HOPS,
    PREDICTION_MAX_PORTS,
    SEARCH_MAX_PROBES,
    SEARCH_PAUSE_S,
    SEARCH_PLANS_OF_CALL,
    SEARCH_PROBES_PER_S,
    SEARCH_ROUNDS,
    SEARCH_ROUNDS_OF_CALL,
    SEARCH_SPARES,
    SPRAY_CHECKS_BURST,
    SPRAY_CHECKS_PER_S,
)
from wzp_cli.endpoint.sockets.wire import Wire
from wzp_cli.events import PathChanged, PathPlanned, PathSearched
from wzp_cli.protocol.messages import peer, relay
from wzp_cli.protocol.traversal.route import ChannelRoute
from wzp_cli.services.calls.talk import CallOutcome
from wzp_cli.services.conversation import Conversation

BOTH_WAYS = pytest.mark.parametrize(
    "hard_calls", [True, False], ids=["hard calls", "easy calls"]
)


def now() -> float:
    return asyncio.get_running_loop().time()


async def call(
    world: World, caller: NatKind | None, callee: NatKind | None, seconds: float
) -> tuple[Person, Person, CallOutcome]:
    await world.relay()
    alice, bob = await world.person("alice", caller), await world.person("bob", callee)
    bob.listen()
    outcome = await alice.call(bob, duration_s=seconds)
    return alice, bob, outcome


async def check_clean(*people: Person) -> None:
    """Every socket but the one is closed, and everybody may search again."""
    await asyncio.sleep(1)
    for person in people:
        assert person.endpoint.spares == 0
        assert list(person.host.wires) == [person.endpoint.local.port]
        assert not person.endpoint.spray._searching


# --- What is connected ----------------------------------------------------------


@pytest.mark.parametrize("easy", [MASQUERADE, POISONABLE], ids=["R", "Rp"])
@pytest.mark.parametrize("step", [1, 2, -1])
@BOTH_WAYS
def test_prediction(easy: NatKind, step: int, hard_calls: bool) -> None:
    @scenario
    async def play(world: World) -> None:
        hard = replace(SEQUENTIAL, delta=step)
        kinds = (hard, easy) if hard_calls else (easy, hard)
        alice, bob, outcome = await call(world, *kinds, 4)
        assert outcome.path == "direct", outcome.why_not_direct
        assert outcome.time_to_direct_ms is not None
        assert outcome.time_to_direct_ms < 1000
        for person, side in zip(
            (alice, bob) if hard_calls else (bob, alice), ("opens", "probes"),
            strict=True,
        ):  # fmt: skip
            (searched,) = person.all(PathSearched)
            assert (searched.strategy, searched.side) == ("prediction", side)
            assert searched.found
            assert searched.packets <= PREDICTION_MAX_PORTS
        await check_clean(alice, bob)

    play()


@BOTH_WAYS
def test_search(hard_calls: bool) -> None:
    @scenario
    async def play(world: World) -> None:
        kinds = (RANDOM, MASQUERADE) if hard_calls else (MASQUERADE, RANDOM)
        alice, bob, outcome = await call(world, *kinds, 16)
        assert outcome.path == "direct", outcome.why_not_direct
        hard, easy = (alice, bob) if hard_calls else (bob, alice)
        (opened,), (probed,) = hard.all(PathSearched), easy.all(PathSearched)
        assert (opened.strategy, opened.side, opened.found) == ("search", "opens", True)
        assert (probed.strategy, probed.side, probed.found) == (
            "search", "probes", True,
        )  # fmt: skip
        assert opened.packets in (
            SEARCH_SPARES * len(OPENER_TTLS_HOPS),
            2 * SEARCH_SPARES * len(OPENER_TTLS_HOPS),
        )
        assert probed.packets <= SEARCH_MAX_PROBES
        assert bob.sound.longest_gap_s < 0.1, "nobody hears the search"
        await check_clean(alice, bob)

    play()


@scenario
async def test_a_neighbour_who_takes_ports_does_not_spoil_a_prediction(
    world: World,
) -> None:
    await world.relay()
    alice = await world.person("alice", SEQUENTIAL)
    bob = await world.person("bob")
    neighbour = world.net.host("192.168.9.9", nat=alice.nat).wire(5000)

    async def be_busy() -> None:
        for port in range(1024, 4000):
            neighbour.send(b"x", alice_sends_to(port))
            await asyncio.sleep(0.005)

    world.start(be_busy())
    bob.listen()
    outcome = await alice.call(bob, duration_s=4)
    assert outcome.path == "direct", outcome.why_not_direct


def alice_sends_to(port: int) -> Address:
    return Address("20.5.0.1", port)


@scenario
async def test_two_counting_nats_meet(world: World) -> None:
    alice, bob, outcome = await call(world, SEQUENTIAL, SEQUENTIAL, 16)
    assert outcome.path == "direct", outcome.why_not_direct
    assert alice.all(PathSearched)[-1].strategy == "mutual-prediction"
    await check_clean(alice, bob)


@pytest.mark.parametrize("hard", [SEQUENTIAL, RANDOM], ids=["Q", "X"])
@BOTH_WAYS
def test_where_a_host_is_let_in_on_every_port_nothing_is_searched(
    hard: NatKind, hard_calls: bool
) -> None:
    @scenario
    async def play(world: World) -> None:
        easy = ADDRESS_RESTRICTED
        kinds = (hard, easy) if hard_calls else (easy, hard)
        alice, bob, outcome = await call(world, *kinds, 3)
        assert outcome.path == "direct"
        for person in (alice, bob):
            assert person.all(PathSearched) == []

    play()


@pytest.mark.parametrize(
    ("kinds", "why"),
    [
        ((RANDOM, RANDOM), "ours at random, the peer's at random"),
        ((SEQUENTIAL, RANDOM), "ours in sequence, the peer's at random"),
    ],
    ids=["X x X", "Q x X"],
)
def test_no_vain_search_and_an_honest_word_within_a_second(
    kinds: tuple[NatKind, NatKind], why: str
) -> None:
    @scenario
    async def play(world: World) -> None:
        alice, bob, outcome = await call(world, *kinds, 3)
        assert outcome.path == "relay"
        assert why in (outcome.why_not_direct or "")
        for person in (alice, bob):
            (planned,) = person.all(PathPlanned)
            assert planned.strategy == "relay"
            assert planned.elapsed_ms < 1000
            assert person.all(PathSearched) == []
        assert bob.sound.numbers
        await check_clean(alice, bob)

    play()


@pytest.mark.parametrize("hard", [SEQUENTIAL, RANDOM], ids=["Q", "X"])
@scenario
async def test_a_machine_that_moves_behind_a_hard_nat_is_found_there(
    world: World, hard: NatKind
) -> None:
    """Both sides make another plan: by what is measured where it is now."""
    await world.relay()
    alice, bob = await world.person("alice"), await world.person("bob")
    bob.listen()
    call = alice.calls(bob)
    await alice.told(PathChanged, lambda event: event.path == "direct")
    (before,) = alice.host.addresses
    alice.host.attach("192.168.77.5", world.nat(hard))
    alice.host.detach(before)
    moved_at = now()
    for person in (alice, bob):
        found = await person.told(PathSearched)
        assert found.found
        assert [each.strategy for each in person.all(PathPlanned)] == [
            "checks",
            "prediction" if hard is SEQUENTIAL else "search",
        ]
    assert now() - moved_at < 20
    await asyncio.sleep(1)
    await call.stop()
    assert alice.outcomes[0].path == "direct"
    for person in (alice, bob):
        assert person.sound.longest_gap_s < 0.5


@scenario
async def test_a_peer_whose_nat_is_ever_another_one_makes_few_plans(
    world: World,
) -> None:
    alice, bob, conversation = await odd_peer(world)
    packets = world.record()
    lie(world.relays[0], bob, conversation, f"{VICTIM}:5000")
    victim = named(f"{VICTIM}:5000", kind="srflx")
    for number in range(60):
        nat = HARD if number % 2 else COUNTING
        conversation.say(msgspec.structs.replace(victim, nat=nat))
        await asyncio.sleep(1)
        conversation.say(peer.Searching(sockets=1, samples=(2000 + number,), step=1))
        await asyncio.sleep(1)
    assert 1 < len(bob.all(PathPlanned)) <= SEARCH_PLANS_OF_CALL
    assert len(bob.all(PathSearched)) <= SEARCH_ROUNDS_OF_CALL
    most = SEARCH_ROUNDS_OF_CALL * SEARCH_MAX_PROBES + SPRAY_CHECKS_BURST
    assert 0 < len(toward(packets, VICTIM)) <= most
    assert alice.endpoint.spares == 0


@scenario
async def test_hanging_up_in_the_middle_of_a_search(world: World) -> None:
    world.net.cut("20.1.0.1", "20.1.0.2")
    alice, bob, outcome = await call(world, RANDOM, MASQUERADE, 2)
    assert outcome.path == "relay"
    await check_clean(alice, bob)


@scenario
async def test_without_sockets_to_spare_the_next_search_is_still_possible(
    world: World,
) -> None:
    await world.relay()
    alice, bob = await world.person("alice", RANDOM), await world.person("bob")
    bob.listen()
    allowed = alice.endpoint._spares._open_wire
    measured = count()

    def no_more() -> Wire:
        if next(measured) < MEASURE_SPARES:
            assert allowed is not None
            return allowed()
        raise OSError(errno.EMFILE, "too many open files")

    alice.endpoint._spares._open_wire = no_more
    outcome = await alice.call(bob, duration_s=3)
    assert "no more sockets" in (outcome.why_not_direct or "")
    await check_clean(alice, bob)


@scenario
async def test_a_search_that_is_lost_is_repeated(world: World) -> None:
    await world.relay()
    alice, bob = await world.person("alice", RANDOM), await world.person("bob")
    bob.listen()
    world.net.cut(alice.public_host, bob.public_host)
    calling = alice.calls(bob, duration_s=70)
    await alice.told(PathSearched)
    world.net.mend(alice.public_host, bob.public_host)
    outcome = await calling.result()
    assert outcome.path == "direct", outcome.why_not_direct
    first, second = alice.all(PathSearched)[:2]
    assert (first.found, second.found) == (False, True)
    await check_clean(alice, bob)


# --- Who would make us spray a victim -------------------------------------------


VICTIM = "20.9.9.9"
HARD = peer.Nat(mapping="address-and-port-dependent", allocation="random")
COUNTING = peer.Nat(mapping="address-and-port-dependent", allocation="sequential")
OPENED = peer.Searching(sockets=SEARCH_SPARES)


def lie(
    server: RelayAtWork, bob: Person, conversation: Conversation, address: str
) -> None:
    """Have the relay say that the peer is where it is not."""
    route = conversation.link.routes[0]
    assert isinstance(route, ChannelRoute)
    link = next(
        link for link in server.server._streams if link.identity == bob.identity
    )
    server.server._tell(
        link, relay.Revealed(channel=route.send_id.hex(), address=address)
    )


def toward(packets: list[Packet], host: str) -> list[Packet]:
    return [packet for packet in packets if packet.to.host == host]


@scenario
async def test_only_what_peer_and_relay_both_name_is_searched(world: World) -> None:
    """The peer names a victim, the relay tells the truth."""
    alice, _, conversation = await odd_peer(world)
    packets = world.record()
    assert alice.registration is not None
    route = conversation.link.routes[0]
    assert isinstance(route, ChannelRoute)
    alice.registration.reveal(route)
    victim = named(f"{VICTIM}:5000", kind="srflx")
    conversation.say(msgspec.structs.replace(victim, nat=HARD))
    conversation.say(OPENED)
    await asyncio.sleep(4)
    assert 0 < len(toward(packets, VICTIM)) <= 10, "one candidate's openers and checks"
    assert {packet.to.port for packet in toward(packets, VICTIM)} == {5000}


@scenario
async def test_the_relays_word_alone_is_not_enough_either(world: World) -> None:
    alice, bob, conversation = await odd_peer(world)
    packets = world.record()
    lie(world.relays[0], bob, conversation, f"{VICTIM}:5000")
    own = named(f"{alice.public_host}:{alice.endpoint.local.port}", kind="srflx")
    conversation.say(msgspec.structs.replace(own, nat=HARD))
    conversation.say(OPENED)
    await asyncio.sleep(20)
    assert toward(packets, VICTIM) == []
    (searched,) = bob.all(PathSearched)
    assert searched.reason == "the relay does not confirm the peer's address"


@scenario
async def test_openers_go_to_no_port_that_may_not_be_checked(world: World) -> None:
    """The peer's host is its own, the port a name server's."""
    await world.relay()
    alice, bob = await world.person("alice"), await world.person("bob", RANDOM)
    bob.listen()
    conversation = await odd_call(alice, bob)
    packets = world.record()
    assert alice.registration is not None
    route = conversation.link.routes[0]
    assert isinstance(route, ChannelRoute)
    alice.registration.reveal(route)
    conversation.say(
        msgspec.structs.replace(
            named(f"{alice.public_host}:53", kind="srflx"),
            nat=peer.Nat(mapping="endpoint-independent"),
        )
    )
    await asyncio.sleep(5)
    assert toward(packets, alice.public_host)
    assert 53 not in {packet.to.port for packet in toward(packets, alice.public_host)}


@pytest.mark.parametrize("nat", [HARD, COUNTING], ids=["search", "prediction"])
def test_a_peer_and_its_relay_together_get_one_budget(nat: peer.Nat) -> None:
    @scenario
    async def play(world: World) -> None:
        _, bob, conversation = await odd_peer(world)
        packets = world.record()
        at_s: list[float] = []

        def note(packet: Packet) -> None:
            if packet.to.host == VICTIM and packet.segment == "public":
                at_s.append(now())

        world.net.on_packet(note)
        lie(world.relays[0], bob, conversation, f"{VICTIM}:5000")
        victim = named(f"{VICTIM}:5000", kind="srflx")
        conversation.say(msgspec.structs.replace(victim, nat=nat))
        for number in range(200):
            conversation.say(
                peer.Searching(sockets=1, samples=(1100 + number,), step=1)
            )
            await asyncio.sleep(0.5)
        sprayed = toward(packets, VICTIM)
        checks = SPRAY_CHECKS_BURST
        most = SEARCH_MAX_PROBES if nat is HARD else PREDICTION_MAX_PORTS
        assert len(sprayed) <= SEARCH_ROUNDS * most + checks
        assert min(packet.to.port for packet in sprayed) >= 1024
        assert max(len(packet.datagram) for packet in sprayed) <= 128
        by_second = Counter(int(each) for each in at_s)
        assert max(by_second.values()) <= SEARCH_PROBES_PER_S + 10

    play()


@scenario
async def test_the_next_call_does_not_get_a_new_budget(world: World) -> None:
    alice, bob, conversation = await odd_peer(world)
    packets = world.record()
    for _ in range(3):
        lie(world.relays[0], bob, conversation, f"{VICTIM}:5000")
        victim = named(f"{VICTIM}:5000", kind="srflx")
        conversation.say(msgspec.structs.replace(victim, nat=HARD))
        conversation.say(OPENED)
        await asyncio.sleep(3)
        await conversation.hang_up("again")
        await asyncio.sleep(1)
        conversation = await odd_call(alice, bob)
    probes = [p for p in toward(packets, VICTIM) if p.to.port != 5000]
    assert 0 < len(probes) <= 310, "one search's first three seconds"
    assert now() < SEARCH_PAUSE_S


@scenario
async def test_many_calls_make_no_flood_of_checks(world: World) -> None:
    """Eight candidates on one victim, again and again."""
    alice, bob, conversation = await odd_peer(world)
    packets = world.record()
    began = now()
    for _ in range(12):
        victims = [f"{VICTIM}:{5000 + number}" for number in range(8)]
        conversation.say(named(*victims, kind="host"))
        await asyncio.sleep(0.6)
        await conversation.hang_up("again")
        await asyncio.sleep(0.2)
        conversation = await odd_call(alice, bob)
    took_s = now() - began
    sprayed = toward(packets, VICTIM)
    assert 0 < len(sprayed) <= SPRAY_CHECKS_BURST + took_s * SPRAY_CHECKS_PER_S
    assert toward(packets, RELAY_HOST)
