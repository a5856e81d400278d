"""One contract for each private attribute of aioquic that wzp touches (quic.py).

A new version of aioquic that moves one of them fails here, and not in a call.
"""

import ast
import gc
import inspect
import os
import weakref
from collections.abc import Callable
from typing import TypeVar

import pytest
from aioquic import tls
from aioquic.buffer import Buffer
from aioquic.quic import events
from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet import QuicErrorCode, QuicPreferredAddress

from tests.support.rogue import ACCEPTOR, DIALLER, Rogue, exchange, papers_of
from wzp_cli.defaults.endpoint import (
    CONGESTION_WINDOW_BYTES,
    DATAGRAM_QUEUE_FRAMES,
    DELAYED_ACK_S,
    MAX_TLS_MESSAGE_BYTES,
)
from wzp_cli.endpoint.links import quic as quic_module
from wzp_cli.endpoint.links.quic import KeyJudge, WzpQuic
from wzp_cli.endpoint.links.tls import PEER_ALPN, Credentials
from wzp_cli.errors import LocalProtocolError
from wzp_cli.protocol.names.identity import Keypair

COVERED: set[str] = set()
F = TypeVar("F", bound=Callable[..., None])
ONE_RTT = tls.Epoch.ONE_RTT


def contract(*attributes: str) -> Callable[[F], F]:
    """Mark a test as the contract of some private attributes."""
    COVERED.update(attributes)
    return lambda test: test


def dialler(judge: KeyJudge = lambda key: True, key: Keypair | None = None) -> WzpQuic:
    credentials = Credentials((key or Keypair.generate()).private_key)
    return WzpQuic(credentials.dialler(PEER_ALPN, 10.0), judge)


def acceptor(
    caller: QuicConnection,
    judge: KeyJudge = lambda key: True,
    key: Keypair | None = None,
) -> WzpQuic:
    return WzpQuic(
        Credentials((key or Keypair.generate()).private_key).acceptor(PEER_ALPN),
        judge,
        original_destination_connection_id=caller.original_destination_connection_id,
    )


def joined() -> tuple[WzpQuic, WzpQuic, float]:
    """Return two cores after their handshake, and the time it is."""
    one = dialler()
    other = acceptor(one)
    return one, other, exchange(one, other)


def guest() -> tuple[Rogue, WzpQuic, float]:
    """Return an acceptor of ours whose dialler may send anything."""
    rogue = Rogue(PEER_ALPN, papers_of(Keypair.generate().private_key))
    other = acceptor(rogue)
    return rogue, other, exchange(rogue, other)


def rogue_host() -> tuple[Rogue, WzpQuic, float]:
    """Return a dialler of ours whose acceptor may send anything."""
    one = dialler()
    rogue = Rogue(
        PEER_ALPN,
        papers_of(Keypair.generate().private_key),
        dialled_to=one.original_destination_connection_id,
    )
    return rogue, one, exchange(one, rogue)


def heard(core: QuicConnection, kind: type[events.QuicEvent]) -> list[events.QuicEvent]:
    found = []
    while (event := core.next_event()) is not None:
        found += [event] if isinstance(event, kind) else []
    return found


def carry(sender: QuicConnection, receiver: QuicConnection, now: float) -> int:
    """Carry what is to be sent now; return how many datagrams that was."""
    own = DIALLER if sender.configuration.is_client else ACCEPTOR
    datagrams = sender.datagrams_to_send(now)
    for datagram, _ in datagrams:
        receiver.receive_datagram(datagram, own, now)
    return len(datagrams)


# --- the handshake


def client_hello(core: WzpQuic) -> tls.ClientHello:
    core.connect(ACCEPTOR, 1.0)
    stream = core._crypto_streams[tls.Epoch.INITIAL].sender
    frame = stream.get_frame(1 << 14)
    assert frame is not None
    return tls.pull_client_hello(Buffer(data=frame.data))


@contract("_initialize", "_supported_groups", "_signature_algorithms")
def test_x25519_and_ed25519_alone_are_offered() -> None:
    hello = client_hello(dialler())
    assert hello.supported_groups == [tls.Group.X25519]
    assert [group for group, _ in hello.key_share or []] == [tls.Group.X25519]
    assert hello.signature_algorithms == [tls.SignatureAlgorithm.ED25519]


@contract("_initialize", "_supported_groups")
def test_an_acceptor_takes_x25519_alone() -> None:
    rogue = Rogue(PEER_ALPN)

    def only_p256(epoch: tls.Epoch, messages: bytes) -> bytes:
        share = messages.index(b"\x00\x1d\x00\x20")
        return messages[:share] + b"\x00\x99" + messages[share + 2 :]

    rogue.tamper = only_p256
    other = acceptor(rogue)
    exchange(rogue, other)
    assert other.termination is not None
    assert other.termination.reason_phrase == "No supported key share"


@contract("_request_client_certificate", "_is_client")
def test_the_acceptor_alone_asks_for_a_certificate() -> None:
    rogue, other, _ = guest()
    assert rogue.papers is not None
    assert other.peer_key is not None
    honest = dialler()
    rogue = Rogue(
        PEER_ALPN,
        papers_of(Keypair.generate().private_key),
        dialled_to=honest.original_destination_connection_id,
    )
    exchange(honest, rogue)
    assert honest.peer_key is not None
    assert heard(rogue, events.HandshakeCompleted)


@contract("_set_peer_certificate", "_peer_certificate")
def test_each_side_judges_the_others_key_inside_the_handshake() -> None:
    here, there = Keypair.generate(), Keypair.generate()
    seen: list[bytes] = []

    def judge(key: bytes) -> bool:
        seen.append(key)
        return True

    one = dialler(judge, here)
    other = acceptor(one, judge, there)
    exchange(one, other)
    assert seen == [there.identity.key, here.identity.key]
    assert (one.peer_key, other.peer_key) == tuple(seen)


@contract("_server_handle_certificate")
def test_the_acceptor_demands_a_certificate() -> None:
    rogue = Rogue(PEER_ALPN)
    other = acceptor(rogue)
    exchange(rogue, other)
    assert not heard(other, events.HandshakeCompleted)
    assert other.termination is not None
    assert other.termination.reason_phrase == "identity missing"


@contract("handle_message", "_receive_buffer")
@pytest.mark.parametrize("claimed_bytes", [0xFFFFFF, MAX_TLS_MESSAGE_BYTES + 1])
def test_a_hello_that_claims_too_much_ends_the_handshake(claimed_bytes: int) -> None:
    rogue = Rogue(PEER_ALPN)
    hello = b"\1" + claimed_bytes.to_bytes(3, "big") + bytes(1 << 19)
    rogue.tamper = lambda epoch, messages: hello
    other = acceptor(rogue)
    rogue.connect(ACCEPTOR, 1.0)
    now, heard_bytes, kept_bytes = 1.0, 0, 0
    while other.termination is None and heard_bytes < 4 * MAX_TLS_MESSAGE_BYTES:
        now += 0.01
        for datagram, _ in rogue.datagrams_to_send(now):
            heard_bytes += 0 if other._close_event else len(datagram)
            other.receive_datagram(datagram, DIALLER, now)
            if other.termination is None:
                kept_bytes = len(other.tls._receive_buffer)
            for answer, _ in other.datagrams_to_send(now):
                rogue.receive_datagram(answer, ACCEPTOR, now)
        rogue.handle_timer(now)
    assert other.termination is not None, "it would take all that is claimed"
    assert other.termination.error_code == 0x100 + tls.AlertDescription.decode_error
    assert kept_bytes < MAX_TLS_MESSAGE_BYTES + 1200
    # What costs time is what TLS was given: no more than this.
    assert MAX_TLS_MESSAGE_BYTES < heard_bytes < 2 * MAX_TLS_MESSAGE_BYTES


@contract("_local_max_streams_bidi", "_local_max_streams_uni")
@pytest.mark.parametrize("stream", [2, 4])
def test_the_dialler_has_one_stream(stream: int) -> None:
    rogue, other, now = guest()
    other.receive_datagram(rogue.packet(bytes([0x08, 0]) + b"hello"), DIALLER, now)
    assert heard(other, events.StreamDataReceived)
    assert other._close_event is None
    other.receive_datagram(rogue.packet(bytes([0x08, stream]) + b"x"), DIALLER, now)
    other.datagrams_to_send(now)
    assert other.termination is not None
    assert other.termination.error_code == QuicErrorCode.STREAM_LIMIT_ERROR


@contract("_local_max_streams_bidi", "_local_max_streams_uni")
@pytest.mark.parametrize("stream", [1, 3])
def test_the_acceptor_has_none(stream: int) -> None:
    one = dialler()
    rogue = Rogue(
        PEER_ALPN,
        papers_of(Keypair.generate().private_key),
        dialled_to=one.original_destination_connection_id,
    )
    now = exchange(one, rogue)
    one.receive_datagram(rogue.packet(bytes([0x08, stream]) + b"x"), ACCEPTOR, now)
    one.datagrams_to_send(now)
    assert one.termination is not None
    assert one.termination.error_code == QuicErrorCode.STREAM_LIMIT_ERROR


def crypto_frame(message_type: int) -> bytes:
    """Return a CRYPTO frame with a TLS message of 32 bytes of nothing."""
    return bytes([0x06, 0, 36, message_type, 0, 0, 32]) + bytes(32)


@contract("_confirm_handshake", "_crypto_buffers")
@pytest.mark.parametrize("message_type", list(tls.HandshakeType))
def test_whoever_speaks_tls_after_the_handshake_ends_the_connection(
    message_type: tls.HandshakeType,
) -> None:
    """What TLS would answer into is given back by then."""
    rogue, other, now = guest()
    host, one, then = rogue_host()
    for core, puppet, source, at in (
        (other, rogue, DIALLER, now),
        (one, host, ACCEPTOR, then),
    ):
        assert core._crypto_buffers == {}
        core.receive_datagram(puppet.packet(crypto_frame(message_type)), source, at)
        core.datagrams_to_send(at)
        assert core.termination is not None
        assert core.termination.error_code & 0xFF00 == 0x100, "an alert of TLS"


@contract("_QuicConnection__frame_handlers")
def test_connections_share_what_never_changes() -> None:
    one, other = dialler(), dialler()
    sets = {
        id(epochs)
        for core in (one, other)
        for _, epochs in core._QuicConnection__frame_handlers.values()  # type: ignore[attr-defined]
    }
    assert len(sets) == 4


# --- DATAGRAM, ACK, congestion


@contract("_remote_max_datagram_frame_size", "_max_datagram_size")
def test_the_largest_payload_leaves_at_once_and_a_larger_one_never_blocks() -> None:
    one, other, now = joined()
    assert dialler().max_datagram_payload_bytes == 0
    assert one.max_datagram_payload_bytes == 1170
    with pytest.raises(LocalProtocolError, match="1171"):
        one.send_datagram_frame(bytes(1171))
    one.send_datagram_frame(bytes(1170))
    assert carry(one, other, now) == 1
    assert heard(other, events.DatagramFrameReceived) == [
        events.DatagramFrameReceived(data=bytes(1170))
    ]


def test_aioquic_alone_is_blocked_by_a_larger_one() -> None:
    """Why the size is checked: should this fail, the check may go."""
    one, other, now = joined()
    QuicConnection.send_datagram_frame(one, bytes(1200))
    QuicConnection.send_datagram_frame(one, b"small")
    carry(one, other, now)
    assert not heard(other, events.DatagramFrameReceived)


@contract("_remote_max_datagram_frame_size")
def test_a_peer_that_takes_less_is_sent_less() -> None:
    rogue = Rogue(PEER_ALPN, papers_of(Keypair.generate().private_key))
    rogue.configuration.max_datagram_frame_size = 104
    other = acceptor(rogue)
    exchange(rogue, other)
    assert other.max_datagram_payload_bytes == 100
    other.send_datagram_frame(bytes(100))
    exchange(rogue, other)
    assert heard(rogue, events.DatagramFrameReceived)
    assert other.termination is None


@contract("_streams", "_buffer")
def test_words_are_kept_until_they_are_acknowledged() -> None:
    one, other, now = joined()
    assert one.unsent_bytes(0) == 0
    one.send_stream_data(0, b"words")
    assert one.unsent_bytes(0) == 5
    carry(one, other, now)
    assert one.unsent_bytes(0) == 5
    carry(other, one, now + DELAYED_ACK_S)
    assert one.unsent_bytes(0) == 0


@contract("_datagrams_pending")
def test_a_full_queue_drops_its_oldest() -> None:
    one, other, now = joined()
    for number in range(DATAGRAM_QUEUE_FRAMES + 2):
        one.send_datagram_frame(bytes([number]))
    carry(one, other, now)
    came = [
        event.data[0]
        for event in heard(other, events.DatagramFrameReceived)
        if isinstance(event, events.DatagramFrameReceived)
    ]
    assert came == list(range(2, DATAGRAM_QUEUE_FRAMES + 2))
    assert one.dropped_datagrams == 2


def test_acks_may_wait_for_rarer_media_and_never_less_than_a_frame() -> None:
    one, other, now = joined()
    other.let_acks_wait(0.06)
    one.send_datagram_frame(b"sound")
    carry(one, other, now)
    assert other.get_timer() == pytest.approx(now + 0.06)
    other.let_acks_wait(0.001)
    assert other._ack_delay == DELAYED_ACK_S


@contract("_ack_delay")
def test_an_ack_waits_for_company() -> None:
    one, other, now = joined()
    one.send_datagram_frame(b"sound")
    carry(one, other, now)
    assert other.get_timer() == pytest.approx(now + DELAYED_ACK_S)
    assert carry(other, one, now + DELAYED_ACK_S / 2) == 0
    assert carry(other, one, now + DELAYED_ACK_S) == 1
    assert not one._spaces[ONE_RTT].sent_packets


@contract("_spaces", "ack_at")
def test_an_ack_rides_with_a_datagram() -> None:
    one, other, now = joined()
    one.send_datagram_frame(b"sound")
    carry(one, other, now)
    other.send_datagram_frame(b"more sound")
    assert carry(other, one, now + 0.001) == 1
    assert not one._spaces[ONE_RTT].sent_packets
    assert heard(one, events.DatagramFrameReceived)
    assert other._spaces[ONE_RTT].ack_at is None


@contract("_handle_datagram_frame", "_handle_ack_frame", "_datagrams_pending")
def test_sound_and_its_acknowledgement_ask_for_nothing_at_once() -> None:
    one, other, now = joined()
    exchange(one, other, now=now)
    for sender, receiver in ((one, other), (other, one)) * 3:
        sender.send_datagram_frame(b"sound")
        carry(sender, receiver, now)
        assert receiver.owes_nothing
    one.send_datagram_frame(b"waits for its turn")
    assert not one.owes_nothing


@contract("_handshake_confirmed")
def test_what_is_not_confirmed_yet_may_owe_something() -> None:
    one = dialler()
    other = acceptor(one)
    assert not one.owes_nothing
    assert not other.owes_nothing


@pytest.mark.parametrize(
    "payload",
    [
        b"\x01",  # PING
        b"\x30x",
        b"\x01\x31\x01x",
        b"\x31\x01x\x01\x31\x01x",
        b"\x31\x01x\0\0",  # PADDING
        b"\x1a12345678",  # PATH_CHALLENGE
        b"\x31\x01x\x1f",  # no frame: the link ends
    ],
)
def test_only_sound_alone_is_quiet(payload: bytes) -> None:
    rogue, other, now = guest()
    exchange(rogue, other, now=now)
    other.datagrams_to_send(now)
    assert other.owes_nothing
    other.receive_datagram(rogue.packet(payload), DIALLER, now)
    assert other.owes_nothing == (payload == b"\x30x")


@contract("_cc")
def test_an_acknowledgement_that_tells_of_a_loss_asks_for_a_look() -> None:
    one, other, now = joined()
    exchange(one, other, now=now)
    for number in range(6):
        one.send_datagram_frame(b"sound")
        if number:
            carry(one, other, now)
        else:
            one.datagrams_to_send(now)
    assert one.owes_nothing
    other.send_datagram_frame(b"the acknowledgement rides with this")
    carry(other, one, now + 0.01)
    assert not one.owes_nothing


def test_when_the_newest_that_arrived_was_sent() -> None:
    one, other, now = joined()
    for later_s in (0.1, 0.2):
        one.send_datagram_frame(b"sound")
        carry(one, other, now + later_s)
    one.send_datagram_frame(b"lost")
    one.datagrams_to_send(now + 0.3)
    other.send_datagram_frame(b"the acknowledgement rides with this")
    assert one.arrived_sent_at < now + 0.1
    carry(other, one, now + 0.4)
    assert one.arrived_sent_at == now + 0.2


def test_the_window_is_fixed() -> None:
    one, _, now = joined()
    for number in range(50):
        one.send_datagram_frame(bytes(1000))
        assert one.datagrams_to_send(now + number / 50)
    timer = one.get_timer()
    assert timer is not None
    one.handle_timer(timer)  # all of it is lost
    assert one._loss.congestion_window == CONGESTION_WINDOW_BYTES


def test_what_was_lost_or_arrived_is_no_longer_in_flight() -> None:
    one, other, now = joined()
    for number in range(20):
        one.send_datagram_frame(bytes(1000))
        if number % 2:
            carry(one, other, now + number / 50)
        else:
            one.datagrams_to_send(now + number / 50)
    assert one._loss.bytes_in_flight > 10_000
    one.send_datagram_frame(b"the last: what it is acknowledged with tells")
    exchange(one, other, now=now + 5)
    assert one._loss.bytes_in_flight == 0


# --- paths


@contract("_payload_received")
def test_authentic_packets_are_counted_and_copies_are_not() -> None:
    one, other, now = joined()
    before = other.authentic_packets
    one.send_datagram_frame(b"sound")
    ((datagram, _),) = one.datagrams_to_send(now)
    damaged = datagram[:-1] + bytes([datagram[-1] ^ 1])
    for copy in (damaged, datagram, datagram, damaged):
        other.receive_datagram(copy, DIALLER, now)
    assert other.authentic_packets == before + 1


class _Lurer(Rogue):
    """An acceptor that names another address as the better one."""

    def _serialize_transport_parameters(self) -> bytes:
        packed = super()._serialize_transport_parameters()
        lure = QuicPreferredAddress(
            ipv4_address=("192.168.1.1", 53),
            ipv6_address=None,
            connection_id=os.urandom(8),
            stateless_reset_token=os.urandom(16),
        )
        buffer = Buffer(capacity=128)
        buffer.push_uint_var(0x0D)
        buffer.push_uint_var(4 + 2 + 16 + 2 + 1 + 8 + 16)
        assert lure.ipv4_address is not None
        buffer.push_bytes(bytes(map(int, lure.ipv4_address[0].split("."))))
        buffer.push_uint16(lure.ipv4_address[1])
        buffer.push_bytes(bytes(18))
        buffer.push_uint8(8)
        buffer.push_bytes(lure.connection_id + lure.stateless_reset_token)
        return packed + buffer.data


@contract("_probe_preferred_address", "_remote_preferred_address", "_network_paths")
def test_a_preferred_address_is_never_sent_to() -> None:
    one = dialler()
    lurer = _Lurer(
        PEER_ALPN,
        papers_of(Keypair.generate().private_key),
        dialled_to=one.original_destination_connection_id,
    )
    now = exchange(one, lurer)  # asserts that nothing goes elsewhere
    one.send_datagram_frame(b"sound")
    exchange(one, lurer, now=now)
    assert one.termination is None
    assert [path.addr for path in one._network_paths] == [ACCEPTOR]
    assert one._remote_preferred_address is None


@contract("_network_paths", "is_validated", "addr")
def test_an_address_counts_once_it_is_validated() -> None:
    one = dialler()
    other = acceptor(one)
    assert not other.is_started
    assert other.validated_address is None
    one.connect(ACCEPTOR, 1.0)
    assert one.is_started
    carry(one, other, 1.0)
    assert other.is_started
    assert other.validated_address is None  # one Initial proves nothing
    now = exchange(one, other)
    assert other.validated_address == DIALLER

    moved = ("192.0.2.1", 99)
    one.send_datagram_frame(b"from elsewhere")
    ((datagram, _),) = one.datagrams_to_send(now)
    other.receive_datagram(datagram, moved, now)
    assert other.validated_address is None
    for answer, to in other.datagrams_to_send(now):
        assert to == moved
        one.receive_datagram(answer, ACCEPTOR, now)
    for datagram, _ in one.datagrams_to_send(now):
        other.receive_datagram(datagram, moved, now)
    assert other.validated_address == moved


@contract("_network_paths", "bytes_sent", "bytes_received")
def test_an_unproven_address_is_sent_no_close_beyond_its_limit() -> None:
    one = dialler()
    one.connect(ACCEPTOR, 1.0)
    ((initial, _),) = one.datagrams_to_send(1.0)
    other = acceptor(one)
    other.receive_datagram(initial, DIALLER, 1.0)
    sent, now = 0, 1.0
    while now < 6:
        sent += sum(len(datagram) for datagram, _ in other.datagrams_to_send(now))
        timer = other.get_timer()
        assert timer is not None
        now = max(now + 1e-6, timer)
        other.handle_timer(now)
    assert 2 * len(initial) < sent <= 3 * len(initial)
    other.close()
    assert other.datagrams_to_send(now) == []
    assert other.termination is not None


@contract("_loss", "_rtt_initialized", "_rtt_smoothed", "_pto_count")
def test_a_new_route_starts_with_a_new_round_trip() -> None:
    assert dialler().smoothed_rtt_s is None
    one, other, now = joined()
    assert one.smoothed_rtt_s is not None
    one.send_datagram_frame(b"lost")
    one.datagrams_to_send(now)
    timer = one.get_timer()
    assert timer is not None
    one.handle_timer(timer)
    assert one._loss._pto_count == 1
    one.route_changed()
    assert one.smoothed_rtt_s is None
    assert one._loss._pto_count == 0
    exchange(one, other, now=timer)
    assert one.smoothed_rtt_s is not None


@contract("_streams", "_buffer")
def test_what_was_said_counts_as_unsent_until_it_is_acknowledged() -> None:
    one, other, now = joined()
    assert one.unsent_bytes(0) == 0
    one.send_stream_data(0, bytes(3000))
    assert one.unsent_bytes(0) == 3000
    exchange(one, other, now=now)
    assert one.unsent_bytes(0) == 0


@contract("_configuration", "_idle_timeout", "_remote_max_idle_timeout")
def test_acknowledgements_that_are_read_late_make_no_link_outlive_its_silence() -> None:
    """A process that was stopped reads them so, and measures round trips of seconds."""
    one, *_ = joined()
    one._loss._rtt_smoothed = one._loss._rtt_variance = 13.0
    assert one._loss.get_probe_timeout() > 60
    idle_s = one._configuration.idle_timeout
    assert one._idle_timeout() == idle_s
    one._remote_max_idle_timeout = idle_s / 2
    assert one._idle_timeout() == idle_s / 2


@contract("_close_event", "_state")
def test_the_end_is_seen_at_once_on_both_sides() -> None:
    one, other, now = joined()
    assert one.termination is None
    one.close(error_code=7, reason_phrase="bye")
    carry(one, other, now)
    for core in (one, other):
        assert core.termination is not None
        assert core.termination.error_code == 7
        assert core.termination.reason_phrase == "bye"
        # aioquic's own event comes after the closing period only.
        assert not heard(core, events.ConnectionTerminated)


def closed() -> list[WzpQuic]:
    """Return a core that has closed, and one that was told so."""
    one, other, now = joined()
    one.close(error_code=7, reason_phrase="bye")
    carry(one, other, now)
    other.datagrams_to_send(now)
    return [one, other]


def timed_out() -> list[WzpQuic]:
    """Return two cores that fell silent."""
    one, other, now = joined()
    for core in (one, other):
        core.handle_timer(now + 1000)
        core.datagrams_to_send(now + 1000)
    return [one, other]


def refused() -> list[WzpQuic]:
    """Return two cores whose handshake has failed."""
    one = dialler()
    other = acceptor(one, lambda key: False)
    exchange(one, other)
    return [one, other]


@contract("_QuicConnection__frame_handlers", "_cryptos", "_send_probe", "_setup_cb")
@contract("_teardown_cb", "_spaces")
@pytest.mark.parametrize("ended", [closed, timed_out, refused])
def test_a_connection_that_is_over_waits_for_no_garbage_collection(
    ended: Callable[[], list[WzpQuic]],
) -> None:
    gc.disable()
    try:
        cores = ended()
        assert all(core.termination for core in cores)
        left: list[weakref.ref[object]] = [weakref.ref(core) for core in cores]
        left += [weakref.ref(core.tls) for core in cores]
        cores.clear()
        assert not any(ref() for ref in left)
    finally:
        gc.enable()


# --- the list is complete


def test_each_private_attribute_has_its_contract() -> None:
    tree = ast.parse(inspect.getsource(quic_module))
    aioquics = QuicConnection(configuration=dialler().configuration)
    own = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and not hasattr(aioquics, node.attr)
    }
    own |= {"_bound_handshake", "_demand_certificate", "_let_go", "_follows_quiet"}
    touched = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
    }
    overridden = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and hasattr(QuicConnection, node.name)
    }
    private = {name for name in touched | overridden if name.startswith("_")}
    assert private - own - {"__init__"} <= COVERED
