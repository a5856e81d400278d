"""Where the two sides stand, and networks that change under a call."""

import signal
import time
from pathlib import Path

import pytest

from tests.netlab.conftest import MakeLab
from tests.netlab.lab import Host, Lab, SiteSpec
from tests.netlab.nats import Layer, NatKind
from tests.netlab.program import Program, Stage
from tests.netlab.userspace_nat import Behaviour
from wzp_cli.address import Address

pytestmark = pytest.mark.netlab

SOUND = ("--in", "tone", "--out", "null")
HOPS = 6
ONE_NAT = "both sides are behind one NAT that does not lead back inside"
BACK_S = 20.0
"""How soon a call is direct again: a round of checks comes 5 s after one in vain."""


def call(
    lab: Lab, folder: Path, caller: str, callee: str, *words: str
) -> tuple[Program, Program]:
    """Return caller and listener of a call that has been answered."""
    stage = Stage(lab, folder)
    stage.relay()
    listening = stage.listen(callee, *SOUND)
    return stage.call(caller, callee, *SOUND, *words), listening


def short_call(lab: Lab, folder: Path, caller: str, callee: str) -> list[Program]:
    """Return both sides of a call that has ended as it should, with sound."""
    programs = call(lab, folder, caller, callee, "--duration", "3s")
    for program in programs:
        end = program.wait_end()
        assert end["exit"] == 0, program.transcript()
        assert end["frames"]["received"] > 120
    return list(programs)


def remote(program: Program) -> str:
    end = program.events[-1]
    assert end["path"] == "direct", program.transcript()
    return Address.parse(end["remote"]).host


def checked(host: Host, *lines: str) -> None:
    done = host.run(["sh", "-ec", "\n".join(lines)])
    assert done.returncode == 0, done.stderr


# --- Where they stand


@pytest.mark.parametrize(
    ("kind", "direct"),
    [("port-restricted-hairpin", True), ("port-restricted", False)],
)
def test_two_guests_of_a_network_that_keeps_them_apart(
    make_lab: MakeLab, tmp_path: Path, kind: str, direct: bool
) -> None:
    """As in hotels: each guest reaches the router alone."""
    lab = make_lab(SiteSpec("a", kind, hosts=2), hops=HOPS)
    router = lab.host("a-nat1")
    checked(router, *(f"bridge link set dev lan{n} isolated on" for n in (1, 2)))
    for program in short_call(lab, tmp_path, "a", "a2"):
        if direct:
            assert remote(program) == lab.site("a").public
        else:
            assert ONE_NAT in program.events[-1]["why_not_direct"]


@pytest.mark.parametrize("hairpin", [True, False])
def test_two_homes_behind_one_carrier(
    make_lab: MakeLab, tmp_path: Path, hairpin: bool
) -> None:
    carrier = NatKind(
        "carrier", "", (Layer(), Layer(userspace=Behaviour(hairpin=hairpin)))
    )
    lab = make_lab(
        SiteSpec("a", carrier),
        SiteSpec("b", "masquerade-accept", behind="a"),
        hops=HOPS,
    )
    for program in short_call(lab, tmp_path, "a", "b"):
        if hairpin:
            assert remote(program) == lab.site("a").public
        else:
            assert ONE_NAT in program.events[-1]["why_not_direct"]


def test_two_homes_with_one_subnet_and_one_address(
    make_lab: MakeLab, tmp_path: Path
) -> None:
    """The peer's own address is ours, too: an answer from there would be our own."""
    specs = [
        SiteSpec(name, "masquerade-drop", lan="192.168.1.0/24") for name in ("a", "b")
    ]
    lab = make_lab(*specs, hops=HOPS)
    assert lab.host("a").address == lab.host("b").address
    calling, listening = short_call(lab, tmp_path, "a", "b")
    assert remote(calling) == lab.site("b").public
    assert remote(listening) == lab.site("a").public


def test_ipv6_on_both_sides_goes_past_the_nats(
    make_lab: MakeLab, tmp_path: Path
) -> None:
    lab = make_lab("fully-random", "fully-random", hops=HOPS, ipv6=True)
    for program in short_call(lab, tmp_path, "a", "b"):
        assert ":" in remote(program)
        (planned,) = program.all("path.planned")
        assert planned["strategy"] == "checks"


def test_ipv6_on_one_side_is_of_no_use(make_lab: MakeLab, tmp_path: Path) -> None:
    lab = make_lab("masquerade-drop", "masquerade-drop", hops=HOPS, ipv6=True)
    checked(lab.host("b"), "echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6")
    calling, listening = short_call(lab, tmp_path, "a", "b")
    assert remote(calling) == lab.site("b").public
    assert remote(listening) == lab.site("a").public


# --- One side is late


@pytest.mark.parametrize("late_s", [0.2, 2.0])
@pytest.mark.parametrize(
    ("caller", "callee"),
    [("masquerade-accept", "masquerade-accept"), ("carrier", "masquerade-accept")],
)
def test_a_late_starter_behind_a_router_that_accepts_input(
    make_lab: MakeLab, tmp_path: Path, caller: str, callee: str, late_s: float
) -> None:
    """It stands still while its peer is ready: no early packet may poison its NAT."""
    specs = [SiteSpec("a", caller, delay_ms=20), SiteSpec("b", callee, delay_ms=20)]
    calling, listening = call(make_lab(*specs, hops=HOPS), tmp_path, "a", "b")
    listening.send(signal.SIGSTOP)
    time.sleep(late_s)
    listening.send(signal.SIGCONT)
    for program in (calling, listening):
        program.wait_for("path.changed", path="direct")


# --- The network changes


def direct_call(lab: Lab, folder: Path) -> tuple[Program, Program]:
    """Return both sides of a call that is direct, with sound."""
    programs = call(lab, folder, "a", "b")
    for program in programs:
        program.wait_for("path.changed", path="direct")
        program.wait_for("stats", path="direct", concealed_ms=0.0)
    return programs


def goes_on_directly(calling: Program, listening: Program) -> None:
    """Hear a whole second without a gap on both sides, directly; then hang up."""
    for program in (calling, listening):
        known = len(program.events)
        deadline = time.monotonic() + BACK_S
        while not any(
            event["event"] == "stats"
            and (event["path"], event["concealed_ms"]) == ("direct", 0.0)
            and event["rx_bps"] > 10_000
            for event in program.events[known:]
        ):
            assert time.monotonic() < deadline, program.transcript()
            time.sleep(0.1)
    calling.terminate()
    for program in (calling, listening):
        program.wait_end()
        assert program.events[-1]["path"] == "direct", program.transcript()


@pytest.mark.parametrize(
    ("caller", "callee"),
    [
        ("port-restricted-random-port", "masquerade-drop"),
        ("port-restricted-random-port", "port-restricted-random-port"),
    ],
)
def test_a_nat_that_forgets_in_mid_call(
    make_lab: MakeLab, tmp_path: Path, caller: str, callee: str
) -> None:
    """It gives another port afterwards, as carriers do each minute or so."""
    lab = make_lab(caller, callee, hops=HOPS)
    calling, listening = direct_call(lab, tmp_path)
    for name, kind in (("a", caller), ("b", callee)):
        if kind == "port-restricted-random-port":
            lab.site(name).flush()
    time.sleep(1.0)  # what was on its way is no sign of life
    goes_on_directly(calling, listening)


def test_a_laptop_takes_another_address(make_lab: MakeLab, tmp_path: Path) -> None:
    lab = make_lab("masquerade-drop", "masquerade-drop", hops=HOPS)
    calling, listening = direct_call(lab, tmp_path)
    checked(
        lab.host("a"),
        "ip addr flush dev eth0",
        "ip addr add 10.0.1.77/24 dev eth0",
        "ip route add default via 10.0.1.1",
    )
    calling.wait_for("candidate", side="local", address=_at(calling, "10.0.1.77"))
    goes_on_directly(calling, listening)


def test_a_laptop_takes_another_network(make_lab: MakeLab, tmp_path: Path) -> None:
    """There the NAT is a hard one: what was measured at the answer is of no use."""
    kinds = ("masquerade-drop", "masquerade-drop", "symmetric-sequential")
    lab = make_lab(*kinds, hops=HOPS)
    calling, listening = direct_call(lab, tmp_path)
    laptop, there = lab.host("a"), lab.host("c")
    within = laptop.popen(["sleep", "60"]).pid
    checked(there, f"ip link set eth0 netns {within} name eth1")
    checked(
        laptop,
        "ip link set eth0 down",
        f"ip addr add {there.address}/24 dev eth1",
        "ip link set eth1 up",
        "ip route add default via 10.0.3.1",
    )
    for program in (calling, listening):
        program.wait_for("path.planned", strategy="prediction")
        program.wait_for("path.searched", BACK_S, found=True)
    before = listening.all("path.changed")[0]["remote"]
    listening.wait_for("path.tried", BACK_S, address=before, answered=False)
    goes_on_directly(calling, listening)
    assert remote(listening) == lab.site("c").public


def test_an_interface_goes_down_and_comes_back(
    make_lab: MakeLab, tmp_path: Path
) -> None:
    lab = make_lab("masquerade-drop", "masquerade-drop", hops=HOPS)
    calling, listening = direct_call(lab, tmp_path)
    checked(lab.host("a"), "ip link set eth0 down")
    listening.wait_for("path.tried", answered=False)
    time.sleep(2.0)
    checked(lab.host("a"), "ip link set eth0 up", "ip route add default via 10.0.1.1")
    goes_on_directly(calling, listening)


def _at(program: Program, host: str) -> str:
    (bound,) = program.all("bound")
    return f"{host}:{bound['port']}"
