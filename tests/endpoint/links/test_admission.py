import asyncio
import collections
import os
from collections.abc import Callable
from typing import Any

import pytest
from aioquic.buffer import Buffer
from aioquic.quic.packet import QuicPacketType, pull_quic_header
from aioquic.quic.retry import TOKEN_LIFETIME

from tests.support.house import House, Machine, Mailbox, house_of, link_pair, turns
from tests.support.rogue import Puppet, Rogue, papers_of
from wzp_cli.defaults.endpoint import (
    CONNECTION_ID_BYTES,
    HANDSHAKE_TIMEOUT_S,
    MAX_HALF_OPEN_CHANNELS,
    MAX_HALF_OPEN_DATAGRAMS,
    MAX_HALF_OPEN_STRANGERS,
    RETRIES_PER_S,
)
from wzp_cli.defaults.relay import RELAY_MAX_HALF_OPEN, RELAY_MAX_HALF_OPEN_PER_SOURCE
from wzp_cli.endpoint.links.admission import Strangers
from wzp_cli.endpoint.links.quic import WzpQuic
from wzp_cli.endpoint.links.tls import PEER_ALPN, RELAY_ALPN
from wzp_cli.protocol.demux import encode_frame
from wzp_cli.protocol.names.identity import Keypair
from wzp_cli.protocol.traversal.route import ChannelRoute


def initial(alpn: str = PEER_ALPN) -> bytes:
    """Return a first datagram as an honest dialler sends it."""
    rogue = Rogue(alpn, papers_of(Keypair.generate().private_key))
    rogue.connect(("192.0.2.1", 1), 0.0)
    ((datagram, _),) = rogue.datagrams_to_send(0.0)
    return datagram


def kind_of(datagram: bytes) -> QuicPacketType:
    return pull_quic_header(Buffer(data=datagram), CONNECTION_ID_BYTES).packet_type


def half_open(machine: Machine) -> tuple[int, int]:
    """Return how many handshakes are under way: strangers', and through channels."""
    admission = machine.endpoint._accepting.admission
    strangers, channels = admission._half_open_strangers, admission._half_open_channels
    return len(strangers), len(channels)


async def stall(house: House, bob: Machine, count: int) -> list[Puppet]:
    """Let strangers prove their addresses and then say no more."""
    puppets = []
    for _ in range(count):
        mailbox = house.mailbox()
        rogue = Rogue(PEER_ALPN, papers_of(Keypair.generate().private_key))
        puppet = Puppet(mailbox.wire, rogue)
        puppet.connect(bob.address)
        await turns(2)  # their Initial, our Retry
        puppet.stop()
        mailbox.wire.start(lambda datagram, source, own: None)
        puppets.append(puppet)
    await turns()
    return puppets


# --- strangers


def test_strangers_are_always_sent_a_retry_first() -> None:
    async def scenario(house: House) -> None:
        bob, stranger = house.machine(), house.mailbox()
        bob.endpoint.accept_peers(Strangers.PROVEN)
        for number in range(5):
            stranger.send(initial(), bob.address)
            await turns()
            assert len(stranger.got) == number + 1
            datagram = stranger.got[-1][0]
            assert kind_of(datagram) is QuicPacketType.RETRY
            assert len(datagram) < 200
        assert not bob.endpoint.links
        assert half_open(bob) == (0, 0)
        assert bob.endpoint.identity.key not in datagram

    house_of(scenario)


@pytest.mark.parametrize("state", ["not listening", "refusing strangers"])
def test_who_does_not_listen_is_silent(state: str) -> None:
    async def scenario(house: House) -> None:
        bob, stranger = house.machine(), house.mailbox()
        if state == "refusing strangers":
            bob.endpoint.accept_peers(Strangers.REFUSED)
        stranger.send(initial(), bob.address)
        await turns()
        assert stranger.got == []
        assert not bob.endpoint.links

    house_of(scenario)


def _of_version(version: bytes) -> bytes:
    datagram = initial()
    return datagram[:1] + version + datagram[5:]


def _with_dcid(dcid: bytes) -> bytes:
    datagram = initial()
    return (
        datagram[:5] + bytes([len(dcid)]) + dcid + datagram[6 + datagram[5] :]
    ).ljust(1200, b"\0")


NONSENSE: dict[str, Callable[[], bytes]] = {
    "unsupported version": lambda: _of_version(b"\x0a\x0a\x0a\x0a"),
    "version negotiation": lambda: _of_version(bytes(4)),
    "short Initial": lambda: initial()[:1199],
    "half an Initial": lambda: initial()[:600],
    "no connection ID": lambda: _with_dcid(b""),
    "short connection ID": lambda: _with_dcid(b"1234567"),
    "long connection ID": lambda: _with_dcid(bytes(21)),
    "very long connection ID": lambda: _with_dcid(bytes(255)),
    "Handshake packet": lambda: bytes([initial()[0] | 0x20]) + initial()[1:],
    "short header": lambda: b"\x40" + os.urandom(1199),
    "random": lambda: os.urandom(1200),
    "random long header": lambda: b"\xc0" + os.urandom(1199),
    "zeros": lambda: bytes(1200),
    "nothing": lambda: b"",
    "somebody's token": lambda: _with_token(os.urandom(80)),
    "short token": lambda: _with_token(b"x"),
}


def _with_token(token: bytes) -> bytes:
    rogue = Rogue(PEER_ALPN, papers_of(Keypair.generate().private_key))
    rogue._peer_token = token
    rogue.connect(("192.0.2.1", 1), 0.0)
    return rogue.datagrams_to_send(0.0)[0][0]


@pytest.mark.parametrize("name", NONSENSE)
@pytest.mark.parametrize("role", ["peer", "relay"])
def test_nonsense_draws_no_reply_and_leaves_no_state(name: str, role: str) -> None:
    async def scenario(house: House) -> None:
        bob, stranger = house.machine(), house.mailbox()
        if role == "peer":
            bob.endpoint.accept_peers(Strangers.PROVEN)
        else:
            bob.endpoint.accept_relay_clients()
        for _ in range(3):
            stranger.send(NONSENSE[name](), bob.address)
        await turns()
        assert stranger.got == []
        assert not bob.endpoint.links
        assert half_open(bob) == (0, 0)

    house_of(scenario)


def test_retries_have_a_rate() -> None:
    async def scenario(house: House) -> None:
        bob, stranger = house.machine(), house.mailbox()
        bob.endpoint.accept_peers(Strangers.PROVEN)
        datagram = initial()
        for _ in range(int(3 * RETRIES_PER_S)):
            stranger.send(datagram, bob.address)
        await turns()
        burst = len(stranger.got)
        assert RETRIES_PER_S <= burst < 1.1 * RETRIES_PER_S
        await asyncio.sleep(0.1)
        for _ in range(int(3 * RETRIES_PER_S)):
            stranger.send(datagram, bob.address)
        await turns()
        assert len(stranger.got) - burst == pytest.approx(RETRIES_PER_S / 10, abs=2)

    house_of(scenario)


def redeemed(retry: bytes, rogue: Rogue, at: float) -> bytes:
    """Return the second Initial, with the token of a Retry."""
    rogue.receive_datagram(retry, ("192.0.2.1", 1), at)
    (datagram, _), *_ = rogue.datagrams_to_send(at)
    return datagram


def test_a_token_is_good_for_one_address_and_not_for_long() -> None:
    async def scenario(house: House) -> None:
        bob, honest, thief = house.machine(), house.mailbox(), house.mailbox()
        bob.endpoint.accept_peers(Strangers.PROVEN)

        async def asked_by(mailbox: Mailbox) -> bytes:
            rogue = Rogue(PEER_ALPN, papers_of(Keypair.generate().private_key))
            rogue.connect(("192.0.2.1", 1), 0.0)
            mailbox.send(rogue.datagrams_to_send(0.0)[0][0], bob.address)
            await turns()
            return redeemed(mailbox.got[-1][0], rogue, 0.0)

        second = await asked_by(honest)
        thief.send(second, bob.address)
        honest.send(second[:7] + b"otherid" + second[14:], bob.address)
        await turns()
        assert half_open(bob) == (0, 0)
        assert thief.got == []

        honest.send(second, bob.address)
        await turns()
        assert half_open(bob) == (1, 0)
        await asyncio.sleep(HANDSHAKE_TIMEOUT_S + 1)

        late = await asked_by(honest)
        await asyncio.sleep(TOKEN_LIFETIME + 1)
        honest.got.clear()
        honest.send(late, bob.address)
        await turns()
        assert half_open(bob) == (0, 0)
        assert honest.got == []

    house_of(scenario)


# --- half-open handshakes


async def dialled_within(alice: Machine, bob: Machine, timeout_s: float) -> None:
    async with asyncio.timeout(timeout_s):
        await alice.endpoint.dial_peer(bob.route, None)


def test_a_handshake_expires() -> None:
    async def scenario(house: House) -> None:
        bob = house.machine()
        bob.endpoint.accept_peers(Strangers.PROVEN)
        (puppet,) = await stall(house, bob, 1)
        assert half_open(bob) == (1, 0)
        began = bob.endpoint.now()
        (link,) = bob.endpoint.links
        await link.wait_ended()
        took_s = bob.endpoint.now() - began
        assert took_s == pytest.approx(HANDSHAKE_TIMEOUT_S, abs=0.01)
        assert link.end_reason == "handshake took too long"
        assert half_open(bob) == (0, 0)
        assert not bob.endpoint.links
        puppet.stop()

    house_of(scenario)


def test_a_handshake_that_fails_makes_room_at_once() -> None:
    async def scenario(house: House) -> None:
        bob = house.machine()
        bob.endpoint.accept_peers(Strangers.PROVEN)
        for _ in range(3):
            mailbox = house.mailbox()
            puppet = Puppet(mailbox.wire, Rogue(PEER_ALPN))  # without a certificate
            puppet.connect(bob.address)
            await turns(20)
            assert half_open(bob) == (0, 0)
            assert not bob.endpoint.links
            puppet.stop()

    house_of(scenario)


def test_copies_of_a_packet_are_not_read_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each would cost its decryption. Who is in may send as much as it likes."""
    read: collections.Counter[WzpQuic] = collections.Counter()
    receive = WzpQuic.receive_datagram

    def counted(quic: WzpQuic, datagram: bytes, source: Any, now: float) -> None:
        read[quic] += 1
        receive(quic, datagram, source, now)

    monkeypatch.setattr(WzpQuic, "receive_datagram", counted)

    async def scenario(house: House) -> None:
        relay, stranger = house.machine(), house.mailbox()
        relay.endpoint.accept_relay_clients()
        first = initial(RELAY_ALPN)
        for _ in range(MAX_HALF_OPEN_DATAGRAMS + 20):
            stranger.send(first, relay.address)
        await turns()
        (link,) = relay.endpoint.links
        assert read[link._quic] == MAX_HALF_OPEN_DATAGRAMS
        client = house.machine()
        honest = await client.endpoint.dial_relay(relay.address, None)
        for _ in range(MAX_HALF_OPEN_DATAGRAMS):
            assert await honest.ping(1)

    house_of(scenario)


def test_strangers_take_no_place_of_a_channel() -> None:
    async def scenario(house: House) -> None:
        alice, bob, relay = (house.machine() for _ in range(3))
        bob.endpoint.accept_peers(Strangers.PROVEN)
        puppets = await stall(house, bob, MAX_HALF_OPEN_STRANGERS + 5)
        assert half_open(bob) == (MAX_HALF_OPEN_STRANGERS, 0)
        with pytest.raises(TimeoutError):  # in half the time that they hold on
            await dialled_within(alice, bob, HANDSHAKE_TIMEOUT_S / 2)
        there, back = house.channel(relay, alice, bob)
        alice.endpoint.open_channel(there, admits=False)
        bob.endpoint.open_channel(back, admits=True)
        here, _ = await link_pair(alice, bob, there)
        assert half_open(bob) == (MAX_HALF_OPEN_STRANGERS, 0)
        assert await here.ping(1)
        await asyncio.sleep(HANDSHAKE_TIMEOUT_S)
        direct, _ = await link_pair(alice, bob)  # and strangers are heard again
        assert direct.complete
        for puppet in puppets:
            puppet.stop()

    house_of(scenario)


def test_channels_have_a_limit_of_their_own() -> None:
    async def scenario(house: House) -> None:
        bob, relay = house.machine(), house.mailbox()
        bob.endpoint.accept_peers(Strangers.REFUSED)
        for number in range(MAX_HALF_OPEN_CHANNELS + 5):
            route = ChannelRoute(relay.address, os.urandom(8), bytes([number] * 8))
            bob.endpoint.open_channel(route, admits=True)
            relay.send(encode_frame(route.receive_id, initial()), bob.address)
        await turns()
        assert half_open(bob) == (0, MAX_HALF_OPEN_CHANNELS)
        refused = [c for c in bob.endpoint._channels.values() if c.admits]
        assert len(refused) == 5  # these may still be dialled, once there is room
        await asyncio.sleep(HANDSHAKE_TIMEOUT_S)
        assert half_open(bob) == (0, 0)
        relay.send(encode_frame(refused[0].route.receive_id, initial()), bob.address)
        await turns()
        assert half_open(bob) == (0, 1)

    house_of(scenario)


# --- relays


def test_a_relay_asks_for_proof_once_it_is_busy() -> None:
    async def scenario(house: House) -> None:
        relay = house.machine()
        relay.endpoint.accept_relay_clients()
        answered: list[bool] = []
        half = RELAY_MAX_HALF_OPEN // 2
        for _ in range(half + 20):
            mailbox = house.mailbox()
            mailbox.send(initial(RELAY_ALPN), relay.address)
            await turns()
            kinds = {kind_of(datagram) for datagram, _ in mailbox.got}
            answered.append(QuicPacketType.RETRY not in kinds)
        assert answered == [True] * half + [False] * 20
        assert half_open(relay) == (half, 0)
        client = house.machine()  # an honest one takes the Retry, and is in
        link = await client.endpoint.dial_relay(relay.address, None)
        assert await link.ping(1)

    house_of(scenario)


def test_one_address_takes_no_more_than_its_share_of_a_relay() -> None:
    async def scenario(house: House) -> None:
        relay = house.machine()
        relay.endpoint.accept_relay_clients()
        for _ in range(RELAY_MAX_HALF_OPEN // 2):  # from now on, Retry first
            house.mailbox().send(initial(RELAY_ALPN), relay.address)
        await turns()
        host, _ = house.host()
        puppets = []
        for port in range(1000, 1000 + RELAY_MAX_HALF_OPEN_PER_SOURCE + 5):
            wire = host.wire(port)
            rogue = Rogue(RELAY_ALPN, papers_of(Keypair.generate().private_key))
            puppet = Puppet(wire, rogue)
            puppet.connect(relay.address)
            await turns(2)  # their Initial, our Retry
            puppet.stop()
            wire.start(lambda datagram, source, own: None)
            puppets.append(puppet)
        await turns()
        counts = relay.endpoint.handshakes
        taken = RELAY_MAX_HALF_OPEN // 2 + RELAY_MAX_HALF_OPEN_PER_SOURCE
        assert half_open(relay) == (taken, 0)
        assert (counts["source_limit"], counts["no_room"]) == (5, 0)
        client = house.machine()  # from elsewhere
        link = await client.endpoint.dial_relay(relay.address, None)
        assert await link.ping(1)
        await asyncio.sleep(HANDSHAKE_TIMEOUT_S)
        assert half_open(relay) == (0, 0)
        assert not relay.endpoint._accepting.admission._half_open_sources
        assert counts["failed"] == taken
        assert counts["ok"] == 1

    house_of(scenario)


def test_what_became_of_initials_is_counted() -> None:
    async def scenario(house: House) -> None:
        alice, bob = house.machine(), house.machine()
        bob.endpoint.accept_peers(Strangers.PROVEN)
        await link_pair(alice, bob)
        counts = bob.endpoint.handshakes
        assert (counts["retry"], counts["ok"], counts["failed"]) == (1, 1, 0)
        stranger = house.mailbox()
        for _ in range(int(3 * RETRIES_PER_S)):
            stranger.send(initial(), bob.address)
            await turns(1)
        assert counts["retry_limit"] >= 1.5 * RETRIES_PER_S

    house_of(scenario)
