import asyncio
from collections.abc import Callable, Iterator

import pytest
from aioquic import tls
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.fakenet import FULL_CONE, MASQUERADE, Packet
from tests.support.house import (
    House,
    Machine,
    Mailbox,
    house_of,
    link_pair,
    meet,
    state_of,
    turns,
)
from tests.support.rogue import Puppet, Rogue, papers_of
from wzp_cli.address import Address
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.endpoint import HANDSHAKE_TIMEOUT_S, STUN_TRIES_S
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.links.admission import Strangers
from wzp_cli.endpoint.links.link import Link
from wzp_cli.endpoint.links.tls import PEER_ALPN
from wzp_cli.endpoint.stun import message as stun
from wzp_cli.errors import ConnectionLost
from wzp_cli.protocol.demux import encode_frame
from wzp_cli.protocol.messages import relay as relay_says
from wzp_cli.protocol.messages.signal import encode
from wzp_cli.protocol.names.identity import Keypair
from wzp_cli.protocol.traversal.route import ChannelRoute, DirectRoute, Route
from wzp_cli.relay.server import RelaySettings, run_relay

FRAME_S = 0.020


# --- one port for everything


def test_one_port_dials_accepts_reflects_and_carries_at_once() -> None:
    async def scenario(house: House) -> None:
        alice, bob, relay, stun_server = (house.machine() for _ in range(4))
        bob.endpoint.accept_peers(Strangers.PROVEN)
        alice.endpoint.accept_peers(Strangers.PROVEN)
        stun_server.endpoint.answer_binding = lambda request, source: True
        relay.endpoint.accept_relay_clients()
        there, back = house.channel(relay, alice, bob)
        alice.endpoint.open_channel(there, admits=False)
        bob.endpoint.open_channel(back, admits=True)
        async with task_group() as group:
            reflecting = group.create_task(alice.endpoint.reflect(stun_server.address))
            registering = group.create_task(
                alice.endpoint.dial_relay(relay.address, relay.endpoint.identity)
            )
            accepting = group.create_task(relay.endpoint.accept())
            out = group.create_task(link_pair(alice, bob))
            back_in = group.create_task(link_pair(bob, alice))
        relayed, at_bob = await link_pair(alice, bob, there)
        assert reflecting.result().reflexive == alice.address
        assert accepting.result().address == alice.address
        links = [*out.result(), *back_in.result(), relayed, at_bob]
        assert all(link.complete and not link.ended for link in links)
        assert not registering.result().ended
        assert relayed.routes == (there,)
        assert at_bob.routes == (back,)
        assert {packet.source for packet in house.packets} == {
            machine.address for machine in (alice, bob, relay, stun_server)
        }

    house_of(scenario)


def test_closing_ends_every_link_and_tells_the_other_side() -> None:
    async def scenario(house: House) -> None:
        alice, _, here, there = await meet(house)
        alice.endpoint.close()
        alice.endpoint.close()
        await turns()
        assert here.ended
        assert there.end_reason == "shutting down"

    house_of(scenario)


# --- routes


class Talk:
    """Both ends send numbered DATAGRAMs, 50 a second, and keep what comes."""

    def __init__(self, one: Link, other: Link) -> None:
        self.sent = 0
        self.heard: dict[Link, list[int]] = {one: [], other: []}
        for link, heard in self.heard.items():
            link.receive_datagrams(
                lambda data, heard=heard: heard.append(  # type: ignore[misc]
                    int.from_bytes(data[:4], "big")
                )
            )

    async def say(self, count: int) -> None:
        for _ in range(count):
            for link in self.heard:
                link.send_datagram(self.sent.to_bytes(4, "big") + bytes(96))
            self.sent += 1
            await asyncio.sleep(FRAME_S)

    def check(self) -> None:
        """Everything came, and came once."""
        for heard in self.heard.values():
            assert sorted(heard) == list(range(self.sent))


async def relayed(house: House) -> tuple[Machine, Machine, Machine, Link, Link]:
    """Return alice, bob, their relay, and both ends of a link through it."""
    alice, bob, relay = (house.machine() for _ in range(3))
    bob.endpoint.accept_peers(Strangers.REFUSED)
    there, back = house.channel(relay, alice, bob)
    alice.endpoint.open_channel(there, admits=False)
    bob.endpoint.open_channel(back, admits=True)
    here, yonder = await link_pair(alice, bob, there)
    return alice, bob, relay, here, yonder


def test_a_link_moves_from_channel_to_direct_and_back_and_nothing_is_lost() -> None:
    async def scenario(house: House) -> None:
        house.net.delay_s, house.net.jitter_s = 0.040, 0.030
        alice, bob, relay, here, there = await relayed(house)
        by_relay, back_by_relay = here.routes, there.routes
        talk = Talk(here, there)
        await talk.say(50)
        for _ in range(3):
            here.use_routes((bob.route,))
            await talk.say(25)
            there.use_routes((alice.route,))
            await talk.say(25)
            house.packets.clear()
            await talk.say(25)
            assert not house.sent(relay.address)[20:]  # stragglers alone
            here.use_routes(by_relay)
            there.use_routes(back_by_relay)
            await talk.say(25)
        await asyncio.sleep(1)
        talk.check()
        assert here.dropped_datagrams == there.dropped_datagrams == 0

    house_of(scenario)


def test_what_is_sent_on_both_routes_is_received_once() -> None:
    async def scenario(house: House) -> None:
        house.net.delay_s = 0.005
        alice, bob, relay, here, there = await relayed(house)
        here.use_routes((*here.routes, bob.route))
        there.use_routes((alice.route, *there.routes))
        talk = Talk(here, there)
        await talk.say(50)
        house.net.cut(alice.address.host, bob.address.host)
        await talk.say(50)
        house.net.cut(alice.address.host, relay.address.host)
        house.net.mend(alice.address.host, bob.address.host)
        await talk.say(50)
        await asyncio.sleep(1)
        talk.check()

    house_of(scenario)


def test_a_direct_link_that_is_incomplete_listens_to_its_first_route_alone() -> None:
    async def scenario(house: House) -> None:
        bob, home, elsewhere = house.machine(), house.mailbox(), house.mailbox()
        bob.endpoint.accept_peers(Strangers.PROVEN)
        rogue = Rogue(PEER_ALPN, papers_of(Keypair.generate().private_key))
        puppet = Puppet(home.wire, rogue)
        flights: list[bytes] = []
        send = home.wire.send

        def hold_back(datagram: bytes, to: Address, **how: object) -> None:
            if puppet.core._cryptos[tls.Epoch.HANDSHAKE].send.is_valid():
                flights.append(datagram)
            else:
                send(datagram, to)

        home.wire.send = hold_back  # type: ignore[method-assign]
        puppet.connect(bob.address)
        await turns(30)
        (link,) = bob.endpoint.links
        assert not link.complete
        flights = flights[:2]
        assert flights
        house.packets.clear()
        for flight in flights:
            elsewhere.send(flight, bob.address)
        await turns()
        assert not link.complete
        assert not house.sent(bob.address, elsewhere.address)
        for flight in flights:  # the same from home is right
            send(flight, bob.address)
        await turns()
        assert link.complete
        puppet.stop()

    house_of(scenario)


@pytest.mark.parametrize("by_relay", [False, True])
def test_a_packet_from_elsewhere_draws_nothing_there(by_relay: bool) -> None:
    async def scenario(house: House) -> None:
        house.net.delay_s = 0.020
        if by_relay:
            alice, bob, _, here, there = await relayed(house)
        else:
            alice, bob, here, there = await meet(house)
        strays: list[Route] = []
        there.on_stray = strays.append
        thief = house.mailbox()
        talk = Talk(here, there)
        house.packets.clear()
        await talk.say(10)
        copies = [
            packet.datagram[9 * by_relay :]
            for packet in house.packets
            if packet.source == alice.address
        ]
        await asyncio.sleep(0.1)
        for copy in copies * 10:  # what has come already is nobody's sign of life
            thief.send(copy, bob.address)
        await talk.say(10)
        assert strays == []

        # One that overtakes the original is; still nothing but checks may follow.
        house.packets.clear()
        here.send_datagram(talk.sent.to_bytes(4, "big") + bytes(96))
        there.send_datagram(talk.sent.to_bytes(4, "big") + bytes(96))
        talk.sent += 1
        (copy,) = house.sent(alice.address)
        house.net.delay(thief.address.host, bob.address.host, 0.001)
        for _ in range(10):
            thief.send(copy[9 * by_relay :], bob.address)
        await talk.say(100)
        await asyncio.sleep(1)
        assert strays == [DirectRoute(thief.address)]
        assert thief.got == []
        talk.check()

    house_of(scenario)


def test_a_preferred_address_is_no_route() -> None:
    """tests/endpoint/links/test_quic.py makes one; here is why it would not matter."""

    async def scenario(house: House) -> None:
        alice, bob, here, _ = await meet(house)
        here._quic._network_paths[0].addr = ("192.168.1.1", 53)
        here.send_datagram(b"sound")
        assert house.packets[-1].to == bob.address
        assert alice.endpoint.links == {here}

    house_of(scenario)


def test_a_peer_behind_a_nat_is_followed_by_nobody_but_its_checks() -> None:
    async def scenario(house: House) -> None:
        bob = house.machine()
        bob.endpoint.accept_peers(Strangers.PROVEN)
        home = house.net.nat("20.0.1.1", MASQUERADE)
        host = house.net.host("192.168.1.2", nat=home)
        wire = host.wire(5000)
        keypair = Keypair.generate()
        alice = Machine(
            host, wire, Address("20.0.1.1", 5000), keypair, Endpoint(wire, keypair)
        )
        house.machines.append(alice)
        here, there = await link_pair(alice, bob)
        strays: list[Route] = []
        there.on_stray = strays.append
        home.rebind("20.0.1.2")
        house.packets.clear()
        talk = Talk(here, there)
        await talk.say(5)
        moved = DirectRoute(Address("20.0.1.2", 5000))
        assert set(strays) == {moved}
        assert not house.sent(bob.address, moved.address)
        there.use_routes((moved,))
        await talk.say(5)
        assert len(talk.heard[here]) == 5
        assert len(talk.heard[there]) == 10

    house_of(scenario)


# --- channels


def test_an_announced_channel_admits_one_link() -> None:
    async def scenario(house: House) -> None:
        alice, bob, _, _, there = await relayed(house)
        assert not there.ended
        (channel,) = bob.endpoint._channels.values()
        assert not channel.admits
        (route,) = [c.route for c in alice.endpoint._channels.values()]
        with pytest.raises(ConnectionLost, match="no answer"):
            await alice.endpoint.dial_peer(route, None)
        assert bob.endpoint.links == {there}

    house_of(scenario)


def test_a_closed_channel_carries_nothing() -> None:
    async def scenario(house: House) -> None:
        alice, bob, _, here, there = await relayed(house)
        (route,) = there.routes
        assert isinstance(route, ChannelRoute)
        assert await here.ping(1)
        bob.endpoint.close_channel(route)
        bob.endpoint.close_channel(route)
        assert not await here.ping(1)
        assert alice.endpoint.links == {here}

    house_of(scenario)


def test_frames_from_elsewhere_and_frames_in_frames_are_dropped() -> None:
    async def scenario(house: House) -> None:
        alice, bob, relay, here, there = await relayed(house)
        (route,) = there.routes
        assert isinstance(route, ChannelRoute)
        heard: list[bytes] = []
        there.receive_datagrams(heard.append)
        house.net.cut(alice.address.host, relay.address.host)
        here.send_datagram(b"sound")
        (frame,) = house.sent(alice.address)[-1:]
        thief = house.mailbox()
        thief.send(frame, bob.address)
        # From the relay itself, but wrapped once more, or in an unknown channel.
        nested = encode_frame(route.receive_id, frame)
        for bad in (nested, nested[:9] + nested, b"\x08" + bytes(8) + frame[9:]):
            relay.wire.send(bad, bob.address)
        for size in range(9):
            relay.wire.send(frame[:size], bob.address)
        await turns()
        assert heard == []
        relay.wire.send(frame, bob.address)
        await turns()
        assert heard == [b"sound"]

    house_of(scenario)


# --- STUN


def test_a_reflection() -> None:
    async def scenario(house: House) -> None:
        house.net.delay_s = 0.030
        server = house.machine()
        server.endpoint.answer_binding = lambda request, source: True
        home = house.net.nat("20.0.1.1", FULL_CONE)
        host = house.net.host("192.168.1.2", nat=home)
        wire = host.wire(5000)
        endpoint = Endpoint(wire, Keypair.generate())
        reflection = await endpoint.reflect(server.address)
        assert reflection.server == server.address
        assert reflection.reflexive == Address("20.0.1.1", 5000)
        assert reflection.rtt_s == pytest.approx(0.060, abs=0.001)
        assert not len(endpoint._transactions)
        endpoint.close()

    house_of(scenario)


def test_a_silent_server_is_asked_again_and_then_given_up() -> None:
    async def scenario(house: House) -> None:
        alice, silent = house.machine(), house.mailbox()
        with pytest.raises(TimeoutError, match="no STUN answer"):
            await alice.endpoint.reflect(silent.address)
        assert len(silent.got) == len(STUN_TRIES_S)
        ids = {stun.decode(datagram).transaction_id for datagram, _ in silent.got}
        assert len(ids) == len(silent.got), "an answer tells how long it took"
        assert not len(alice.endpoint._transactions)

    house_of(scenario)


def test_an_answer_counts_only_from_where_it_was_asked() -> None:
    async def scenario(house: House) -> None:
        alice, server, thief = house.machine(), house.mailbox(), house.mailbox()
        other_port = Mailbox(server.wire._host.wire(99), server.address)
        forged = Address("6.6.6.6", 66)
        async with task_group() as group:
            asking = group.create_task(alice.endpoint.reflect(server.address))
            await turns()
            ((request, _),) = server.got
            transaction_id = request[8:20]
            for liar in (thief, other_port):
                liar.send(stun.encode_response(transaction_id, forged), alice.address)
            await turns()
            assert not asking.done()
            for nonsense in (
                stun.encode_response(stun.new_transaction_id(), forged),
                request,  # our own, reflected
                stun.encode_response(transaction_id, alice.address)[:20],
            ):
                server.send(nonsense, alice.address)
            await turns()
            assert not asking.done()
            right = stun.encode_response(transaction_id, alice.address)
            for _ in range(3):
                server.send(right, alice.address)
        assert asking.result().reflexive == alice.address

    house_of(scenario)


def test_an_answer_through_a_channel_is_none() -> None:
    async def scenario(house: House) -> None:
        alice, _, relay, here, _ = await relayed(house)
        (route,) = here.routes
        assert isinstance(route, ChannelRoute)
        async with task_group() as group:
            asking = group.create_task(alice.endpoint.reflect(relay.address))
            await turns()
            request = house.sent(alice.address, relay.address)[-1]
            forged = stun.encode_response(request[8:20], Address("6.6.6.6", 66))
            relay.wire.send(encode_frame(route.receive_id, forged), alice.address)
            await turns()
            assert not asking.done()
            asking.cancel()

    house_of(scenario)


@pytest.mark.parametrize("listens", [False, True])
def test_a_client_answers_no_request_without_a_key(listens: bool) -> None:
    async def scenario(house: House) -> None:
        bob, stranger = house.machine(), house.mailbox()
        if listens:
            bob.endpoint.accept_peers(Strangers.PROVEN)
        session = bob.endpoint.open_checks()
        ids = [stun.new_transaction_id() for _ in range(4)]
        for request in (
            stun.encode_request(ids[0]),
            stun.encode_request(ids[0]) + bytes(100),
            stun.encode_check(ids[1], "nobody:me", "guess", nominates=False),
            stun.encode_check(
                ids[2], f"{session.local.ufrag}:me", "guess", nominates=True
            ),
            stun.encode_check(ids[3], session.local.ufrag, "", nominates=True),
        ):
            stranger.send(request, bob.address)
        await turns()
        assert stranger.got == []
        bob.endpoint.close_checks(session)

    house_of(scenario)


def test_a_relay_answers_what_its_budget_allows() -> None:
    async def scenario(house: House) -> None:
        relay, client = house.machine(), house.mailbox()
        asked: list[tuple[bytes, Address]] = []

        def allows(request: bytes, source: Address) -> bool:
            asked.append((request, source))
            return len(asked) < 2

        relay.endpoint.answer_binding = allows
        requests = [stun.encode_request(stun.new_transaction_id()) for _ in range(3)]
        for request in requests:
            client.send(request, relay.address)
        await turns()
        assert asked == [(request, client.address) for request in requests]
        ((answer, _),) = client.got
        assert stun.decode(answer).mapped == client.address

    house_of(scenario)


# --- what anybody may send


RANDOM = st.binary(max_size=1300)
FIRST_BYTES = st.sampled_from([0, 1, 3, 8, 20, 64, 80, 128, 192, 0xC0, 0xFF, 0xD3])

Change = Callable[[bytes], bytes]


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """Draw one way to damage a datagram."""
    kind = draw(st.sampled_from(["cut", "grow", "flip", "head", "same"]))
    share = draw(st.floats(0, 1))
    new = draw(st.binary(min_size=1, max_size=12))

    def change(datagram: bytes) -> bytes:
        at = int(share * len(datagram))
        match kind:
            case "cut":
                return datagram[:at]
            case "grow":
                return datagram + new * (1 + at)
            case "flip":
                return datagram[:at] + new + datagram[at + len(new) :]
            case "head":
                return new[:6] + datagram[len(new[:6]) :]
        return datagram

    return change


class Record(list[bytes]):
    """Datagrams, told in few words where a test fails."""

    def __repr__(self) -> str:
        return f"<{len(self)} datagrams>"


@pytest.fixture(scope="module")
def record() -> Record:
    """Return the datagrams of a real handshake and call, and of STUN, each way."""
    kept = Record()

    async def scenario(house: House) -> None:
        alice, bob, _, here, there = await relayed(house)
        session, other = alice.endpoint.open_checks(), bob.endpoint.open_checks()
        session.remote, other.remote = other.local, session.local
        talk = Talk(here, there)
        here.send(b"hello")
        await talk.say(3)
        there.send(b"hello")
        session.send(bob.route, ttl=None, nominates=True)
        other.send(alice.route, ttl=3, nominates=False)
        await talk.say(3)
        bob.endpoint.accept_peers(Strangers.PROVEN)
        await link_pair(alice, bob)
        bob.endpoint.accept_relay_clients()
        registering = alice.endpoint.dial_relay(bob.address, None)
        (await registering).abort()
        await here.close("bye", b"bye")
        kept.extend(packet.datagram for packet in house.packets)
        kept.extend(d[9:] for d in list(kept) if d[:1] == b"\x08")

    house_of(scenario)
    return kept


def floods(record: Record) -> Iterator[list[bytes]]:
    yield record
    yield record[::-1]
    yield [datagram for datagram in record for _ in range(3)]
    yield [datagram[:size] for datagram in record for size in range(0, 64, 3)]
    yield [datagram + bytes(3000) for datagram in record]
    yield [bytes(65_507), b"", b"\xc0" * 65_507, b"\x40" * 1200]


TARGETS = ["idle", "listening", "dialling", "relay", "in a call"]


class Target:
    """An endpoint in one of its roles, at work on what it is there for."""

    def __init__(self, house: House, role: str) -> None:
        self.house, self.role = house, role
        self.machine = house.machine()
        self.served: asyncio.Task[None] | None = None

    @property
    def endpoint(self) -> Endpoint:
        return self.machine.endpoint

    async def start(self, group: asyncio.TaskGroup) -> None:
        match self.role:
            case "listening":
                self.endpoint.accept_peers(Strangers.PROVEN)
            case "relay":
                self.served = group.create_task(
                    run_relay(self.endpoint, (), RelaySettings(), lambda event: None)
                )
                await turns()
            case "in a call":
                self.endpoint.accept_peers(Strangers.PROVEN)
                friend = self.house.machine()
                self.friend, self.link = await link_pair(friend, self.machine)

    async def works(self) -> bool:
        """Whether it still does what it is there for."""
        friend = self.house.machine()
        match self.role:
            case "listening":
                here, there = await link_pair(friend, self.machine)
                return await here.ping(1) and await there.ping(1)
            case "relay":
                link = await friend.endpoint.dial_relay(self.machine.address, None)
                return await link.ping(1)
            case "in a call":
                return await self.link.ping(1) and await self.friend.ping(1)
        return True

    async def stop(self) -> None:
        if self.served is not None:
            self.served.cancel()


def attack(role: str, datagrams: list[bytes]) -> None:
    """Send datagrams at an endpoint; it must live, and keep its memory."""

    async def scenario(house: House) -> None:
        async with task_group() as group:
            target = Target(house, role)
            await target.start(group)
            stranger = house.mailbox()
            before = state_of(target.endpoint)
            dialling: asyncio.Task[None] | None = None
            if role == "dialling":
                route = DirectRoute(stranger.address)
                dialling = group.create_task(_refused(target.endpoint, route))
                await turns()
            for datagram in datagrams:
                stranger.send(datagram, target.machine.address)
                if role == "in a call":  # and the same as if from the friend
                    friend = house.machines[1]
                    friend.wire.send(datagram, target.machine.address)
                await asyncio.sleep(0)
            if role != "dialling":
                assert stranger.got_bytes <= 3 * sum(map(len, datagrams))
            await asyncio.sleep(HANDSHAKE_TIMEOUT_S + 1)
            if dialling is not None:
                await asyncio.wait([dialling])
            assert state_of(target.endpoint) == before
            assert await target.works()
            await target.stop()

    house_of(scenario)


async def _refused(endpoint: Endpoint, route: Route) -> None:
    with pytest.raises(ConnectionLost):
        await endpoint.dial_peer(route, None)


@pytest.mark.parametrize("role", TARGETS)
def test_a_recorded_call_replayed_at_strangers_leaves_nothing(
    role: str, record: Record
) -> None:
    for flood in floods(record):
        attack(role, flood)


NOISE = st.builds(lambda first, rest: bytes([first]) + rest, FIRST_BYTES, RANDOM)


@pytest.mark.parametrize("role", TARGETS)
@settings(
    deadline=None,
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    script=st.lists(
        st.tuples(st.integers(0, 999), changes()) | NOISE, min_size=1, max_size=40
    )
)
def test_a_damaged_call_leaves_nothing(
    role: str, record: Record, script: list[tuple[int, Change] | bytes]
) -> None:
    datagrams = [
        line if isinstance(line, bytes) else line[1](record[line[0] % len(record)])
        for line in script
    ]
    attack(role, datagrams)


@settings(deadline=None, max_examples=40)
@given(
    script=st.lists(
        st.tuples(st.sampled_from(["drop", "twice", "late", "replay"]), changes())
        | st.just(("pass", lambda datagram: datagram)),
        max_size=60,
    )
)
def test_a_meddler_in_the_middle_can_stop_a_call_and_do_nothing_else(
    script: list[tuple[str, Change]],
) -> None:
    """Each packet of a handshake and talk may be lost, damaged, doubled or late."""

    async def scenario(house: House) -> None:
        alice, bob = house.machine(), house.machine()
        bob.endpoint.accept_peers(Strangers.PROVEN)
        meddler = Meddler(house, [alice, bob], iter(script))
        try:
            async with asyncio.timeout(2 * HANDSHAKE_TIMEOUT_S):
                here, there = await link_pair(alice, bob)
        except (ConnectionLost, TimeoutError):
            meddler.rest()
        else:
            heard: list[bytes] = []
            there.receive_datagrams(heard.append)
            for number in range(30):
                with_link = not here.ended
                if with_link:
                    here.send_datagram(bytes([number]))
                    here.send(bytes([number]))
                await asyncio.sleep(FRAME_S)
            meddler.rest()
            await asyncio.sleep(1)
            assert len(set(heard)) == len(heard)
            read = b""
            while there._inbox.size:
                read += await there.read()
            assert bytes(range(len(read))) == read
            if not here.ended:
                assert len(read) == 30
        await asyncio.sleep(HANDSHAKE_TIMEOUT_S + 1)
        assert len(alice.endpoint.links) <= 1
        assert state_of(bob.endpoint)["half open"] == 0

    house_of(scenario)


class Meddler:
    """Sits where packets arrive."""

    def __init__(
        self,
        house: House,
        machines: list[Machine],
        script: Iterator[tuple[str, Change]],
    ) -> None:
        self._script: Iterator[tuple[str, Change]] = script
        self._past: list[tuple[Packet, Callable[[Packet], None]]] = []
        for machine in machines:
            receive = machine.wire.receive
            machine.wire.receive = (  # type: ignore[method-assign]
                lambda packet, receive=receive: self._meddle(  # type: ignore[misc]
                    packet, receive
                )
            )
        self._house = house

    def rest(self) -> None:
        """Let everything through from now on."""
        self._script = iter(())

    def _meddle(self, packet: Packet, receive: Callable[[Packet], None]) -> None:
        deed, change = next(self._script, ("pass", lambda datagram: datagram))
        self._past.append((packet, receive))
        damaged = Packet(change(packet.datagram), packet.source, packet.to, 1)
        match deed:
            case "pass":
                receive(packet)
            case "twice":
                receive(damaged)
                receive(packet)
                receive(packet)
            case "late":
                asyncio.get_running_loop().call_later(0.5, receive, damaged)
            case "replay":
                receive(packet)
                for old, to in self._past[-5:]:
                    to(old)
            case "drop":
                receive(damaged)


# --- a relay's clients


def test_a_client_that_breaks_the_rules_ends_nobody_elses_link() -> None:
    async def scenario(house: House) -> None:
        relay, friend = house.machine(), house.machine()
        async with task_group() as group:
            serving = group.create_task(
                run_relay(relay.endpoint, (), RelaySettings(), lambda event: None)
            )
            await turns()
            link = await friend.endpoint.dial_relay(relay.address, None)
            enter = encode(relay_says.Enter(version="1"))
            link.send(enter)
            for said in (
                bytes([0x05, 0, 9]),  # STOP_SENDING
                bytes([0x04, 0, 9, 0]),  # RESET_STREAM
                bytes([0x0B, 0, 0]),  # FIN
                bytes([0x08, 0]) + b"\xff\xff\xff\xff",
                bytes([0x08, 0]) + b"\0\0\0\2[]",
                bytes([0x08, 0]) + enter + bytes([0x05, 0, 9]),
                bytes([0x0A, 0, 0x40, len(enter)]) + enter + bytes([0x05, 0, 9]),
                bytes([0x1E]),
                bytes([0x30]) + bytes(1000),
            ):
                mailbox = house.mailbox()
                rogue = Rogue("wzp-relay/1", papers_of(Keypair.generate().private_key))
                puppet = Puppet(mailbox.wire, rogue)
                puppet.connect(relay.address)
                await turns(20)
                puppet.send(puppet.core.packet(said), relay.address)
                await turns(20)
                puppet.stop()
            assert not serving.done()
            assert await link.ping(1)
            await asyncio.sleep(60)
            assert relay.endpoint.links == {
                each for each in relay.endpoint.links if each.address == friend.address
            }
            serving.cancel()

    house_of(scenario)
