import asyncio
import os
import resource
from collections.abc import Callable

import pytest

from tests.endpoint.stun.test_checks import Side, two_sides
from tests.support.house import House, house_of, turns
from wzp_cli.address import Address
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.links.admission import Strangers
from wzp_cli.endpoint.sockets.spares import Spares
from wzp_cli.endpoint.sockets.udp import open_udp_wire
from wzp_cli.endpoint.stun import message as stun
from wzp_cli.errors import ConnectionLost
from wzp_cli.protocol.names.identity import Keypair
from wzp_cli.protocol.traversal.route import DirectRoute


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def on_the_system(play: Callable[[Spares], None]) -> None:
    def open_wire() -> object:
        return open_udp_wire(0, host="127.0.0.1")

    spares = Spares(open_wire, lambda datagram, source, number: None)  # type: ignore[arg-type]
    try:
        play(spares)
    finally:
        spares.close_all()


def test_sockets_are_opened_numbered_and_closed() -> None:
    def play(spares: Spares) -> None:
        before = descriptors()
        first = spares.open(256)
        assert len(set(first)) == len(spares) == 256
        assert 0 not in first, "that is the one socket"
        assert len({spares.port(number) for number in first}) == 256
        assert descriptors() == before + 256
        spares.close(first[:200])
        spares.close(first[:200])
        assert spares.port(first[0]) is None
        assert not set(spares.open(3)) & set(first)
        spares.close_all()
        assert len(spares) == 0
        assert descriptors() == before

    asyncio.run(on_the_system(play))


def test_as_many_as_the_system_lets_us() -> None:
    def play(spares: Spares) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors() + 20, hard))
        try:
            opened = spares.open(256)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert 0 < len(opened) < 25
        spares.close(opened)

    asyncio.run(on_the_system(play))


def test_an_endpoint_may_have_none() -> None:
    async def scenario(house: House) -> None:
        host, _ = house.host()
        endpoint = Endpoint(host.wire(5000), Keypair.generate())
        assert endpoint.open_spares(5) == []
        endpoint.close()

    house_of(scenario)


def test_a_check_is_answered_from_the_spare_that_it_came_to() -> None:
    async def scenario(house: House) -> None:
        alice, bob = two_sides(house)
        spare, other = bob.machine.endpoint.open_spares(2)
        at = Address(bob.machine.address.host, spare_port(bob, spare))
        alice.check(DirectRoute(at))
        await turns()
        ((route, _, _),) = alice.answers
        assert route == DirectRoute(at)
        seen = DirectRoute(alice.machine.address, spare)
        assert bob.requests == [(seen, False)]
        bob.check(seen)
        await turns()
        assert [route for route, _, _ in bob.answers] == [seen]
        assert other != spare

    house_of(scenario)


def spare_port(side: Side, spare: int) -> int:
    port = side.machine.endpoint._spares.port(spare)
    assert port is not None
    return port


def test_an_answer_through_another_socket_does_not_count() -> None:
    async def scenario(house: House) -> None:
        alice, bob = two_sides(house)
        (spare,) = alice.machine.endpoint.open_spares(1)
        asked = alice.check(DirectRoute(bob.machine.address, spare))
        answer = stun.encode_response(
            asked, alice.machine.address, bob.session.local.password
        )
        alice.machine.endpoint.close_spares([spare])
        bob.machine.wire.send(answer, alice.machine.address)
        await turns()
        assert alice.answers == []

    house_of(scenario)


def test_nothing_leaves_through_a_closed_spare() -> None:
    async def scenario(house: House) -> None:
        alice, bob = two_sides(house)
        (spare,) = alice.machine.endpoint.open_spares(1)
        alice.machine.endpoint.close_spares([spare])
        alice.check(DirectRoute(bob.machine.address, spare))
        await turns()
        assert house.packets == []

    house_of(scenario)


def test_strangers_can_neither_ask_nor_dial_a_spare() -> None:
    async def scenario(house: House) -> None:
        alice, bob = house.machine(), house.machine()
        bob.endpoint.accept_peers(Strangers.PROVEN)
        bob.endpoint.answer_binding = lambda request, source: True
        (spare,) = bob.endpoint.open_spares(1)
        port = bob.endpoint._spares.port(spare)
        assert port is not None
        at = Address(bob.address.host, port)
        with pytest.raises(TimeoutError):
            await alice.endpoint.reflect(at)
        with pytest.raises(ConnectionLost, match="no answer"):
            await alice.endpoint.dial_peer(DirectRoute(at), None)
        assert not house.sent(at)

    house_of(scenario)


def test_a_spare_asks_for_its_own_address() -> None:
    async def scenario(house: House) -> None:
        alice, server = house.machine(), house.machine()
        server.endpoint.answer_binding = lambda request, source: True
        (spare,) = alice.endpoint.open_spares(1)
        port = alice.endpoint._spares.port(spare)
        reflection = await alice.endpoint.reflect(server.address, spare=spare)
        assert reflection.reflexive == Address(alice.address.host, port or 0)

    house_of(scenario)


def test_closing_the_endpoint_closes_them() -> None:
    async def scenario(house: House) -> None:
        alice = house.machine()
        alice.endpoint.open_spares(7)
        assert alice.endpoint.spares == 7
        alice.endpoint.close()
        assert alice.endpoint.spares == 0
        assert not alice.host.wires

    house_of(scenario)
