"""The laboratory's own founding facts, seen by plain sockets and nothing of wzp."""

import contextlib
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.netlab.__main__ import main
from tests.netlab.conftest import MakeLab
from tests.netlab.lab import Host, Lab, SiteSpec
from tests.netlab.namespaces import NETNS_DIR
from tests.netlab.nats import KINDS, Layer, NatKind

pytestmark = pytest.mark.netlab

PORT = 4433
LOCAL_PORT = 40000
WAIT_S = 2.0
"""How long a packet that must come may take."""
SILENCE_S = 0.2
"""How long to listen for one that must not come; a link here takes microseconds."""
ROOT = Path(__file__).parents[2]
KERNEL_KINDS = {name for name, kind in KINDS.items() if kind.is_kernel}
OPEN_UDP = sorted(KERNEL_KINDS - {"udp-blocked"})
BEHIND_NAT = sorted(KERNEL_KINDS - {"udp-blocked", "open"})
SERVERS = ("r1", "r2", "r3")


@contextlib.contextmanager
def udp(host: Host, port: int = 0, address: str = "") -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with host.socket(family=family) as opened:
        opened.bind((address or host.address, port))
        yield opened


class Seen(NamedTuple):
    """Where a datagram came from, as sockets take it."""

    host: str
    port: int


def receive(at: socket.socket, wait_s: float = WAIT_S) -> tuple[bytes, Seen] | None:
    if not select.select([at], [], [], wait_s)[0]:
        return None
    payload, source = at.recvfrom(2048)
    return payload, Seen(source[0], source[1])


def heard(at: socket.socket) -> list[bytes]:
    """What comes until nothing has come for a while."""
    payloads = []
    while got := receive(at, SILENCE_S):
        payloads.append(got[0])
    return payloads


def reflexive(client: socket.socket, server: socket.socket) -> Seen:
    """The address that a server sees the client at."""
    client.sendto(b"who am I?", server.getsockname())
    got = receive(server)
    assert got is not None
    return got[1]


@contextlib.contextmanager
def servers(lab: Lab) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(udp(lab.host(name), PORT)) for name in SERVERS]


# Mapping and filtering, kind by kind


@pytest.mark.parametrize("kind", OPEN_UDP)
def test_mapping(make_lab: MakeLab, kind: str) -> None:
    lab = make_lab(kind)
    with servers(lab) as at, udp(lab.host("a"), LOCAL_PORT) as client:
        seen = [reflexive(client, server) for server in at]
    assert {address.host for address in seen} == {lab.site("a").public}
    assert lab.host("a").public == lab.site("a").public
    ports = {address.port for address in seen}
    if kind == "fully-random":
        assert len(ports) > 1
    else:
        assert ports == {LOCAL_PORT}


@pytest.mark.parametrize("kind", OPEN_UDP)
def test_filtering(make_lab: MakeLab, kind: str) -> None:
    lab = make_lab(kind)
    with servers(lab) as (known, stranger, _), udp(lab.host("a")) as client:
        outside = reflexive(client, known)
        with udp(lab.host("r1"), PORT + 1) as other_port:
            other_port.sendto(b"known address, other port", outside)
        stranger.sendto(b"stranger", outside)
        known.sendto(b"answer", outside)
        expected = {b"answer"}
        if kind in ("open", "full-cone"):
            expected |= {b"stranger", b"known address, other port"}
        assert set(heard(client)) == expected


def test_blocked_udp_lets_tcp_through(make_lab: MakeLab) -> None:
    lab = make_lab("udp-blocked")
    with servers(lab) as (server, *_), udp(lab.host("a")) as client:
        client.sendto(b"lost", server.getsockname())
        assert receive(server, SILENCE_S) is None
    with (
        lab.host("r1").socket(socket.SOCK_STREAM) as listener,
        lab.host("a").socket(socket.SOCK_STREAM) as client,
    ):
        listener.bind((lab.host("r1").address, 443))
        listener.listen()
        client.settimeout(WAIT_S)
        client.connect(listener.getsockname())
        with listener.accept()[0] as accepted:
            assert accepted.getpeername()[0] == lab.site("a").public


def test_fully_random_gives_each_destination_a_port(make_lab: MakeLab) -> None:
    lab = make_lab("fully-random")
    with contextlib.ExitStack() as stack:
        server = lab.host("r1")
        at = [stack.enter_context(udp(server, PORT + n)) for n in range(16)]
        client = stack.enter_context(udp(lab.host("a"), LOCAL_PORT))
        first = [reflexive(client, one).port for one in at]
        assert len(set(first)) > 12  # two of 64512 may be the same by chance
        assert [reflexive(client, one).port for one in at] == first
        assert abs(max(first) - min(first)) > 1000


@pytest.mark.parametrize("kind", BEHIND_NAT)
def test_mappings_tell_what_the_server_sees(make_lab: MakeLab, kind: str) -> None:
    lab = make_lab(kind)
    site = lab.site("a")
    with servers(lab) as (server, *_), udp(lab.host("a")) as client:
        outside = reflexive(client, server)
        (mapping,) = site.mappings(len(site.nats) - 1)
        assert (mapping.protocol, mapping.external[:2]) == ("udp", outside)
        assert mapping.destination[:2] == server.getsockname()
        assert not mapping.replied
        assert site.mappings()[0].source[:2] == client.getsockname()
        server.sendto(b"answer", outside)
        assert receive(client) is not None
        assert site.mappings()[0].replied
    site.flush()
    assert site.mappings() == []


# Poisoned conntrack


@pytest.mark.parametrize(
    ("kind", "poisoned"),
    [("masquerade-accept", True), ("masquerade-drop", False), ("carrier", False)],
)
def test_an_unsolicited_packet_first(
    make_lab: MakeLab, kind: str, poisoned: bool
) -> None:
    lab = make_lab(kind)
    with servers(lab) as (known, peer, _), udp(lab.host("a")) as client:
        outside = reflexive(client, known)
        peer.sendto(b"too early", outside)
        assert heard(client) == []
        assert (reflexive(client, peer) != outside) == poisoned
        assert reflexive(client, known) == outside


# Hops


def hops(client: socket.socket, to: socket.socket, most: int) -> list[str]:
    """Who answered "time exceeded" to growing TTLs, from the socket's error queue."""
    ip_recverr, msg_errqueue, offender_offset = 11, 0x2000, 16
    client.setsockopt(socket.IPPROTO_IP, ip_recverr, 1)
    found = []
    for ttl in range(1, most + 1):
        client.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        client.sendto(b"hop", to.getsockname())
        if receive(to, 0.0):
            break
        poll = select.poll()
        poll.register(client, select.POLLERR)
        assert poll.poll(WAIT_S * 1000)
        ancillary = client.recvmsg(512, 512, msg_errqueue)[1]
        address = ancillary[0][2][offender_offset:]
        found.append(socket.inet_ntoa(struct.unpack("=HH4s", address[:8])[2]))
    return found


@pytest.mark.parametrize(
    ("kind", "core_hops", "expected"),
    [
        ("open", 1, ["11.0.1.1"]),
        ("masquerade-drop", 1, ["10.0.1.1", "11.0.1.1"]),
        ("carrier", 1, ["10.0.1.1", "100.64.1.1", "11.0.1.1"]),
        (
            "carrier",
            4,
            ["10.0.1.1", "100.64.1.1", "11.0.1.1", "45.1.1.1", "45.1.2.1", "45.1.3.1"],
        ),
    ],
)
def test_hops_answer_in_order(
    make_lab: MakeLab, kind: str, core_hops: int, expected: list[str]
) -> None:
    lab = make_lab(kind, hops=core_hops)
    with servers(lab) as (server, *_), udp(lab.host("a")) as client:
        assert hops(client, server, 12) == expected


def test_a_long_core_lies_between_two_sites(make_lab: MakeLab) -> None:
    lab = make_lab("open", "open", hops=6)
    with udp(lab.host("a")) as a, udp(lab.host("b")) as b:
        found = hops(a, b, 20)
    assert len(found) == 2 * 6 - 1
    assert all(ip_address(hop).is_global for hop in found)


def test_a_low_ttl_opens_one_nat_and_spares_the_other(make_lab: MakeLab) -> None:
    lab = make_lab("masquerade-drop", "masquerade-accept", hops=2)
    with (
        servers(lab) as (server, *_),
        udp(lab.host("a")) as a,
        udp(lab.host("b")) as b,
    ):
        outside_a, outside_b = reflexive(a, server), reflexive(b, server)
        a.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 3)
        a.sendto(b"opener", outside_b)
        assert len(lab.site("b").mappings()) == 1
        b.sendto(b"dial", outside_a)
        assert receive(a) == (b"dial", outside_b)


# Cut, loss


def test_a_cut_spares_the_way_by_the_relay(make_lab: MakeLab) -> None:
    lab = make_lab("full-cone", "open")
    with (
        servers(lab) as (relay, *_),
        udp(lab.host("a")) as a,
        udp(lab.host("b")) as b,
    ):
        to = {a: reflexive(a, relay), b: reflexive(b, relay)}

        def passes(sender: socket.socket, receiver: socket.socket) -> bool:
            sender.sendto(b"x", to[receiver])
            return receive(receiver, SILENCE_S) is not None

        assert passes(a, b)
        assert passes(b, a)
        lab.cut("a", "b")
        assert not passes(a, b)
        assert not passes(b, a)
        assert reflexive(a, relay) == to[a]
        lab.restore()
        assert passes(a, b)
        lab.cut(lab.site("b").public, lab.site("a").public)
        assert not passes(b, a)
        lab.restore()
        lab.part("a", "b")
        assert not passes(a, b)
        assert reflexive(a, relay) == to[a]
        lab.restore()
        lab.isolate("b")
        assert not passes(b, a)
        lab.restore()
        assert passes(b, a)


def test_a_share_of_the_packets_is_lost(make_lab: MakeLab) -> None:
    lab = make_lab("open")
    with servers(lab) as (server, *_), udp(lab.host("a")) as client:

        def arrive(sender: socket.socket, receiver: socket.socket) -> int:
            for _ in range(100):
                sender.sendto(b"x", receiver.getsockname())
            return len(heard(receiver))

        lab.drop_share("a", 50.0, "out")
        assert 20 < arrive(client, server) < 80  # 6 standard deviations
        assert arrive(server, client) == 100
        lab.drop_share("a", 100.0, "in")
        assert arrive(server, client) == 0
        lab.restore()
        assert arrive(client, server) == 100


# Shape of the laboratory


def test_public_addresses_are_global(make_lab: MakeLab) -> None:
    lab = make_lab("masquerade-drop", ipv6=True)
    public = [lab.host(name).addresses for name in SERVERS]
    assert [len(addresses) for addresses in public] == [1, 1, 2]
    for address in (*(a for host in public for a in host), lab.site("a").public):
        assert ip_address(address).is_global
    for host in (*SERVERS, "a"):
        assert all(ip_address(a).is_global for a in lab.host(host).addresses_v6)
    assert ip_address(lab.host("a").address).is_private


def test_two_hosts_share_a_lan_and_a_nat(make_lab: MakeLab) -> None:
    lab = make_lab(SiteSpec("home", KINDS["masquerade-drop"], hosts=2))
    first, second = lab.site("home").hosts
    assert (first.name, second.name) == ("home", "home2")
    with servers(lab) as (server, *_), udp(first) as one, udp(second) as two:
        assert reflexive(one, server).host == reflexive(two, server).host
        two.sendto(b"neighbour", one.getsockname())
        assert receive(one) == (b"neighbour", two.getsockname())


def test_two_homes_may_use_the_same_private_network(make_lab: MakeLab) -> None:
    kind = KINDS["masquerade-drop"]
    lab = make_lab(
        SiteSpec("a", kind, lan="192.168.1.0/24"),
        SiteSpec("b", kind, lan="192.168.1.0/24"),
    )
    assert lab.host("a").addresses == lab.host("b").addresses == ("192.168.1.2",)
    with servers(lab) as (server, *_):
        for site in ("a", "b"):
            with udp(lab.host(site)) as client:
                assert reflexive(client, server).host == lab.site(site).public


def test_ipv6_is_filtered_and_not_translated(make_lab: MakeLab) -> None:
    lab = make_lab("masquerade-drop", "carrier", hops=2, ipv6=True)
    a, b = (lab.host(name) for name in ("a", "b"))
    with (
        udp(a, PORT, a.addresses_v6[0]) as here,
        udp(b, PORT, b.addresses_v6[0]) as there,
    ):
        here.sendto(b"opens here only", there.getsockname())
        assert heard(there) == []
        there.sendto(b"through", here.getsockname())
        assert receive(here) == (b"through", (b.addresses_v6[0], PORT))
        here.sendto(b"and back", there.getsockname())
        assert heard(there) == [b"and back"]
        lab.cut("a", "b")
        here.sendto(b"cut", there.getsockname())
        assert heard(there) == []


def test_without_ipv6_there_is_still_the_loopback(make_lab: MakeLab) -> None:
    lab = make_lab("open")
    host = lab.host("a")
    assert host.addresses_v6 == ()
    with udp(host, PORT, "::1") as one, udp(host, PORT, "127.0.0.1") as other:
        one.sendto(b"x", ("::1", PORT))
        assert receive(one) is not None
        other.sendto(b"x", ("127.0.0.1", PORT))
        assert receive(other) is not None
        with pytest.raises(OSError, match="unreachable"):
            one.sendto(b"x", ("2a00::1", PORT))


def test_a_program_can_stand_in_for_the_kernel(make_lab: MakeLab) -> None:
    kind = NatKind("by hand", "", (Layer(program=("sleep", "inf")),))
    lab = make_lab(SiteSpec("a", kind))
    with servers(lab) as (server, *_), udp(lab.host("a")) as client:
        client.sendto(b"nobody forwards this", server.getsockname())
        assert receive(server, SILENCE_S) is None


def test_names_must_differ() -> None:
    with pytest.raises(ValueError, match="'r1'"):
        Lab(SiteSpec("r1", KINDS["open"]))


# Programs


def test_run_gives_output_and_exit_code(make_lab: MakeLab) -> None:
    lab = make_lab("open")
    script = "cat; echo $WORD >&2; exit 3"
    environment = os.environ | {"WORD": "talk"}
    done = lab.host("a").run(["sh", "-c", script], env=environment, text="data")
    assert (done.returncode, done.stdout, done.stderr) == (3, "data", "talk\n")


def test_popen_is_the_program_itself(make_lab: MakeLab) -> None:
    lab = make_lab("open")
    process = lab.host("a").popen(["cat", "/proc/self/stat"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.read().startswith(str(process.pid).encode())
    assert process.wait(WAIT_S) == 0


def test_the_lab_ends_what_was_started_in_it() -> None:
    with Lab("open") as lab:
        host, holder = lab.host("a"), lab.holder_pid
        child = host.popen(
            ["sh", "-c", "trap '' TERM; sleep 1000 & echo $!; wait; wait"],
            stdout=subprocess.PIPE,
        )
        assert child.stdout is not None
        grandchild = int(child.stdout.readline())
        namespace = host.namespace
    assert child.returncode == -signal.SIGKILL
    assert not is_running(grandchild)
    assert not is_running(holder)
    assert not (NETNS_DIR / namespace).exists()


def is_running(pid: int) -> bool:
    """Whether a process lives; one that nobody reaped yet does not."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def test_a_capture_holds_all_packets(make_lab: MakeLab, tmp_path: Path) -> None:
    lab = make_lab("masquerade-drop")
    path = tmp_path / "r1.pcap"
    with servers(lab) as (server, *_), udp(lab.host("a")) as client:
        with lab.host("r1").capture(path) as capture:
            for number in range(50):
                client.sendto(b"secret %d" % number, server.getsockname())
        client.sendto(b"too late", server.getsockname())
    written = path.read_bytes()
    assert (capture.packets, capture.lost) == (50, 0)
    assert all(b"secret %d" % number in written for number in range(50))
    assert b"too late" not in written
    assert written[:4] == struct.pack("=I", 0xA1B23C4D)
    first = written[24 + 16 :]
    assert socket.inet_ntoa(first[12:16]) == lab.site("a").public


# Side by side, and after a crash


def test_two_labs_side_by_side(make_lab: MakeLab) -> None:
    one, other = make_lab("open"), make_lab("open")
    assert one.host("a").addresses == other.host("a").addresses
    assert one.host("a").namespace != other.host("a").namespace
    with servers(one) as (here, *_), servers(other) as (there, *_):
        with udp(one.host("a")) as client:
            reflexive(client, here)
        assert receive(there, SILENCE_S) is None


_DOOMED = """
import os, signal, subprocess, sys
from tests.netlab.lab import Lab
lab = Lab("open").__enter__()
child = lab.host("a").popen(["sleep", "1000"], stdout=subprocess.DEVNULL)
print(lab.holder_pid, child.pid, flush=True)
for pid in [lab.holder_pid] * (sys.argv[1] == "both") + [os.getpid()]:
    os.kill(pid, signal.SIGKILL)
"""


def crash(who: str) -> tuple[int, int]:
    """Build a lab in a process that is killed; its holder and a child inside."""
    doomed = subprocess.run(
        [sys.executable, "-c", _DOOMED, who],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=False,
    )
    assert doomed.returncode == -signal.SIGKILL
    holder, child = (int(word) for word in doomed.stdout.split())
    return holder, child


def await_end(pid: int) -> None:
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    with open(process, "rb", buffering=0):
        assert select.select([process], [], [], 10.0)[0]


def names_of(holder: int) -> list[Path]:
    return list(NETNS_DIR.glob(f"wzp{holder}-*"))


def test_a_killed_lab_leaves_nothing() -> None:
    holder, child = crash("lab")
    await_end(holder)
    assert not is_running(child)
    assert names_of(holder) == []


def test_the_next_lab_removes_one_whose_holder_was_killed() -> None:
    holder, child = crash("both")
    with Lab("open") as lab:
        assert names_of(holder) == []
        if lab.rootless:  # its namespaces went with it, but nobody owns the child
            os.kill(child, signal.SIGKILL)
    await_end(child)


# The command


def test_up_prints_where_things_are_and_leaves_at_the_end_of_input() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.netlab", "up", "open", "carrier", "--ipv6"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "b        10.0.2.2 2a00:11:2:1::2" in done.stdout
    for words in ("relay --state-dir", "listen --relay 5.0.1.2", "call PEER --relay"):
        assert words in done.stdout


def test_exec_runs_commands_in_hosts(capfd: pytest.CaptureFixture[str]) -> None:
    jobs = ["--exec", "r1: sleep 1000 &", "--exec", "a: echo $A $R1; false || exit 5"]
    assert main(["up", "masquerade-drop", *jobs]) == 5
    assert capfd.readouterr().out == "10.0.1.2 5.0.1.2\n"
    assert main(["up", "open", "--exec", "nobody: true"]) == 2


def test_kinds_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kinds"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(KINDS)
