"""Sender and receiver of bench/channel.py, each a process on an inherited socket.

A frame: 9 bytes of header (a channel's, or any), 0x40, the send time in nanoseconds,
zeros up to FRAME_BYTES. The clock is CLOCK_MONOTONIC, one for all processes.
"""

import socket
import struct
import sys
import time

FRAME_BYTES = 130
STAMP = struct.Struct("<Q")
STAMP_AT = 10
QUIET_S = 0.5
TAIL = bytes(FRAME_BYTES - STAMP_AT - STAMP.size)


def main() -> None:
    """Do what the words say: `send FD HOST PORT HEADER RATE SECONDS`, `receive FD`."""
    kind, descriptor, *rest = sys.argv[1:]
    sock = socket.socket(fileno=int(descriptor))
    sock.setblocking(True)
    if kind == "send":
        host, port, header, rate, seconds = rest
        target = (host, int(port))
        sent = send(sock, target, bytes.fromhex(header), float(rate), float(seconds))
        sys.stdout.write(str(sent))
    else:
        sys.stdout.write(" ".join(map(str, receive(sock))))


def send(
    sock: socket.socket,
    target: tuple[str, int],
    header: bytes,
    rate: float,
    seconds: float,
) -> int:
    """Send `rate` frames a second (0: as many as fit); return how many were sent."""
    head, pack, now_ns = header + b"\x40", STAMP.pack, time.monotonic_ns
    began_ns = now_ns()
    end_ns = began_ns + int(seconds * 1e9)
    sent = 0
    while (at_ns := now_ns()) < end_ns:
        if rate and (early_s := sent / rate - (at_ns - began_ns) / 1e9) > 0:
            time.sleep(early_s)
            continue
        sock.sendto(head + pack(now_ns()) + TAIL, target)
        sent += 1
    return sent


def receive(sock: socket.socket) -> list[int]:
    """Return the delay of each frame in nanoseconds, until none comes any more."""
    unpack, now_ns = STAMP.unpack_from, time.monotonic_ns
    delays_ns: list[int] = []
    sock.settimeout(None)
    while True:
        try:
            frame = sock.recv(2048)
        except TimeoutError:
            return delays_ns
        if len(frame) == FRAME_BYTES:
            delays_ns.append(now_ns() - unpack(frame, STAMP_AT)[0])
            if len(delays_ns) == 1:
                sock.settimeout(QUIET_S)


if __name__ == "__main__":
    main()
