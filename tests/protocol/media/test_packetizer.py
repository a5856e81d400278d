from hypothesis import given
from hypothesis import strategies as st

from wzp_cli.protocol.media.adaptation.sending import PLAIN, Sending
from wzp_cli.protocol.media.packetizer import Packetizer
from wzp_cli.protocol.media.redundancy import decode, unpack
from wzp_cli.protocol.media.rtp import MediaPacket


def packetizer(payload_type: int = 111) -> Packetizer:
    return Packetizer(payload_type, sequence=65_534, timestamp=2**32 - 960, ssrc=7)


def frame(number: int) -> bytes:
    return b"frame %d" % number


def packed(sending: Sending, count: int) -> list[MediaPacket]:
    packets = packetizer()
    packets.sending = sending
    return [p for n in range(count) if (p := packets.pack(frame(n))) is not None]


def test_alone_a_frame_is_a_plain_packet() -> None:
    assert packed(PLAIN, 3) == [
        MediaPacket(65_534, 2**32 - 960, 111, b"frame 0", ssrc=7, marker=True),
        MediaPacket(65_535, 0, 111, b"frame 1", ssrc=7),
        MediaPacket(0, 960, 111, b"frame 2", ssrc=7),
    ]


def test_copies_begin_as_soon_as_there_is_something_to_copy() -> None:
    first, second, third = packed(Sending(copies=2), 3)
    assert (first.payload_type, second.payload_type) == (111, 112)
    assert [(e.offset, e.frame) for e in decode(second.payload).earlier] == [
        (1, b"frame 0")
    ]
    assert [(e.offset, e.frame) for e in decode(third.payload).earlier] == [
        (1, b"frame 1"),
        (2, b"frame 0"),
    ]


def test_two_frames_in_a_packet_and_the_packet_before_again() -> None:
    packets = packed(Sending(frames=2, copies=1), 4)
    assert [packet.sequence for packet in packets] == [65_535, 1]
    last = unpack(packets[-1], 111)
    assert [packet.payload for packet in last.fresh] == [b"frame 2", b"frame 3"]
    assert [packet.payload for packet in last.copies] == [b"frame 0", b"frame 1"]


def test_what_waits_goes_with_the_next_packet_when_packets_get_shorter() -> None:
    packets = packetizer()
    packets.sending = Sending(frames=3)
    assert packets.pack(frame(0)) is None
    assert packets.pack(frame(1)) is None
    packets.sending = PLAIN
    packet = packets.pack(frame(2))
    assert packet is not None
    assert len(unpack(packet, 111).fresh) == 3


def test_g711_keeps_its_clock() -> None:
    packets = packetizer(0)
    first, second = packets.pack(frame(0)), packets.pack(frame(1))
    assert first is not None
    assert second is not None
    assert (second.timestamp - first.timestamp) % 2**32 == 160


sendings = st.builds(
    Sending,
    frames=st.integers(1, 3),
    copies=st.integers(0, 3),
    spacing=st.integers(1, 4),
)


@given(st.lists(st.tuples(sendings, st.integers(1, 12)), min_size=1, max_size=8))
def test_each_frame_comes_once_for_the_first_time_however_it_changes(
    story: list[tuple[Sending, int]],
) -> None:
    packets, number = packetizer(), 0
    came: list[tuple[int, bytes]] = []
    copied: dict[int, bytes] = {}
    for sending, count in story:
        packets.sending = sending
        for _ in range(count):
            packet = packets.pack(frame(number))
            number += 1
            if packet is not None:
                unpacked = unpack(packet, 111)
                came += [(p.sequence, p.payload) for p in unpacked.fresh]
                copied |= {p.sequence: p.payload for p in unpacked.copies}
    expected = [((65_534 + n) % 2**16, frame(n)) for n in range(number)]
    assert came == expected[: len(came)]
    assert number - len(came) < 3, "only what waits for its packet is missing"
    assert copied.items() <= dict(expected).items()
