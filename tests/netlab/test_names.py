"""A relay found by its name alone: real resolvers, SRV records, real networks."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.netlab.conftest import MakeLab
from tests.netlab.lab import Host, Lab
from tests.netlab.namespaces import tool
from tests.netlab.program import Stage, Wzp

pytestmark = pytest.mark.netlab

NAME = "relay.test"
BEHIND = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'


def records(lab: Lab) -> str:
    """The zone that docs/relay.md shows, and another name without SRV records."""
    host = lab.host("r1").address
    return f"""
        _wzp._udp.{NAME}.  60 IN SRV 10 0 5000 r1.{NAME}.
        _wzps._tcp.{NAME}. 60 IN SRV 10 0 8443 r1.{NAME}.
        r1.{NAME}.         60 IN A   {host}
        plain.{NAME}.      60 IN A   {host}
    """


@contextmanager
def resolving(host: Host, folder: Path, lines: str) -> Iterator[Wzp]:
    """Yield a user whose machine has a resolver of its own."""
    folder.mkdir()
    zone, conf = folder / "zone", folder / "resolv.conf"
    zone.write_text(lines)
    conf.write_text("nameserver 127.0.0.1\n")
    server = host.popen(
        [
            sys.executable,
            "-m",
            "tests.support.dns_server",
            "127.0.0.1",
            "53",
            str(zone),
        ],
        stdout=subprocess.PIPE,
    )
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n"
    before = [tool("unshare"), "-m", "--", "sh", "-c", BEHIND, str(conf)]
    try:
        yield Wzp(host, folder / "state", before=before)
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


def test_a_relay_is_found_by_its_records(make_lab: MakeLab, tmp_path: Path) -> None:
    lab = make_lab("masquerade-drop", "udp-blocked")
    stage = Stage(lab, tmp_path)
    ready = stage.user("r1").start(
        "relay", "--listen", "[::]:5000", "--tcp", "[::]:8443"
    )
    relay_id = ready.wait_for("relay.ready")["id"]
    with resolving(lab.host("a"), tmp_path / "at-a", records(lab)) as user:
        registered = user.ask("register", "--relay", NAME)
        assert registered.exit == 0, registered.document
        assert registered.result["relay"] == f"{NAME}:4433"
        assert not registered.result["reflexive"].endswith("/tcp")
        # The key is pinned by the name that was typed, wherever records lead.
        pins = (tmp_path / "at-a" / "state" / "known_relays").read_text()
        assert pins == f"{NAME}:4433 {relay_id}\n"
        found = user.ask("detect-nat", "--relay", NAME, "--no-public-stun")
        assert found.result["port_preserving"] is True
        checked = {each["check"]: each for each in doctored(user)}
        assert checked["relay"]["status"] == checked["DNS"]["status"] == "ok"
    with resolving(lab.host("b"), tmp_path / "at-b", records(lab)) as user:
        # It never came by UDP: the port is the zone's, or the user's, word.
        for relay in (NAME, f"plain.{NAME}:5000/tcp=8443"):
            registered = user.ask("register", "--relay", relay)
            assert registered.exit == 0, registered.document
            assert registered.result["reflexive"].endswith("/tcp")


def doctored(user: Wzp) -> list[dict[str, str]]:
    findings = user.ask("doctor", "--relay", NAME).document["result"]["findings"]
    assert isinstance(findings, list)
    return findings
