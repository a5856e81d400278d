"""Multicast DNS as it is, on loopback: zeroconf's own sockets on both sides."""

import asyncio
import ipaddress
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.requirements import require
from wzp_cli import events
from wzp_cli.adapters import lan
from wzp_cli.adapters.interfaces import InterfaceAddress
from wzp_cli.address import Address
from wzp_cli.errors import EnvironmentFault
from wzp_cli.protocol.lan import LAN_SERVICE, Neighbour
from wzp_cli.protocol.names.identity import Keypair

if TYPE_CHECKING:
    from zeroconf import DNSOutgoing

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


HOSTILE = (
    "evil.other.local.",
    LAN_SERVICE,
    f"\x1b[2J\r\n.{LAN_SERVICE}",
    f"a.b.{LAN_SERVICE}",
)


def hostile(number: int) -> "DNSOutgoing":
    """Return announcements that no wzp makes, and a record with garbage in it."""
    from zeroconf import (
        DNSAddress,
        DNSOutgoing,
        DNSPointer,
        DNSService,
        DNSText,
        const,
    )

    answer = DNSOutgoing(const._FLAGS_QR_RESPONSE | const._FLAGS_AA)
    name = f"f{number}.{LAN_SERVICE}"
    how = (const._CLASS_IN, 120)
    for alias in (*HOSTILE, name):
        pointer = DNSPointer(LAN_SERVICE, const._TYPE_PTR, *how, alias)
        answer.add_answer_at_time(pointer, 0)
    for record in (
        DNSText(name, const._TYPE_TXT, *how, b"\xff\xff\x03id="),
        DNSService(name, const._TYPE_SRV, *how, 0, 0, 0, "x.local."),
        DNSAddress("x.local.", const._TYPE_A, *how, b"\x7f\0\0\1"),
    ):
        answer.add_answer_at_time(record, 0)
    return answer


def test_what_strangers_announce_hides_nobody_and_breaks_nothing() -> None:
    from zeroconf import IPVersion
    from zeroconf.asyncio import AsyncZeroconf

    ada = Keypair.generate().identity

    async def scenario() -> None:
        stranger = AsyncZeroconf(["127.0.0.1"], ip_version=IPVersion.V4Only)
        told = asyncio.Queue[events.Event]()

        async def shout() -> None:
            for number in range(20):
                stranger.zeroconf.async_send(hostile(number))
                await asyncio.sleep(0.02)

        async with (
            lan.announced(ada, "", 41822, lambda: LOOPBACK, told.put_nowait),
            asyncio.TaskGroup() as tasks,
        ):
            await told.get()
            tasks.create_task(shout())
            found = await lan.look_around(
                lambda: LOOPBACK, lambda seen: any(ada == one.identity for one in seen)
            )
            assert ada in [one.identity for one in found]
        await stranger.async_close()

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
