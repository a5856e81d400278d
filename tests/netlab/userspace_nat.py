"""A NAT as RFC 4787 describes them, and a link that delays and loses: one program.

    python userspace_nat.py --nat mapping=address-dependent,allocation=random
    python userspace_nat.py --link a 11.0.1.0/24 --out delay_ms=40 --in loss_pct=1

It runs in a router of the laboratory. The kernel there hands it what it forwards, by
two TUN devices (one for each direction); it sends what shall leave from a raw socket:

    lan ==> kernel (TTL, time exceeded) ==> TUN ==> translate, delay ==> raw ==> wan
    lan <== raw <== translate <== delay <== TUN <== kernel <================ wan

So the router is one hop, its kernel answers to TTLs that end here and finds neighbours,
and the IP header's checksum is the kernel's to fill in. Only UDP over IPv4 and the ICMP
errors about it pass a NAT, fragments don't; a link passes all of IPv4. It says "ready"
when packets pass, takes "flush" (forget all mappings), and ends with its input.

It is stdlib only, and imported by the laboratory for its settings.
"""

import argparse
import contextlib
import fcntl
import heapq
import itertools
import os
import random
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

__all__ = ["Behaviour", "Impairment", "Nat", "Wire", "format_words", "why_no_tun"]

_TUN: Final = "/dev/net/tun"
_TUNSETIFF: Final = 0x400454CA
_IFF_TUN_NO_PI: Final = 0x1001
_SIOCGIFADDR: Final = 0x8915
_SEARCH_PATH: Final = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
_MTU: Final = 1500
_QUEUE_PACKETS: Final = 4000
_BATCH: Final = 64
_DELIVERED_MARK: Final = 1

_IPV4: Final = 4
_UDP_HEADER: Final = 8
_ICMP_HEADER: Final = 8
_ICMP_ERRORS: Final = frozenset({3, 11, 12})
_PORTS: Final = range(1024, 65536)
_PURGE_EACH_S: Final = 1.0

_DEPENDS_ON: Final = {
    "endpoint-independent": 0,
    "address-dependent": 4,
    "address-and-port-dependent": 6,
}
"""How many bytes of the remote endpoint (address, port) count."""


# Settings


@dataclass(frozen=True)
class Behaviour:
    """How a NAT behaves, in the words of RFC 4787.

    Attributes:
        mapping: What a mapping depends on (section 4.1).
        filtering: What must have been sent to before it may answer (section 5).
        allocation: The external port: "preserve" (random where taken), "sequential"
            (`delta` further for each mapping, from a random start), "random".
        lifetime_s: How long after the last packet from inside, once there is an answer
            (section 4.3); of a mapping and, by itself, of each filter entry.
        unreplied_lifetime_s: The same, where nothing has been answered yet.
        hairpin: Inside hosts reach each other's external endpoints (section 6).
        accepts_input: An unsolicited packet takes the port that it came to, for its
            sender, as it does in conntrack: later packets from inside to that sender
            leave from another port ("poisonable").
    """

    mapping: str = "endpoint-independent"
    filtering: str = "address-and-port-dependent"
    allocation: str = "preserve"
    delta: int = 1
    lifetime_s: float = 120.0
    unreplied_lifetime_s: float = 30.0
    hairpin: bool = False
    accepts_input: bool = False


@dataclass(frozen=True)
class Impairment:
    """What a link does to packets in one direction; order is kept but for `reorder_*`.

    Attributes:
        delay_ms: One-way delay.
        jitter_ms: "uniform": at most this more or less; "exponential": this more, on
            average.
        loss_pct: Share that is lost.
        burst_packets: Losses come in bursts of this mean length (Gilbert's model with
            nothing lost in the good state, all in the bad); 0: each by itself.
        reorder_pct: Share that is held back by `reorder_ms` more, and overtaken.
        rate_kbps: IP bits that pass in a millisecond; 0: no limit.
        queue_ms: How long a packet may wait for its turn; beyond, it is dropped.
    """

    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    jitter: str = "uniform"
    loss_pct: float = 0.0
    burst_packets: float = 0.0
    reorder_pct: float = 0.0
    reorder_ms: float = 20.0
    rate_kbps: float = 0.0
    queue_ms: float = 200.0


Settings = TypeVar("Settings", bound=Behaviour | Impairment)


def format_words(settings: Behaviour | Impairment) -> str:
    """What differs from the defaults, as one command-line word ("" for nothing)."""
    values = [(each, getattr(settings, each.name)) for each in fields(settings)]
    return ",".join(f"{f.name}={value}" for f, value in values if value != f.default)


def parse_words(kind: type[Settings], word: str) -> Settings:
    """Read what `format_words` wrote.

    Raises:
        KeyError: There is no such setting.
    """
    defaults = {each.name: each.default for each in fields(kind)}
    given = [pair.partition("=")[::2] for pair in word.split(",") if pair]
    return kind(**{name: _as_typed(defaults[name], text) for name, text in given})


def _as_typed(like: object, text: str) -> Any:
    if isinstance(like, bool):
        return text == "True"
    return text if isinstance(like, str) else type(like)(text)  # type: ignore[call-arg]


def why_no_tun() -> str | None:
    """What keeps this user from opening TUN devices; None if nothing."""
    try:
        os.close(os.open(_TUN, os.O_RDWR))
    except OSError as error:
        return f"{_TUN}: {error.strerror}"
    return None


# Translation


@dataclass
class _Permission:
    """A filter entry: who may answer, and until when."""

    sent: float = 0.0
    expires: float = 0.0
    replied: bool = False


@dataclass
class _Mapping:
    """An inside endpoint and its external one (4 bytes of address, 2 of port).

    Attributes:
        key: What it was made for: the inside endpoint, and of the remote one what the
            mapping depends on.
        outward: What to add to a checksum when `inside` becomes `outside`.
        inward: The same for the way back.
        permissions: By the part of the remote endpoint that filtering looks at.
    """

    key: bytes
    inside: bytes
    outside: bytes
    expires: float = 0.0
    permissions: dict[bytes, _Permission] = field(default_factory=dict)
    outward: int = field(init=False)
    inward: int = field(init=False)

    def __post_init__(self) -> None:
        self.outward = _difference(self.inside, self.outside)
        self.inward = _difference(self.outside, self.inside)


class Nat:
    """The rules: packets in, translated packets out; `now` in seconds, any clock's."""

    def __init__(
        self, behaviour: Behaviour, outside: bytes, chance: random.Random
    ) -> None:
        """Start with no mapping.

        Args:
            outside: The external IPv4 address, 4 bytes.
            chance: Where random ports come from.
        """
        self._behaviour = behaviour
        self._outside = outside
        self._chance = chance
        self._mapped_on = _DEPENDS_ON[behaviour.mapping]
        self._filtered_on = _DEPENDS_ON[behaviour.filtering]
        self._sequence = chance.randrange(10_000, 50_000)
        self._by_key: dict[bytes, _Mapping] = {}
        self._by_port: dict[int, _Mapping] = {}
        self._taken: dict[tuple[int, bytes], float] = {}
        self._next_purge = 0.0

    def __len__(self) -> int:
        """Count the mappings held, those that ended but are not yet purged included."""
        return len(self._by_port)

    def flush(self) -> None:
        """Forget every mapping."""
        self._by_key.clear()
        self._by_port.clear()
        self._taken.clear()

    def outbound(self, packet: bytes, now: float) -> bytes | None:
        """Translate a packet from inside; None if it may not pass."""
        at = _udp_offset(packet)
        if at is None:
            return None
        if packet[16:20] == self._outside:
            return self._hairpin(packet, at, now)
        mapping = self._map(packet, at, now)
        return _rewrite(packet, at, mapping.outside, None, mapping.outward)

    def inbound(self, packet: bytes, now: float) -> bytes | None:
        """Translate a packet from outside; None if it may not pass."""
        if packet[9] == socket.IPPROTO_ICMP:
            return self._icmp_error(packet, now)
        at = _udp_offset(packet)
        if at is None or packet[16:20] != self._outside:
            return None
        remote = packet[12:16] + packet[at : at + 2]
        mapping = self._admit(_number(packet, at + 2), remote, now)
        if mapping is None:
            return None
        return _rewrite(packet, at, None, mapping.inside, mapping.inward)

    def _hairpin(self, packet: bytes, at: int, now: float) -> bytes | None:
        if not self._behaviour.hairpin:
            return None
        source = self._map(packet, at, now)
        target = self._admit(_number(packet, at + 2), source.outside, now)
        if target is None:
            return None
        both = source.outward + target.inward
        return _rewrite(packet, at, source.outside, target.inside, both)

    def _map(self, packet: bytes, at: int, now: float) -> _Mapping:
        """Return the mapping that a packet from inside uses, made or refreshed."""
        inside = packet[12:16] + packet[at : at + 2]
        remote = packet[16:20] + packet[at + 2 : at + 4]
        mapping = self._mapping(inside, remote[: self._mapped_on], now)
        if self._is_taken(mapping, remote, now):
            mapping = self._mapping(inside, remote, now)
        self._permit(mapping, remote, now)
        return mapping

    def _mapping(self, inside: bytes, on: bytes, now: float) -> _Mapping:
        key = inside + on
        mapping = self._by_key.get(key)
        if mapping is None or mapping.expires <= now:
            if mapping is not None:
                self._remove(mapping)
            port = self._free_port(_number(inside, 4), now)
            mapping = _Mapping(key, inside, self._outside + port.to_bytes(2, "big"))
            self._by_key[key] = self._by_port[port] = mapping
            self._purge(now)
        return mapping

    def _permit(self, mapping: _Mapping, remote: bytes, now: float) -> None:
        who = remote[: self._filtered_on]
        permission = mapping.permissions.get(who)
        if permission is None or permission.expires <= now:
            permission = mapping.permissions[who] = _Permission()
        permission.sent = now
        self._extend(mapping, permission)

    def _extend(self, mapping: _Mapping, permission: _Permission) -> None:
        behaviour = self._behaviour
        lifetime_s = (
            behaviour.lifetime_s
            if permission.replied
            else behaviour.unreplied_lifetime_s
        )
        permission.expires = permission.sent + lifetime_s
        mapping.expires = max(mapping.expires, permission.expires)

    def _admit(self, port: int, remote: bytes, now: float) -> _Mapping | None:
        """Return the mapping that a packet from outside may use."""
        mapping = self._by_port.get(port)
        if mapping is not None and mapping.expires > now:
            permission = mapping.permissions.get(remote[: self._filtered_on])
            if permission is not None and permission.expires > now:
                if not permission.replied:
                    permission.replied = True
                    self._extend(mapping, permission)
                return mapping
        if self._behaviour.accepts_input:
            self._taken[port, remote] = now + self._behaviour.unreplied_lifetime_s
        return None

    def _is_taken(self, mapping: _Mapping, remote: bytes, now: float) -> bool:
        """Whether an unsolicited packet has spoilt this mapping for its sender."""
        port = _number(mapping.outside, 4)
        if self._taken.get((port, remote), 0.0) <= now:
            return False
        return remote[: self._filtered_on] not in mapping.permissions

    def _free_port(self, wanted: int, now: float) -> int:
        for port in self._proposed(wanted):
            holder = self._by_port.get(port)
            if holder is None:
                return port
            if holder.expires <= now:
                self._remove(holder)
                return port
        raise AssertionError("proposals never end")

    def _proposed(self, wanted: int) -> Iterable[int]:
        allocation = self._behaviour.allocation
        if allocation == "preserve":
            yield wanted
        while allocation == "sequential":
            above = self._sequence + self._behaviour.delta - _PORTS.start
            self._sequence = _PORTS.start + above % len(_PORTS)
            yield self._sequence
        while True:
            yield self._chance.choice(_PORTS)

    def _remove(self, mapping: _Mapping) -> None:
        del self._by_key[mapping.key]
        del self._by_port[_number(mapping.outside, 4)]

    def _purge(self, now: float) -> None:
        """Forget, now and then, what has expired: a long search leaves thousands."""
        if now < self._next_purge:
            return
        self._next_purge = now + _PURGE_EACH_S
        # One made just now has no permission yet: its time is still 0.
        ended = [m for m in self._by_port.values() if 0.0 < m.expires <= now]
        for mapping in ended:
            self._remove(mapping)
        self._taken = {who: end for who, end in self._taken.items() if end > now}

    def _icmp_error(self, packet: bytes, now: float) -> bytes | None:
        """Translate an error about a datagram of ours, and the datagram it quotes."""
        at = (packet[0] & 15) * 4
        quoted = packet[at + _ICMP_HEADER :]
        if packet[at] not in _ICMP_ERRORS or len(quoted) < 20:
            return None
        udp = _udp_offset(quoted)
        if udp is None or quoted[12:16] != self._outside:
            return None
        mapping = self._by_port.get(_number(quoted, udp))
        remote = quoted[16:20] + quoted[udp + 2 : udp + 4]
        if mapping is None or remote[: self._filtered_on] not in mapping.permissions:
            return None
        inner = bytearray(_rewrite(quoted, udp, mapping.inside, None, mapping.inward))
        address = _difference(mapping.outside[:4], mapping.inside[:4])
        inner[10:12] = _adjusted(_number(quoted, 10), address).to_bytes(2, "big")
        message = bytearray(packet[at : at + _ICMP_HEADER]) + inner
        message[2:4] = bytes(2)
        message[2:4] = _adjusted(0xFFFF, _sum(message)).to_bytes(2, "big")
        return packet[:16] + mapping.inside[:4] + packet[20:at] + bytes(message)


def _number(octets: bytes, at: int) -> int:
    return octets[at] << 8 | octets[at + 1]


def _udp_offset(packet: bytes) -> int | None:
    """Where the UDP header is, in an IPv4 packet that has a whole one."""
    at = (packet[0] & 15) * 4
    is_fragment = _number(packet, 6) & 0x3FFF
    if packet[9] != socket.IPPROTO_UDP or is_fragment or len(packet) < at + _UDP_HEADER:
        return None
    return at


def _rewrite(
    packet: bytes, at: int, source: bytes | None, target: bytes | None, change: int
) -> bytes:
    """Put other endpoints in, and add the change to the UDP checksum (RFC 1624)."""
    written = bytearray(packet)
    if source is not None:
        written[12:16] = source[:4]
        written[at : at + 2] = source[4:]
    if target is not None:
        written[16:20] = target[:4]
        written[at + 2 : at + 4] = target[4:]
    if checksum := _number(packet, at + 6):  # 0: the sender made none
        changed = _adjusted(checksum, change) or 0xFFFF
        written[at + 6 : at + 8] = changed.to_bytes(2, "big")
    return bytes(written)


def _sum(octets: bytes | bytearray) -> int:
    padded = bytes(octets) + b"\0" * (len(octets) & 1)
    return sum(struct.unpack(f"!{len(padded) // 2}H", padded))


def _difference(old: bytes, new: bytes) -> int:
    """What a checksum's sum grows by; ones' complement, so never negative."""
    return _sum(new) + _sum(bytes(~octet & 0xFF for octet in old))


def _adjusted(checksum: int, change: int) -> int:
    total = (~checksum & 0xFFFF) + change
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


# The link


class Wire:
    """One direction of a link: when each packet comes out, if it does."""

    def __init__(self, link: Impairment, chance: random.Random) -> None:
        self._link = link
        self._chance = chance
        self._is_bad = False
        self._free_at = 0.0
        self._last_due = 0.0

    def due(self, size_bytes: int, now: float) -> float | None:
        """Return when a packet that enters now comes out; None if it is lost."""
        if self._loses():
            return None
        sent = self._sent(size_bytes, now)
        if sent is None:
            return None
        due = sent + self._delay_s()
        if self._happens(self._link.reorder_pct):
            return due + self._link.reorder_ms / 1000
        self._last_due = max(self._last_due, due)
        return self._last_due

    def _happens(self, percent: float) -> bool:
        return percent > 0 and self._chance.random() * 100 < percent

    def _loses(self) -> bool:
        link = self._link
        if not link.burst_packets:
            return self._happens(link.loss_pct)
        if self._is_bad:
            self._is_bad = not self._happens(100 / link.burst_packets)
        else:
            good_pct = 100 - link.loss_pct
            onset = 100 * link.loss_pct / (good_pct * link.burst_packets)
            self._is_bad = self._happens(onset)
        return self._is_bad

    def _sent(self, size_bytes: int, now: float) -> float | None:
        """When its last bit has left, behind those that wait; None if too many do."""
        if not self._link.rate_kbps:
            return now
        starts = max(now, self._free_at)
        if starts - now > self._link.queue_ms / 1000:
            return None
        self._free_at = starts + size_bytes * 8 / (self._link.rate_kbps * 1000)
        return self._free_at

    def _delay_s(self) -> float:
        link, delay_ms = self._link, self._link.delay_ms
        if link.jitter_ms and link.jitter == "exponential":
            delay_ms += self._chance.expovariate(1 / link.jitter_ms)
        elif link.jitter_ms:
            delay_ms += self._chance.uniform(-link.jitter_ms, link.jitter_ms)
        return max(0.0, delay_ms) / 1000


# The program


class _Translate(Protocol):
    def __call__(self, packet: bytes, now: float, /) -> bytes | None: ...


@dataclass
class _Lane:
    """One direction: where packets come from, what happens to them, where they go.

    Attributes:
        before: What is done before they are on the wire.
        after: What is done when they come off it.
    """

    tun: int
    wire: Wire
    before: _Translate
    after: _Translate
    out: socket.socket


def _unchanged(packet: bytes, now: float, /) -> bytes | None:
    return packet


class _Shuttle:
    """Moves packets along the lanes until standard input ends."""

    def __init__(self, lanes: Sequence[_Lane], nat: Nat | None) -> None:
        self._lanes = {lane.tun: lane for lane in lanes}
        self._nat = nat
        self._count = itertools.count()
        self._under_way: list[tuple[float, int, _Lane, bytes]] = []

    def run(self) -> None:
        control = sys.stdin.fileno()
        watched = [*self._lanes, control]
        while True:
            ready, _, _ = select.select(watched, [], [], self._wait_s())
            if control in ready and not self._obey(os.read(control, 4096)):
                return
            for fd in ready:
                if fd != control:
                    self._take_in(self._lanes[fd])
            self._let_out()

    def _wait_s(self) -> float | None:
        if not self._under_way:
            return None
        return max(0.0, self._under_way[0][0] - time.monotonic())

    def _obey(self, line: bytes) -> bool:
        if line == b"flush\n":
            if self._nat is not None:
                self._nat.flush()
            _say("flushed")
        return bool(line)

    def _take_in(self, lane: _Lane) -> None:
        now = time.monotonic()
        with contextlib.suppress(BlockingIOError):
            for _ in range(_BATCH):
                packet = os.read(lane.tun, _MTU)
                if packet[0] >> 4 == _IPV4:  # the device itself solicits in IPv6
                    self._pass(lane, packet, now)

    def _pass(self, lane: _Lane, packet: bytes, now: float) -> None:
        translated = lane.before(packet, now)
        if translated is not None:
            self._enter(lane, translated, now)

    def _enter(self, lane: _Lane, packet: bytes, now: float) -> None:
        due = lane.wire.due(len(packet), now)
        if due is not None:
            entry = (due, next(self._count), lane, packet)
            heapq.heappush(self._under_way, entry)

    def _let_out(self) -> None:
        now = time.monotonic()
        while self._under_way and self._under_way[0][0] <= now:
            _, _, lane, packet = heapq.heappop(self._under_way)
            done = lane.after(packet, now)
            if done is not None:
                with contextlib.suppress(OSError):  # lost, as on any full link
                    lane.out.sendto(done, (socket.inet_ntoa(done[16:20]), 0))


def main() -> None:
    """Run until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--nat", metavar="SETTINGS", help="translate from lan to wan")
    what.add_argument("--link", nargs=2, metavar=("INTERFACE", "NETWORK"))
    parser.add_argument("--out", default="", metavar="SETTINGS", help="from inside")
    parser.add_argument("--in", default="", metavar="SETTINGS", dest="into")
    parser.add_argument("--seed", help="the same losses and delays each time")
    options = parser.parse_args()
    wires = [
        Wire(parse_words(Impairment, word), _chance(options.seed, way))
        for way, word in (("out", options.out), ("in", options.into))
    ]
    if options.link:
        shuttle = _link(wires, *options.link)
    else:
        chance = _chance(options.seed, "nat")
        shuttle = _nat(wires, parse_words(Behaviour, options.nat), chance)
    _say("ready")
    shuttle.run()


def _chance(seed: str | None, what_for: str) -> random.Random:
    return random.Random(None if seed is None else f"{seed} {what_for}")


def _nat(wires: list[Wire], behaviour: Behaviour, chance: random.Random) -> _Shuttle:
    outside = _address_of("wan")
    inner, outer = _open_tun("from-lan"), _open_tun("from-wan")
    nat = Nat(behaviour, socket.inet_aton(outside), chance)
    to_nat = f"to {outside} ipproto udp lookup {_table('from-lan')}"
    _ip(
        *_tun_lines("from-lan"),
        *_tun_lines("from-wan"),
        f"rule add pref 10 iif wan ipproto udp lookup {_table('from-wan')}",
        f"rule add pref 11 iif wan ipproto icmp lookup {_table('from-wan')}",
        f"rule add pref 12 iif lan {to_nat}",
        "rule add pref 20 lookup local",
        "rule del pref 0 lookup local",
        f"rule add pref 30 iif lan ipproto udp lookup {_table('from-lan')}",
        "rule add pref 31 iif lan blackhole",
        "rule add pref 32 iif wan blackhole",
    )
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    raw = _raw_socket()
    out = _Lane(inner, wires[0], nat.outbound, _unchanged, raw)
    into = _Lane(outer, wires[1], _unchanged, nat.inbound, raw)
    return _Shuttle([out, into], nat)


def _link(wires: list[Wire], interface: str, network: str) -> _Shuttle:
    """Catch all that comes from an interface or goes to its network.

    What has passed the way out may have another link's way in before it; what has
    passed the way in is marked, and goes on.
    """
    up, down = f"{interface}-up", f"{interface}-down"
    out = _Lane(_open_tun(up), wires[0], _unchanged, _unchanged, _raw_socket())
    marked = _raw_socket(_DELIVERED_MARK)
    into = _Lane(_open_tun(down), wires[1], _unchanged, _unchanged, marked)
    order = _table(down)
    _ip(
        *_tun_lines(up),
        *_tun_lines(down, source=f"src {_address_of(interface)}"),
        f"rule add pref {order} fwmark {_DELIVERED_MARK} lookup main",
        f"rule add pref {10_000 + order} iif {interface} lookup {_table(up)}",
        f"rule add pref {20_000 + order} to {network} lookup {order}",
    )
    return _Shuttle([out, into], None)


def _say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


def _open_tun(name: str) -> int:
    fd = os.open(_TUN, os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN_NO_PI))
    return fd


def _table(tun: str) -> int:
    """A routing table of the device's own; 253 to 255 are the kernel's."""
    return 1000 + socket.if_nametoindex(tun)


def _tun_lines(tun: str, source: str = "") -> list[str]:
    return [
        f"link set dev {tun} up txqueuelen {_QUEUE_PACKETS}",
        f"route add default dev {tun} {source} table {_table(tun)}",
    ]


def _address_of(interface: str) -> str:
    request = struct.pack("256s", interface.encode())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, request)
    return socket.inet_ntoa(answer[20:24])


def _raw_socket(mark: int = 0) -> socket.socket:
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    raw.setblocking(False)
    if mark:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
    return raw


def _ip(*lines: str) -> None:
    subprocess.run(
        ["ip", "-batch", "-"],
        input="\n".join(lines),
        text=True,
        check=True,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"PATH": _SEARCH_PATH},
    )


if __name__ == "__main__":
    main()
