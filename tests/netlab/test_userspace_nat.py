"""The userspace NAT and impaired links, setting by setting, seen by plain sockets."""

import contextlib
import itertools
import os
import random
import select
import socket
import statistics
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.netlab.conftest import MakeLab
from tests.netlab.lab import Lab, SiteSpec
from tests.netlab.nats import KINDS, Layer, NatKind
from tests.netlab.program import Stage
from tests.netlab.test_lab import heard, receive, reflexive, servers, udp
from tests.netlab.userspace_nat import (
    Behaviour,
    Impairment,
    Nat,
    Wire,
    format_words,
    parse_words,
    why_no_tun,
)
from wzp_cli.address import Address

pytestmark = pytest.mark.netlab

PORT = 4433
LOCAL_PORT = 40000
SEED = 20
EIM, ADM, APDM = (
    "endpoint-independent",
    "address-dependent",
    "address-and-port-dependent",
)
SHORT_S = 1.0
ICMP_WAIT_S = 5.0
SILENCE_S = 0.3
"""How long to listen for more; the longest way here takes 80 ms."""


@pytest.fixture(autouse=True)
def tun() -> None:
    """Skip where TUN devices can't be opened, unless laboratories are demanded."""
    if (reason := why_no_tun()) is None:
        return
    if os.geteuid() == 0 and "netlab" in os.environ.get("WZP_TESTS_REQUIRE", ""):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def site(behaviour: Behaviour, hosts: int = 1, name: str = "a") -> SiteSpec:
    kind = NatKind("by hand", "", (Layer(userspace=behaviour),))
    return SiteSpec(name, kind, hosts=hosts)


# Settings as words


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Behaviour(), ""),
        (
            Behaviour(mapping=APDM, delta=-2, lifetime_s=0.5, hairpin=True),
            "mapping=address-and-port-dependent,delta=-2,lifetime_s=0.5,hairpin=True",
        ),
        (
            Impairment(delay_ms=40.0, jitter="exponential"),
            "delay_ms=40.0,jitter=exponential",
        ),
    ],
)
def test_settings_are_words(settings: Behaviour | Impairment, words: str) -> None:
    assert format_words(settings) == words
    assert parse_words(type(settings), words) == settings


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(KeyError):
        parse_words(Behaviour, "colour=blue")


# Mapping, filtering, allocation


@pytest.mark.parametrize(
    ("mapping", "distinct"), [(EIM, [0, 0, 0, 0]), (ADM, [0, 0, 1, 1])]
)
def test_what_a_mapping_depends_on(
    make_lab: MakeLab, mapping: str, distinct: list[int]
) -> None:
    lab = make_lab(site(Behaviour(mapping=mapping)))
    assert mapping_pattern(lab) == distinct


def mapping_pattern(lab: Lab) -> list[int]:
    """Which of two ports at two servers see the same endpoint, by first appearance."""
    with contextlib.ExitStack() as stack:
        at = [
            stack.enter_context(udp(lab.host(name), port))
            for name in ("r1", "r2")
            for port in (PORT, PORT + 1)
        ]
        client = stack.enter_context(udp(lab.host("a"), LOCAL_PORT))
        seen = [reflexive(client, server) for server in at]
        assert [reflexive(client, server) for server in at] == seen
    assert {address.host for address in seen} == {lab.site("a").public}
    assert seen[0].port == LOCAL_PORT
    order = list(dict.fromkeys(seen))
    return [order.index(address) for address in seen]


def test_a_mapping_for_each_address_and_port(make_lab: MakeLab) -> None:
    assert mapping_pattern(make_lab(site(Behaviour(mapping=APDM)))) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("kind", "admitted"),
    [
        ("full-cone-user", {b"answer", b"other port", b"stranger"}),
        ("address-restricted", {b"answer", b"other port"}),
        ("port-restricted", {b"answer"}),
        ("symmetric-random", {b"answer"}),
    ],
)
def test_who_may_answer(make_lab: MakeLab, kind: str, admitted: set[bytes]) -> None:
    lab = make_lab(kind)
    with (
        servers(lab) as (known, stranger, _),
        udp(lab.host("r1"), PORT + 1) as other_port,
        udp(lab.host("a")) as client,
    ):
        outside = reflexive(client, known)
        stranger.sendto(b"stranger", outside)
        other_port.sendto(b"other port", outside)
        known.sendto(b"answer", outside)
        assert set(heard(client)) == admitted


def ports_seen(lab: Lab, count: int) -> list[int]:
    """The external ports of one socket toward as many ports of a server."""
    with contextlib.ExitStack() as stack:
        server = lab.host("r1")
        at = [stack.enter_context(udp(server, PORT + n)) for n in range(count)]
        client = stack.enter_context(udp(lab.host("a"), LOCAL_PORT))
        return [reflexive(client, one).port for one in at]


@pytest.mark.parametrize("delta", [1, 2, -3])
def test_sequential_ports(make_lab: MakeLab, delta: int) -> None:
    behaviour = Behaviour(mapping=APDM, allocation="sequential", delta=delta)
    seen = ports_seen(make_lab(site(behaviour)), 8)
    assert {after - before for before, after in itertools.pairwise(seen)} == {delta}


def test_random_ports(make_lab: MakeLab) -> None:
    seen = ports_seen(make_lab("symmetric-random"), 16)
    assert len(set(seen)) == 16
    assert max(seen) - min(seen) > 5000
    assert LOCAL_PORT not in seen


def test_one_random_port_that_stays(make_lab: MakeLab) -> None:
    (port,) = set(ports_seen(make_lab("port-restricted-random-port"), 4))
    assert port != LOCAL_PORT


def test_a_taken_port_is_not_given_twice(make_lab: MakeLab) -> None:
    lab = make_lab(site(Behaviour(), hosts=2))
    first, second = lab.site("a").hosts
    with (
        servers(lab) as (server, *_),
        udp(first, LOCAL_PORT) as one,
        udp(second, LOCAL_PORT) as two,
    ):
        seen = [reflexive(one, server), reflexive(two, server)]
        assert seen[0].port == LOCAL_PORT != seen[1].port
        server.sendto(b"first", seen[0])
        server.sendto(b"second", seen[1])
        assert (heard(one), heard(two)) == ([b"first"], [b"second"])


# Lifetime


def test_a_mapping_lives_as_long_as_it_is_used(make_lab: MakeLab) -> None:
    behaviour = Behaviour(
        allocation="random", unreplied_lifetime_s=SHORT_S, lifetime_s=60.0
    )
    lab = make_lab(site(behaviour))
    host = lab.host("a")
    with servers(lab) as (server, *_), udp(host) as silent, udp(host) as answered:
        alone, kept = reflexive(silent, server), reflexive(answered, server)
        server.sendto(b"answer", kept)
        assert receive(answered) is not None
        assert receive(silent, SHORT_S + 0.2) is None
        server.sendto(b"too late", alone)
        server.sendto(b"in time", kept)
        assert (heard(silent), heard(answered)) == ([], [b"in time"])
        assert reflexive(silent, server) != alone
        assert reflexive(answered, server) == kept


def rules(behaviour: Behaviour) -> Nat:
    return Nat(behaviour, socket.inet_aton("11.0.1.2"), random.Random(SEED))


def datagram(
    source: str, to: str, payload: bytes = b"x", *, checksum: int = 1
) -> bytes:
    """A UDP packet with a right checksum, or with none."""
    ends = [Address.parse(source), Address.parse(to)]
    addresses = b"".join(socket.inet_aton(end.host) for end in ends)
    size = 8 + len(payload)
    udp_header = struct.pack("!4H", ends[0].port, ends[1].port, size, 0)
    if checksum:
        pseudo = addresses + struct.pack("!HH", socket.IPPROTO_UDP, size)
        right = 0xFFFF - folded(pseudo + udp_header + payload) or 0xFFFF
        udp_header = udp_header[:6] + right.to_bytes(2, "big")
    ip_header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + size, 0, 0, 64, 17, 0)
    return ip_header + addresses + udp_header + payload


def folded(octets: bytes) -> int:
    """The ones' complement sum of RFC 1071."""
    padded = octets + b"\0" * (len(octets) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def test_packets_from_inside_refresh_and_those_from_outside_do_not() -> None:
    nat = rules(Behaviour(lifetime_s=10.0, unreplied_lifetime_s=10.0))
    out = datagram("10.0.1.2:40000", "5.0.1.2:4433")
    back = datagram("5.0.1.2:4433", "11.0.1.2:40000")
    assert nat.outbound(out, 0.0)
    assert nat.inbound(back, 9.0)
    assert nat.outbound(out, 9.5)
    assert nat.inbound(back, 19.0)
    assert nat.inbound(back, 19.6) is None


def test_each_filter_entry_has_its_own_time() -> None:
    nat = rules(Behaviour(lifetime_s=30.0, unreplied_lifetime_s=10.0))
    nat.outbound(datagram("10.0.1.2:40000", "5.0.1.2:4433"), 0.0)
    assert nat.inbound(datagram("5.0.1.2:4433", "11.0.1.2:40000"), 0.1)
    nat.outbound(datagram("10.0.1.2:40000", "11.0.2.2:50000"), 1.0)
    from_peer = datagram("11.0.2.2:50000", "11.0.1.2:40000")
    assert nat.inbound(from_peer, 11.1) is None
    assert nat.inbound(datagram("5.0.1.2:4433", "11.0.1.2:40000"), 29.0)


@pytest.mark.parametrize("payload", [b"", b"odd", b"\xff" * 64, os.urandom(999)])
def test_checksums_stay_right_or_absent(payload: bytes) -> None:
    nat = rules(Behaviour(allocation="random"))
    for checksum in (0, 1):
        sent = datagram("10.0.1.2:1", "5.0.1.2:4433", payload, checksum=checksum)
        translated = nat.outbound(sent, 0.0)
        assert translated is not None
        external = f"11.0.1.2:{int.from_bytes(translated[20:22], 'big')}"
        expected = datagram(external, "5.0.1.2:4433", payload, checksum=checksum)
        assert translated == expected


def test_what_has_ended_is_forgotten() -> None:
    nat = rules(Behaviour(mapping=APDM, allocation="random", unreplied_lifetime_s=1.0))
    for number in range(10_000):  # a hundred a second
        packet = datagram("10.0.1.2:40000", f"5.0.1.2:{1 + number}", checksum=0)
        assert nat.outbound(packet, number * 0.01)
        assert len(nat) <= 2 * 100 + 1


# Hairpinning, unsolicited input, flush


@pytest.mark.parametrize(
    ("kind", "passes"), [("port-restricted-hairpin", True), ("port-restricted", False)]
)
def test_hairpinning(make_lab: MakeLab, kind: str, passes: bool) -> None:
    lab = make_lab(SiteSpec("a", kind, hosts=2))
    first, second = lab.site("a").hosts
    with servers(lab) as (server, *_), udp(first) as one, udp(second) as two:
        outside = [reflexive(one, server), reflexive(two, server)]
        two.sendto(b"opens", outside[0])
        assert heard(one) == []
        one.sendto(b"from outside, it seems", outside[1])
        got = receive(two, 2.0 if passes else 0.2)
        assert got == ((b"from outside, it seems", outside[0]) if passes else None)


@pytest.mark.parametrize(
    ("kind", "poisoned"),
    [("port-restricted", False), ("port-restricted-accepting", True)],
)
def test_an_unsolicited_packet_first(
    make_lab: MakeLab, kind: str, poisoned: bool
) -> None:
    lab = make_lab(kind)
    with servers(lab) as (known, peer, _), udp(lab.host("a")) as client:
        outside = reflexive(client, known)
        peer.sendto(b"too early", outside)
        assert heard(client) == []
        elsewhere = reflexive(client, peer)
        assert (elsewhere != outside) == poisoned
        assert reflexive(client, peer) == elsewhere
        assert reflexive(client, known) == outside


def test_flush_forgets_every_mapping(make_lab: MakeLab) -> None:
    lab = make_lab("port-restricted-random-port")
    with servers(lab) as (server, *_), udp(lab.host("a")) as client:
        before = reflexive(client, server)
        lab.site("a").flush()
        server.sendto(b"gone", before)
        assert heard(client) == []
        assert reflexive(client, server) != before


# Hops


def walk(client: socket.socket, to: socket.socket, most: int) -> list[str]:
    """Who answered "time exceeded" to growing TTLs, until one arrives."""
    ip_recverr, offender_offset = 11, 16
    client.setsockopt(socket.IPPROTO_IP, ip_recverr, 1)
    poll = select.poll()
    poll.register(client, select.POLLERR)
    poll.register(to, select.POLLIN)
    found = []
    for ttl in range(1, most + 1):
        client.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        client.sendto(b"hop", to.getsockname())
        ready = poll.poll(ICMP_WAIT_S * 1000)
        assert ready, f"nothing about TTL {ttl}"
        if ready[0][0] == to.fileno():
            break
        ancillary = client.recvmsg(512, 512, 0x2000)[1]
        address = ancillary[0][2][offender_offset:]
        found.append(socket.inet_ntoa(struct.unpack("=HH4s", address[:8])[2]))
    client.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 64)
    return found


@pytest.mark.parametrize("delay_ms", [0, 20])
def test_hops_answer_through_the_nat(make_lab: MakeLab, delay_ms: int) -> None:
    double = NatKind(
        "double", "", (Layer(userspace=Behaviour(allocation="random")),) * 2
    )
    lab = make_lab(SiteSpec("a", double, delay_ms=delay_ms), hops=3)
    expected = ["10.0.1.1", "100.64.1.1", "11.0.1.1", "45.1.1.1", "45.1.2.1"]
    with servers(lab) as (server, *_), udp(lab.host("a")) as client:
        assert walk(client, server, 12) == expected


def test_a_port_that_is_closed_refuses_through_the_nat(make_lab: MakeLab) -> None:
    lab = make_lab("symmetric-random")
    with udp(lab.host("a")) as client:
        client.connect((lab.host("r1").address, PORT))
        client.settimeout(ICMP_WAIT_S)
        client.send(b"anybody there?")
        with pytest.raises(ConnectionRefusedError):
            client.recv(64)


# Impairments, as rules


def passed(link: Impairment, count: int, each_s: float = 0.02) -> list[float | None]:
    """How long each packet of 1000 bytes was under way, None for a lost one."""
    wire = Wire(link, random.Random(SEED))
    sent = [number * each_s for number in range(count)]
    due = [wire.due(1000, now) for now in sent]
    return [
        None if out is None else out - now for now, out in zip(sent, due, strict=True)
    ]


def test_losses_by_themselves_and_in_bursts() -> None:
    for burst, expected in ((0.0, 1 / 0.9), (4.0, 4.0)):
        lost = [
            each is None
            for each in passed(Impairment(loss_pct=10, burst_packets=burst), 50_000)
        ]
        runs = [len(list(run)) for is_lost, run in itertools.groupby(lost) if is_lost]
        assert sum(lost) / len(lost) == pytest.approx(0.1, rel=0.1)
        assert statistics.mean(runs) == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(
    ("jitter", "mean_ms", "least_ms", "most_ms"),
    [("uniform", 40, 30, 50), ("exponential", 50, 40, 300)],
)
def test_jitter(jitter: str, mean_ms: int, least_ms: int, most_ms: int) -> None:
    link = Impairment(delay_ms=40, jitter_ms=10, jitter=jitter)
    took = [each * 1000 for each in passed(link, 20_000, 1.0) if each is not None]
    assert statistics.mean(took) == pytest.approx(mean_ms, rel=0.02)
    assert least_ms - 1e-6 <= min(took) < max(took) <= most_ms + 1e-6


def test_jitter_alone_keeps_the_order_and_reordering_does_not() -> None:
    def overtaken(link: Impairment) -> int:
        each_s = 0.002
        took = passed(link, 10_000, each_s)
        out = [n * each_s + each for n, each in enumerate(took) if each is not None]
        return sum(after < before for before, after in itertools.pairwise(out))

    jitter = Impairment(delay_ms=40, jitter_ms=30)
    assert overtaken(jitter) == 0
    held_back = Impairment(delay_ms=40, reorder_pct=5, reorder_ms=15)
    assert overtaken(held_back) == pytest.approx(500 * 0.95, rel=0.2)


def test_a_rate_and_its_bounded_queue() -> None:
    link = Impairment(rate_kbps=800, queue_ms=100)  # 100 packets a second
    took = passed(link, 1000, 0.005)  # twice as many
    kept = [each for each in took if each is not None]
    assert len(kept) == pytest.approx(500, rel=0.05)
    assert max(kept) <= 0.1 + 0.01 + 1e-6
    assert passed(link, 100, 0.02) == [pytest.approx(0.01)] * 100


# Impairments, in the laboratory


@contextlib.contextmanager
def ends(lab: Lab) -> Iterator[tuple[socket.socket, socket.socket]]:
    with servers(lab) as (server, *_), udp(lab.host("a"), LOCAL_PORT) as client:
        client.connect(server.getsockname())
        client.send(b"opens")
        got = receive(server)
        assert got is not None
        server.connect(got[1])
        yield client, server


def arrivals(
    source: socket.socket, to: socket.socket, count: int, pause_s: float = 0.001
) -> list[tuple[int, float]]:
    """The numbers of the packets that came, in their order, and their delays in ms."""
    came = []
    numbers, deadline = iter(range(count)), 0.0
    for number in numbers:
        source.send(struct.pack("!Id", number, time.monotonic()))
        deadline = time.monotonic() + pause_s
        while select.select([to], [], [], max(0.0, deadline - time.monotonic()))[0]:
            came.append(arrival(to))
    while select.select([to], [], [], SILENCE_S)[0]:
        came.append(arrival(to))
    return came


def arrival(to: socket.socket) -> tuple[int, float]:
    number, sent = struct.unpack("!Id", to.recv(2048))
    return number, (time.monotonic() - sent) * 1000


@pytest.mark.parametrize("kind", ["port-restricted", "masquerade-drop", "open"])
def test_a_site_far_away(make_lab: MakeLab, kind: str) -> None:
    lab = make_lab(SiteSpec("a", kind, delay_ms=40, jitter_ms=5))
    with ends(lab) as (client, server):
        for source, to in ((client, server), (server, client)):
            came = arrivals(source, to, 100)
            assert [number for number, _ in came] == list(range(100))
            delays = [delay for _, delay in came]
            assert min(delays) >= 35
            assert statistics.median(delays) == pytest.approx(43, abs=7)


def test_two_far_sites_are_twice_as_far(make_lab: MakeLab) -> None:
    a, b = (SiteSpec(name, "open", delay_ms=40) for name in "ab")
    lab = make_lab(a, b)
    with udp(lab.host("a")) as one, udp(lab.host("b")) as two:
        one.connect(two.getsockname())
        two.connect(one.getsockname())
        delays = [delay for _, delay in arrivals(one, two, 100)]
        assert walk(one, two, 4) == ["11.0.1.1"]
    assert len(delays) == 100
    assert statistics.median(delays) == pytest.approx(82, abs=8)


def test_each_direction_has_its_own_impairment(make_lab: MakeLab) -> None:
    lossy = Impairment(loss_pct=25, burst_packets=3)
    mixing = Impairment(delay_ms=5, reorder_pct=20, reorder_ms=30)
    lab = make_lab(SiteSpec("a", "port-restricted", uplink=lossy, downlink=mixing))
    with servers(lab) as (server, *_), udp(lab.host("a")) as client:
        client.connect(server.getsockname())
        outside = None
        while outside is None:
            client.send(b"opens")
            outside = receive(server, 0.1)
        server.connect(outside[1])
        up = [number for number, _ in arrivals(client, server, 500)]
        down = [number for number, _ in arrivals(server, client, 300)]
    assert 500 * 0.54 < len(up) < 500 * 0.96  # 5 standard deviations, with bursts
    assert up == sorted(up)
    assert sorted(down) == list(range(300))
    overtaken = sum(after < before for before, after in itertools.pairwise(down))
    assert 20 < overtaken < 90


def test_a_seed_repeats_a_links_losses(make_lab: MakeLab) -> None:
    def survivors(seed: str) -> list[int]:
        link = Impairment(loss_pct=30)
        lab = make_lab(SiteSpec("a", "open", downlink=link, seed=seed))
        with ends(lab) as (client, server):
            return [number for number, _ in arrivals(server, client, 200)]

    assert survivors("one") == survivors("one") != survivors("two")


def test_a_slow_link_drops_what_its_queue_cannot_hold(make_lab: MakeLab) -> None:
    slow = Impairment(rate_kbps=160, queue_ms=100)  # 20 bytes in a millisecond
    lab = make_lab(SiteSpec("a", "open", uplink=slow))
    with ends(lab) as (client, server):
        for _ in range(100):
            client.send(bytes(172))  # 200 bytes with its headers: 10 ms
        assert 10 <= len(heard(server)) <= 30
        (alone,) = arrivals(client, server, 1)
        assert alone[1] >= 1.5


def test_impairments_as_words_of_the_nat_itself() -> None:
    words = ("--nat", "", "--out", "delay_ms=30", "--in", "delay_ms=10")
    with Lab(
        SiteSpec("a", NatKind("by hand", "", (Layer(program=("sleep", "inf")),)))
    ) as lab:
        router = lab.site("a").nats[0]
        router.translate(words)
        router.await_translators()
        with ends(lab) as (client, server):
            for source, to, expected in ((client, server, 30), (server, client, 10)):
                delays = [delay for _, delay in arrivals(source, to, 50)]
                assert len(delays) == 50
                assert min(delays) >= expected
                assert statistics.median(delays) < expected + 15


def test_it_is_fast_enough_for_a_search_during_a_call(make_lab: MakeLab) -> None:
    lab = make_lab(SiteSpec("a", "port-restricted", delay_ms=10))
    with ends(lab) as (client, server):
        began = time.monotonic()
        came = arrivals(client, server, 2000, 0.0002)
        per_s = 2000 / (time.monotonic() - began - SILENCE_S)
    assert len(came) == 2000, f"{per_s:.0f}/s"
    assert statistics.median(delay for _, delay in came) < 50, f"{per_s:.0f}/s"


# wzp


@pytest.mark.parametrize(
    ("kind", "mapping", "allocation"),
    [
        ("port-restricted", EIM, "preserving"),
        ("symmetric-random", APDM, "random"),
        ("symmetric-sequential", APDM, "sequential"),
    ],
)
def test_wzp_judges_the_mapping(
    make_lab: MakeLab, tmp_path: Path, kind: str, mapping: str, allocation: str
) -> None:
    stage = Stage(make_lab(kind), tmp_path)
    for server in ("r1", "r2"):
        stage.relay(server)
    found = stage.user("a").ask("detect-nat", *stage.at("r1", "r2")).result
    assert (found["mapping"], found["allocation"]) == (mapping, allocation)


def test_a_call_between_two_far_restricted_sites(
    make_lab: MakeLab, tmp_path: Path
) -> None:
    far = [SiteSpec(name, "port-restricted", delay_ms=40) for name in "ab"]
    stage = Stage(make_lab(*far), tmp_path)
    stage.relay()
    listening = stage.listen("b", "--in", "tone", "--out", "null")
    words = ("--in", "tone", "--out", "null", "--duration", "1s")
    calling = stage.call("a", "b", *words)
    for program, other in ((calling, "b"), (listening, "a")):
        end = program.wait_end()
        assert (end["exit"], end["path"]) == (0, "direct"), program.transcript()
        assert Address.parse(end["remote"]).host == stage.lab.site(other).public


def test_every_kind_of_it_is_in_the_table() -> None:
    ours = [kind for kind in KINDS.values() if not kind.is_kernel]
    assert len(ours) == 9
    for kind in ours:
        behaviour = kind.layers[0].userspace
        assert behaviour is not None
        assert parse_words(Behaviour, format_words(behaviour)) == behaviour
