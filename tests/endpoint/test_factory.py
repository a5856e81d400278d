import asyncio
import errno
from collections.abc import Awaitable, Callable

import pytest

from tests.support.fakenet import FakeNet, Host
from wzp_cli.defaults.endpoint import RANDOM_PORT_TRIES
from wzp_cli.defaults.program import REMEMBERED_PORT_FIRST, REMEMBERED_PORT_LAST
from wzp_cli.endpoint.factory import Bind, OpenWire, open_endpoint
from wzp_cli.endpoint.sockets.udp import open_udp_wire
from wzp_cli.endpoint.sockets.wire import Wire
from wzp_cli.errors import EnvironmentFault, PortInUse
from wzp_cli.events import Event, Warned
from wzp_cli.protocol.names.identity import Keypair


class Desk:
    """Opens endpoints on one host, and keeps what is reported."""

    def __init__(self) -> None:
        self.host: Host = FakeNet().host("192.0.2.1")
        self.events: list[Event] = []
        self.asked: list[tuple[int, str, bool]] = []

    def open_wire(self, port: int, host: str, multihomed: bool) -> Wire:
        self.asked.append((port, host, multihomed))
        return self.host.wire(port)

    async def port_of(self, bind: Bind, open_wire: OpenWire | None = None) -> int:
        async with open_endpoint(
            Keypair.generate(),
            bind,
            self.events.append,
            open_wire=open_wire or self.open_wire,
        ) as endpoint:
            return endpoint.local.port


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await scenario()

    asyncio.run(main())


def test_the_wanted_port_is_bound_and_released() -> None:
    async def scenario() -> None:
        desk = Desk()
        bind = Bind(5000, host="192.0.2.1", multihomed=True)
        for _ in range(2):
            assert await desk.port_of(bind) == 5000
        assert desk.asked == [(5000, "192.0.2.1", True)] * 2
        assert desk.events == []
        assert not desk.host.wires

    run(scenario)


def test_any_port() -> None:
    async def scenario() -> None:
        desk = Desk()
        assert await desk.port_of(Bind()) > 0
        assert desk.asked == [(0, "", False)]

    run(scenario)


def test_a_port_in_use_gives_another_one_and_a_notice() -> None:
    async def scenario() -> None:
        desk = Desk()
        desk.host.wire(5000)
        port = await desk.port_of(Bind(5000))
        assert REMEMBERED_PORT_FIRST <= port <= REMEMBERED_PORT_LAST
        (event,) = desk.events
        assert isinstance(event, Warned)
        assert event.code == "port_in_use"
        assert "5000" in event.message
        assert str(port) in event.message

    run(scenario)


def test_a_required_port_in_use_is_an_error() -> None:
    async def scenario() -> None:
        desk = Desk()
        desk.host.wire(5000)
        with pytest.raises(PortInUse, match="5000") as caught:
            await desk.port_of(Bind(5000, required=True))
        assert caught.value.exit_code == 7
        assert len(desk.asked) == 1
        assert desk.events == []

    run(scenario)


def test_where_every_port_is_in_use() -> None:
    async def scenario() -> None:
        desk = Desk()

        def open_wire(port: int, host: str, multihomed: bool) -> Wire:
            desk.asked.append((port, host, multihomed))
            raise OSError(errno.EADDRINUSE, "in use")

        with pytest.raises(PortInUse):
            await desk.port_of(Bind(5000), open_wire)
        assert len(desk.asked) == 1 + RANDOM_PORT_TRIES

    run(scenario)


def test_a_port_that_may_not_be_bound() -> None:
    async def scenario() -> None:
        desk = Desk()

        def open_wire(port: int, host: str, multihomed: bool) -> Wire:
            raise PermissionError(errno.EACCES, "Permission denied")

        with pytest.raises(EnvironmentFault, match="UDP port 53: Permission") as caught:
            await desk.port_of(Bind(53), open_wire)
        assert not isinstance(caught.value, PortInUse)
        assert caught.value.exit_code == 7

    run(scenario)


def test_an_error_inside_closes_the_port() -> None:
    async def scenario() -> None:
        desk = Desk()

        async def fail() -> None:
            async with open_endpoint(
                Keypair.generate(),
                Bind(5000),
                desk.events.append,
                open_wire=desk.open_wire,
            ):
                raise RuntimeError

        with pytest.raises(RuntimeError):
            await fail()
        assert not desk.host.wires

    run(scenario)


def test_on_real_sockets() -> None:
    async def scenario() -> None:
        taken = open_udp_wire(0)
        events: list[Event] = []
        bind = Bind(taken.local.port)
        async with open_endpoint(Keypair.generate(), bind, events.append) as endpoint:
            assert endpoint.local.port != taken.local.port
            assert len(events) == 1
        required = Bind(taken.local.port, required=True)
        with pytest.raises(PortInUse):
            async with open_endpoint(Keypair.generate(), required, events.append):
                pass
        taken.close()
        async with open_endpoint(Keypair.generate(), required, events.append) as one:
            assert one.local.port == required.port

    run(scenario)
