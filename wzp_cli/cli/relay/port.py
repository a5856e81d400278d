"""The one port of `wzp relay`, and the forwarders that share it."""

import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

from wzp_cli.defaults.relay import RELAY_FORWARDERS
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.factory import Bind, open_endpoint
from wzp_cli.endpoint.sockets.udp import UdpWire, open_udp_wire
from wzp_cli.events import Report, Warned
from wzp_cli.protocol.names.identity import Keypair
from wzp_cli.relay.forwarding.forwarders import Forwarders

__all__ = ["open_port"]


@asynccontextmanager
async def open_port(
    keypair: Keypair, bind: Bind, forwarders: int | None, report: Report
) -> AsyncIterator[tuple[Endpoint, Forwarders | None]]:
    """Bind a relay's port, with sockets for so many forwarders; they are not started.

    Args:
        keypair: The relay's.
        bind: Which port.
        forwarders: How many were asked for; None: as many as is usual.
        report: Takes Warned, where the system can't share a port.

    Raises:
        PortInUse: The port is taken.
        EnvironmentFault: The system does not let us bind.
    """
    count = RELAY_FORWARDERS if forwarders is None else forwarders
    ports: list[socket.socket] = []

    def open_wire(port: int, host: str, multihomed: bool) -> UdpWire:
        wire = open_udp_wire(port, host=host, multihomed=multihomed)
        if not ports:
            ports.extend(wire.share_port(count))
        return wire

    with ExitStack() as stack:
        async with open_endpoint(keypair, bind, report, open_wire=open_wire) as opened:
            for port in ports:
                stack.enter_context(port)
            if forwarders and not ports:
                message = "this system can't share a UDP port: no forwarders"
                report(Warned(code="forwarders", message=message))
            yield opened, Forwarders(ports, report) if ports else None
