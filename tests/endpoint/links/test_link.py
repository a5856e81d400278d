import asyncio
import contextlib
import gc
import weakref
from collections.abc import Callable

import pytest
from aioquic import tls
from aioquic.buffer import Buffer
from aioquic.quic import events
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.fakenet import Packet
from tests.support.house import (
    House,
    Machine,
    house_of,
    link_pair,
    live_timers,
    meet,
    turns,
)
from tests.support.rogue import Puppet, Rogue, papers_of
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.endpoint import (
    CALL_IDLE_TIMEOUT_S,
    FAREWELL_TIMEOUT_S,
    LINK_IDLE_TIMEOUT_S,
    MAX_QUEUED_BYTES,
    MAX_UNSENT_BYTES,
    PEER_KEEPALIVE_S,
)
from wzp_cli.endpoint.links.admission import Strangers
from wzp_cli.endpoint.links.link import Link
from wzp_cli.endpoint.links.quic import WzpQuic
from wzp_cli.endpoint.links.tls import PEER_ALPN, Credentials
from wzp_cli.errors import ConnectionLost, LocalProtocolError
from wzp_cli.protocol.names.identity import Keypair
from wzp_cli.protocol.traversal.route import DirectRoute


async def rogue_guest(
    house: House, *, relay: bool = False
) -> tuple[Puppet, Link, Machine]:
    """Return a rogue that has dialled, our end of its link, and our machine."""
    bob, mailbox = house.machine(), house.mailbox()
    alpn = "wzp-relay/1" if relay else PEER_ALPN
    if relay:
        bob.endpoint.accept_relay_clients()
    else:
        bob.endpoint.accept_peers(Strangers.PROVEN)
    key = Keypair.generate().private_key
    puppet = Puppet(mailbox.wire, Rogue(alpn, papers_of(key)))
    puppet.connect(bob.address)
    link = await bob.endpoint.accept()
    await turns()
    return puppet, link, bob


async def rogue_host(house: House) -> tuple[Puppet, Link, Machine]:
    """The same with a rogue that we have dialled."""
    alice, mailbox = house.machine(), house.mailbox()
    papers = papers_of(Keypair.generate().private_key)
    puppet = Puppet(
        mailbox.wire, make=lambda to: Rogue(PEER_ALPN, papers, dialled_to=to)
    )
    link = await alice.endpoint.dial_peer(DirectRoute(mailbox.address), None)
    await turns()
    return puppet, link, alice


def unstarted(house: House, *, dialled: bool = True) -> Link:
    machine = house.machine()
    credentials = Credentials(machine.keypair.private_key)
    if dialled:
        quic = WzpQuic(credentials.dialler(PEER_ALPN, 10.0), lambda key: True)
    else:
        quic = WzpQuic(
            credentials.acceptor(PEER_ALPN),
            lambda key: True,
            original_destination_connection_id=bytes(8),
        )
    return Link(quic, machine.endpoint, (machine.route,), dialled=dialled, virtual=True)


# --- talk


def test_both_ends_talk() -> None:
    async def scenario(house: House) -> None:
        alice, bob, here, there = await meet(house)
        assert (here.identity, there.identity) == (
            bob.endpoint.identity,
            alice.endpoint.identity,
        )
        here.send(b"hello")
        assert await there.read() == b"hello"
        there.send(b"hello back")
        assert await here.read() == b"hello back"
        heard: list[bytes] = []
        there.receive_datagrams(heard.append)
        here.send_datagram(b"sound")
        await turns()
        assert heard == [b"sound"]
        assert await here.ping(1.0)
        assert here.smoothed_rtt_s is not None
        assert here.dropped_datagrams == 0

    house_of(scenario)


def test_what_goes_beside_a_datagram_shares_its_packet() -> None:
    async def scenario(house: House) -> None:
        _, _, here, there = await meet(house)
        heard: list[bytes] = []
        there.receive_datagrams(heard.append)
        packets: list[Packet] = []
        house.net.on_packet(packets.append)
        here.send_datagram(b"sound", b"report")
        await turns()
        assert heard == [b"report", b"sound"]
        sent = [p for p in packets if len(p.datagram) > len(b"reportsound")]
        assert len({p.source for p in sent[:1]}) == 1
        assert sum(len(p.datagram) for p in sent if p.source == sent[0].source) < 60

    house_of(scenario)


def test_the_dialler_speaks_first() -> None:
    async def scenario(house: House) -> None:
        _, _, here, there = await meet(house)
        with pytest.raises(LocalProtocolError):
            there.send(b"me first")
        assert not there.ended
        here.send(b"hello")
        await turns()
        there.send(b"now")

    house_of(scenario)


def test_too_large_a_datagram_is_our_fault() -> None:
    async def scenario(house: House) -> None:
        _, _, here, _ = await meet(house)
        with pytest.raises(LocalProtocolError):
            here.send_datagram(bytes(1171))

    house_of(scenario)


def test_nothing_is_said_and_nobody_is_known_before_the_handshake_is_over() -> None:
    """An acceptor could: its keys are there before the dialler has proven anything."""

    async def scenario(house: House) -> None:
        bob = house.machine()
        bob.endpoint.accept_peers(Strangers.PROVEN)
        mailbox = house.mailbox()
        rogue = Rogue(PEER_ALPN, papers_of(Keypair.generate().private_key))
        rogue.tamper = (  # it never finishes the handshake
            lambda epoch, said: said if epoch is tls.Epoch.INITIAL else b""
        )
        puppet = Puppet(mailbox.wire, rogue)
        puppet.connect(bob.address)
        await turns(30)
        assert puppet.saw(events.HandshakeCompleted)  # so it could read what came
        (link,) = bob.endpoint.links
        assert link._quic._cryptos[tls.Epoch.ONE_RTT].send.is_valid()
        assert link._quic.max_datagram_payload_bytes > 0
        for say in (link.send, link.send_datagram):
            with pytest.raises(LocalProtocolError):
                say(b"who is there?")
        with pytest.raises(LocalProtocolError):
            _ = link.identity
        await link.close("bye", b"last words")
        await turns()
        assert not puppet.saw(events.StreamDataReceived)
        assert not puppet.saw(events.DatagramFrameReceived)
        puppet.stop()

    house_of(scenario)


def test_a_certificate_shown_but_not_signed_for_is_no_identity() -> None:
    async def scenario(house: House) -> None:
        bob = house.machine()
        bob.endpoint.accept_peers(Strangers.PROVEN)
        victim, mailbox = papers_of(Keypair.generate().private_key), house.mailbox()
        victim._sign = lambda data: bytes(64)
        puppet = Puppet(mailbox.wire, Rogue(PEER_ALPN, victim))
        over: list[Link] = []
        admit = bob.endpoint._accepting._on_handshake_over

        def watch(link: Link) -> None:
            over.append(link)
            admit(link)

        bob.endpoint._accepting._on_handshake_over = watch  # type: ignore[method-assign]
        puppet.connect(bob.address)
        await turns(30)
        assert over[0].ended
        assert over[0]._quic.peer_key is not None
        with pytest.raises(LocalProtocolError):
            _ = over[0].identity
        puppet.stop()

    house_of(scenario)


# --- ends


def test_last_words_arrive() -> None:
    async def scenario(house: House) -> None:
        _, _, here, there = await meet(house)
        await here.close("bye", b"last words")
        await there.wait_ended()
        assert await there.read() == b"last words"
        assert await there.read() == b""
        assert await there.read() == b""
        assert (here.end_reason, there.end_reason) == ("bye", "bye")

    house_of(scenario)


def test_last_words_arrive_although_packets_are_lost() -> None:
    async def scenario(house: House) -> None:
        _, _, here, there = await meet(house)
        house.net.loss = 0.3
        words = bytes(5000)
        await here.close("bye", words)
        heard = b""
        async with asyncio.timeout(20):
            while chunk := await there.read():
                heard += chunk
        assert heard == words

    house_of(scenario)


def test_closing_does_not_wait_for_the_dead() -> None:
    async def scenario(house: House) -> None:
        alice, bob, here, _ = await meet(house)
        house.net.cut(alice.address.host, bob.address.host)
        began = alice.endpoint.now()
        await here.close("bye", b"last words")
        took_s = alice.endpoint.now() - began
        assert took_s == pytest.approx(FAREWELL_TIMEOUT_S, abs=0.01)
        assert here.ended

    house_of(scenario)


def test_two_closes() -> None:
    async def scenario(house: House) -> None:
        _, _, here, there = await meet(house)
        async with task_group() as group:
            group.create_task(here.close("one", b"a"))
            group.create_task(here.close("two", b"b"))
        await here.close("three", b"c")
        here.abort("four")
        assert here.ended
        assert here.end_reason in ("one", "two")
        await turns()
        assert there.ended
        heard = b""
        while chunk := await there.read():
            heard += chunk
        assert heard == b"ab"

    house_of(scenario)


def test_both_close_at_once() -> None:
    async def scenario(house: House) -> None:
        _, _, here, there = await meet(house)
        here.send(b"x")
        await turns()
        async with task_group() as group:
            group.create_task(here.close("bye", b"a"))
            group.create_task(there.close("bye", b"b"))
        assert here.ended
        assert there.ended

    house_of(scenario)


def test_a_cancelled_close_closes() -> None:
    async def scenario(house: House) -> None:
        alice, bob, here, _ = await meet(house)
        house.net.cut(alice.address.host, bob.address.host)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await here.close("bye")
        assert here.ended

    house_of(scenario)


def test_nothing_works_after_the_end() -> None:
    async def scenario(house: House) -> None:
        _, _, here, _ = await meet(house)
        here.abort("over")
        for say in (here.send, here.send_datagram):
            with pytest.raises(ConnectionLost, match="over"):
                say(b"x")
        assert not await here.ping(5.0)
        assert await here.read() == b""
        await here.close("again", b"words")
        here.flush()
        here.use_routes(())

    house_of(scenario)


def test_the_end_is_known_as_soon_as_it_is_said() -> None:
    async def scenario(house: House) -> None:
        alice, _, here, there = await meet(house)
        before = alice.endpoint.now()
        there.abort("I leave", 7)
        await here.wait_ended()
        assert alice.endpoint.now() - before < 0.01
        assert here.end_reason == "I leave"
        assert isinstance(here.failure(), ConnectionLost)

    house_of(scenario)


@pytest.mark.parametrize("dialled", [True, False])
def test_abort_before_start(dialled: bool) -> None:
    async def scenario(house: House) -> None:
        link = unstarted(house, dialled=dialled)
        link.flush()
        link.abort("changed my mind")
        assert link.ended
        assert not house.packets
        with pytest.raises(ConnectionLost, match="changed my mind"):
            await link.established()

    house_of(scenario)


def test_a_very_long_reason_is_cut() -> None:
    async def scenario(house: House) -> None:
        _, _, here, there = await meet(house)
        here.abort("\N{GRINNING FACE}" * 4000)
        await turns()
        assert there.end_reason == "\N{GRINNING FACE}" * 200

    house_of(scenario)


def test_a_peer_that_never_acknowledges_does_not_fill_our_memory() -> None:
    async def scenario(house: House) -> None:
        alice, bob, here, _ = await meet(house)
        house.net.cut(alice.address.host, bob.address.host)
        sent = 0
        while not here.ended and sent < 4 * MAX_UNSENT_BYTES:
            here.send(bytes(1024))
            sent += 1024
        assert MAX_UNSENT_BYTES < sent <= MAX_UNSENT_BYTES + 1024
        with pytest.raises(ConnectionLost):
            here.send(b"x")

    house_of(scenario)


def test_a_ping_in_the_air_ends_with_the_link() -> None:
    async def scenario(house: House) -> None:
        alice, bob, here, _ = await meet(house)
        house.net.cut(alice.address.host, bob.address.host)
        async with task_group() as group:
            pinging = group.create_task(here.ping(100.0))
            await turns()
            here.abort("over")
        assert pinging.result() is False
        assert not here._pings

    house_of(scenario)


# --- timers


def test_a_link_that_is_over_leaves_no_timer() -> None:
    async def scenario(house: House) -> None:
        alice, bob, here, there = await meet(house)
        assert live_timers()
        here.abort("bye")
        await turns()
        assert not live_timers()
        assert not alice.endpoint.links
        assert not bob.endpoint.links
        assert not bob.endpoint._accepting._deadlines
        gone = [weakref.ref(here), weakref.ref(there)]
        # Time passes, and the heap of the loop forgets what was cancelled.
        await asyncio.sleep(PEER_KEEPALIVE_S + LINK_IDLE_TIMEOUT_S)
        del here, there
        gc.collect()
        assert [ref() for ref in gone] == [None, None]

    house_of(scenario)


def test_an_idle_link_between_peers_is_kept_alive() -> None:
    async def scenario(house: House) -> None:
        _, _, here, there = await meet(house)
        await asyncio.sleep(10 * CALL_IDLE_TIMEOUT_S)
        assert not here.ended
        assert not there.ended

    house_of(scenario)


def test_silence_ends_a_link() -> None:
    async def scenario(house: House) -> None:
        alice, bob, here, there = await meet(house)
        began = alice.endpoint.now()
        house.net.cut(alice.address.host, bob.address.host)
        await here.wait_ended()
        await there.wait_ended()
        lasted_s = alice.endpoint.now() - began
        assert CALL_IDLE_TIMEOUT_S < lasted_s < 2 * CALL_IDLE_TIMEOUT_S
        assert here.end_reason == "it fell silent"

    house_of(scenario)


# --- peers that break the rules


def frame(kind: int, *values: int) -> bytes:
    """Return a QUIC frame of small numbers."""
    return bytes([kind, *values])


CUTS = {
    "STOP_SENDING": frame(0x05, 0, 9),
    "RESET_STREAM": frame(0x04, 0, 9, 0),
    "FIN": frame(0x0B, 0, 0),
    "STOP_SENDING and FIN": frame(0x05, 0, 9) + frame(0x0B, 0, 0),
}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("role", [rogue_guest, rogue_host])
def test_cutting_off_the_signalling_stream_ends_the_link(
    cut: str, role: Callable[[House], object]
) -> None:
    """A half-dead link would raise where its user says the next thing."""

    async def scenario(house: House) -> None:
        puppet, link, machine = await role(house)  # type: ignore[misc]
        if link.dialled:
            link.send(b"hello")
            await turns()
        puppet.send(puppet.core.packet(CUTS[cut]), machine.address)
        await turns()
        assert link.ended
        with pytest.raises(ConnectionLost):
            link.send(b"x")
        assert await link.read() == b""
        puppet.stop()

    house_of(scenario)


def test_what_came_before_the_cut_is_still_read() -> None:
    async def scenario(house: House) -> None:
        puppet, link, bob = await rogue_guest(house)
        puppet.send(puppet.core.packet(frame(0x09, 0) + b"all there is"), bob.address)
        await turns()
        assert await link.read() == b"all there is"
        assert await link.read() == b""
        puppet.stop()

    house_of(scenario)


def test_a_flood_that_nobody_reads_ends_the_link() -> None:
    async def scenario(house: House) -> None:
        _, _, here, there = await meet(house)
        for _ in range(MAX_QUEUED_BYTES // 1024):
            here.send(bytes(1024))
            await turns()
        assert not there.ended
        here.send(b"x")
        await turns(20)
        assert there.ended
        assert here.ended
        assert "too much" in there.end_reason

    house_of(scenario)


def test_what_is_read_makes_room() -> None:
    async def scenario(house: House) -> None:
        _, _, here, there = await meet(house)
        for _ in range(10 * MAX_QUEUED_BYTES // 1024):
            here.send(bytes(1024))
            await turns()
            while there._inbox.size:
                await there.read()
            await asyncio.sleep(0.001)  # acknowledgements come within 25 ms
        assert not there.ended

    house_of(scenario)


def test_hundreds_of_bad_frames_in_one_packet() -> None:
    """The first of them ends the link; the others must not end it again and again."""

    async def scenario(house: House) -> None:
        puppet, link, bob = await rogue_guest(house)
        # aioquic takes packets of at most 1500 bytes.
        puppet.send(puppet.core.packet(frame(0x05, 0, 9) * 450), bob.address)
        await turns()
        assert link.end_reason == "the signalling stream was cut off"
        assert not bob.endpoint.links
        puppet.stop()

    house_of(scenario)


def test_another_stream_than_the_first_ends_the_link() -> None:
    async def scenario(house: House) -> None:
        for stream in (1, 2, 3, 4):
            puppet, link, machine = await (rogue_host if stream % 2 else rogue_guest)(
                house
            )
            packet = puppet.core.packet(frame(0x08, stream) + b"x")
            puppet.send(packet, machine.address)
            await turns()
            assert link.ended
            puppet.stop()

    house_of(scenario)


def test_the_last_connection_id_may_not_be_retired() -> None:
    """aioquic 1.7.2 takes it from an empty list; see Link.receive."""

    async def scenario(house: House) -> None:
        puppet, link, relay = await rogue_guest(house, relay=True)

        def new_connection_id(number: int) -> bytes:
            return frame(0x18, number, number, 8) + bytes([number] * 24)

        elsewhere = house.mailbox()
        puppet.send(puppet.core.packet(new_connection_id(6)), relay.address)
        probe = puppet.core.packet(frame(0x1A) + b"12345678")
        elsewhere.send(probe, relay.address)  # a path of its own takes ID 7
        puppet.send(puppet.core.packet(new_connection_id(7)), relay.address)
        await turns()
        assert link.end_reason == "no connection ID left"
        assert link.ended
        assert not relay.endpoint.links
        puppet.stop()

    house_of(scenario)


VALUES = st.sampled_from([0, 1, 2, 3, 4, 7, 8, 63, 64, 16383, 16384, 2**30, 2**62 - 1])
KINDS = [*range(0x20), 0x30, 0x31, 0x40]


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """Draw a frame that is nearly right."""
    buffer = Buffer(capacity=256)
    kind = draw(st.sampled_from(KINDS))
    buffer.push_uint_var(kind)
    if kind == 0x18:  # NEW_CONNECTION_ID
        number = draw(st.integers(0, 12))
        buffer.push_uint_var(number)
        buffer.push_uint_var(draw(st.sampled_from([0, number, number + 1])))
        buffer.push_bytes(b"\x08" + bytes([number] * 24))
    for value in draw(st.lists(VALUES, max_size=5)):
        buffer.push_uint_var(value)
    buffer.push_bytes(draw(st.binary(max_size=20)))
    return buffer.data


@pytest.mark.parametrize("role", ["guest", "host", "relay's guest"])
@settings(deadline=None, max_examples=40)
@given(
    packets=st.lists(
        st.tuples(st.lists(frames(), min_size=1, max_size=3), st.booleans()),
        min_size=1,
        max_size=12,
    )
)
def test_a_proven_peer_may_send_any_frames(
    role: str, packets: list[tuple[list[bytes], bool]]
) -> None:
    """It can end its own link, and nothing else."""

    async def scenario(house: House) -> None:
        if role == "host":
            puppet, link, machine = await rogue_host(house)
        else:
            puppet, link, machine = await rogue_guest(house, relay=role != "guest")
        elsewhere = house.mailbox()
        for said, moves in packets:
            packet = puppet.core.packet(b"".join(said))
            if moves:
                elsewhere.send(packet, machine.address)
            else:
                puppet.send(packet, machine.address)
            await turns()
            with contextlib.suppress(ConnectionLost, LocalProtocolError):
                link.send(b"x")
                link.send_datagram(b"x")
        await asyncio.sleep(1)
        assert machine.endpoint.links <= {link}
        assert len(machine.endpoint._links) <= 10
        puppet.stop()

    house_of(scenario)


# --- relay links


def test_a_relay_link_follows_its_client_once_the_new_address_is_proven() -> None:
    async def scenario(house: House) -> None:
        relay, client = house.machine(), house.machine()
        relay.endpoint.accept_relay_clients()
        here = await client.endpoint.dial_relay(relay.address, None)
        there = await relay.endpoint.accept()
        assert there.address == client.address
        assert there.own_host == relay.address.host
        moves: list[object] = []
        there.on_address = moves.append

        # A copied packet from elsewhere moves nothing: nobody there answers.
        thief = house.mailbox()
        here.send(b"hello")
        copied = house.packets[-1].datagram
        house.packets.clear()
        thief.send(copied, relay.address)
        await asyncio.sleep(3)
        assert moves == []
        assert there.address == client.address
        drawn = sum(map(len, house.sent(relay.address, thief.address)))
        assert drawn <= 3 * len(copied)

        # A client that really has moved is followed.
        client.host.detach(client.address.host)
        client.host.attach("20.9.9.9")
        assert await here.ping(5.0)
        await turns(20)
        assert moves == [there.address] != [client.address]
        assert there.address is not None
        assert there.address.host == "20.9.9.9"

    house_of(scenario)


def test_a_relay_answers_a_stranger_at_most_three_times_what_came() -> None:
    async def scenario(house: House) -> None:
        relay, victim = house.machine(), house.mailbox()
        relay.endpoint.accept_relay_clients()
        rogue = Rogue("wzp-relay/1", papers_of(Keypair.generate().private_key))
        rogue.connect(relay.address, 0.0)
        ((initial, _),) = rogue.datagrams_to_send(0.0)
        victim.send(initial, relay.address)  # whose address may be forged
        await asyncio.sleep(60)
        assert 0 < victim.got_bytes <= 3 * len(initial)
        assert not relay.endpoint.links

    house_of(scenario)


# --- what is seen on the way


def test_a_keep_alive_is_one_small_packet_and_its_answer() -> None:
    async def scenario(house: House) -> None:
        alice, bob, _, _ = await meet(house)
        await asyncio.sleep(2.5 * PEER_KEEPALIVE_S)
        house.packets.clear()
        await asyncio.sleep(10 * PEER_KEEPALIVE_S)
        packets: list[Packet] = house.packets
        assert 20 <= len(packets) <= 40
        assert max(len(packet.datagram) for packet in packets) < 60
        assert house.sent(alice.address)
        assert house.sent(bob.address)

    house_of(scenario)


def test_link_pair_raises_what_the_dialler_gets() -> None:
    async def scenario(house: House) -> None:
        alice, bob = house.machine(), house.machine()  # bob does not listen
        with pytest.raises(ConnectionLost, match="no answer in 5 s"):
            await link_pair(alice, bob)
        assert not alice.endpoint.links

    house_of(scenario)
