import datetime as dt

import pytest
from aioquic import tls
from aioquic.buffer import Buffer
from aioquic.quic import events
from aioquic.quic.connection import QuicConnection
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.fakenet import Packet
from tests.support.house import House, house_of, link_pair, turns
from tests.support.rogue import (
    BAD_CERTIFICATES,
    Papers,
    Puppet,
    Rogue,
    exchange,
    papers_of,
)
from wzp_cli.defaults.endpoint import CONNECTION_ID_BYTES
from wzp_cli.endpoint.links.admission import Strangers
from wzp_cli.endpoint.links.quic import WzpQuic
from wzp_cli.endpoint.links.tls import PEER_ALPN, RELAY_ALPN, Credentials
from wzp_cli.endpoint.sockets.wire import Wire
from wzp_cli.errors import ConnectionLost, IdentityError, VersionMismatch
from wzp_cli.protocol.names.identity import Keypair, is_acceptable_key
from wzp_cli.protocol.traversal.route import DirectRoute

BAD = pytest.mark.parametrize("name", BAD_CERTIFICATES)


def acceptor_of_ours(rogue: QuicConnection) -> WzpQuic:
    return WzpQuic(
        Credentials(Keypair.generate().private_key).acceptor(PEER_ALPN),
        is_acceptable_key,
        original_destination_connection_id=rogue.original_destination_connection_id,
    )


def dialler_of_ours() -> WzpQuic:
    credentials = Credentials(Keypair.generate().private_key)
    return WzpQuic(credentials.dialler(PEER_ALPN, 10.0), is_acceptable_key)


def host_of(wire: Wire, papers: Papers | None, alpn: str = PEER_ALPN) -> Puppet:
    """Return a rogue that waits to be dialled."""
    return Puppet(
        wire, make=lambda dialled_to: Rogue(alpn, papers, dialled_to=dialled_to)
    )


# --- the certificate


def test_the_certificate_shows_the_key_and_nothing_else() -> None:
    one, other = Keypair.generate(), Keypair.generate()
    certificate = Credentials(one.private_key).certificate
    assert certificate.public_key() == one.private_key.public_key()
    assert certificate.subject == Credentials(other.private_key).certificate.subject
    assert certificate.subject == certificate.issuer
    assert list(certificate.extensions) == []
    lasting = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert lasting > dt.timedelta(days=36_000)
    der = certificate.public_bytes(Encoding.DER)
    assert Credentials(one.private_key).certificate.public_bytes(Encoding.DER) == der


# --- mutual TLS, at the cores


@BAD
def test_a_bad_dialler_is_refused_inside_the_handshake(name: str) -> None:
    rogue = Rogue(PEER_ALPN, BAD_CERTIFICATES[name]())
    ours = acceptor_of_ours(rogue)
    exchange(rogue, ours)
    assert ours.termination is not None
    assert 0x100 <= ours.termination.error_code < 0x200
    while (event := ours.next_event()) is not None:
        assert not isinstance(event, events.HandshakeCompleted)


@BAD
def test_a_bad_acceptor_is_refused_inside_the_handshake(name: str) -> None:
    ours = dialler_of_ours()
    rogue = Rogue(
        PEER_ALPN,
        BAD_CERTIFICATES[name](),
        dialled_to=ours.original_destination_connection_id,
    )
    exchange(ours, rogue)
    assert ours.termination is not None
    assert 0x100 <= ours.termination.error_code < 0x200
    while (event := ours.next_event()) is not None:
        assert not isinstance(event, events.HandshakeCompleted)
    assert not saw_a_certificate(rogue)


def saw_a_certificate(rogue: Rogue) -> bool:
    """Whether any of the dialler's Handshake messages reached the acceptor."""
    heard = rogue._crypto_streams[tls.Epoch.HANDSHAKE].receiver.highest_offset
    return rogue.tls._peer_certificate is not None or heard > 0


@pytest.mark.parametrize("dials", [True, False])
@settings(deadline=None, max_examples=60)
@given(
    epoch=st.sampled_from([tls.Epoch.INITIAL, tls.Epoch.HANDSHAKE]),
    share=st.floats(0, 1, exclude_max=True),
    cut=st.integers(0, 8),
    new=st.binary(max_size=8),
    mends=st.booleans(),
)
def test_damaged_tls_messages_end_the_handshake_and_nothing_else(
    dials: bool, epoch: tls.Epoch, share: float, cut: int, new: bytes, mends: bool
) -> None:
    """A rogue damages what it says before it encrypts it: aioquic must not raise."""

    def tamper(at: tls.Epoch, said: bytes) -> bytes:
        start = int(share * len(said))
        changed = said[:start] + new + said[start + cut :]
        if at is not epoch:
            return said
        if mends:  # the length of the first message
            changed = changed[:1] + (len(changed) - 4).to_bytes(3, "big") + changed[4:]
        return changed

    papers = papers_of(Keypair.generate().private_key)
    if dials:
        rogue = Rogue(PEER_ALPN, papers)
        ours = acceptor_of_ours(rogue)
        rogue.tamper = tamper
        exchange(rogue, ours)
    else:
        ours = dialler_of_ours()
        rogue = Rogue(
            PEER_ALPN, papers, dialled_to=ours.original_destination_connection_id
        )
        rogue.tamper = tamper
        exchange(ours, rogue)
    if ours._handshake_complete:
        assert ours.peer_key is not None


def test_the_small_order_attack_works_where_the_key_is_not_judged() -> None:
    """So the tests above refuse it for the right reason."""
    rogue = Rogue(PEER_ALPN, BAD_CERTIFICATES["small order"]())
    ours = acceptor_of_ours(rogue)
    ours._judge = lambda key: True
    exchange(rogue, ours)
    assert ours.termination is None
    assert ours._handshake_complete


def test_honest_papers_are_taken() -> None:
    """The same for the rogues themselves."""
    rogue = Rogue(PEER_ALPN, papers_of(Keypair.generate().private_key))
    ours = acceptor_of_ours(rogue)
    exchange(rogue, ours)
    assert ours._handshake_complete
    other = dialler_of_ours()
    rogue = Rogue(
        PEER_ALPN,
        papers_of(Keypair.generate().private_key),
        dialled_to=other.original_destination_connection_id,
    )
    exchange(other, rogue)
    assert other._handshake_complete
    assert saw_a_certificate(rogue)


def test_there_are_no_session_tickets_and_no_early_data() -> None:
    tickets: list[tls.SessionTicket] = []
    honest = Credentials(Keypair.generate().private_key)
    eager = QuicConnection(
        configuration=honest.dialler(PEER_ALPN, 10.0),
        session_ticket_handler=tickets.append,
    )
    ours = acceptor_of_ours(eager)
    exchange(eager, ours)
    assert ours._handshake_complete
    assert tickets == []
    assert ours.tls.new_session_ticket_cb is None
    assert ours.tls.get_session_ticket_cb is None
    assert dialler_of_ours().configuration.session_ticket is None


# --- mutual TLS, at the endpoints


@pytest.mark.parametrize("alpn", [PEER_ALPN, RELAY_ALPN])
@BAD
def test_an_endpoint_accepts_no_bad_dialler(name: str, alpn: str) -> None:
    async def scenario(house: House) -> None:
        bob = house.machine()
        if alpn == PEER_ALPN:
            bob.endpoint.accept_peers(Strangers.PROVEN)
        else:
            bob.endpoint.accept_relay_clients()
        mailbox = house.mailbox()
        puppet = Puppet(mailbox.wire, Rogue(alpn, BAD_CERTIFICATES[name]()))
        puppet.connect(bob.address)
        await turns(30)
        assert puppet.core.tls.state is tls.State.CLIENT_POST_HANDSHAKE
        assert puppet.core._close_event is not None
        assert not bob.endpoint.links
        assert bob.endpoint._accepting._accepted.empty()
        assert not puppet.saw(events.StreamDataReceived)
        assert not puppet.saw(events.DatagramFrameReceived)
        puppet.stop()

    house_of(scenario)


@BAD
def test_an_endpoint_dials_no_bad_acceptor(name: str) -> None:
    refusal = ConnectionLost if name in ("none at all", "not signed for") else None

    async def scenario(house: House) -> None:
        alice, mailbox = house.machine(), house.mailbox()
        puppet = host_of(mailbox.wire, BAD_CERTIFICATES[name]())
        with pytest.raises(refusal or IdentityError):
            await alice.endpoint.dial_peer(DirectRoute(mailbox.address), None)
        assert alice.endpoint.now() < 1
        await turns()
        assert not saw_a_certificate(puppet.core)
        puppet.stop()

    house_of(scenario)


def test_another_key_than_the_pinned_one() -> None:
    async def scenario(house: House) -> None:
        alice, mallory = house.machine(), house.machine()
        pinned = Keypair.generate().identity
        for alpn_of in ("peer", "relay"):
            if alpn_of == "peer":
                mallory.endpoint.accept_peers(Strangers.PROVEN)
                dialling = alice.endpoint.dial_peer(mallory.route, pinned)
            else:
                mallory.endpoint.accept_relay_clients()
                dialling = alice.endpoint.dial_relay(mallory.address, pinned)
            with pytest.raises(IdentityError, match="its key"):
                await dialling
            await turns()
            assert mallory.endpoint._accepting._accepted.empty()
            assert not mallory.endpoint.links
        mailbox = house.mailbox()
        puppet = host_of(mailbox.wire, papers_of(Keypair.generate().private_key))
        with pytest.raises(IdentityError):
            await alice.endpoint.dial_peer(DirectRoute(mailbox.address), pinned)
        await turns()
        assert not saw_a_certificate(puppet.core)
        puppet.stop()

    house_of(scenario)


def test_our_own_key_is_refused_on_both_sides() -> None:
    async def scenario(house: House) -> None:
        alice = house.machine()
        twin = house.machine(alice.keypair)
        twin.endpoint.accept_peers(Strangers.PROVEN)
        with pytest.raises(IdentityError, match="its key"):
            await alice.endpoint.dial_peer(twin.route, None)
        mailbox = house.mailbox()
        puppet = Puppet(
            mailbox.wire, Rogue(PEER_ALPN, papers_of(alice.keypair.private_key))
        )
        puppet.connect(twin.address)
        await turns(30)
        assert puppet.core._close_event.error_code == 0x100 + 42
        assert twin.endpoint._accepting._accepted.empty()
        puppet.stop()

    house_of(scenario)


def test_a_dialler_learns_that_its_key_was_refused() -> None:
    """Its own handshake is over by then: it waits for a hello, and gets this."""

    async def scenario(house: House) -> None:
        alice = house.machine()
        twin = house.machine(alice.keypair)
        twin.endpoint.accept_peers(Strangers.PROVEN)
        link = await alice.endpoint.dial_peer(twin.route, alice.keypair.identity)
        assert await link.read() == b""
        failure = link.failure()
        assert isinstance(failure, IdentityError)
        assert "our key" in str(failure)

    house_of(scenario)


def test_no_common_version() -> None:
    async def scenario(house: House) -> None:
        alice, bob = house.machine(), house.machine()
        bob.endpoint.accept_peers(Strangers.PROVEN)
        with pytest.raises(VersionMismatch):
            await alice.endpoint.dial_relay(bob.address, None)
        bob.endpoint.accept_relay_clients()
        with pytest.raises(VersionMismatch):
            await alice.endpoint.dial_peer(bob.route, None)
        await turns()
        assert not bob.endpoint.links
        mailbox = house.mailbox()
        puppet = host_of(
            mailbox.wire, papers_of(Keypair.generate().private_key), RELAY_ALPN
        )
        with pytest.raises(VersionMismatch):
            await alice.endpoint.dial_peer(DirectRoute(mailbox.address), None)
        puppet.stop()

    house_of(scenario)


# --- what strangers can read


def hello_in(packet: Packet) -> tls.ClientHello:
    """Read a ClientHello off the network, as everybody can."""
    key = Credentials(Keypair.generate().private_key)
    reader = WzpQuic(
        key.acceptor(PEER_ALPN),
        lambda key: True,
        original_destination_connection_id=b"",
    )
    heard: list[bytes] = []

    def initialize(peer_cid: bytes) -> None:
        WzpQuic._initialize(reader, peer_cid)
        reader.tls._server_handle_hello = read  # type: ignore[assignment,method-assign]

    def read(hello: Buffer, *_: Buffer) -> None:
        heard.append(hello.data_slice(0, hello.capacity))
        hello.seek(hello.capacity)

    reader._initialize = initialize  # type: ignore[method-assign]
    reader.receive_datagram(packet.datagram, "somebody", 1.0)
    return tls.pull_client_hello(Buffer(data=heard[0]))


def test_an_initial_tells_strangers_no_identity() -> None:
    async def scenario(house: House) -> None:
        alice, bob = house.machine(), house.machine()
        bob.endpoint.accept_peers(Strangers.PROVEN)
        await link_pair(alice, bob)
        first, retry, second = house.packets[:3]
        for packet in (first, second):
            hello = hello_in(packet)
            assert hello.server_name == "wzp.invalid"
            assert hello.pre_shared_key is None
            assert not hello.early_data
            seen = repr(hello).encode() + packet.datagram + retry.datagram
            for keypair in (alice.keypair, bob.keypair):
                identity = keypair.identity
                assert identity.key not in seen
                assert repr(identity.key)[2:-1].encode() not in seen
                assert str(identity).encode() not in seen
                assert identity.short.encode() not in seen
        # Neither do connection IDs: they are random, and long enough for that.
        assert len(first.datagram[6 : 6 + first.datagram[5]]) == CONNECTION_ID_BYTES

    house_of(scenario)
