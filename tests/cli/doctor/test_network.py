import asyncio
import socket
import sys
from pathlib import Path

import pytest

from tests.cli.doctor.conftest import MakePatient
from tests.support.processes import Processes
from wzp_cli.adapters.disk.config import Config
from wzp_cli.address import HostPort
from wzp_cli.cli.doctor import files, network


def test_udp_passes_inside(patient: MakePatient) -> None:
    assert asyncio.run(network.check_udp(patient())).status == "ok"


def test_a_machine_without_a_network(
    patient: MakePatient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "interface_addresses", list)
    assert network.check_interfaces(patient()).status == "failed"
    assert network.check_ipv6(patient()).status == "note"


def test_who_is_on_this_lan(patient: MakePatient) -> None:
    asked = network.check_lan(patient())
    assert (asked.status, "by wzp listen --lan alone" in asked.message) == ("ok", True)
    always = network.check_lan(patient(said=Config(lan=True)))
    assert "announced while wzp listen runs" in always.message
    shy = network.check_lan(patient(said=Config(lan=True, privacy="always-relay")))
    assert (shy.status, "always-relay" in shy.message) == ("failed", True)


@pytest.mark.parametrize(("lan", "status"), [(None, "note"), (True, "failed")])
def test_the_extra_for_this_lan_is_not_installed(
    patient: MakePatient,
    monkeypatch: pytest.MonkeyPatch,
    lan: bool | None,
    status: str,
) -> None:
    monkeypatch.setitem(sys.modules, "zeroconf", None)
    found = network.check_lan(patient(said=Config(lan=lan)))
    assert found.status == status
    assert found.fix is not None
    assert found.fix.startswith("pip install 'zeroconf")


def test_the_remembered_port(patient: MakePatient) -> None:
    found = patient()
    files.check_state(found)
    assert asyncio.run(network.check_port(found)).status == "ok"
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other:
        other.bind(("::", found.state.port))
        taken = asyncio.run(network.check_port(found))
    assert taken.status == "warning"
    assert taken.fix is not None
    assert f"sport = :{found.state.port}" in taken.fix


def test_the_port_of_a_wzp_that_runs(
    patient: MakePatient, processes: Processes
) -> None:
    bob = processes.user("bob")
    listening = bob.start(
        "listen", "--auto-answer", "all", "--in", "tone", "--out", "null"
    )
    listening.wait_for("ready")
    found = patient(state_dir=bob.state)
    assert "wzp listen runs" in asyncio.run(network.check_running(found)).message
    port = asyncio.run(network.check_port(found))
    assert port.status == "ok"
    assert "held by the wzp that runs here" in port.message


def test_nobody_runs(patient: MakePatient) -> None:
    assert asyncio.run(network.check_running(patient())).message == "none runs"


def test_names(patient: MakePatient) -> None:
    numbers = patient(relays=(HostPort("192.0.2.1", 1), HostPort("::1", 1)))
    assert asyncio.run(network.check_dns(numbers)).status == "skipped"
    local = patient(relays=(HostPort("localhost", 1),))
    assert asyncio.run(network.check_dns(local)).status == "ok"
    wrong = asyncio.run(network.check_dns(patient(relays=(HostPort("x.invalid", 1),))))
    assert wrong.status == "failed"
    assert "x.invalid" in wrong.message


def test_a_host_that_answers_tcp() -> None:
    async def ask() -> tuple[bool, bool]:
        server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
        where = HostPort("127.0.0.1", server.sockets[0].getsockname()[1])
        async with server:
            heard = await network.host_answers_tcp(where)
        return heard, await network.host_answers_tcp(where)

    assert asyncio.run(ask()) == (True, True), "refusing is an answer, too"
    nowhere = network.host_answers_tcp(HostPort("x.invalid", 1))
    assert not asyncio.run(nowhere)


def test_firewalls(patient: MakePatient, tmp_path: Path) -> None:
    found = patient()
    files.check_state(found)
    none = tmp_path / "none"
    assert network.check_firewall(found, none, none).status == "ok"
    ufw = tmp_path / "ufw.conf"
    ufw.write_text("# ENABLED=no\nENABLED=yes\n")
    told = network.check_firewall(found, ufw, none)
    assert told.fix == f"sudo ufw allow {found.state.port}/udp"
    ufw.write_text("ENABLED=no\n")
    assert network.check_firewall(found, ufw, none).status == "ok"
    (tmp_path / "pid").touch()
    told = network.check_firewall(found, ufw, tmp_path / "pid")
    assert told.fix == f"sudo firewall-cmd --add-port={found.state.port}/udp"
