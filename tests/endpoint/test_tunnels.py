"""The registry of WebSockets: what goes where, what is told of an end."""

import asyncio
from collections.abc import Callable

import pytest

from wzp_cli.address import Address
from wzp_cli.endpoint.tunnels import TakeDatagram, TunnelEnd, Tunnels
from wzp_cli.errors import ConnectionLost

RELAY = Address("192.0.2.1", 443, tunnel=1)


class End:
    """One end that keeps what is sent."""

    def __init__(self) -> None:
        self.on_end: Callable[[], None] = lambda: None
        self.dropped = 0
        self.sent: list[bytes] = []
        self.closed = 0

    def send(self, datagram: bytes) -> None:
        self.sent.append(datagram)

    def close(self) -> None:
        self.closed += 1
        self.on_end()


def registry() -> tuple[Tunnels, list[tuple[bytes, Address, str]]]:
    came: list[tuple[bytes, Address, str]] = []
    return Tunnels(None, lambda *datagram: came.append(datagram)), came


def test_what_comes_has_the_far_ends_address_and_what_goes_there_goes_back() -> None:
    tunnels, came = registry()
    end = End()
    tunnels.attach(RELAY, end)
    tunnels.sink_of(RELAY)(b"in")
    tunnels.send(b"out", RELAY)
    tunnels.send(b"elsewhere", Address("192.0.2.1", 444, tunnel=1))
    assert came == [(b"in", RELAY, "")]
    assert end.sent == [b"out"]


def test_an_end_is_told_once_and_its_losses_are_kept() -> None:
    tunnels, _ = registry()
    ends: list[str] = []
    end = End()
    tunnels.attach(RELAY, end, lambda: ends.append("ours"))
    end.dropped = 3
    tunnels.close(RELAY)
    tunnels.close(RELAY)
    assert (end.closed, ends) == (1, ["ours"])
    assert (len(tunnels), tunnels.dropped) == (0, 3)


def test_all_are_closed_at_the_end() -> None:
    tunnels, _ = registry()
    ends = [End(), End()]
    for port, end in enumerate(ends, 1):
        tunnels.attach(Address("192.0.2.1", port, tunnel=1), end)
    tunnels.close_all()
    assert [end.closed for end in ends] == [1, 1]
    assert len(tunnels) == 0


def test_without_the_library_nothing_is_dialled() -> None:
    tunnels, _ = registry()
    assert not tunnels.can_dial
    with pytest.raises(ConnectionLost):
        asyncio.run(tunnels.dial(RELAY, "r1.example"))


def test_two_to_one_server_stand_side_by_side() -> None:
    ends: list[End] = []

    async def dial(server: Address, name: str, sink: TakeDatagram) -> TunnelEnd:
        assert (server.host, server.port, name) == (*RELAY[:2], "r1.example")
        ends.append(End())
        return ends[-1]

    async def scenario() -> None:
        tunnels = Tunnels(dial, lambda *datagram: None)
        assert tunnels.can_dial
        (one, _), (two, end) = [await tunnels.dial(RELAY, "r1.example") for _ in "12"]
        assert one != two
        assert str(one) == str(two)
        tunnels.send(b"1", one)
        tunnels.send(b"2", two)
        assert [each.sent for each in ends] == [[b"1"], [b"2"]]
        end.close()
        assert len(tunnels) == 1

    asyncio.run(scenario())
