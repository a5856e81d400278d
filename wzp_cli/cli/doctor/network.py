"""Checks of the one socket and of the ways out of this machine."""

import asyncio
import ipaddress
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final

from wzp_cli.adapters.interfaces import interface_addresses
from wzp_cli.adapters.lan import need_zeroconf
from wzp_cli.address import Address, HostPort
from wzp_cli.cli.control.asking import asked_running
from wzp_cli.cli.doctor.finding import Finding, failed, note, ok, skipped, warning
from wzp_cli.cli.doctor.patient import Patient
from wzp_cli.cli.lan import wants_lan
from wzp_cli.defaults.program import DOCTOR_TCP_S
from wzp_cli.endpoint.factory import Bind, open_endpoint
from wzp_cli.endpoint.srv import look_up_srv
from wzp_cli.errors import (
    ControlSilent,
    EnvironmentFault,
    NameNotFound,
    PortInUse,
    UsageError,
    WzpError,
)
from wzp_cli.events import Event
from wzp_cli.protocol.messages.control import AskStatus
from wzp_cli.protocol.names.identity import Keypair
from wzp_cli.protocol.traversal.standing import Standing
from wzp_cli.services.relays.places import RelayPlaces

__all__ = [
    "check_dns",
    "check_firewall",
    "check_interfaces",
    "check_ipv6",
    "check_lan",
    "check_port",
    "check_running",
    "check_udp",
    "host_answers_tcp",
]

_LOOPBACK: Final = "127.0.0.1"
_UFW: Final = Path("/etc/ufw/ufw.conf")
_FIREWALLD: Final = Path("/run/firewalld.pid")
_MAC_FIREWALL: Final = "/usr/libexec/ApplicationFirewall/socketfilterfw"


def check_interfaces(patient: Patient) -> Finding:
    """Has this machine an address that others can send to?"""
    hosts = [each.host for each in interface_addresses()]
    if not hosts:
        return failed("network", "no address but loopback", "go online: cable or Wi-Fi")
    return ok("network", ", ".join(hosts))


def check_lan(patient: Patient) -> Finding:
    """Is there what finds others on the local network, and may it announce us?"""
    settings, extra = patient.session.settings, patient.remedies.extra("lan")
    try:
        announced = wants_lan(settings, None, dialled=settings.said.direct != "off")
        need_zeroconf()
    except UsageError as error:
        return failed("LAN", str(error), "take lan = true out of the configuration")
    except EnvironmentFault:
        if settings.said.lan:
            told = "lan = true, but what announces us is not installed"
            return failed("LAN", told, extra)
        told = "who is on one local network is not found without a relay"
        return note("LAN", told, extra)
    how = "while wzp listen runs" if announced else "by wzp listen --lan alone"
    return ok("LAN", f"wzp lan finds others; we are announced {how}")


def check_ipv6(patient: Patient) -> Finding:
    """Has it IPv6, where no NAT stands in the way?"""
    found = [ipaddress.ip_address(each.host) for each in interface_addresses()]
    if any(each.version == 6 and each.is_global for each in found):
        return ok("IPv6", "there is a public address")
    told = "none: calls go over IPv4 and its NATs"
    return note("IPv6", told, "turn it on in the router, or ask the provider for it")


async def check_udp(patient: Patient) -> Finding:
    """Can a UDP socket be opened, and do datagrams arrive inside this machine?"""
    bind = Bind(host=_LOOPBACK)
    try:
        async with (
            open_endpoint(Keypair.generate(), bind, _nobody) as here,
            open_endpoint(Keypair.generate(), bind, _nobody) as there,
        ):
            there.answer_binding = lambda request, source: True
            seen = await here.reflect(Address(_LOOPBACK, there.local.port))
    except EnvironmentFault as error:
        return failed("UDP", str(error), "let wzp open sockets (sandbox, container?)")
    except TimeoutError:
        told = "datagrams do not arrive inside this machine"
        return failed("UDP", told, "let the firewall pass loopback: -i lo -j ACCEPT")
    return ok("UDP", f"passes on loopback in {seen.rtt_s * 1000:.1f} ms")


async def check_running(patient: Patient) -> Finding:
    """Does another wzp run on this state directory, and does it answer?"""
    try:
        standing = await _running(patient)
    except ControlSilent:
        told = "a wzp runs on this state directory, but does not answer"
        return warning("other wzp", told, "let it go on (fg), or end it and start anew")
    except WzpError as error:
        return warning("other wzp", str(error), "end it: wzp hangup, or Ctrl-C there")
    if standing is None:
        return ok("other wzp", "none runs")
    told = f"wzp {standing.command} runs (process {standing.pid}); wzp status asks it"
    return ok("other wzp", told)


async def check_port(patient: Patient) -> Finding:
    """Is the UDP port free at which others find us?"""
    try:
        said = patient.session.settings.port
        port = patient.state.port if said is None else said
        standing = await _running(patient)
    except WzpError as error:
        return skipped("port", f"not tried: {error}")
    if standing is not None and port == standing.port:
        return ok("port", f"{port}, held by the wzp that runs here")
    try:
        async with open_endpoint(
            Keypair.generate(), Bind(port, required=True), _nobody
        ):
            return ok("port", f"{port} is free" if port else "any")
    except PortInUse:
        told = f"another program has UDP port {port}: addresses given out lead there"
        fix = f"see who: {patient.remedies.who_holds(port)}; or choose another: --port"
        return warning("port", told, fix)
    except EnvironmentFault as error:
        return failed("port", str(error), "choose a port from 1024 on: --port")


async def check_dns(patient: Patient) -> Finding:
    """Have the names of the relays addresses?"""
    settings = patient.session.settings
    named = [each for each in settings.relays if not _is_number(each.host)]
    if not named:
        return skipped("DNS", "not needed: no relay has a name")
    wrong = [each.host for each in named if not await addresses_of(each)]
    if wrong:
        fix = "check the spelling; does any name work? getent hosts example.org"
        return failed("DNS", f"no address was found for {', '.join(wrong)}", fix)
    return ok("DNS", f"found {', '.join(each.host for each in named)}")


async def addresses_of(server: HostPort) -> list[Address]:
    """Return a relay's addresses; [] where it has none."""
    found: list[Address] = []
    async with open_endpoint(
        Keypair.generate(), Bind(), _nobody, look_up_srv=look_up_srv
    ) as endpoint:
        places = RelayPlaces(endpoint, server, told_tcp_port=lambda _: None)
        with suppress(NameNotFound):
            await places.find(lambda more: found.extend(each.address for each in more))
    return found


async def host_answers_tcp(server: HostPort) -> bool:
    """Return whether the server's host says anything to TCP, be it "refused"."""
    try:
        async with asyncio.timeout(DOCTOR_TCP_S):
            _, writer = await asyncio.open_connection(server.host, server.port)
    except ConnectionRefusedError:
        return True
    except OSError:  # TimeoutError is one
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


def check_firewall(
    patient: Patient, ufw: Path = _UFW, firewalld: Path = _FIREWALLD
) -> Finding:
    """Does this machine's own firewall keep out who dials us directly?"""
    port = _port_or_name(patient)
    if _read(ufw).replace(" ", "").find("\nENABLED=yes") >= 0:
        return note("firewall", "ufw is on", f"sudo ufw allow {port}/udp")
    if firewalld.exists():
        fix = f"sudo firewall-cmd --add-port={port}/udp"
        return note("firewall", "firewalld is on", fix)
    if patient.remedies.platform == "darwin" and _mac_firewall_is_on():
        fix = "System Settings, Network, Firewall, Options: allow incoming for Python"
        return note("firewall", "the application firewall is on", fix)
    return ok("firewall", "none was found on this machine")


def _port_or_name(patient: Patient) -> str:
    with suppress(WzpError):
        return str(patient.session.settings.port or patient.state.port)
    return "PORT"


def _read(path: Path) -> str:
    try:
        return "\n" + path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _mac_firewall_is_on() -> bool:
    with suppress(OSError, subprocess.SubprocessError):
        words = [_MAC_FIREWALL, "--getglobalstate"]
        ran = subprocess.run(words, capture_output=True, text=True, timeout=5)
        return "enabled" in ran.stdout
    return False


async def _running(patient: Patient) -> Standing | None:
    return await asked_running(patient.state, AskStatus(), Standing, _nobody)


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _nobody(event: Event) -> None:
    """Take an event that interests nobody."""
