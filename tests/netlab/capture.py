"""Capture of a machine's IP packets to a pcap file, without tcpdump.

tcpdump changes its user, which an unprivileged user namespace forbids. Here the
packet socket exists before `capture` hands over, and the kernel queues a packet in it
while it is sent, so at the end an empty queue means that nothing is missing; what the
queue could not hold is counted in `lost`.

File layout: RFC draft-ietf-opsawg-pcap, link type 101 (raw IPv4 or IPv6):

    header   magic a1b23c4d (nanoseconds) | 2 | 4 | 0 | 0 | 65535 | 101
    packet   seconds | nanoseconds | captured length | original length | IP packet
"""

import contextlib
import os
import select
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

__all__ = ["Capture", "capturing"]

_HEADER: Final = struct.pack("=IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 101)
_SNAP_BYTES: Final = 65535
_IP_PROTOCOLS: Final = (0x0800, 0x86DD)
_LOOPBACK_HARDWARE: Final = 772
_SO_TIMESTAMPNS: Final = 35
_SOL_PACKET: Final = 263
_PACKET_STATISTICS: Final = 6
_QUEUE_BYTES: Final = 8 << 20


class Capture:
    """A capture under way, or ended.

    Attributes:
        path: The pcap file; complete once the `with` block is left.
        packets: How many packets were written.
        lost: How many the kernel could not queue; known at the end.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.packets = 0
        self.lost = 0


@contextlib.contextmanager
def capturing(source: socket.socket, path: Path) -> Iterator[Capture]:
    """Write what `source` (a cooked packet socket, then owned) sees until the end."""
    capture = Capture(path)
    source.setblocking(False)
    source.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    source.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _QUEUE_BYTES)
    stop, asked_to_stop = os.pipe()
    with source, path.open("wb") as file:
        file.write(_HEADER)
        writer = threading.Thread(
            target=_write_until, args=(stop, source, file, capture)
        )
        writer.start()
        try:
            yield capture
        finally:
            os.close(asked_to_stop)
            writer.join()
            os.close(stop)
            statistics = source.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
            capture.lost = struct.unpack("=II", statistics)[1]


def _write_until(
    stop: int, source: socket.socket, file: BinaryIO, capture: Capture
) -> None:
    stopped = False
    while not stopped:
        ready, _, _ = select.select([source.fileno(), stop], [], [])
        stopped = stop in ready
        with contextlib.suppress(BlockingIOError):
            while True:
                _write_one(source, file, capture)


def _write_one(source: socket.socket, file: BinaryIO, capture: Capture) -> None:
    packet, ancillary, _, origin = source.recvmsg(_SNAP_BYTES, 64)
    _, protocol, direction, hardware, _ = origin
    sent_to_itself = (
        hardware == _LOOPBACK_HARDWARE and direction == socket.PACKET_OUTGOING
    )
    if protocol not in _IP_PROTOCOLS or sent_to_itself:  # loopback shows each one twice
        return
    seconds, nanoseconds = struct.unpack("=qq", ancillary[0][2][:16])
    size = len(packet)
    file.write(struct.pack("=IIII", seconds, nanoseconds, size, size) + packet)
    capture.packets += 1
