import ipaddress
from pathlib import Path

import pytest

from wzp_cli.adapters.interfaces import InterfaceAddress
from wzp_cli.adapters.port_mapping import gateway
from wzp_cli.adapters.port_mapping.gateway import Gateway, find_gateway, read_routes

TABLE = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0
tun0\t00000000\t00000000\t0001\t0\t0\t50\t00000000\t0\t0\t0
eth0\t0000000A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
short
"""


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> list[InterfaceAddress]:
    addresses: list[InterfaceAddress] = []
    monkeypatch.setattr(gateway, "interface_addresses", lambda: addresses)
    return addresses


def address(text: str) -> InterfaceAddress:
    network = ipaddress.ip_network(text, strict=False)
    return InterfaceAddress("eth0", text.partition("/")[0], network)


def test_the_best_router_comes_first() -> None:
    assert read_routes(TABLE) == ["10.0.0.1", "192.168.1.1"]
    assert read_routes("") == []


def test_the_router_is_on_a_network_of_ours(
    own: list[InterfaceAddress], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    routes = tmp_path / "route"
    monkeypatch.setattr(gateway, "_ROUTES", routes)
    routes.write_text(TABLE)
    assert find_gateway() is None
    own.append(address("192.168.1.7/24"))
    assert find_gateway() == Gateway("192.168.1.1", "192.168.1.7")
    own.append(address("10.0.0.7/24"))
    assert find_gateway() == Gateway("10.0.0.1", "10.0.0.7")
    routes.write_text(TABLE.splitlines()[0])
    assert find_gateway() is None


@pytest.mark.parametrize(
    ("addresses", "found"),
    [
        (["192.168.1.7/24"], Gateway("192.168.1.1", "192.168.1.7")),
        (["fd00::7/64", "10.1.2.3/8"], Gateway("10.0.0.1", "10.1.2.3")),
        (["192.168.1.1/24"], None),  # we are it
        (["8.8.8.8/24"], None),
        (["10.0.0.2/32"], None),
        ([], None),
    ],
)
def test_where_the_system_does_not_tell_it_is_guessed(
    own: list[InterfaceAddress],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    addresses: list[str],
    found: Gateway | None,
) -> None:
    """As on macOS and Windows, which have no /proc."""
    monkeypatch.setattr(gateway, "_ROUTES", tmp_path / "none")
    own += map(address, addresses)
    assert find_gateway() == found
