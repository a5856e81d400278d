"""Records, asked for over UDP of a DNS server that has a zone."""

import asyncio
from collections import Counter
from typing import cast

import pytest
from dns.asyncresolver import Resolver

from tests.support.dns_server import dns_server, zone
from wzp_cli.address import HostPort
from wzp_cli.defaults.relay import SRV_ANSWER_S, SRV_MAX_TARGETS
from wzp_cli.endpoint.srv import LookUpSrv, srv_resolver

NAME = "_wzp._udp.relay.example"


def resolver(port: int, answer_s: float = SRV_ANSWER_S) -> LookUpSrv:
    asked = Resolver(configure=False)
    asked.nameservers, asked.port = ["127.0.0.1"], port
    return srv_resolver(asked, answer_s)


async def looked_up(lines: str) -> list[HostPort]:
    async with dns_server(zone(lines)) as (port, _):
        return await resolver(port)(NAME)


def records(*said: str) -> str:
    return "\n".join(f"{NAME}. 60 IN SRV {each}" for each in said)


def test_targets_come_by_priority_with_their_ports() -> None:
    found = asyncio.run(
        looked_up(
            records(
                "20 0 4433 c.example.", "5 0 4434 a.example.", "10 0 443 b.example."
            )
        )
    )
    assert found == [
        *(HostPort("a.example", 4434), HostPort("b.example", 443)),
        HostPort("c.example", 4433),
    ]


def test_within_a_priority_weight_says_how_often_one_is_first() -> None:
    async def scenario() -> Counter[str]:
        lines = records("1 90 1 heavy.example.", "1 10 1 light.example.")
        async with dns_server(zone(lines)) as (port, _):
            look_up = resolver(port)
            found = [await look_up(NAME) for _ in range(200)]
        assert all(len(each) == 2 for each in found)
        return Counter(each[0].host for each in found)

    firsts = asyncio.run(scenario())
    # Binomial: 200 of 0.1 are 20, with a deviation of 4.2; six of them either way.
    assert 1 <= firsts["light.example"] <= 46
    assert firsts["heavy.example"] == 200 - firsts["light.example"]


@pytest.mark.parametrize(
    "lines",
    [
        "",
        "relay.example. 60 IN A 192.0.2.1",
        f"{NAME}. 60 IN TXT hello",
        records("0 0 0 ."),
        records("0 0 0 a.example."),
    ],
)
def test_where_there_are_none(lines: str) -> None:
    assert asyncio.run(looked_up(lines)) == []


def test_a_zone_with_very_many_counts_in_part() -> None:
    many = records(*(f"{n} 0 4433 r{n}.example." for n in range(SRV_MAX_TARGETS + 3)))
    found = asyncio.run(looked_up(many))
    assert [each.host for each in found] == [
        f"r{n}.example" for n in range(SRV_MAX_TARGETS)
    ]


def test_a_resolver_that_is_silent_or_absent_ends_the_wait() -> None:
    async def scenario() -> None:
        async with dns_server({}, silent=frozenset({"SRV"})) as (port, asked):
            assert await resolver(port, 0.2)(NAME) == []
            assert asked == [f"{NAME}."]
        assert await resolver(port, 0.2)(NAME) == []

    asyncio.run(scenario())


def test_an_answer_cut_short_or_of_other_bytes_is_no_answer() -> None:
    class Rogue(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast("asyncio.DatagramTransport", transport)

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            for answer in (b"", data[:2], data, data[:12] + b"\xff" * 500):
                self.transport.sendto(answer, addr)

    async def scenario() -> list[HostPort]:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            Rogue, local_addr=("127.0.0.1", 0)
        )
        try:
            port = transport.get_extra_info("sockname")[1]
            return await resolver(port, 0.3)(NAME)
        finally:
            transport.close()

    assert asyncio.run(scenario()) == []


def test_a_name_that_dns_can_not_carry_has_no_records() -> None:
    async def scenario() -> list[HostPort]:
        return await resolver(9)("_wzp._udp." + "a" * 64 + ".example")

    assert asyncio.run(scenario()) == []
