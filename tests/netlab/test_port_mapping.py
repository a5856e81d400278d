"""A router that maps ports on request: what it is asked, what that is good for."""

import signal
from pathlib import Path

import pytest

from tests.netlab.conftest import MakeLab
from tests.netlab.lab import SiteSpec
from tests.netlab.port_mapper import external_ports, mapping_router
from tests.netlab.program import Program, Stage

pytestmark = pytest.mark.netlab

SOUND = ("--in", "tone", "--out", "null")
HARD = "fully-random"


def stage_of(make_lab: MakeLab, folder: Path, caller: str, callee: str) -> Stage:
    sites = (SiteSpec("a", caller, delay_ms=20), SiteSpec("b", callee, delay_ms=20))
    stage = Stage(make_lab(*sites, hops=6), folder)
    stage.relay()
    return stage


def went_direct_without_a_search(*programs: Program) -> None:
    for program in programs:
        end = program.wait_end()
        assert (end["exit"], end["path"]) == (0, "direct"), program.transcript()
        (planned,) = program.all("path.planned")
        assert planned["strategy"] == "checks"


@pytest.mark.parametrize(
    ("protocol", "upnp", "pcp"), [("pcp", False, True), ("upnp", True, False)]
)
def test_two_hard_nats_of_which_one_maps_a_port(
    make_lab: MakeLab, tmp_path: Path, protocol: str, upnp: bool, pcp: bool
) -> None:
    """Without it, a pair that nothing else connects."""
    stage = stage_of(make_lab, tmp_path, HARD, HARD)
    router = stage.lab.host("b-nat1")
    with mapping_router(router, stage.file("router"), upnp=upnp, pcp=pcp):
        listening = stage.listen("b", *SOUND)
        mapped = listening.wait_for("port.mapped", protocol=protocol)
        port = int(mapped["address"].rpartition(":")[2])
        inside = external_ports(router)[port]
        assert inside.startswith(stage.lab.host("b").address)
        calling = stage.call("a", "b", *SOUND, "--duration", "2s")
        went_direct_without_a_search(calling, listening)
        (candidate,) = calling.all("candidate", side="remote", type="mapped")
        assert candidate["address"] == mapped["address"]
        assert external_ports(router) == {}


@pytest.mark.parametrize(
    ("caller", "callee"), [(HARD, "masquerade-accept"), (HARD, "masquerade-drop")]
)
def test_the_caller_maps_a_port_as_well(
    make_lab: MakeLab, tmp_path: Path, caller: str, callee: str
) -> None:
    stage = stage_of(make_lab, tmp_path, caller, callee)
    router = stage.lab.host("a-nat1")
    with mapping_router(router, stage.file("router")):
        listening = stage.listen("b", *SOUND)
        calling = stage.call("a", "b", *SOUND, "--duration", "2s")
        went_direct_without_a_search(calling, listening)
        assert calling.all("port.mapped", protocol="pcp")
        assert external_ports(router) == {}


@pytest.mark.parametrize(
    ("number", "left"), [(signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGKILL, 1)]
)
def test_what_stays_after_a_signal(
    make_lab: MakeLab, tmp_path: Path, number: signal.Signals, left: int
) -> None:
    """A killed listener's mapping ends with its lifetime."""
    stage = stage_of(make_lab, tmp_path, HARD, "masquerade-drop")
    router = stage.lab.host("a-nat1")
    with mapping_router(router, stage.file("router")):
        listening = stage.listen("a", *SOUND)
        listening.wait_for("port.mapped")
        assert len(external_ports(router)) == 1
        if number == signal.SIGKILL:
            listening.kill()
        else:
            listening.send(number)
            listening.wait_end()
        assert len(external_ports(router)) == left


def test_who_wants_no_mapping_asks_for_none(make_lab: MakeLab, tmp_path: Path) -> None:
    stage = stage_of(make_lab, tmp_path, HARD, HARD)
    with mapping_router(stage.lab.host("b-nat1"), stage.file("router")):
        listening = stage.listen("b", *SOUND, "--no-portmap")
        calling = stage.call("a", "b", *SOUND, "--duration", "2s")
        assert "at random" in calling.wait_end()["why_not_direct"]
        assert listening.wait_end()["path"] == "relay"
        assert listening.all("port.mapped") == []


def test_a_router_inside_a_carriers_nat_refuses_and_is_quoted(
    make_lab: MakeLab, tmp_path: Path
) -> None:
    stage = stage_of(make_lab, tmp_path, "carrier", "open")
    with mapping_router(stage.lab.host("a-nat1"), stage.file("router")):
        told = stage.listen("a", *SOUND).wait_for("port.mapped")
    assert (told["address"], told["protocol"]) == (None, None)
    for protocol in ("(pcp)", "(nat-pmp)", "(upnp)"):
        assert protocol in told["reason"]


def test_detect_nat_tells_who_maps_ports_and_maps_none(
    make_lab: MakeLab, tmp_path: Path
) -> None:
    stage = stage_of(make_lab, tmp_path, HARD, "open")
    router = stage.lab.host("a-nat1")
    words = ("detect-nat", *stage.at(), "--portmap")
    before = stage.user("a").ask(*words).result
    with mapping_router(router, stage.file("router")):
        after = stage.user("a").ask(*words).result
        assert external_ports(router) == {}
    for result, maps in ((before, False), (after, True)):
        asked = {"pcp": maps, "nat_pmp": maps, "upnp": maps}
        assert result["port_mapping"] == asked
    assert (before["verdict"], after["verdict"]) == ("limited", "likely")
