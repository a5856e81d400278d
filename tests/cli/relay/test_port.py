"""The relay's port: with forwarders where they are wanted and the system can."""

import asyncio
import socket
import sys

import pytest

from wzp_cli.cli.relay.port import open_port
from wzp_cli.endpoint.factory import Bind
from wzp_cli.errors import PortInUse
from wzp_cli.events import Event, Warned
from wzp_cli.protocol.names.identity import Keypair

ANYWHERE = Bind(host="127.0.0.1", required=True)
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone does it")


def opened(count: int | None, bind: Bind = ANYWHERE) -> tuple[int, list[Event]]:
    """Return how many forwarders there may be, and what was told."""
    events: list[Event] = []

    async def scenario() -> int:
        keypair = Keypair.generate()
        async with open_port(keypair, bind, count, events.append) as (at, forwarders):
            assert at.local.port
            return 0 if forwarders is None else len(forwarders)

    return asyncio.run(scenario()), events


@LINUX
def test_as_many_as_are_asked_for_share_the_port() -> None:
    assert opened(3) == (3, [])
    assert opened(0) == (0, [])


def test_where_the_system_cannot_the_relay_forwards_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    forwarders, (warned,) = opened(2)
    assert forwarders == 0
    assert isinstance(warned, Warned)
    assert "can't share" in warned.message
    assert opened(None) == (0, []), "nobody asked"


@LINUX
def test_two_relays_do_not_share_a_port_by_accident() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        with pytest.raises(PortInUse):
            opened(2, Bind(port, required=True, host="127.0.0.1"))
