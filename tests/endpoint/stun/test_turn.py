"""Allocations through the one socket, at servers honest and hostile."""

import asyncio
import os
from typing import Any

import pytest
from aioice.stun import Class, Message, Method

from tests.endpoint.links.test_admission import initial
from tests.support.memory_turn import TURN_HOST, MemoryTurn
from tests.support.world import World, scenario
from wzp_cli.address import Address
from wzp_cli.defaults.relay import TURN_ANSWER_S, TURN_DELETE_S, TURN_MAX_PEERS
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.links.admission import Strangers
from wzp_cli.endpoint.stun.turn import Allocation
from wzp_cli.errors import TurnUnavailable
from wzp_cli.protocol.traversal.route import DirectRoute, Route, TurnRoute
from wzp_cli.protocol.turn import encode_channel_data


class Heard:
    """What comes to an endpoint beside TURN, and by which way."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.came: list[tuple[bytes, Route]] = []
        endpoint._on_bare = (  # type: ignore[method-assign]
            lambda datagram, route, own: self.came.append((datagram, route))
        )


async def two(world: World) -> tuple[MemoryTurn, Endpoint, Endpoint]:
    server = MemoryTurn(world.net.host(TURN_HOST))
    ends = [await world.open_endpoint(world.net.host(f"20.3.0.{n}")) for n in (1, 2)]
    return server, ends[0], ends[1]


@scenario
async def test_datagrams_go_from_allocation_to_allocation(world: World) -> None:
    server, one, other = await two(world)
    heard = Heard(other)
    async with (
        one.turn.open(server.at, server.grant()) as ours,
        other.turn.open(server.at, server.grant()) as theirs,
    ):
        assert {ours.relayed.host, theirs.relayed.host} == {TURN_HOST}
        there = await ours.bind(theirs.relayed)
        back = await theirs.bind(ours.relayed)
        assert there == TurnRoute(server.at, theirs.relayed)
        one.carry(b"\x40 short header", there)
        one.carry(b"\xc0 long header", there)
        await asyncio.sleep(0.1)
        assert heard.came == [(b"\x40 short header", back), (b"\xc0 long header", back)]
        assert len(server) == 2
    assert len(server) == 0
    assert len(one.turn) == len(other.turn) == 0
    one.carry(b"\x40 late", there)
    await asyncio.sleep(0.1)
    assert len(heard.came) == 2


@scenario
async def test_it_is_kept_with_its_channels_also_when_the_nonce_is_stale(
    world: World,
) -> None:
    server, one, _ = await two(world)
    async with one.turn.open(server.at, server.grant()) as ours:
        await ours.bind(Address(TURN_HOST, 50000))
        server.nonce = b"second"
        await ours.refresh()
    wanted = [Method.ALLOCATE, Method.CHANNEL_BIND, Method.REFRESH]
    assert server.asked == [*wanted, Method.CHANNEL_BIND, Method.REFRESH]


@pytest.mark.parametrize(("secret", "good_for_s"), [("wrong", 600.0), ("sesame", -1.0)])
@scenario
async def test_a_wrong_or_expired_password_is_told(
    world: World, secret: str, good_for_s: float
) -> None:
    server, one, _ = await two(world)
    with pytest.raises(TurnUnavailable, match=r"^20\.0\.0\.9:3478 refuses: 401 Unaut"):
        async with one.turn.open(server.at, server.grant(secret, good_for_s)):
            raise AssertionError
    assert len(one.turn) == 0


@scenario
async def test_a_silent_server_takes_no_longer_than_it_may(world: World) -> None:
    server, one, _ = await two(world)
    server.silent = True
    began = one.now()
    with pytest.raises(TurnUnavailable, match="does not answer"):
        async with one.turn.open(server.at, server.grant()):
            raise AssertionError
    assert one.now() - began == pytest.approx(TURN_ANSWER_S, abs=0.1)
    server.silent = False
    async with one.turn.open(server.at, server.grant()):
        server.silent = True
        began = one.now()
    assert one.now() - began == pytest.approx(TURN_DELETE_S, abs=0.1)


@scenario
async def test_a_cancelled_allocation_is_given_back(world: World) -> None:
    server, one, _ = await two(world)

    async def hold() -> None:
        async with one.turn.open(server.at, server.grant()):
            await asyncio.Event().wait()

    for patience_s in (0.025, 0.03, 0.035, 0.045, 0.1):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(patience_s):
                await hold()
        await asyncio.sleep(1)
        assert len(server) == len(one.turn) == 0


@scenario
async def test_one_socket_has_one_allocation_at_a_server(world: World) -> None:
    server, one, _ = await two(world)
    async with one.turn.open(server.at, server.grant()):
        with pytest.raises(TurnUnavailable, match="another call"):
            async with one.turn.open(server.at, server.grant()):
                raise AssertionError
        assert len(server) == len(one.turn) == 1


@pytest.mark.parametrize(
    "lies",
    [
        {"LIFETIME": 0},
        {"LIFETIME": 60},
        {"LIFETIME": None},
        {"XOR-RELAYED-ADDRESS": None},
        {"XOR-RELAYED-ADDRESS": ("20.0.0.9", 0)},
    ],
)
@scenario
async def test_what_is_of_no_use_is_not_taken(
    world: World, lies: dict[str, Any]
) -> None:
    server, one, _ = await two(world)
    server.lies = lies
    with pytest.raises(TurnUnavailable):
        async with one.turn.open(server.at, server.grant()):
            raise AssertionError
    assert len(one.turn) == 0


@scenario
async def test_a_refusals_words_are_cleaned(world: World) -> None:
    server, one, _ = await two(world)
    server.refuses[Method.CHANNEL_BIND] = 403
    async with one.turn.open(server.at, server.grant()) as ours:
        with pytest.raises(TurnUnavailable) as refused:
            await ours.bind(Address(TURN_HOST, 50000))
    assert str(refused.value).startswith("20.0.0.9:3478 refuses: 403 No")
    assert str(refused.value).isprintable()


@scenario
async def test_a_peer_may_not_use_up_the_channels(world: World) -> None:
    server, one, _ = await two(world)
    async with one.turn.open(server.at, server.grant()) as ours:
        for port in range(TURN_MAX_PEERS):
            await ours.bind(Address(TURN_HOST, 50000 + port))
        with pytest.raises(TurnUnavailable, match="too many"):
            await ours.bind(Address(TURN_HOST, 60000))
        await ours.bind(Address(TURN_HOST, 50000))


def forged(allocation: Allocation, method: Method, message_class: Class) -> bytes:
    """Return a message whose transaction id is one that was never used."""
    message = Message(method, message_class)
    message.attributes["XOR-PEER-ADDRESS"] = (TURN_HOST, 50000)
    message.attributes["DATA"] = b"\x40 data"
    return bytes(message)


@scenario
async def test_a_hostile_servers_bytes_lead_nowhere(world: World) -> None:
    """Junk, other channels, cut and oversize data, data indications: all dropped."""
    server, one, _ = await two(world)
    heard = Heard(one)
    async with one.turn.open(server.at, server.grant()) as ours:
        route = await ours.bind(Address(TURN_HOST, 50000))
        whole = encode_channel_data(0x4000, b"\x40" + bytes(1000))
        server.say(
            *(bytes([first]) + os.urandom(40) for first in range(64, 80)),
            encode_channel_data(0x4001, b"\x40 other channel"),
            encode_channel_data(0x4000, b""),
            *(whole[:size] for size in (1, 2, 3, 4, 5, 500, len(whole) - 1)),
            b"\x40\x00\xff\xff" + bytes(1000),
        )
        await asyncio.sleep(0.1)
        assert heard.came == []
        server.say(whole, whole + b"\0\0\0")
        await asyncio.sleep(0.1)
        assert heard.came == 2 * [(b"\x40" + bytes(1000), route)]
        heard.came.clear()
        for method in (Method.DATA, Method.ALLOCATE, Method.CHANNEL_BIND):
            server.say(forged(ours, method, Class.INDICATION))
            server.say(forged(ours, method, Class.RESPONSE))
        await asyncio.sleep(0.1)
        # Left to STUN's own rules, as from anybody: no route of a peer's.
        assert {route for _, route in heard.came} == {DirectRoute(server.at)}


@scenario
async def test_no_initial_is_admitted_out_of_an_allocation(world: World) -> None:
    server, one, _ = await two(world)
    one.accept_peers(Strangers.PROVEN)
    async with one.turn.open(server.at, server.grant()) as ours:
        await ours.bind(Address(TURN_HOST, 50000))
        server.say(encode_channel_data(0x4000, initial()))
        await asyncio.sleep(0.1)
        assert not one.links
        assert one.half_open == one.handshakes["retry"] == 0


@scenario
async def test_answers_count_only_when_signed_and_may_be_broken(world: World) -> None:
    """An answer to a request under way that is cut or unsigned changes nothing."""
    server, one, _ = await two(world)
    async with one.turn.open(server.at, server.grant()) as ours:
        server.silent = True
        async with asyncio.TaskGroup() as group:
            refreshing = group.create_task(ours.refresh())
            await asyncio.sleep(0.1)
            (under_way,) = ours._client.transactions
            answer = Message(Method.REFRESH, Class.RESPONSE, under_way)
            answer.attributes["LIFETIME"] = 0
            for size in range(20, len(bytes(answer)) + 1):
                server.say(bytes(answer)[:size])
            refused = Message(Method.REFRESH, Class.ERROR, under_way)
            refused.attributes["ERROR-CODE"] = (437, "gone")
            server.say(bytes(refused))
            await asyncio.sleep(0.1)
            assert not refreshing.done()
            server.silent = False
        assert refreshing.result() is None


@scenario
async def test_channel_data_is_turns_from_its_server_alone(world: World) -> None:
    """From anybody else, and before the allocation, 64 to 79 is QUIC (RFC 9443)."""
    server, one, other = await two(world)
    heard = Heard(one)
    data = encode_channel_data(0x4000, b"\x40 data")
    to = Address("20.3.0.1", one.local.port)
    async with one.turn.open(server.at, server.grant()) as ours:
        await ours.bind(Address(TURN_HOST, 50000))
        other.carry(data, DirectRoute(to))
        await asyncio.sleep(0.1)
    source = DirectRoute(Address("20.3.0.2", other.local.port))
    assert heard.came == [(data, source)]


@scenario
async def test_the_next_call_waits_for_what_the_last_one_gave_back(
    world: World,
) -> None:
    server, one, _ = await two(world)
    for _ in range(3):
        async with one.turn.open(server.at, server.grant()):
            assert len(server) == 1
    assert server.asked == 3 * [Method.ALLOCATE, Method.REFRESH]


@scenario
async def test_another_ones_allocation_is_not_waited_for_long(world: World) -> None:
    server, one, _ = await two(world)
    server.refuses[Method.ALLOCATE] = 437
    with pytest.raises(TurnUnavailable, match="437"):
        async with one.turn.open(server.at, server.grant()):
            raise AssertionError
