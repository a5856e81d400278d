import asyncio

import pytest
from aioice.stun import parse_message

from tests.support.house import House, house_of, turns
from wzp_cli.address import Address
from wzp_cli.defaults.endpoint import STUN_TRIES_S
from wzp_cli.endpoint.stun import message as stun
from wzp_cli.protocol.traversal.route import DirectRoute

OTHER = Address("20.7.0.9", 9)


def test_what_comes_with_the_id_is_taken_wherever_it_comes_from() -> None:
    async def scenario(house: House) -> None:
        alice, server = house.machine(), house.mailbox()
        came: list[tuple[str, Address]] = []
        transaction_id = stun.new_transaction_id()

        def take(message: stun.BindingMessage, route: DirectRoute) -> None:
            came.append((message.kind, route.address))

        packet = stun.encode_indication(transaction_id)
        with alice.endpoint.expecting(transaction_id, take):
            server.send(packet, alice.address)
            server.send(stun.encode_indication(), alice.address)
            await turns()
        server.send(packet, alice.address)
        await turns()
        assert came == [("indication", server.address)]

    house_of(scenario)


def test_a_reflection_tells_how_often_was_asked_and_where_else_to_ask() -> None:
    async def scenario(house: House) -> None:
        alice, server = house.machine(), house.mailbox()

        async def answer_the_second() -> None:
            await asyncio.sleep(STUN_TRIES_S[1] + 0.01)
            request = stun.decode(server.got[-1][0])
            answer = stun.encode_response(request.transaction_id, alice.address)
            message = parse_message(answer)
            message.attributes["OTHER-ADDRESS"] = tuple(OTHER)
            server.send(bytes(message), alice.address)

        async with asyncio.TaskGroup() as group:
            group.create_task(answer_the_second())
            seen = await alice.endpoint.reflect(server.address)
        assert (seen.sent, seen.other, seen.spare) == (2, OTHER, 0)

    house_of(scenario)


def test_a_round_trip_is_that_of_the_request_that_was_answered() -> None:
    """Also where others have left since: an answer tells which it belongs to."""

    async def scenario(house: House) -> None:
        alice, server = house.machine(), house.mailbox()
        slow_s = STUN_TRIES_S[2] + 0.05

        async def answer_the_first() -> None:
            await asyncio.sleep(slow_s)
            request = stun.decode(server.got[0][0])
            answer = stun.encode_response(request.transaction_id, alice.address)
            server.send(answer, alice.address)

        async with asyncio.TaskGroup() as group:
            group.create_task(answer_the_first())
            seen = await alice.endpoint.reflect(server.address)
        assert len(server.got) == 3
        assert seen.sent == 1
        assert seen.rtt_s == pytest.approx(slow_s, abs=0.001)

    house_of(scenario)


def test_an_id_that_is_let_go_is_forgotten() -> None:
    async def scenario(house: House) -> None:
        alice, server = house.machine(), house.mailbox()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await alice.endpoint.reflect(server.address)
        assert len(alice.endpoint._transactions) == 0

    house_of(scenario)
