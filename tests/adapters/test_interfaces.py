import ipaddress

import ifaddr
import pytest

from wzp_cli.adapters.interfaces import InterfaceAddress, interface_addresses


def test_this_machine_has_loopback_on_request_only() -> None:
    everything = interface_addresses(with_local=True)
    assert "127.0.0.1" in {address.host for address in everything}
    for address in interface_addresses():
        assert address in everything
        assert not address.ip.is_loopback
        assert not address.ip.is_link_local


def test_each_address_is_on_its_network() -> None:
    for address in interface_addresses(with_local=True):
        assert address.ip in address.network
        assert address.host == str(address.ip)
        assert address.interface


def test_both_families_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    ips = [
        ifaddr.IP("192.168.1.10", 24, "eth0"),
        ifaddr.IP(("fd12::10", 0, 0), 64, "eth0"),
        ifaddr.IP(("fe80::1%eth0", 0, 2), 64, "eth0"),
    ]
    adapters = [ifaddr.Adapter("eth0", "eth0", ips, 2)]
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: adapters)
    assert interface_addresses() == [
        InterfaceAddress(
            "eth0", "192.168.1.10", ipaddress.ip_network("192.168.1.0/24")
        ),
        InterfaceAddress("eth0", "fd12::10", ipaddress.ip_network("fd12::/64")),
    ]
    local = interface_addresses(with_local=True)[-1]
    assert local.host == "fe80::1"


def test_a_system_that_does_not_tell_has_no_addresses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(ifaddr, "get_adapters", refuse)
    assert interface_addresses() == []
