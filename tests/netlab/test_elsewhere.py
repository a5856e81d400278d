"""Calls between systems that lack what only Linux has: the other way is taken."""

from pathlib import Path

import pytest

from tests.netlab.conftest import MakeLab
from tests.netlab.lab import SiteSpec
from tests.netlab.port_mapper import external_ports, mapping_router
from tests.netlab.program import Stage

pytestmark = pytest.mark.netlab

SOUND = ("--in", "tone", "--out", "null")
ELSEWHERE = "tests.support.elsewhere"


@pytest.mark.parametrize(
    ("caller", "callee"),
    [
        ("masquerade-accept", "masquerade-drop"),
        ("carrier", "masquerade-accept"),
        ("masquerade-drop", "fully-random"),
        ("symmetric-sequential", "masquerade-accept"),
    ],
)
@pytest.mark.parametrize("both", [True, False])
def test_the_ladder_opens_what_the_hop_list_does_here(
    make_lab: MakeLab, tmp_path: Path, caller: str, callee: str, both: bool
) -> None:
    specs = [SiteSpec("a", caller, delay_ms=20), SiteSpec("b", callee, delay_ms=20)]
    stage = Stage(make_lab(*specs, hops=6), tmp_path)
    stage.relay()
    stage.user("a", module=ELSEWHERE)
    if both:
        stage.user("b", module=ELSEWHERE)
    listening = stage.listen("b", *SOUND)
    calling = stage.call("a", "b", *SOUND)
    for program in (calling, listening):
        program.wait_for("path.changed", 60.0, path="direct")
    calling.terminate()
    for program in (calling, listening):
        program.wait_end()


def test_a_relay_and_detect_nat(make_lab: MakeLab, tmp_path: Path) -> None:
    stage = Stage(make_lab("masquerade-drop"), tmp_path)
    stage.user("r1", module=ELSEWHERE)
    stage.relay()
    answer = stage.user("a", module=ELSEWHERE).ask("detect-nat", *stage.at())
    assert answer.exit == 0
    assert answer.result["reflexive"].startswith(stage.lab.site("a").public)


def test_the_router_is_found_without_a_routing_table(
    make_lab: MakeLab, tmp_path: Path
) -> None:
    stage = Stage(make_lab("fully-random"), tmp_path)
    stage.relay()
    stage.user("a", module=ELSEWHERE)
    router = stage.lab.host("a-nat1")
    with mapping_router(router, stage.file("router")):
        listening = stage.listen("a", *SOUND)
        listening.wait_for("port.mapped", protocol="pcp")
        listening.terminate()
        listening.wait_end()
        assert external_ports(router) == {}
