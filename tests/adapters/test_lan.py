"""Multicast DNS as it is, on loopback: zeroconf's own sockets on both sides."""

import asyncio
import ipaddress
import sys

import pytest

from tests.support.requirements import require
from wzp_cli import events
from wzp_cli.adapters import lan
from wzp_cli.adapters.interfaces import InterfaceAddress
from wzp_cli.address import Address
from wzp_cli.errors import EnvironmentFault
from wzp_cli.protocol.identity import Keypair
from wzp_cli.protocol.lan import Neighbour

LOOPBACK = [
    InterfaceAddress("lo", "127.0.0.1", ipaddress.ip_network("127.0.0.0/8")),
]


@pytest.fixture(autouse=True)
def _with_zeroconf() -> None:
    try:
        lan.need_zeroconf()
    except EnvironmentFault as error:
        require("lan", str(error))


def test_who_is_announced_is_found_until_it_leaves() -> None:
    ada, told = Keypair.generate().identity, asyncio.Queue[events.Event]()
    expected = Neighbour(ada, "Ada", (Address("127.0.0.1", 41822),))

    async def scenario() -> None:
        async with lan.announced(ada, "Ada", 41822, lambda: LOOPBACK, told.put_nowait):
            assert await told.get() == events.LanAnnounced(
                name="Ada", addresses=["127.0.0.1"]
            )
            found = await lan.look_around(
                lambda: LOOPBACK, lambda seen: any(ada == one.identity for one in seen)
            )
            assert expected in found
        assert expected not in await lan.look_around(lambda: LOOPBACK)

    asyncio.run(scenario())


def test_without_a_network_nobody_is_found_and_nothing_fails() -> None:
    six = [InterfaceAddress("eth0", "fd00::2", ipaddress.ip_network("fd00::/64"))]

    async def scenario() -> None:
        told: list[events.Event] = []
        who = Keypair.generate().identity
        async with lan.announced(who, "", 1, lambda: six, told.append):
            assert await lan.look_around(lambda: six) == []
        assert await lan.look_around(lambda: []) == []
        assert told == []

    asyncio.run(scenario())


# zeroconf leaves a socket to the garbage collector where another can't be opened.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_address_that_is_not_ours_is_told() -> None:
    """As when the network goes away just then."""
    gone = [
        InterfaceAddress("x", "203.0.113.9", ipaddress.ip_network("203.0.113.0/24"))
    ]

    async def scenario() -> None:
        told = asyncio.Queue[events.Event]()
        who = Keypair.generate().identity
        async with lan.announced(who, "", 1, lambda: gone, told.put_nowait):
            warning = await told.get()
        assert isinstance(warning, events.Warned)
        assert warning.code == "lan"
        with pytest.raises(EnvironmentFault, match="can't be asked"):
            await lan.look_around(lambda: gone)

    asyncio.run(scenario())


def test_the_extra_is_named_where_it_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "zeroconf", None)
    with pytest.raises(EnvironmentFault, match=r"wzp\[lan\]"):
        lan.need_zeroconf()
