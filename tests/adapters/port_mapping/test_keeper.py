"""How a mapping is held: in virtual time, at routers that do as they please."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.virtual_time import run
from wzp_cli.adapters.port_mapping.gateway import Gateway
from wzp_cli.adapters.port_mapping.keeper import keep_port_mapping
from wzp_cli.adapters.port_mapping.mapper import FindMapper, Mapper, MappingRefused
from wzp_cli.address import Address
from wzp_cli.defaults.paths import (
    PORT_MAPPING_AGAIN_S,
    PORT_MAPPING_LOOK_S,
    PORT_MAPPING_RENEWAL_S,
)
from wzp_cli.events import Event, MappingProtocol, PortMapped
from wzp_cli.protocol.port_mapping import Grant

HERE = Gateway("10.0.0.1", "10.0.0.2")
PORT = 4433
OUTSIDE = Address("11.0.0.9", 5000)


@dataclass
class Router:
    """Does what it is told to: refuse, wait, or raise."""

    external: Address = OUTSIDE
    protocol: MappingProtocol = "pcp"
    wrong: Exception | None = None
    takes_s: float = 0.0
    lifetime_s: int = 3600
    mapped: list[Address | None] = field(default_factory=list)
    ended: list[Address] = field(default_factory=list)

    async def find(self, _gateway: Gateway) -> Mapper | None:
        return self

    async def map(self, port: int, wanted: Address | None) -> Grant:
        assert port == PORT
        self.mapped.append(wanted)
        await asyncio.sleep(self.takes_s)
        if self.wrong is not None:
            raise self.wrong
        return Grant(self.external, self.lifetime_s)

    async def unmap(self, port: int, granted: Address) -> None:
        self.ended.append(granted)
        await asyncio.sleep(self.takes_s)


@dataclass
class Home:
    """Where we are, and what was told of it."""

    gateway: Gateway | None = HERE
    told: list[Event] = field(default_factory=list)
    changes: int = 0

    def where(self) -> Gateway | None:
        return self.gateway

    def changed(self) -> None:
        self.changes += 1

    @property
    def last(self) -> PortMapped:
        assert isinstance(self.told[-1], PortMapped)
        return self.told[-1]


def keep(home: Home, *ways: FindMapper) -> Any:
    return keep_port_mapping(PORT, home.told.append, home.where, ways)


def test_a_mapping_is_had_renewed_and_ended() -> None:
    home, router = Home(), Router()

    async def main() -> None:
        async with keep(home, router.find) as kept:
            kept.watchers.add(home.changed)
            assert kept.external is None  # nobody waits for it
            await asyncio.sleep(1)
            assert kept.external == router.external
            await asyncio.sleep(2 * PORT_MAPPING_RENEWAL_S)
        assert router.mapped == [None, router.external, router.external]
        assert router.ended == [router.external]
        assert home.changes == 1

    run(main())
    told = PortMapped(address="11.0.0.9:5000", protocol="pcp", reason=None)
    assert home.told == [told]


def test_another_external_address_is_told() -> None:
    home, router = Home(), Router()

    async def main() -> None:
        async with keep(home, router.find) as kept:
            await asyncio.sleep(1)
            kept.watchers.add(home.changed)
            router.external = Address("11.0.0.10", 5000)
            await asyncio.sleep(PORT_MAPPING_RENEWAL_S)
            assert kept.external == router.external
        assert home.changes == 1
        assert router.ended == [router.external]

    run(main())


def test_a_lifetime_that_is_no_time_does_not_spin() -> None:
    home, router = Home(), Router(lifetime_s=0)

    async def main() -> None:
        async with keep(home, router.find):
            await asyncio.sleep(60)
        assert len(router.mapped) <= 7

    run(main())


def test_who_refuses_is_passed_over() -> None:
    refuser = Router(wrong=MappingRefused("not authorized"))
    home, router = Home(), Router(protocol="upnp")

    async def main() -> None:
        async with keep(home, refuser.find, router.find) as kept:
            await asyncio.sleep(1)
            assert kept.external == router.external
        assert (refuser.ended, router.ended) == ([], [router.external])

    run(main())
    assert home.last.protocol == "upnp"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (MappingRefused("not authorized"), "refuses it: not authorized (pcp)"),
        (TimeoutError(), "refuses it: no answer (pcp)"),
        (OSError("unreachable"), "refuses it: unreachable (pcp)"),
        (KeyError("xml"), "refuses it: KeyError('xml') (pcp)"),
    ],
)
def test_a_router_that_gives_nothing_ends_nothing_and_is_asked_again(
    wrong: Exception, reason: str
) -> None:
    home, router = Home(), Router(wrong=wrong)

    async def main() -> None:
        async with keep(home, router.find) as kept:
            await asyncio.sleep(PORT_MAPPING_AGAIN_S / 2)
            assert home.last == PortMapped(
                address=None, protocol=None, reason=f"the router {reason}"
            )
            router.wrong = None
            await asyncio.sleep(PORT_MAPPING_AGAIN_S)
            assert kept.external == router.external

    run(main())


def test_nobody_who_maps_ports() -> None:
    async def breaks(_gateway: Gateway) -> Mapper | None:
        raise AssertionError("of a library")

    async def knows_nothing(_gateway: Gateway) -> Mapper | None:
        return None

    home = Home()

    async def main() -> None:
        async with keep(home, breaks, knows_nothing) as kept:
            await asyncio.sleep(1)
            assert kept.external is None

    run(main())
    assert home.last.reason == "the router offers none (PCP, NAT-PMP, UPnP)"


def test_a_mapping_that_is_lost_is_asked_for_anew() -> None:
    home, router = Home(), Router()

    async def main() -> None:
        async with keep(home, router.find) as kept:
            await asyncio.sleep(1)
            router.wrong = TimeoutError()
            await asyncio.sleep(PORT_MAPPING_RENEWAL_S)
            assert kept.external is None
            assert home.last.reason == "the router no longer answers"
            router.wrong = None
            await asyncio.sleep(PORT_MAPPING_AGAIN_S)
            assert kept.external == router.external

    run(main())


def test_another_network_has_another_router() -> None:
    home, router = Home(), Router()

    async def main() -> None:
        async with keep(home, router.find) as kept:
            await asyncio.sleep(1)
            home.gateway = None
            await asyncio.sleep(2 * PORT_MAPPING_LOOK_S)
            assert kept.external is None
            assert router.ended == [router.external]
            assert home.last.reason == "this machine changed its network"
            home.gateway = Gateway("192.168.1.1", "192.168.1.2")
            await asyncio.sleep(2 * PORT_MAPPING_LOOK_S)
            assert kept.external == router.external

    run(main())


def test_a_mapping_behind_another_nat_is_of_no_use() -> None:
    home, router = Home(), Router(Address("100.64.0.7", 5000))

    async def main() -> None:
        async with keep(home, router.find) as kept:
            await asyncio.sleep(1)
            assert kept.external is None
        assert router.ended == [router.external]

    run(main())
    assert home.last.address == "100.64.0.7:5000"
    assert home.last.reason == "another NAT is beyond this router"


def test_what_was_just_being_granted_is_ended_too() -> None:
    home, router = Home(), Router(takes_s=0.4)

    async def main() -> None:
        async with keep(home, router.find):
            await asyncio.sleep(0.1)
        assert [address.port for address in router.ended] == [PORT]

    run(main())
    assert home.told == []


def test_leaving_waits_for_a_dead_router_no_longer_than_it_must() -> None:
    home, router = Home(), Router()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with keep(home, router.find):
            await asyncio.sleep(1)
            router.takes_s = 60
            left = loop.time()
        assert loop.time() - left < 1

    run(main())


def test_it_is_ended_also_when_the_command_fails() -> None:
    home, router = Home(), Router()

    async def main() -> None:
        with suppress(ZeroDivisionError):
            async with keep(home, router.find):
                await asyncio.sleep(1)
                raise ZeroDivisionError
        assert router.ended == [router.external]

    run(main())
