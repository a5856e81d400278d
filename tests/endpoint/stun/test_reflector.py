import asyncio

import pytest

from tests.support.house import House, house_of, turns
from wzp_cli.address import Address
from wzp_cli.defaults.endpoint import STUN_ANSWERS_PER_S
from wzp_cli.endpoint.sockets.udp import open_udp_wire
from wzp_cli.endpoint.stun import message as stun
from wzp_cli.endpoint.stun.reflector import BindingBudget, Reflector, open_reflector

V4, V6 = Address("192.0.2.1", 1), Address("2001:db8::1", 1)
UDP_AND_IPV4_BYTES, UDP_AND_IPV6_BYTES = 28, 48


@pytest.mark.parametrize(
    ("source", "headers"), [(V4, UDP_AND_IPV4_BYTES), (V6, UDP_AND_IPV6_BYTES)]
)
def test_an_answer_is_at_most_twice_its_request(source: Address, headers: int) -> None:
    request = stun.encode_request(stun.new_transaction_id())
    answer = stun.encode_response(stun.new_transaction_id(), source)
    assert len(answer) + headers <= 2 * (len(request) + headers)
    assert BindingBudget(0.0).allows(request, source, 0.0)
    for size in range(len(request)):
        if len(answer) + headers > 2 * (size + headers):
            assert not BindingBudget(0.0).allows(request[:size], source, 0.0)


def test_answers_have_a_rate() -> None:
    budget, request = BindingBudget(0.0), stun.encode_request(bytes(12))
    allowed = [budget.allows(request, V4, 0.0) for _ in range(2000)]
    assert sum(allowed) == STUN_ANSWERS_PER_S
    later = [budget.allows(request, V4, 0.1) for _ in range(2000)]
    assert sum(later) == pytest.approx(STUN_ANSWERS_PER_S / 10, abs=1)


def test_a_reflector_tells_addresses_and_answers_nothing_else() -> None:
    async def scenario(house: House) -> None:
        host, at = house.host()
        reflector = Reflector(host.wire(4434))
        there = Address(at, 4434)
        assert reflector.port == 4434
        client = house.mailbox()
        transaction_id = stun.new_transaction_id()
        client.send(stun.encode_request(transaction_id), there)
        await turns()
        ((answer, source),) = client.got
        message = stun.decode(answer)
        assert source == there
        assert (message.transaction_id, message.mapped) == (
            transaction_id,
            client.address,
        )
        client.got.clear()
        for nonsense in (
            b"",
            b"\0" * 20,
            stun.encode_indication(),
            stun.encode_response(transaction_id, client.address),
            stun.encode_request(transaction_id)[:19],
            b"\x08" + bytes(8) + stun.encode_request(transaction_id),
            b"\xc0" * 1200,
        ):
            client.send(nonsense, there)
        await turns()
        assert client.got == []
        reflector.close()
        client.send(stun.encode_request(transaction_id), there)
        await turns()
        assert client.got == []

    house_of(scenario)


def test_a_flood_is_answered_within_the_rate() -> None:
    async def scenario(house: House) -> None:
        host, at = house.host()
        reflector = Reflector(host.wire(4434))
        client = house.mailbox()
        for _ in range(int(2 * STUN_ANSWERS_PER_S)):
            client.send(stun.encode_request(bytes(12)), Address(at, 4434))
        await turns()
        assert len(client.got) == pytest.approx(STUN_ANSWERS_PER_S, rel=0.01)
        reflector.close()

    house_of(scenario)


def test_a_probe_is_an_indication_from_the_address_in_use() -> None:
    async def scenario(house: House) -> None:
        host, _ = house.host()
        host.attach("20.9.9.9")
        reflector = Reflector(host.wire(4434))
        client = house.mailbox()
        reflector.probe(client.address, "20.9.9.9")
        await turns()
        ((datagram, source),) = client.got
        assert source == Address("20.9.9.9", 4434)
        assert stun.decode(datagram).kind == "indication"
        assert len(datagram) == 20
        reflector.close()

    house_of(scenario)


def test_on_real_sockets() -> None:
    async def scenario() -> None:
        reflector = open_reflector(0, "127.0.0.1")
        client = open_udp_wire(0, host="127.0.0.1")
        came: asyncio.Queue[bytes] = asyncio.Queue()
        client.start(lambda datagram, source, own: came.put_nowait(datagram))
        client.send(
            stun.encode_request(bytes(12)), Address("127.0.0.1", reflector.port)
        )
        async with asyncio.timeout(10):
            assert stun.decode(await came.get()).mapped == client.local
        with pytest.raises(OSError, match="in use"):
            open_reflector(reflector.port, "127.0.0.1")
        reflector.close()
        client.close()

    asyncio.run(scenario())
