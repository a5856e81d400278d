"""One forwarder, in a thread, with real sockets: what it does with frames and words."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from wzp_cli.address import Address
from wzp_cli.defaults.program import MAX_MESSAGE_BYTES
from wzp_cli.protocol.demux import encode_frame
from wzp_cli.protocol.messages.signal import MessageDecoder, encode
from wzp_cli.relay.forwarding import forwarder as module
from wzp_cli.relay.forwarding.data_plane import DropReason
from wzp_cli.relay.forwarding.forwarder import Forwarder
from wzp_cli.relay.forwarding.messages import (
    Account,
    ForwarderMessage,
    Passed,
    Way,
    Ways,
    pieces,
)

V6 = pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="there is no IPv6")
UP, DOWN = b"up______", b"down____"
SOUND = b"\x40sound"
PATIENCE_S = 10.0


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a second."""
    monkeypatch.setattr(module, "FORWARDER_ACCOUNT_S", 0.02)
    monkeypatch.setattr(module, "FORWARDER_WAIT_S", 0.02)


class Client:
    """A socket of a client's, and the forwarder's port as it sees it."""

    def __init__(self, sock: socket.socket, to: tuple[str, int]) -> None:
        self.sock, self._to = sock, to
        self.address = Address(*sock.getsockname()[:2])
        sock.settimeout(PATIENCE_S)

    def send(self, frame: bytes) -> None:
        self.sock.sendto(frame, self._to)

    def hear(self) -> bytes:
        return self.sock.recv(2048)

    def hears_nothing_else(self) -> bool:
        self.sock.setblocking(False)
        with self.sock, pytest.raises(BlockingIOError):
            self.sock.recv(2048)
        return True


class Stage:
    """A forwarder at work between two clients."""

    def __init__(self, stack: ExitStack, host: str, own: str = "") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        port = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        if family == socket.AF_INET6:
            port.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        port.bind((host, 0))
        self.number = port.getsockname()[1]
        self.control, theirs = socket.socketpair()
        stack.enter_context(self.control)
        stack.enter_context(theirs)
        self.control.settimeout(PATIENCE_S)
        self.own = own
        self._stack = stack
        self._decoder: MessageDecoder[ForwarderMessage] = MessageDecoder(
            ForwarderMessage, limit_bytes=MAX_MESSAGE_BYTES
        )
        serves = Forwarder(port, theirs).serve
        self.thread = threading.Thread(target=serves, daemon=True)
        self.thread.start()

    def client(self, host: str) -> Client:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = self._stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        sock.bind((host, 0))
        return Client(sock, (host, self.number))

    def tell(self, caller: Client, callee: Client) -> None:
        here, there = caller.address, callee.address
        ways = [Way(UP, here, there, self.own), Way(DOWN, there, here, self.own)]
        self.control.sendall(encode(Ways(open=ways)))

    def accounts(self, until: Callable[[Account], bool]) -> Account:
        """Add up what it tells of itself, until that is so."""
        passed: dict[bytes, tuple[int, int]] = {}
        dropped: dict[str, int] = {}
        while True:
            for message in self._decoder.feed(self.control.recv(65536)):
                assert isinstance(message, Account)
                for each in message.passed:
                    packets, size = passed.get(each.id, (0, 0))
                    passed[each.id] = (packets + each.packets, size + each.bytes)
                for why, count in message.dropped.items():
                    dropped[why] = dropped.get(why, 0) + count
                assert message.cpu_s >= 0
            all_of_it = Account(
                passed=[Passed(send_id, *told) for send_id, told in passed.items()],
                dropped=dropped,
            )
            if until(all_of_it):
                return all_of_it


@contextmanager
def stage(host: str = "127.0.0.1", own: str = "") -> Iterator[Stage]:
    with ExitStack() as stack:
        at_work = Stage(stack, host, own)
        yield at_work
        at_work.control.close()  # as when the relay is gone
        at_work.thread.join(PATIENCE_S)
        assert not at_work.thread.is_alive()


@pytest.mark.parametrize(
    ("host", "where", "own"),
    [
        ("127.0.0.1", "127.0.0.1", ""),
        pytest.param("::", "127.0.0.1", "127.0.0.1", marks=V6),
        pytest.param("::", "::1", "::1", marks=V6),
        pytest.param("::", "::1", "", marks=V6),
    ],
)
def test_frames_go_both_ways_as_they_came(host: str, where: str, own: str) -> None:
    with stage(host, own) as at_work:
        alice, bob = at_work.client(where), at_work.client(where)
        at_work.tell(alice, bob)
        for sender, receiver, send_id in ((alice, bob, UP), (bob, alice, DOWN)):
            frame = encode_frame(send_id, SOUND)
            sender.send(frame)
            assert receiver.hear() == frame


@V6
def test_a_channel_joins_both_families() -> None:
    with stage("::") as at_work:
        alice, bob = at_work.client("127.0.0.1"), at_work.client("::1")
        at_work.tell(alice, bob)
        alice.send(encode_frame(UP, SOUND))
        bob.hear()
        bob.send(encode_frame(DOWN, SOUND))
        alice.hear()


def test_what_was_told_counts_for_the_very_next_frame() -> None:
    """A client that was just told of its channel may be quicker than the forwarder."""
    with stage() as at_work:
        alice, bob, thief = (at_work.client("127.0.0.1") for _ in range(3))
        for _ in range(50):
            at_work.tell(alice, bob)
            alice.send(encode_frame(UP, SOUND))
            assert bob.hear() == encode_frame(UP, SOUND)
            at_work.control.sendall(encode(Ways(over=[UP, DOWN])))
            at_work.tell(thief, bob)  # it has moved, and means it
            thief.send(encode_frame(UP, SOUND))
            assert bob.hear() == encode_frame(UP, SOUND)


def test_the_rules_hold_and_all_is_accounted_for() -> None:
    with stage() as at_work:
        alice, bob, thief = (at_work.client("127.0.0.1") for _ in range(3))
        at_work.tell(alice, bob)
        frame = encode_frame(UP, SOUND)
        alice.send(frame)
        for sender, junk in (
            (thief, frame),
            (bob, frame),
            (alice, encode_frame(b"nobody's", SOUND)),
            (alice, b"\x08"),
            (alice, encode_frame(UP, encode_frame(DOWN, SOUND))),
            (alice, encode_frame(UP, b"")),
            (alice, encode_frame(UP, b"\x40" + bytes(1600))),
            (alice, encode_frame(UP, b"\x40" + bytes(60_000))),
        ):
            sender.send(junk)
        alice.send(frame)
        assert bob.hear() == bob.hear() == frame
        total = 10
        told = at_work.accounts(
            lambda so_far: (
                sum(each.packets for each in so_far.passed)
                + sum(so_far.dropped.values())
                == total
            )
        )
        assert [*told.passed] == [Passed(UP, 2, 2 * len(frame))]
        assert told.dropped == {
            DropReason.WRONG_SOURCE: 2,
            DropReason.UNKNOWN_CHANNEL: 2,
            DropReason.NOT_CARRIED: 4,
        }
        assert bob.hears_nothing_else()


def test_what_went_through_a_channel_that_is_over_is_not_forgotten() -> None:
    with stage() as at_work:
        alice, bob = at_work.client("127.0.0.1"), at_work.client("127.0.0.1")
        at_work.tell(alice, bob)
        frame = encode_frame(UP, SOUND)
        alice.send(frame)
        bob.hear()
        at_work.control.sendall(encode(Ways(over=[UP, DOWN, b"unknown"])))
        told = at_work.accounts(lambda so_far: bool(so_far.passed))
        assert [*told.passed] == [Passed(UP, 1, len(frame))]
        alice.send(frame)
        at_work.accounts(lambda so_far: so_far.dropped.get("unknown_channel") == 1)
        assert bob.hears_nothing_else()


def test_more_channels_than_one_message_holds() -> None:
    with stage() as at_work:
        alice, bob = at_work.client("127.0.0.1"), at_work.client("127.0.0.1")
        ids = [os.urandom(8) for _ in range(300)]
        ways = [Way(each, alice.address, bob.address) for each in ids]
        for some in pieces(ways):
            at_work.control.sendall(encode(Ways(open=some)))
        for each in ids:
            alice.send(encode_frame(each, SOUND))
            bob.hear()
        told = at_work.accounts(lambda so_far: len(so_far.passed) == len(ids))
        assert {each.id for each in told.passed} == {*ids}


def test_a_place_that_the_socket_cannot_reach_is_dropped() -> None:
    with stage() as at_work:
        alice, bob = at_work.client("127.0.0.1"), at_work.client("127.0.0.1")
        at_work.tell(alice, bob)
        far = Way(UP, alice.address, Address("2001:db8::1", 9))
        alice.send(encode_frame(UP, SOUND))
        bob.hear()
        at_work.control.sendall(encode(Ways(open=[far])))
        at_work.accounts(lambda so_far: bool(so_far.passed))
        alice.send(encode_frame(UP, SOUND))
        at_work.accounts(lambda so_far: so_far.dropped.get("unknown_channel") == 1)


def test_a_relay_that_reads_nothing_does_not_stop_the_sound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "FORWARDER_ACCOUNT_S", 0.0)
    monkeypatch.setattr(module, "FORWARDER_ATTENTION_S", 0.0)
    with stage() as at_work:
        at_work.control.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        alice, bob = at_work.client("127.0.0.1"), at_work.client("127.0.0.1")
        for number in range(3000):  # an account each
            if number % 100 == 0:  # within its rate: as another channel
                at_work.control.sendall(encode(Ways(over=[UP, DOWN])))
                at_work.tell(alice, bob)
            alice.send(encode_frame(UP, SOUND))
            bob.hear()
