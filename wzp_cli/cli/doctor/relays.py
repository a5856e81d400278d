"""Checks of the relays: does one answer, is it the same as before, does it admit us?"""

import asyncio
from dataclasses import dataclass
from importlib.util import find_spec

from wzp_cli.adapters.disk.relay_lists import read_token
from wzp_cli.adapters.disk.state import open_state
from wzp_cli.address import HostPort
from wzp_cli.cli.compose import tunnel_dialler
from wzp_cli.cli.doctor.finding import Finding, failed, ok, skipped, warning
from wzp_cli.cli.doctor.network import host_answers_tcp
from wzp_cli.cli.doctor.patient import Patient
from wzp_cli.cli.output.failure import problem
from wzp_cli.cli.settings import Settings
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.program import DOCTOR_RELAY_S
from wzp_cli.endpoint.factory import Bind, open_endpoint
from wzp_cli.endpoint.srv import look_up_srv
from wzp_cli.errors import (
    AccessRefused,
    KeyChanged,
    NameNotFound,
    NetworkError,
    RelayUnreachable,
    WzpError,
)
from wzp_cli.events import Event
from wzp_cli.services.relays.session import RelayVisit

__all__ = ["Visit", "check_relays", "visited", "visits_to"]


@dataclass(frozen=True, slots=True)
class Visit:
    """How one relay received us.

    Attributes:
        seen: The address that it sees us at; None where it did not welcome us.
        by_tcp: It welcomed us through TCP alone.
        error: Why not.
        alive: It was silent; whether its host answers TCP.
    """

    relay: HostPort
    seen: str | None = None
    by_tcp: bool = False
    error: WzpError | None = None
    alive: bool | None = None


async def check_relays(patient: Patient) -> list[Finding]:
    """Say of each relay how it received us, and whether UDP leaves this network."""
    relays = patient.session.settings.relays
    if not relays:
        fix = 'wzp setup --relay HOST, or relay = "HOST" in the configuration'
        told = "none is set: you can be called by host:port only"
        return [warning("relay", told, fix), skipped("UDP outside", "no relay to ask")]
    try:
        visits = await visits_to(patient.session.settings)
    except WzpError as error:
        told = f"not tried: {problem(error).message}"
        return [skipped("relay", told), skipped("UDP outside", told)]
    return [*(_received(each) for each in visits), _udp_outside(visits, patient)]


async def visits_to(settings: Settings) -> list[Visit]:
    """Knock at all relays at once, with our own key.

    Raises:
        StateUnusable, EnvironmentFault: There is no key, token or socket to do so.
    """
    token_file = settings.relay_token_file
    token = "" if token_file is None else read_token(token_file)
    state = open_state(settings.state_dir)
    async with (
        open_endpoint(
            *(state.keypair, Bind(), _nobody),
            dial_tunnel=tunnel_dialler(),
            look_up_srv=look_up_srv,
        ) as endpoint,
        task_group() as group,
    ):
        tasks = [
            group.create_task(
                visited(
                    RelayVisit(endpoint, relay, state.known_relays, False, token),
                    settings.timeout_s or DOCTOR_RELAY_S,
                )
            )
            for relay in settings.relays
        ]
    return [task.result() for task in tasks]


async def visited(visit: RelayVisit, timeout_s: float) -> Visit:
    """Knock at a relay by UDP, else through TCP, and leave again."""
    for by_tcp, knock in ((False, visit.open_by_udp), (True, visit.open)):
        try:
            async with asyncio.timeout(timeout_s):
                session = await knock()
        except (TimeoutError, RelayUnreachable):
            continue
        except WzpError as error:
            return Visit(visit.relay, error=error)
        seen = str(session.seen)
        await session.stream.close(reason="bye")
        session.end()
        return Visit(visit.relay, seen=seen, by_tcp=by_tcp and session.address.is_tcp)
    return await _silent(visit.relay)


async def _silent(relay: HostPort) -> Visit:
    error = RelayUnreachable(f"no answer from the relay {relay}")
    return Visit(relay, error=error, alive=await host_answers_tcp(relay))


def _received(visit: Visit) -> Finding:
    where, error = str(visit.relay), visit.error
    match error:
        case None if visit.by_tcp:
            return ok("relay", f"{where} answers, through TCP alone")
        case None:
            return ok("relay", f"{where} answers, and sees us at {visit.seen}")
        case KeyChanged():
            told = f"{where} shows another key than before"
            return failed(
                "relay", told, f"ask its operator; then: wzp id forget {where}"
            )
        case AccessRefused():
            fix = "ask its operator for access, tell the identity (wzp id show) or use"
            told = f"{where} does not admit us"
            return failed("relay", told, f"{fix} --relay-token-file")
        case NameNotFound():
            return failed("relay", f"{where} has no address", "check its spelling")
        case RelayUnreachable() if visit.alive:
            told = f"{where} is there, but gives no answer over UDP"
            fix = "does `wzp relay` run on it? Does its firewall let that UDP port in?"
            return failed("relay", told, fix)
        case RelayUnreachable():
            fix = "check its address; is this machine online, the relay running?"
            return failed("relay", f"{where} is silent", fix)
        case _:
            other = problem(error)
            fix = other.hint or "try again"
            return failed("relay", f"{where}: {other.message}", fix)


def _udp_outside(visits: list[Visit], patient: Patient) -> Finding:
    check = "UDP outside"
    if any(each.by_tcp for each in visits):
        told = "UDP is blocked: calls go through the relay, by TCP, and are later"
        return warning(check, told, "ask who runs the network to let UDP out")
    if any(each.seen for each in visits):
        return ok(check, "datagrams go out, and answers come back")
    if not any(isinstance(each.error, NetworkError) for each in visits):
        return ok(check, "relays answer, though they refuse")
    alive = [each for each in visits if each.alive]
    if len(alive) > 1:
        told = (
            "relays answer TCP, but no datagram comes back: UDP is blocked on the way"
        )
        fix = "try another network, such as a phone's hotspot"
        if find_spec("websockets") is None:
            fix = f"{patient.remedies.extra('tcp')}, and try again; or {fix}"
        return failed(check, told, fix)
    fix = "name a second relay or STUN server: wzp detect-nat --stun HOST"
    return warning(check, "no relay was heard: it, or the network's UDP, is off", fix)


def _nobody(event: Event) -> None:
    """Take an event that interests nobody."""
