import functools
import itertools
import operator
from collections.abc import Callable

import pytest

from wzp_cli.address import Address
from wzp_cli.defaults.relay import FLEET_HELD_FRAMES
from wzp_cli.errors import LocalProtocolError
from wzp_cli.protocol.demux import encode_frame, kind_of, split_frame
from wzp_cli.relay.forwarding.channels import Channel, ChannelTable
from wzp_cli.relay.forwarding.data_plane import DropReason

CALLER, CALLEE = Address("198.51.100.7", 5000), Address("203.0.113.9", 6000)
MOVED = Address("198.51.100.8", 5001)
QUIC = b"\x40" + bytes(99)


def counted_ids() -> Callable[[int], bytes]:
    numbers = itertools.count(1)
    return lambda size: next(numbers).to_bytes(size, "big")


class Relay:
    """One channel between "caller" and "callee", opened at second 0."""

    def __init__(self) -> None:
        self.table = ChannelTable(random_bytes=counted_ids())
        self.channel = self.open()

    def open(self, *, callee: str = "callee", now: float = 0.0) -> Channel:
        return self.table.open(("caller", CALLER), (callee, CALLEE), now)

    def up(
        self, datagram: bytes = QUIC, source: Address = CALLER, now: float = 0.0
    ) -> tuple[bytes, Address] | None:
        """The caller's side sends one datagram."""
        frame = encode_frame(self.channel.caller_id, datagram)
        return self.table.forward(frame, source, now)

    def down(
        self, datagram: bytes = QUIC, source: Address = CALLEE, now: float = 0.0
    ) -> tuple[bytes, Address] | None:
        """The callee's side does."""
        frame = encode_frame(self.channel.callee_id, datagram)
        return self.table.forward(frame, source, now)


def test_frames_go_both_ways_as_they_came() -> None:
    relay = Relay()
    caller, callee = relay.channel.ids("caller"), relay.channel.ids("callee")
    assert (caller.send, caller.receive) == (callee.receive, callee.send)
    assert caller.send == "0000000000000001"
    assert relay.up() == (b"\x08" + bytes.fromhex(callee.receive) + QUIC, CALLEE)
    assert relay.down() == (b"\x08" + bytes.fromhex(caller.receive) + QUIC, CALLER)
    assert relay.table.forwarded(relay.channel) == (2, 2 * 109)
    assert not relay.table.drops


def test_an_unknown_channel_is_dropped() -> None:
    relay = Relay()
    for frame in (b"\x08", b"\x08\0", b"\x08" + bytes(8) + QUIC, b""):
        assert relay.table.forward(frame, CALLER, 0.0) is None
    assert relay.table.drops == {DropReason.UNKNOWN_CHANNEL: 4}


@pytest.mark.parametrize(
    "source",
    [CALLEE, MOVED, Address(CALLER.host, 5001), Address("198.51.100.70", 5000)],
)
def test_only_the_exact_source_is_taken(source: Address) -> None:
    relay = Relay()
    assert relay.up(source=source) is None
    assert relay.table.drops == {DropReason.WRONG_SOURCE: 1}
    assert relay.table.forwarded(relay.channel) == (0, 0)


def test_what_may_be_in_a_frame_is_what_clients_take_out() -> None:
    relay = Relay()
    for first in range(256):
        datagram = bytes([first]) + bytes(30)
        frame = encode_frame(relay.channel.caller_id, datagram)
        carried = relay.table.forward(frame, CALLER, float(first)) is not None
        assert carried == (split_frame(frame) is not None), kind_of(datagram)
    assert relay.up(b"", now=300.0) is None
    assert set(relay.table.drops) == {DropReason.NOT_CARRIED}


def test_packets_are_limited_in_each_direction() -> None:
    relay = Relay()
    sent = sum(relay.up(b"\x40") is not None for _ in range(1000))
    assert sent in (199, 200)  # rounding
    assert relay.down() is not None
    assert relay.table.drops == {DropReason.PACKET_RATE: 1000 - sent}
    later = [relay.up(b"\x40", now=5 + i / 1000) is not None for i in range(10_000)]
    assert sum(later) in range(200 * 11 - 2, 200 * 11 + 1)


def test_bits_are_limited() -> None:
    relay = Relay()
    frame_bytes = 1209
    sent = sum(relay.up(b"\x40" + bytes(1199)) is not None for _ in range(100))
    assert sent == 37_500 // frame_bytes
    assert relay.table.drops == {DropReason.BIT_RATE: 100 - sent}
    later = [
        relay.up(b"\x40" + bytes(1199), now=5 + i / 100) is not None
        for i in range(1000)
    ]
    assert abs(sum(later) * frame_bytes * 8 - 11 * 300_000) < 2 * frame_bytes * 8


def test_voice_and_a_handshake_pass_unhindered() -> None:
    relay = Relay()
    for number in range(12):
        assert relay.up(bytes([0xC0]) + bytes(1199), now=number / 1000)
    for number in range(3000):
        assert relay.up(b"\x40" + bytes(200), now=0.1 + number / 50)
        assert relay.down(b"\x40" + bytes(200), now=0.1 + number / 50)
    assert not relay.table.drops


def test_a_link_moves_with_all_its_channels() -> None:
    relay = Relay()
    second = relay.open(callee="other")
    relay.table.move("caller", MOVED)
    assert relay.up() is None
    assert relay.up(source=MOVED) is not None
    for channel in (relay.channel, second):
        frame = encode_frame(channel.callee_id, QUIC)
        assert relay.table.forward(frame, CALLEE, 0.0) == (frame, MOVED)
    relay.table.move("stranger", MOVED)


def test_a_new_call_between_the_same_links_ends_the_old_channel() -> None:
    relay = Relay()
    old, relay.channel = relay.channel, relay.open()
    assert relay.table.between("caller", "callee") is relay.channel
    assert relay.table.between("callee", "caller") is None
    assert len(relay.table) == 1
    assert relay.table.forward(encode_frame(old.caller_id, QUIC), CALLER, 0) is None
    assert relay.up() is not None


def test_two_who_call_each_other_have_two_channels() -> None:
    relay = Relay()
    back = relay.table.open(("callee", CALLEE), ("caller", CALLER), 0.0)
    assert relay.table.close("callee", back.caller_id) is back
    assert relay.up() is not None


class Others:
    """Two forwarders, of whom the second has less to do."""

    def __init__(self) -> None:
        self.knows: dict[bytes, tuple[Address, Address]] = {}

    def choose(self) -> int:
        return 2

    def number_of(self, send_id: bytes) -> int:
        number = int.from_bytes(send_id, "big")
        return 0 if number <= 2 else number % 3  # Relay's first channel is its own

    def tell(self, send_id: bytes, source: Address, to: Address) -> None:
        if self.number_of(send_id):
            self.knows[send_id] = (source, to)

    def forget(self, send_id: bytes) -> None:
        if self.number_of(send_id):
            del self.knows[send_id]


def test_a_forwarder_is_told_of_its_channels_and_no_more() -> None:
    relay = Relay()
    others = relay.table.sharing = Others()
    theirs = relay.open(callee="other")
    ids = {theirs.caller_id, theirs.callee_id}
    assert {others.number_of(each) for each in ids} == {2}
    assert others.knows == {
        theirs.caller_id: (CALLER, CALLEE),
        theirs.callee_id: (CALLEE, CALLER),
    }
    assert relay.table.move("caller", MOVED) == []
    assert others.knows[theirs.caller_id] == (MOVED, CALLEE)
    assert others.knows[theirs.callee_id] == (CALLEE, MOVED)
    relay.table.close("caller", theirs.caller_id)
    assert others.knows == {}


@pytest.mark.parametrize("end", [0, 1])
def test_who_comes_by_tcp_has_a_channel_of_our_own(end: int) -> None:
    table = ChannelTable()
    others = table.sharing = Others()
    places = [CALLER, CALLEE]
    places[end] = places[end]._replace(tunnel=1)
    channel = table.open(("a", places[0]), ("b", places[1]), 0.0)
    assert others.number_of(channel.caller_id) == 0
    assert others.number_of(channel.callee_id) == 0
    frame = encode_frame(channel.caller_id, QUIC)
    assert table.forward(frame, places[0], 0.0) == (frame, places[1])


def test_who_is_waited_for_has_a_channel_of_our_own() -> None:
    """The caller's first frames are kept here, until then."""
    table = ChannelTable()
    others = table.sharing = Others()
    reserved = table.reserve(("a", CALLER), bytes(32))
    assert others.number_of(reserved.caller_id) == 0
    channel = table.fill(reserved, ("b", CALLEE), 0.0)
    assert others.number_of(channel.callee_id) == 0


def test_a_forwarders_channel_ends_when_one_side_moves_to_tcp() -> None:
    relay = Relay()
    others = relay.table.sharing = Others()
    theirs = relay.open(callee="other")
    assert relay.table.move("caller", MOVED._replace(tunnel=1)) == [theirs]
    assert theirs.caller_id not in others.knows
    assert relay.table.of("other") == 0
    assert relay.up(source=MOVED._replace(tunnel=1)) is not None, "ours goes on"


def test_what_a_forwarder_passed_on_counts_as_ours() -> None:
    relay = Relay()
    relay.table.sharing = Others()
    theirs = relay.open(callee="other")
    relay.table.credit(theirs.caller_id, 3, 300, 20.0)
    assert relay.table.forwarded(theirs) == (3, 300)
    assert relay.table.sweep(31.0) == [relay.channel], "it was used at 20"
    relay.table.close("caller", theirs.caller_id)
    relay.table.credit(theirs.callee_id, 1, 100, 32.0)
    assert relay.table.forwarded_total == (4, 400)


def test_a_channel_from_a_link_to_itself_is_our_mistake() -> None:
    relay = Relay()
    with pytest.raises(LocalProtocolError):
        relay.open(callee="caller")


def test_only_the_owner_of_an_id_closes_its_channel() -> None:
    relay = Relay()
    channel = relay.channel
    for link, send_id in [
        ("stranger", channel.caller_id),
        ("stranger", channel.callee_id),
        ("caller", channel.callee_id),
        ("callee", channel.caller_id),
        ("caller", bytes(8)),
    ]:
        assert relay.table.close(link, send_id) is None
    assert relay.table.close("callee", channel.callee_id) is channel
    assert channel.other("callee") == "caller"
    assert channel.other("caller") == "callee"
    assert relay.table.close("callee", channel.callee_id) is None
    assert relay.up() is relay.down() is None
    assert relay.table.forwarded(channel) == (0, 0)


def test_a_lost_link_ends_its_channels_alone() -> None:
    relay = Relay()
    second = relay.open(callee="other")
    assert relay.table.close_link("callee") == [relay.channel]
    assert relay.table.close_link("callee") == []
    assert relay.table.close_link("caller") == [second]
    assert len(relay.table) == 0


def test_a_channel_idle_both_ways_is_swept() -> None:
    relay = Relay()
    second = relay.open(callee="other")
    assert relay.down(now=20.0) is not None
    assert relay.table.sweep(30.0) == []
    assert relay.table.sweep(31.0) == [second]
    assert relay.up(source=MOVED, now=49.0) is None  # what is dropped is no use of it
    assert relay.table.sweep(50.0) == []
    assert relay.table.sweep(51.0) == [relay.channel]
    assert len(relay.table) == 0


def test_the_total_outlives_its_channels() -> None:
    relay = Relay()
    assert relay.up() is not None
    relay.table.close_link("caller")
    relay.channel = relay.open()
    assert relay.down() is not None
    assert relay.table.forwarded_total == (2, 2 * 109)


def test_an_id_is_never_given_twice() -> None:
    few = itertools.cycle([bytes(8), bytes(8), b"\1" * 8, b"\1" * 8, b"\2" * 8])
    ids = itertools.chain(itertools.islice(few, 5), (b"\3" * 8,))
    table = ChannelTable(random_bytes=lambda size: next(ids))
    one = table.open(("a", CALLER), ("b", CALLEE), 0.0)
    two = table.open(("a", CALLER), ("c", CALLEE), 0.0)
    assert len({one.caller_id, one.callee_id, two.caller_id, two.callee_id}) == 4


def test_ids_come_from_the_system_otherwise() -> None:
    channels = [
        ChannelTable().open(("a", CALLER), ("b", CALLEE), 0.0) for _ in range(50)
    ]
    ids = {i for channel in channels for i in (channel.caller_id, channel.callee_id)}
    assert len(ids) == 100
    assert {len(i) for i in ids} == {8}
    numbers = [int.from_bytes(i) for i in ids]
    assert functools.reduce(operator.or_, numbers) == 2**64 - 1, "every bit varies"
    assert functools.reduce(operator.and_, numbers) == 0


def test_who_reveals_itself_is_told_of_once_for_each_channel() -> None:
    relay = Relay()
    table, channel = relay.table, relay.channel
    assert table.revealing("caller") == []
    assert table.reveal("caller", channel.caller_id) is channel
    assert table.reveal("caller", channel.caller_id) is None
    assert table.revealing("caller") == [channel]
    assert table.revealing("callee") == []


def test_nobody_reveals_another_side() -> None:
    relay = Relay()
    table, channel = relay.table, relay.channel
    assert table.reveal("caller", channel.callee_id) is None
    assert table.reveal("thief", channel.caller_id) is None
    assert table.reveal("caller", bytes(8)) is None
    assert table.revealing("caller") == table.revealing("callee") == []


def test_an_ended_channel_reveals_nothing() -> None:
    relay = Relay()
    table, channel = relay.table, relay.channel
    table.reveal("caller", channel.caller_id)
    table.close("callee", channel.callee_id)
    assert table.revealing("caller") == []
    again = relay.open()
    assert table.revealing("caller") == [], "a new channel, a new decision"
    assert table.reveal("caller", again.caller_id) is again


# --- Channels whose callee is on the way


def test_first_frames_are_kept_for_who_is_on_the_way() -> None:
    table = ChannelTable()
    reserved = table.reserve(("caller", CALLER), b"t" * 32)
    frames = [
        encode_frame(reserved.caller_id, bytes([0x40, n]))
        for n in range(FLEET_HELD_FRAMES + 2)
    ]
    for frame in frames:
        assert table.forward(frame, CALLER, 0.0) is None
    elsewhere = CALLER._replace(port=9)
    table.reserved_by("caller")[0].held.pop()
    assert table.forward(frames[0], elsewhere, 0.0) is None
    assert table.drops == {DropReason.UNKNOWN_CHANNEL: 2, DropReason.WRONG_SOURCE: 1}
    channel = table.fill(reserved, ("callee", CALLEE), 0.0)
    assert (channel.caller_id, channel.callee_id) == (
        reserved.caller_id,
        reserved.callee_id,
    )
    assert channel.ids("caller") == reserved.ids
    assert reserved.held == frames[: FLEET_HELD_FRAMES - 1]
    assert table.forward(frames[0], CALLER, 0.0) == (frames[0], CALLEE)
    assert table.reserved == 0
    assert len(table) == 1


def test_a_reservation_follows_its_caller_and_is_given_up_by_it_alone() -> None:
    table = ChannelTable()
    reserved = table.reserve(("caller", CALLER), b"t" * 32)
    moved = CALLER._replace(port=9)
    table.move("caller", moved)
    assert reserved.source == moved
    assert table.release("other", reserved.caller_id) is None
    assert table.release("caller", reserved.callee_id) is None
    assert table.reserved == 1
    assert table.release("caller", reserved.caller_id) is reserved
    assert table.reserved_by("caller") == []
    assert table.release("caller", reserved.caller_id) is None
    frame = encode_frame(reserved.caller_id, b"\x40x")
    assert table.forward(frame, moved, 0.0) is None
    assert table.drops == {DropReason.UNKNOWN_CHANNEL: 1}
