"""The founding fact: the address that `register` prints is where calls are accepted."""

from pathlib import Path

import pytest

from tests.netlab.conftest import MakeLab
from tests.netlab.lab import Host
from tests.netlab.program import Stage
from wzp_cli.address import Address

pytestmark = pytest.mark.netlab


def udp_ports(host: Host) -> list[int]:
    """The local ports of all UDP sockets in a host."""
    lines = host.run(["ss", "-Huan"]).stdout.splitlines()
    return [int(line.split()[3].rpartition(":")[2]) for line in lines]


@pytest.mark.parametrize("kind", ["open", "full-cone"])
def test_the_printed_address_accepts_a_direct_dial(
    make_lab: MakeLab, tmp_path: Path, kind: str
) -> None:
    stage = Stage(make_lab(kind, "masquerade-drop"), tmp_path)
    relay = stage.relay()
    callee, site = stage.user("a"), stage.lab.site("a")
    registered = callee.ask("register", *stage.at())
    printed = Address.parse(registered.result["reflexive"])
    assert printed.host == site.public
    assert registered.result["port"] == printed.port
    assert udp_ports(callee.host) == []  # `register` is over
    relay.terminate()
    relay.wait_end()

    sound = ("--in", "tone", "--out", "null")
    listener = callee.start("listen", "--auto-answer", "all", "--once", *sound)
    listener.wait_for("ready")
    listener.wait_for("port.mapped")  # the router has been asked: it maps none
    assert udp_ports(callee.host) == [printed.port]  # the one socket
    caller = stage.user("b").start("call", str(printed), *sound, "--duration", "1s")
    ended, heard = caller.wait_end(), listener.wait_end()

    assert (ended["exit"], heard["exit"]) == (0, 0)
    assert ended["paths"] == [{"path": "direct", "from_ms": ended["time_to_direct_ms"]}]
    assert ended["remote"] == str(printed)
    assert ended["peer"] == registered.result["id"] == callee.id
    assert min(ended["frames"]["received"], heard["frames"]["received"]) > 40
    assert listener.all("incoming", via="direct", peer=stage.user("b").id)
