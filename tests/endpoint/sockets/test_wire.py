import asyncio
import inspect

import pytest

from tests.support.fakenet import FakeNet, FakeWire
from wzp_cli.endpoint.sockets.udp import UdpWire, open_udp_wire
from wzp_cli.endpoint.sockets.wire import Wire


@pytest.mark.parametrize("kind", [UdpWire, FakeWire])
def test_both_wires_have_the_shape(kind: type) -> None:
    for name, wanted in vars(Wire).items():
        if inspect.isfunction(wanted) and not name.startswith("_"):
            offered = inspect.signature(getattr(kind, name))
            asked = inspect.signature(wanted)
            assert list(offered.parameters.values()) == list(asked.parameters.values())


def test_both_wires_are_wires() -> None:
    async def scenario() -> None:
        real: Wire = open_udp_wire(0, host="127.0.0.1")
        fake: Wire = FakeNet().host("192.0.2.1").wire(real.local.port)
        for wire in (real, fake):
            wire.start(lambda datagram, source, own: None)
            assert wire.local.port > 0
            wire.close()
            wire.close()
            wire.send(b"nowhere", wire.local)

    asyncio.run(scenario())
