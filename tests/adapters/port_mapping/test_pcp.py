"""Questions to routers that answer as they please; a real one: test_port_mapping.py of
the laboratory.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest

from tests.protocol.test_port_mapping import nat_pmp_answer, pcp_answer
from wzp_cli.adapters.port_mapping import pcp
from wzp_cli.adapters.port_mapping.gateway import Gateway
from wzp_cli.adapters.port_mapping.mapper import MappingRefused
from wzp_cli.adapters.port_mapping.pcp import (
    NatPmpMapper,
    PcpMapper,
    find_nat_pmp,
    find_pcp,
)
from wzp_cli.address import Address
from wzp_cli.protocol.port_mapping import Grant

Answer = Callable[[bytes], list[bytes]]
PORT = 4433
OUTSIDE = Address("11.0.0.9", 5000)
ADDRESS = b"\0\x80\0\0\0\0\0\7\x0b\0\0\x09"


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pcp, "PORT_MAPPING_TRIES_S", (0.2, 0.2, 5.0))


class _Router(asyncio.DatagramProtocol):
    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked.append(data)
        for each in self.answer(data):
            self.transport.sendto(each, addr)


@asynccontextmanager
async def router(answer: Answer) -> AsyncIterator[tuple[Gateway, _Router]]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(
        lambda: _Router(answer), local_addr=("127.0.0.1", 0)
    )
    port = transport.get_extra_info("sockname")[1]
    try:
        yield Gateway("127.0.0.1", "127.0.0.1", port), protocol
    finally:
        transport.close()


def pcp_router(request: bytes, result: int = 0) -> list[bytes]:
    if request[1] == 0:
        return [b"\x02\x80\0\0" + bytes(20)]
    return [pcp_answer(result, request[24:36] + pcp_answer()[36:])]


def nat_pmp_router(request: bytes) -> list[bytes]:
    if request[0] == 2:
        return [b"\0\x80\0\1" + bytes(20)]
    return [ADDRESS] if request[1] == 0 else [nat_pmp_answer()]


def test_pcp_maps_and_ends() -> None:
    async def main() -> None:
        async with router(pcp_router) as (gateway, asked):
            mapper = await find_pcp(gateway)
            assert mapper is not None
            assert await mapper.map(PORT, None) == Grant(OUTSIDE, 3600)
            assert await mapper.map(PORT, OUTSIDE) == Grant(OUTSIDE, 3600)
            await mapper.unmap(PORT, OUTSIDE)
        _, first, second, end = asked.asked
        assert first[42:44] == PORT.to_bytes(2, "big")  # our own port, if it is free
        assert second[42:44] == OUTSIDE.port.to_bytes(2, "big")
        assert first[24:36] == second[24:36] == end[24:36]  # the nonce
        assert (first[4:8], end[4:8]) == (b"\0\0\x0e\x10", bytes(4))

    asyncio.run(main())


def test_nat_pmp_maps_and_ends() -> None:
    async def main() -> None:
        async with router(nat_pmp_router) as (gateway, _):
            mapper = await find_nat_pmp(gateway)
            assert mapper is not None
            assert await mapper.map(PORT, None) == Grant(OUTSIDE, 3600)
            await mapper.unmap(PORT, OUTSIDE)

    asyncio.run(main())


def test_a_refusal_says_why() -> None:
    async def main() -> None:
        async with router(lambda request: pcp_router(request, 2)) as (gateway, _):
            mapper = PcpMapper(gateway)
            with pytest.raises(MappingRefused, match="not authorized"):
                await mapper.map(PORT, None)
            with pytest.raises(MappingRefused, match="not authorized"):
                await mapper.unmap(PORT, OUTSIDE)
        async with router(lambda _: [b"\0\x80\0\3" + bytes(8)]) as (gateway, _):
            with pytest.raises(MappingRefused, match="its own network is down"):
                await NatPmpMapper(gateway).map(PORT, None)

    asyncio.run(main())


def test_answers_that_fit_nothing_are_not_heard() -> None:
    async def main() -> None:
        def answer(request: bytes) -> list[bytes]:
            return [b"", b"junk", pcp_answer(), *pcp_router(request)]  # another's nonce

        async with router(answer) as (gateway, _):
            assert await PcpMapper(gateway).map(PORT, None) == Grant(OUTSIDE, 3600)

    asyncio.run(main())


def test_a_lost_request_is_sent_again() -> None:
    async def main() -> None:
        asked = 0

        def answer(request: bytes) -> list[bytes]:
            nonlocal asked
            asked += 1
            return pcp_router(request) if asked == 3 else []

        async with router(answer) as (gateway, _):
            assert await find_pcp(gateway) is not None

    asyncio.run(main())


def test_silence_and_closed_ports_are_no_mapper(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pcp, "PORT_MAPPING_TRIES_S", (0.01, 0.01))

    async def main() -> None:
        async with router(lambda _: []) as (gateway, _):
            assert await find_pcp(gateway) is None
            assert await find_nat_pmp(gateway) is None
            with pytest.raises(TimeoutError):
                await PcpMapper(gateway).map(PORT, None)
        assert await find_pcp(gateway) is None  # nobody listens there now
        assert await find_pcp(gateway._replace(own="192.0.2.77")) is None  # not ours

    asyncio.run(main())


def test_a_router_of_the_older_protocol_is_told_from_one_of_the_newer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pcp, "PORT_MAPPING_TRIES_S", (0.1, 0.1))

    async def main() -> None:
        async with router(nat_pmp_router) as (gateway, _):
            assert await find_pcp(gateway) is None
            assert await find_nat_pmp(gateway) is not None

    asyncio.run(main())
