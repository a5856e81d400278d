"""The direct upgrade: what is offered, what is checked, and where media goes."""

import asyncio
from collections.abc import Callable, Iterable

import msgspec
import pytest

from tests.support.fakenet import (
    MASQUERADE,
    POISONABLE,
    RANDOM,
    Nat,
    NatKind,
    Packet,
)
from tests.support.world import (
    RELAY_HOST,
    Doing,
    Person,
    World,
    scenario,
)
from wzp_cli.address import Address
from wzp_cli.defaults.paths import (
    CARRIED_PROBE_S,
    DIRECT_PROBE_S,
    MAX_CANDIDATES,
    OPENER_TTLS_HOPS,
    RETRY_FIRST_S,
    RETRY_SILENCE_S,
    ROUTE_DOUBT_S,
    ROUTE_GIVE_UP_S,
)
from wzp_cli.events import (
    Candidate,
    Hangup,
    MediaStarted,
    PathChanged,
    PathSelected,
    PathTried,
)
from wzp_cli.protocol.messages import peer
from wzp_cli.protocol.traversal.route import ChannelRoute
from wzp_cli.services.calls.talk import CallOutcome
from wzp_cli.services.conversation import Conversation, greet
from wzp_cli.services.routes.candidates import RoutePlan
from wzp_cli.services.routes.paths import RouteTaker


def now() -> float:
    return asyncio.get_running_loop().time()


def between(packets: Iterable[Packet], one: Person, two: Person) -> list[Packet]:
    """Return the packets that went straight from one home to the other."""
    homes = {one.public_host, two.public_host}
    return [p for p in packets if {p.source.host, p.to.host} == homes]


async def in_a_call(
    world: World, kind: NatKind | None = MASQUERADE, *, seconds: float = 1.0
) -> tuple[Person, Person, Doing[CallOutcome]]:
    alice, bob = await world.people("alice", "bob", kind=kind)
    bob.listen()
    call = alice.calls(bob)
    await alice.told(MediaStarted)
    await bob.told(MediaStarted)
    await asyncio.sleep(seconds)
    return alice, bob, call


async def odd_peer(
    world: World, *, direct: bool = True
) -> tuple[Person, Person, Conversation]:
    """Return a caller that says what the test wants, and whom it talks to."""
    alice, bob = await world.people("alice", "bob")
    bob.listen(direct=direct)
    return alice, bob, await odd_call(alice, bob)


async def odd_call(alice: Person, bob: Person) -> Conversation:
    """Call word by word; return the conversation once it is answered."""
    assert alice.registration is not None
    (route,) = await alice.registration.connect(bob.identity)
    link = await alice.endpoint.dial_peer(route, bob.identity)
    conversation = await greet(link, "alice")
    conversation.say(peer.Offer(call="c1", media=["counting"]))
    while not isinstance(await conversation.heard(), peer.Answer):
        pass
    return conversation


async def ended(bob: Person, conversation: Conversation) -> CallOutcome:
    await conversation.hang_up("enough")
    await bob.told(Hangup)
    return bob.outcomes[0]


def named(*addresses: str, kind: str = "host") -> peer.Candidates:
    infos = [
        peer.CandidateInfo(type=kind, address=address)  # type: ignore[arg-type]
        for address in addresses
    ]
    return peer.Candidates(ufrag="abcdefgh", pwd="p" * 24, list=infos)


# --- What is offered ------------------------------------------------------------


@scenario
async def test_each_side_names_where_it_is_seen_and_where_it_is(world: World) -> None:
    alice, bob, call = await in_a_call(world)
    await call.stop()
    for one, two in ((alice, bob), (bob, alice)):
        port = one.endpoint.local.port
        own = [(c.type, c.address) for c in one.all(Candidate, _is("local"))]
        assert own == [
            ("srflx", f"{one.public_host}:{port}"),
            ("host", f"{one.interfaces()[0].host}:{port}"),
        ]
        told = [(c.type, c.address) for c in two.all(Candidate, _is("remote"))]
        assert told == own


def _is(side: str) -> Callable[[Candidate], bool]:
    return lambda candidate: candidate.side == side


@pytest.mark.parametrize("who", ["caller", "callee", "both"])
@scenario
async def test_always_by_relay_names_nothing_and_sends_nothing(
    world: World, who: str
) -> None:
    alice, bob = await world.people("alice", "bob")
    packets = world.record()
    bob.listen(direct=who == "caller")
    outcome = await alice.call(bob, direct=who == "callee", duration_s=3)
    await bob.told(Hangup)
    assert outcome.path == bob.outcomes[0].path == "relay"
    private = {"caller": [alice], "callee": [bob], "both": [alice, bob]}[who]
    for person in private:
        assert person.all(Candidate, _is("local")) == []
        sent = [p for p in packets if p.source.host == person.public_host]
        assert {p.to.host for p in sent} == {RELAY_HOST}
    ours, theirs = "this side keeps to the relay", "the peer keeps to the relay"
    assert outcome.why_not_direct == (theirs if who == "callee" else ours)
    assert bob.outcomes[0].why_not_direct == (theirs if who == "caller" else ours)


@scenario
async def test_the_same_private_network_is_direct_within_100_ms(world: World) -> None:
    await world.relay()
    nat = world.nat(MASQUERADE)
    alice = await world.person("alice", nat=nat)
    bob = await world.person("bob", nat=nat)
    bob.listen()
    outcome = await alice.call(bob, duration_s=1)
    assert outcome.remote == f"{bob.interfaces()[0].host}:{bob.endpoint.local.port}"
    assert outcome.time_to_direct_ms is not None
    assert outcome.time_to_direct_ms <= 100


@scenario
async def test_the_same_private_network_with_ports_at_random(world: World) -> None:
    await world.relay()
    nat = world.nat(RANDOM)
    alice = await world.person("alice", nat=nat)
    bob = await world.person("bob", nat=nat)
    bob.listen()
    assert (await alice.call(bob, duration_s=1)).path == "direct"


@scenario
async def test_a_private_address_of_another_home_is_not_tried(world: World) -> None:
    alice, _, call = await in_a_call(world, RANDOM, seconds=5)
    tried = {event.address for event in alice.all(PathTried)}
    assert len(tried) == 1
    assert not any(address.startswith("192.168.") for address in tried)
    await call.stop()


# --- How NATs are opened --------------------------------------------------------


def straight_checks(packets: list[Packet], one: Person, two: Person) -> list[Packet]:
    """Return the packets from one home to the other, in order."""
    return [
        p
        for p in packets
        if (p.source.host, p.to.host) == (one.public_host, two.public_host)
    ]


@pytest.mark.parametrize("late_s", [0.0, 0.2, 0.5])
@scenario
async def test_no_packet_reaches_a_poisonable_router_before_it_is_open(
    world: World, late_s: float
) -> None:
    alice, bob = await world.people("alice", "bob", kind=POISONABLE)
    packets = world.record()
    arrived: list[tuple[str, float]] = []
    for nat in (alice.nat, bob.nat):
        assert nat is not None
        watch_arrivals(nat, arrived)
    world.net.delay(RELAY_HOST, bob.public_host, 0.010 + late_s)
    bob.listen()
    outcome = await alice.call(bob, duration_s=3)
    assert outcome.path == "direct"
    for one, two in ((alice, bob), (bob, alice)):
        ttls = [p.ttl for p in straight_checks(packets, one, two)]
        assert ttls[:3] == [ttl - 1 for ttl in OPENER_TTLS_HOPS]
        assert one.nat is not None
        assert one.nat._poisoned == {}
    assert {host for host, _ in arrived} >= {alice.public_host, bob.public_host}


def watch_arrivals(nat: Nat, arrived: list[tuple[str, float]]) -> None:
    inbound = nat.inbound

    def watched(packet: Packet) -> Packet | None:
        if packet.source.host != RELAY_HOST:
            arrived.append((nat.external, now()))
        return inbound(packet)

    nat.inbound = watched  # type: ignore[method-assign]


# --- Doubt, and back ------------------------------------------------------------


@scenario
async def test_a_cut_direct_route_costs_a_moment_and_comes_back(world: World) -> None:
    alice, bob, call = await in_a_call(world)
    world.net.cut(alice.public_host, bob.public_host)
    cut_at = now()
    for person in (alice, bob):
        fell = await person.told(PathChanged, lambda event: event.path == "relay")
        assert "no longer answers" in fell.reason
    assert now() - cut_at < ROUTE_DOUBT_S + ROUTE_GIVE_UP_S + 0.5
    await asyncio.sleep(1)
    world.net.mend(alice.public_host, bob.public_host)
    mended_at = now()
    for person in (alice, bob):
        await person.told(PathChanged, lambda event: event.path == "direct", times=2)
    assert now() - mended_at < RETRY_FIRST_S + 1
    await asyncio.sleep(1)
    await call.stop()
    for person in (alice, bob):
        assert person.sound.longest_gap_s < 0.5
    spans = [span.path for span in alice.outcomes[0].paths]
    assert spans == ["relay", "direct", "relay", "direct"]


@scenario
async def test_a_route_that_comes_and_goes_is_heard_to_go_once(world: World) -> None:
    alice, bob, call = await in_a_call(world, seconds=2)
    for _ in range(6):
        world.net.cut(alice.public_host, bob.public_host)
        await asyncio.sleep(0.6)
        world.net.mend(alice.public_host, bob.public_host)
        await asyncio.sleep(1.2)
    await call.stop()
    for person in (alice, bob):
        assert [gap for gap in person.sound.gaps_s if gap > 0.1] == [
            pytest.approx(ROUTE_DOUBT_S, abs=0.1)
        ]


@pytest.mark.parametrize("phase_s", [0.0, 0.033, 0.066])
@scenario
async def test_whenever_the_route_is_cut_the_same_little_is_missing(
    world: World, phase_s: float
) -> None:
    alice, bob, call = await in_a_call(world, seconds=2.0 + phase_s)
    world.net.cut(alice.public_host, bob.public_host)
    await asyncio.sleep(2)
    await call.stop()
    for person in (alice, bob):
        assert person.sound.longest_gap_s < ROUTE_DOUBT_S + 0.02


@scenario
async def test_sound_both_ways_takes_the_place_of_most_probes(world: World) -> None:
    alice, bob, call = await in_a_call(world, seconds=2.0)
    packets = world.record()
    await asyncio.sleep(20)
    checks = [p for p in between(packets, alice, bob) if p.datagram[0] <= 3]
    a_probe_and_its_answer_of_both = 4
    expected = a_probe_and_its_answer_of_both * 20 / CARRIED_PROBE_S
    assert len(checks) == pytest.approx(expected, rel=0.1)
    assert len(checks) < a_probe_and_its_answer_of_both * 20 / DIRECT_PROBE_S / 3
    await call.stop()


@scenario
async def test_with_the_direct_route_cut_one_way_both_fall_back(world: World) -> None:
    alice, bob, call = await in_a_call(world)
    assert alice.nat is not None
    outbound = alice.nat.outbound

    def to_relay_only(packet: Packet) -> Packet | None:
        return outbound(packet) if packet.to.host == RELAY_HOST else None

    alice.nat.outbound = to_relay_only  # type: ignore[method-assign]
    for person in (alice, bob):
        await person.told(PathChanged, lambda event: event.path == "relay")
    await asyncio.sleep(1)
    await call.stop()
    assert bob.sound.longest_gap_s < 0.5
    assert alice.sound.longest_gap_s < 0.5


@pytest.mark.parametrize("mover", [0, 1])
@scenario
async def test_a_nat_that_moves_in_a_direct_call(world: World, mover: int) -> None:
    alice, bob, call = await in_a_call(world)
    moved = (alice, bob)[mover]
    assert moved.nat is not None
    moved.nat.rebind("20.1.0.77")
    await asyncio.sleep(8)
    await call.stop()
    await bob.told(Hangup)
    assert alice.outcomes[0].end.reason == "hung up", "the call has survived"
    for person in (alice, bob):
        assert person.sound.longest_gap_s < 0.5
        heard = len([n for n in person.sound.numbers if n > 350])
        assert heard > 40, "the last seconds are there"


@scenario
async def test_a_nat_that_moves_and_spoils_the_others_mapping(world: World) -> None:
    """Its packets from elsewhere come first; once both have been silent, it is over."""
    await world.relay()
    alice = await world.person("alice")
    bob = await world.person("bob", POISONABLE)
    bob.listen()
    call = alice.calls(bob)
    await alice.told(PathChanged, lambda event: event.path == "direct")
    await asyncio.sleep(1)
    assert alice.nat is not None
    assert bob.nat is not None
    alice.nat.rebind("20.1.0.77")
    await asyncio.sleep(1)
    assert bob.nat._poisoned
    await alice.told(PathChanged, lambda event: event.path == "direct", times=2)
    assert now() < RETRY_FIRST_S + RETRY_SILENCE_S + 15
    await call.stop()
    for person in (alice, bob):
        assert person.sound.longest_gap_s < 0.5


@pytest.mark.parametrize("mover", [0, 1])
@scenario
async def test_a_nat_that_moves_in_a_relayed_call(world: World, mover: int) -> None:
    alice, bob = await world.people("alice", "bob", kind=RANDOM)
    bob.listen()
    call = alice.calls(bob)
    await alice.told(MediaStarted)
    await asyncio.sleep(2)
    moved = (alice, bob)[mover]
    assert moved.nat is not None
    moved.nat.rebind("20.1.0.77")
    await asyncio.sleep(8)
    await call.stop()
    await bob.told(Hangup)
    assert alice.outcomes[0].end.reason == "hung up", "the call has survived"
    for person in (alice, bob):
        assert person.sound.longest_gap_s < 1.5


# --- Peers that lead us elsewhere -----------------------------------------------

FORBIDDEN = [
    "127.0.0.1:5000",
    "192.168.7.7:5000",
    "10.0.0.1:5000",
    "169.254.1.1:5000",
    "224.0.0.251:5353",
    "255.255.255.255:5000",
    "0.0.0.0:5000",
    "20.5.0.1:53",
]


@scenario
async def test_forbidden_addresses_are_never_sent_to(world: World) -> None:
    _, bob, conversation = await odd_peer(world)
    everywhere: list[Packet] = []
    world.net.on_packet(everywhere.append)
    conversation.say(named(*FORBIDDEN))
    await asyncio.sleep(6)
    hosts = {p.to.host for p in everywhere if p.source.port == bob.endpoint.local.port}
    assert hosts == {RELAY_HOST}
    outcome = await ended(bob, conversation)
    assert outcome.why_not_direct is not None
    assert outcome.why_not_direct.startswith("no address to try: 127.0.0.1:5000")
    assert "port below 1024" in outcome.why_not_direct


@scenario
async def test_the_routers_port_on_our_own_network_is_not_sent_to(
    world: World,
) -> None:
    _, bob, conversation = await odd_peer(world)
    network = bob.interfaces()[0].host.rpartition(".")[0]
    everywhere: list[Packet] = []
    world.net.on_packet(everywhere.append)
    conversation.say(named(f"{network}.1:53", f"{network}.255:5000"))
    await asyncio.sleep(6)
    assert not {p.to.host for p in everywhere} & {f"{network}.1", f"{network}.255"}


@scenario
async def test_a_victim_that_a_peer_names_gets_few_checks_and_no_sound(
    world: World,
) -> None:
    _, bob, conversation = await odd_peer(world)
    packets = world.record()
    conversation.say(named(*[f"20.5.0.{n}:5000" for n in range(1, 9)], kind="srflx"))
    await asyncio.sleep(16)
    for number in range(1, MAX_CANDIDATES + 1):
        sent = [p for p in packets if p.to.host == f"20.5.0.{number}"]
        assert 0 < len(sent) <= 20, "two rounds at most"
        assert max(len(p.datagram) for p in sent) <= 128
        assert all(p.datagram[0] <= 3 for p in sent), "nothing but checks"
    outcome = await ended(bob, conversation)
    assert outcome.path == "relay"


@scenario
async def test_naming_ever_more_candidates_brings_nothing(world: World) -> None:
    _, bob, conversation = await odd_peer(world)
    packets = world.record()
    for n in range(1, 60):
        conversation.say(named(f"20.5.0.{n}:5000", FORBIDDEN[n % 8]))
        await asyncio.sleep(0.1)
    reached = {p.to.host for p in packets if p.to.host.startswith("20.5.")}
    assert len(reached) <= MAX_CANDIDATES
    outcome = await ended(bob, conversation)
    assert outcome.why_not_direct is not None
    assert len(outcome.why_not_direct) < 1000


@scenario
async def test_naming_forbidden_addresses_for_ever_makes_no_long_story(
    world: World,
) -> None:
    _, bob, conversation = await odd_peer(world)
    for _ in range(60):
        conversation.say(named(*FORBIDDEN))
        await asyncio.sleep(0.05)
    outcome = await ended(bob, conversation)
    assert outcome.why_not_direct is not None
    assert len(outcome.why_not_direct) < 1000


@scenario
async def test_more_candidates_than_allowed_in_one_message_break_the_rules(
    world: World,
) -> None:
    _, bob, conversation = await odd_peer(world)
    conversation.say(named(*[f"20.5.0.{n}:5000" for n in range(1, 10)]))
    assert (await bob.told(Hangup)).by == "network"


@pytest.mark.parametrize(
    "address", ["", "nonsense", "20.5.0.1", "20.5.0.1:0", "[::1", "20.5.0.1:99999"]
)
@scenario
async def test_what_is_no_address_is_passed_over(world: World, address: str) -> None:
    _, bob, conversation = await odd_peer(world)
    conversation.say(named(address))
    await asyncio.sleep(1)
    assert bob.all(Hangup) == []
    assert bob.all(Candidate, _is("remote")) == []


@scenario
async def test_a_peer_that_names_nothing(world: World) -> None:
    _, bob, conversation = await odd_peer(world)
    conversation.say(named())
    await asyncio.sleep(2)
    outcome = await ended(bob, conversation)
    assert outcome.why_not_direct == "the peer keeps to the relay"


@scenario
async def test_a_peer_that_never_speaks_of_candidates(world: World) -> None:
    _, bob, conversation = await odd_peer(world)
    packets = world.record()
    await asyncio.sleep(5)
    outcome = await ended(bob, conversation)
    assert outcome.why_not_direct == "the peer named no address"
    assert {p.to.host for p in packets if p.source.host == bob.public_host} == {
        RELAY_HOST
    }


@scenario
async def test_a_copied_packet_draws_no_stream_to_its_new_source(
    world: World,
) -> None:
    """SECURITY: following a changed source blindly is an amplifier."""
    alice, bob, call = await in_a_call(world, None)
    packets = world.record()
    victim = world.net.host("20.5.0.1")
    replay = victim.wire(5000)
    bob_at = Address(bob.public_host, bob.endpoint.local.port)
    world.net.on_packet(
        lambda p: (
            replay.send(p.datagram, bob_at)
            if p.source.host == alice.public_host
            and p.to == bob_at
            and p.segment == "public"
            else None
        )
    )
    await asyncio.sleep(3)
    drawn = [p for p in packets if p.to.host == "20.5.0.1"]
    assert all(p.datagram[0] <= 3 for p in drawn), "checks and answers, no sound"
    copied = [p for p in packets if p.source.host == "20.5.0.1"]
    sizes = [sum(len(p.datagram) for p in some) for some in (drawn, copied)]
    assert sizes[0] <= 2 * sizes[1]
    await call.stop()
    await bob.told(Hangup)
    assert bob.outcomes[0].remote.startswith(alice.public_host)


@scenario
async def test_late_and_damaged_copies_draw_not_even_a_check(world: World) -> None:
    """Who reads the wire knows connection IDs, and can make no authentic packet."""
    _alice, bob, call = await in_a_call(world, None)
    packets = world.record()
    replay = world.net.host("20.5.0.1").wire(5000)
    bob_at = Address(bob.public_host, bob.endpoint.local.port)
    await asyncio.sleep(1)
    heard = [p.datagram for p in packets if p.to == bob_at and p.datagram[0] > 63]
    assert len(heard) > 20
    for datagram in heard:
        replay.send(datagram, bob_at)
        replay.send(datagram[:-1] + bytes([datagram[-1] ^ 1]), bob_at)
    await asyncio.sleep(2)
    assert [p for p in packets if p.to.host == "20.5.0.1"] == []
    await call.stop()


# --- The shell itself -----------------------------------------------------------


@scenario
async def test_the_first_path_is_told_as_selected_and_later_ones_as_changed(
    world: World,
) -> None:
    alice, bob, call = await in_a_call(world)
    await call.stop()
    for person in (alice, bob):
        assert [event.path for event in person.all(PathSelected)] == ["relay"]
        assert [event.path for event in person.all(PathChanged)] == ["direct"]
        (tried,) = person.all(PathTried)
        assert tried.answered
        assert tried.checks >= 1 + len(OPENER_TTLS_HOPS)


@scenario
async def test_closing_stops_answering_checks(world: World) -> None:
    alice, bob, conversation = await odd_peer(world)
    plan = RoutePlan(True, alice.interfaces)
    taker = RouteTaker(alice.endpoint, conversation, plan, alice.report)
    assert len(alice.endpoint._checks) == 1
    assert conversation.link.on_stray is not None
    assert isinstance(conversation.link.routes[0], ChannelRoute)
    taker.close()
    assert alice.endpoint._checks == {}
    assert conversation.link.on_stray is None
    taker.close()
    assert bob.all(Hangup) == []


@scenario
async def test_opened_for_nobody_is_no_error(world: World) -> None:
    _, bob, conversation = await odd_peer(world)
    for _ in range(3):
        conversation.say(peer.Opened())
    conversation.say(named("20.5.0.1:5000", kind="srflx"))
    conversation.say(peer.Opened())
    await asyncio.sleep(1)
    assert bob.all(Hangup) == []


@scenario
async def test_a_peer_that_claims_our_own_public_address_gains_nothing(
    world: World,
) -> None:
    """Who is behind our NAT may name private addresses; the peer's word is no proof."""
    _, bob, conversation = await odd_peer(world)
    assert bob.nat is not None
    everywhere: list[Packet] = []
    world.net.on_packet(everywhere.append)
    victims = ("10.99.0.7:6379", "172.16.5.5:8080")
    ours = named(f"{bob.nat.external}:5000", kind="srflx")
    others = named(*victims)
    both = msgspec.structs.replace(ours, list=[*ours.list, *others.list])
    conversation.say(both)
    await asyncio.sleep(6)
    assert not {str(p.to) for p in everywhere} & set(victims)
