"""The way out, learnt on the one socket, and what it is good for: opening in time."""

import json
import sys
from pathlib import Path

import pytest

from tests.netlab.conftest import MakeLab
from tests.netlab.program import Stage
from wzp_cli.protocol.reach import first_public_hop

pytestmark = pytest.mark.netlab

_WALK = """
import asyncio, json, sys
from wzp_cli.address import Address
from wzp_cli.endpoint.factory import Bind, open_endpoint
from wzp_cli.protocol.names.identity import Keypair

async def walk():
    bind = Bind(host=sys.argv[2])
    async with open_endpoint(Keypair.generate(), bind, lambda event: None) as endpoint:
        print(json.dumps(await endpoint.walk(Address(sys.argv[1], 4433))))

asyncio.run(walk())
"""


@pytest.mark.parametrize("own", ["", "0.0.0.0"], ids=["dual-stack", "IPv4"])
@pytest.mark.parametrize(
    ("kind", "private", "ttl"),
    [("open", 0, 2), ("masquerade-drop", 1, 2), ("carrier", 2, 3)],
)
def test_the_hops_up_to_the_first_public_one(
    make_lab: MakeLab, kind: str, private: int, ttl: int, own: str
) -> None:
    lab = make_lab(kind, hops=6)
    words = [sys.executable, "-c", _WALK, lab.host("r1").address, own]
    walked = lab.host("a").run(words, timeout_s=20)
    hops = json.loads(walked.stdout)
    assert len(hops) == private + 1
    assert None not in hops
    assert first_public_hop(hops) == ttl


@pytest.mark.parametrize("hops", [1, 2])
def test_two_accepting_routers_so_close_that_a_ladder_would_poison_them(
    make_lab: MakeLab, tmp_path: Path, hops: int
) -> None:
    accepts = "masquerade-accept"
    stage = Stage(make_lab(accepts, accepts, hops=hops), tmp_path)
    stage.relay()
    stage.listen("b", "--in", "tone", "--out", "null")
    caller = stage.call("a", "b", "--in", "tone", "--out", "null", "--duration", "2s")
    assert caller.wait_end()["path"] == "direct"
