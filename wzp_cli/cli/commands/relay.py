"""`wzp relay`: run a relay on this machine."""

import errno
import ipaddress
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from wzp_cli import __version__
from wzp_cli.address import HostPort
from wzp_cli.cli.command import Session, command, command_app
from wzp_cli.defaults import RELAY_DEFAULT_PORT, RELAY_EXTRA_PORTS
from wzp_cli.errors import UsageError
from wzp_cli.events import Hello, RelayReady, Warned

if TYPE_CHECKING:
    from wzp_cli.endpoint.reflector import Reflector

__all__ = ["app", "relay"]

app = command_app()


@command(app, "relay", stream=True)
async def relay(
    session: Session,
    listen: Annotated[
        str,
        typer.Option("--listen", metavar="HOST:PORT", help="Where to serve."),
    ] = f"[::]:{RELAY_DEFAULT_PORT}",
) -> None:
    """Serve as relay: who is online, at which address, and a way between them."""
    from wzp_cli.adapters.state import open_state
    from wzp_cli.cli.compose import own_state
    from wzp_cli.endpoint.factory import Bind, open_endpoint
    from wzp_cli.relay.server import RelaySettings, run_relay

    where = _where(session, listen)
    # A key of its own: the relay and a client on one machine are two identities.
    keypair = open_state(own_state(session).directory / "relay").keypair
    session.report(Hello(id=str(keypair.identity), version=__version__))
    bind = Bind(where.port, required=True, host=where.host, multihomed=True)
    async with open_endpoint(keypair, bind, session.report) as endpoint:
        port = endpoint.local.port
        with _reflectors(session, where, port) as reflectors:
            session.report(
                RelayReady(
                    id=str(keypair.identity),
                    port=port,
                    addresses=_addresses(where, port),
                    ports=[each.port for each in reflectors],
                )
            )
            await run_relay(endpoint, reflectors, RelaySettings(), session.report)


def _where(session: Session, listen: str) -> HostPort:
    """Return what to bind; --port counts more than the port of --listen."""
    text = listen.replace(":0", ":65535") if listen.endswith(":0") else listen
    try:
        host, port = HostPort.parse(text, default_port=RELAY_DEFAULT_PORT)
    except ValueError as error:
        raise UsageError(f"--listen {listen}: {error}") from error
    if listen.endswith(":0"):
        port = 0
    if host != "*" and not _is_numeric(host):
        raise UsageError(f"--listen {listen}: write the address in numbers")
    if session.settings.port is not None:
        port = session.settings.port
    return HostPort("" if host in ("::", "*") else host, port)


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@contextmanager
def _reflectors(
    session: Session, where: HostPort, port: int
) -> Iterator[list["Reflector"]]:
    """Open the extra ports; a relay with fewer of them still serves."""
    from wzp_cli.endpoint.reflector import open_reflector

    with ExitStack() as stack:
        opened = []
        for number in range(port + 1, port + 1 + RELAY_EXTRA_PORTS):
            try:
                reflector = open_reflector(number if where.port else 0, where.host)
            except OSError as error:
                why = "in use" if error.errno == errno.EADDRINUSE else error.strerror
                message = f"extra UDP port {number}: {why}; clients see less of NATs"
                session.report(Warned(code="extra_port", message=message))
                continue
            stack.callback(reflector.close)
            opened.append(reflector)
        yield opened


def _addresses(where: HostPort, port: int) -> list[str]:
    from wzp_cli.cli.compose import find_interfaces

    hosts = [where.host] if where.host else [each.host for each in find_interfaces()]
    return [str(HostPort(host, port)) for host in hosts]
