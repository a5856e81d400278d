"""`open_endpoint()`: the only way to the one socket."""

import errno
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from wzp_cli.defaults.endpoint import RANDOM_PORT_TRIES
from wzp_cli.defaults.program import REMEMBERED_PORT_FIRST, REMEMBERED_PORT_LAST
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.sockets.udp import open_udp_wire
from wzp_cli.endpoint.sockets.wire import Wire
from wzp_cli.endpoint.srv import LookUpSrv
from wzp_cli.endpoint.stun.turn import DialTurn
from wzp_cli.endpoint.tunnels import DialTunnel
from wzp_cli.errors import EnvironmentFault, PortInUse
from wzp_cli.events import Report, Warned
from wzp_cli.protocol.names.identity import Keypair

__all__ = ["Bind", "OpenWire", "open_endpoint"]

OpenWire = Callable[[int, str, bool], Wire]
"""Port, host ("" every one), multihomed; raises OSError."""


@dataclass(frozen=True, slots=True)
class Bind:
    """Which port to bind.

    Attributes:
        port: Wanted port; 0 lets the system choose.
        required: Fail where it is in use, rather than take another.
        host: Own address ("": every one).
        multihomed: Answer from the own address that was asked (a relay's).
    """

    port: int = 0
    required: bool = False
    host: str = ""
    multihomed: bool = False


def _random_port() -> int:
    return random.randint(REMEMBERED_PORT_FIRST, REMEMBERED_PORT_LAST)


def _open_udp(port: int, host: str, multihomed: bool) -> Wire:
    return open_udp_wire(port, host=host, multihomed=multihomed)


@asynccontextmanager
async def open_endpoint(
    keypair: Keypair,
    bind: Bind,
    report: Report,
    *,
    open_wire: OpenWire = _open_udp,
    dial_tunnel: DialTunnel | None = None,
    look_up_srv: LookUpSrv | None = None,
    dial_turn: DialTurn | None = None,
) -> AsyncIterator[Endpoint]:
    """Bind the one socket; on leaving, close every link, then the socket.

    Args:
        keypair: Who we are.
        bind: Which port to bind.
        report: Takes Warned, when another port had to be taken.
        open_wire: Opens the one socket, and spares.
        dial_tunnel: Opens WebSockets to relays; None: this endpoint opens none.
        look_up_srv: Asks DNS for SRV records; None: this endpoint finds none.
        dial_turn: Connects to TURN servers by TCP; None: UDP alone is spoken to them.

    Raises:
        PortInUse: The port is taken, and no other will do.
        EnvironmentFault: The system does not let us bind.
    """
    wire = _bind(bind, report, open_wire)
    endpoint = Endpoint(
        wire,
        keypair,
        lambda: open_wire(0, bind.host, False),
        dial_tunnel,
        look_up_srv,
        dial_turn,
    )
    try:
        yield endpoint
    finally:
        endpoint.close()


def _bind(bind: Bind, report: Report, open_wire: OpenWire) -> Wire:
    ports = [bind.port]
    if bind.port and not bind.required:
        ports += [_random_port() for _ in range(RANDOM_PORT_TRIES)]
    for port in ports:
        try:
            wire = open_wire(port, bind.host, bind.multihomed)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                continue
            where = f" of {bind.host}" if bind.host else ""
            raise EnvironmentFault(
                f"can't bind UDP port {port}{where}: {error.strerror or error}"
            ) from error
        if port != bind.port:
            report(Warned(code="port_in_use", message=_moved(bind.port, port)))
        return wire
    raise PortInUse(f"UDP port {bind.port} is in use")


def _moved(wanted: int, taken: int) -> str:
    return (
        f"UDP port {wanted} is in use (another wzp?): using {taken} this time, "
        "so an address printed earlier does not lead here"
    )
