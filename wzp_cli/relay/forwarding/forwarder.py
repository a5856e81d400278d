"""A process that forwards frames for a relay, and does nothing else.

    python -m wzp_cli.relay.forwarding.forwarder PORT_DESCRIPTOR CONTROL_DESCRIPTOR

It has a socket on the relay's port, to which the kernel brings the frames of its
channels (endpoint/sockets/shared_port.py), and one to the relay, which tells it of
them. It holds no key, asks nobody, and ends when the relay is gone. A loop that blocks
on the socket spends half to a third of what an event loop would on each frame.
"""

import collections
import signal
import socket
import struct
import sys
import time
from typing import Any, Final, NamedTuple

from wzp_cli.defaults.program import MAX_MESSAGE_BYTES
from wzp_cli.defaults.relay import (
    FORWARDER_ACCOUNT_S,
    FORWARDER_ATTENTION_S,
    FORWARDER_WAIT_S,
    RELAY_MAX_FRAME_BYTES,
)
from wzp_cli.endpoint.sockets.datagram_address import packet_info, socket_address
from wzp_cli.protocol.demux import FRAME_HEADER_BYTES
from wzp_cli.protocol.messages.signal import MessageDecoder, Unknown, encode
from wzp_cli.relay.forwarding.data_plane import Direction, DropReason
from wzp_cli.relay.forwarding.messages import (
    Account,
    ForwarderMessage,
    Passed,
    Way,
    Ways,
    pieces,
)

__all__ = ["Forwarder", "main"]

_TIMEVAL: Final = struct.Struct("@ll")
_IGNORED: Final = ("SIGINT", "SIGTERM", "SIGHUP")
_READ_BYTES = 65536


class _Target(NamedTuple):
    """Where frames go, as the socket takes it."""

    address: tuple[Any, ...]
    ancillary: list[tuple[int, int, bytes]]


class Forwarder:
    """Frames from one socket back into it, as the relay says.

    What the relay has told counts at once for a frame that would be dropped without it,
    and within FORWARDER_ATTENTION_S for all others.
    """

    def __init__(self, port: socket.socket, control: socket.socket) -> None:
        """Take both sockets; `port` blocks from now on, but not for ever."""
        self._port, self._control = port, control
        self._v6 = port.family == socket.AF_INET6
        seconds, part = divmod(FORWARDER_WAIT_S, 1)
        port.setblocking(True)
        timeout = _TIMEVAL.pack(int(seconds), int(part * 1e6))
        port.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeout)
        control.setblocking(False)
        self._decoder: MessageDecoder[ForwarderMessage] = MessageDecoder(
            ForwarderMessage, limit_bytes=MAX_MESSAGE_BYTES
        )
        self._ways: dict[bytes, Direction[Any]] = {}
        self._over: list[Passed] = []
        self._dropped: collections.Counter[DropReason] = collections.Counter()
        self._unsent = 0
        self._cpu_s = 0.0
        self._unsaid = b""
        self._look_at_s = self._account_at_s = 0.0
        self._has_relay = True

    def serve(self) -> None:
        """Forward until the relay is gone."""
        receive, clock, ways = self._port.recvfrom, time.monotonic, self._ways
        largest = RELAY_MAX_FRAME_BYTES + 1  # so that what is too long is seen to be
        while self._has_relay:
            try:
                frame, peer = receive(largest)
            except OSError:  # FORWARDER_WAIT_S are over, or an ICMP error came
                self._look(clock())
                continue
            now = clock()
            if now >= self._look_at_s:
                self._look(now)
            source = peer[:2]
            way = ways.get(frame[1:FRAME_HEADER_BYTES])
            if way is None or way.source != source:
                self._look(now)
                way = ways.get(frame[1:FRAME_HEADER_BYTES])
            if way is None:
                self._dropped[DropReason.UNKNOWN_CHANNEL] += 1
            elif (why := way.take(frame, source, now)) is not None:
                self._dropped[why] += 1
            else:
                self._send(frame, way.to)

    def _send(self, frame: bytes, to: _Target) -> None:
        # An ICMP error about some earlier packet fails the next send: once more.
        for _ in range(2):
            try:
                if to.ancillary:
                    self._port.sendmsg(
                        [frame], to.ancillary, socket.MSG_DONTWAIT, to.address
                    )
                else:
                    self._port.sendto(frame, socket.MSG_DONTWAIT, to.address)
            except BlockingIOError:
                break
            except OSError:
                continue
            return
        self._unsent += 1

    # -- between it and the relay

    def _look(self, now: float) -> None:
        """Hear what the relay says; give account when that is due."""
        self._look_at_s = now + FORWARDER_ATTENTION_S
        while self._has_relay:
            try:
                data = self._control.recv(_READ_BYTES)
            except BlockingIOError:
                break
            except OSError:  # it went without having read our last account
                data = b""
            self._hear(data, now)
        if now >= self._account_at_s:
            self._account_at_s = now + FORWARDER_ACCOUNT_S
            self._give_account()

    def _hear(self, data: bytes, now: float) -> None:
        if not data:
            self._has_relay = False
        for message in self._decoder.feed(data):
            match message:
                case Ways(open=opened, over=over):
                    for way in opened:
                        self._open(way, now)
                    for send_id in over:
                        self._close(send_id)
                case Account() | Unknown():
                    pass

    def _open(self, way: Way, now: float) -> None:
        source = socket_address(way.source, v6=self._v6)
        target = socket_address(way.to, v6=self._v6)
        if source is None or target is None:  # no frame could come, or go
            self._close(way.id)
            return
        ancillary = packet_info(way.own, v6=self._v6) if way.own else []
        to = _Target(target, ancillary)
        known = self._ways.get(way.id)
        if known is None:
            self._ways[way.id] = Direction(source[:2], to, now)
        else:
            known.source, known.to = source[:2], to

    def _close(self, send_id: bytes) -> None:
        way = self._ways.pop(send_id, None)
        if way is not None and way.packets:
            self._over.append(Passed(send_id, way.packets, way.bytes))

    def _give_account(self) -> None:
        """Say what there is to say, unless the relay has not heard the last of it."""
        if not self._unsaid:
            self._unsaid = self._account()
        try:
            said = self._control.send(self._unsaid)
        except BlockingIOError:
            return
        except OSError:
            self._has_relay = False
            return
        self._unsaid = self._unsaid[said:]

    def _account(self) -> bytes:
        passed = self._over
        for send_id, way in self._ways.items():
            if way.packets:
                passed.append(Passed(send_id, way.packets, way.bytes))
                way.packets = way.bytes = 0
        cpu_s = time.process_time()
        said = [encode(Account(passed=some)) for some in pieces(passed)]
        dropped = {str(why): count for why, count in self._dropped.items()}
        spent_s = cpu_s - self._cpu_s
        said.append(
            encode(Account(dropped=dropped, unsent=self._unsent, cpu_s=spent_s))
        )
        self._over = []
        self._dropped.clear()
        self._unsent = 0
        self._cpu_s = cpu_s
        return b"".join(said)


def main() -> None:
    """Forward with the two sockets that were inherited."""
    for name in _IGNORED:  # the relay has them, too, and ends us when it ends
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    port, control = (socket.socket(fileno=int(word)) for word in sys.argv[1:3])
    Forwarder(port, control).serve()


if __name__ == "__main__":
    main()
