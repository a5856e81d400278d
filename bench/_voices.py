"""Senders and receivers of bench/relay.py: many calls' sound, on inherited sockets.

`send` and `receive` read JSON from standard input. A frame is that of bench/_blast.py.
"""

import json
import selectors
import socket
import sys
import time

from bench._blast import FRAME_BYTES, STAMP, STAMP_AT, TAIL

QUIET_S = 1.0
FIRST_S = 20.0
LATEST_S = 0.004


def main() -> None:
    """Do what the word says; print JSON."""
    what = json.load(sys.stdin)
    told = send(**what) if sys.argv[1] == "send" else receive(**what)
    json.dump(told, sys.stdout)


def send(
    voices: list[tuple[int, str]], relay: tuple[str, int], seconds: float, per_s: float
) -> dict[str, float]:
    """Let each voice (socket, header) send `per_s` frames a second, evenly spread."""
    numbers = {number for number, _ in voices}
    sockets = {number: socket.socket(fileno=number) for number in numbers}
    ways = [(sockets[number], bytes.fromhex(head) + b"\x40") for number, head in voices]
    target, pack, now_ns = (relay[0], relay[1]), STAMP.pack, time.monotonic_ns
    rate, sent, dropped = per_s * len(ways), 0, 0
    at_once = max(1, int(rate * LATEST_S))
    started_ns = began_ns = now_ns()
    total = int(rate * seconds)
    while sent < total:
        due = min(total, int((now_ns() - began_ns) / 1e9 * rate))
        if due <= sent:
            time.sleep(0.0005)
            continue
        if due - sent > at_once:  # we were late: real clients don't catch up in a burst
            began_ns += int((due - sent - at_once) / rate * 1e9)
            due = sent + at_once
        for number in range(sent, due):
            sock, head = ways[number % len(ways)]
            try:
                sock.sendto(head + pack(now_ns()) + TAIL, target)
            except BlockingIOError:
                dropped += 1
        sent = due
    return {"sent": sent - dropped, "seconds": (now_ns() - started_ns) / 1e9}


def receive(descriptors: list[int]) -> dict[str, list[int]]:
    """Return the delay of each frame in microseconds, until none comes any more."""
    chosen = selectors.DefaultSelector()
    for number in descriptors:
        sock = socket.socket(fileno=number)
        sock.setblocking(False)
        chosen.register(sock, selectors.EVENT_READ)
    unpack, now_ns = STAMP.unpack_from, time.monotonic_ns
    delays_us: list[int] = []
    wait_s = FIRST_S
    while ready := chosen.select(wait_s):
        for key, _ in ready:
            try:
                while True:
                    frame = key.fileobj.recv(2048)  # type: ignore[union-attr]
                    if len(frame) == FRAME_BYTES:
                        late_ns = now_ns() - unpack(frame, STAMP_AT)[0]
                        delays_us.append(late_ns // 1000)
            except BlockingIOError:
                pass
        if delays_us:
            wait_s = QUIET_S
    return {"delays_us": delays_us}


if __name__ == "__main__":
    main()
