import asyncio

import pytest

from tests.support.house import House, house_of, meet, turns
from wzp_cli.defaults.program import MAX_MESSAGE_BEFORE_HELLO_BYTES, MAX_MESSAGE_BYTES
from wzp_cli.endpoint.links.link import Link
from wzp_cli.endpoint.links.message_stream import MessageStream
from wzp_cli.errors import ConnectionLost, LocalProtocolError, RemoteProtocolError
from wzp_cli.protocol.messages.peer import Goodbye, Hello, Opened, PeerMessage
from wzp_cli.protocol.messages.signal import encode

Streams = tuple[MessageStream[PeerMessage], MessageStream[PeerMessage]]


async def streams(house: House) -> Streams:
    _, _, here, there = await meet(house)
    return MessageStream(here, PeerMessage), MessageStream(there, PeerMessage)


def hello(number: int = 0) -> Hello:
    return Hello(version=str(number), name="x")


def framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


def of_size(size: int) -> bytes:
    """Return a message of an unknown type with a body of `size` bytes."""
    body = b'{"type":"from the future","x":"' + bytes(size - 33).replace(b"\0", b"y")
    return framed(body + b'"}')


def test_messages_come_in_order() -> None:
    async def scenario(house: House) -> None:
        here, there = await streams(house)
        for number in range(50):
            here.send(hello(number))
        for number in range(50):
            assert await there.receive() == hello(number)
        there.send(Opened())
        assert await here.receive() == Opened()

    house_of(scenario)


def test_an_unknown_message_is_passed_over() -> None:
    async def scenario(house: House) -> None:
        here, there = await streams(house)
        here.link.send(of_size(100) + of_size(200) + encode(hello()))
        assert await there.receive() == hello()
        assert not there.link.ended

    house_of(scenario)


@pytest.mark.parametrize("trusted", [False, True])
def test_the_limit_is_low_until_the_sender_is_known(trusted: bool) -> None:
    limit = MAX_MESSAGE_BYTES if trusted else MAX_MESSAGE_BEFORE_HELLO_BYTES

    async def scenario(house: House) -> None:
        here, there = await streams(house)
        if trusted:
            there.trust()
        here.link.send(of_size(limit) + encode(hello()))
        assert await there.receive() == hello()
        here.link.send(of_size(limit + 1))
        with pytest.raises(RemoteProtocolError, match=str(limit + 1)):
            await there.receive()
        assert there.link.ended
        await turns()
        assert here.link.ended
        assert str(limit + 1) in here.link.end_reason

    house_of(scenario)


@pytest.mark.parametrize(
    "said",
    [
        framed(b"[]"),
        framed(b"not JSON"),
        framed(b'{"type":"hello"}'),
        framed(b"\xff"),
        framed(b""),
        framed(b"[" * 4000),
        framed(b'{"type":"\xed\xa0\x80"}'),
        b"\xff\xff\xff\xff",
    ],
)
def test_broken_framing_ends_the_link(said: bytes) -> None:
    async def scenario(house: House) -> None:
        here, there = await streams(house)
        here.link.send(said)
        with pytest.raises(RemoteProtocolError):
            await there.receive()
        assert there.link.ended
        await turns()
        assert here.link.ended
        with pytest.raises(ConnectionLost):
            await here.receive()
        with pytest.raises(ConnectionLost):
            here.send(hello())

    house_of(scenario)


def test_what_came_before_the_end_is_still_received() -> None:
    async def scenario(house: House) -> None:
        here, there = await streams(house)
        here.send(hello())
        await here.close(Goodbye(reason="enough"), "bye")
        assert await there.receive() == hello()
        assert await there.receive() == Goodbye(reason="enough")
        for _ in range(2):
            with pytest.raises(ConnectionLost, match="bye"):
                await there.receive()

    house_of(scenario)


def test_messages_end_with_the_link() -> None:
    async def scenario(house: House) -> None:
        here, there = await streams(house)
        for number in range(3):
            here.send(hello(number))
        await here.close()
        heard = []

        async def hear() -> None:
            async for message in there.messages():
                heard.append(message)

        with pytest.raises(ConnectionLost):
            await hear()
        assert heard == [hello(number) for number in range(3)]

    house_of(scenario)


def test_a_cancelled_receive_loses_nothing() -> None:
    """Cancelled at every turn, while bytes trickle in."""

    async def scenario(house: House) -> None:
        here, there = await streams(house)
        said = [hello(number) for number in range(10)]
        heard: list[PeerMessage] = []
        wire = b"".join(map(encode, said))
        for at in range(0, len(wire), 7):
            here.link.send(wire[at : at + 7])
            for patience in range(4):
                receiving = asyncio.get_running_loop().create_task(there.receive())
                await turns(patience)
                receiving.cancel()
                await asyncio.wait([receiving])
                if not receiving.cancelled():
                    heard.append(receiving.result())
        while len(heard) < len(said):
            heard.append(await there.receive())
        assert heard == said

    house_of(scenario)


def test_a_receive_that_times_out_loses_nothing() -> None:
    async def scenario(house: House) -> None:
        here, there = await streams(house)
        wire = encode(hello(1)) + encode(hello(2))
        here.link.send(wire[:30])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await there.receive()
        here.link.send(wire[30:])
        assert [await there.receive(), await there.receive()] == [hello(1), hello(2)]

    house_of(scenario)


def test_too_long_a_message_is_our_fault_and_is_not_sent() -> None:
    async def scenario(house: House) -> None:
        here, there = await streams(house)
        with pytest.raises(LocalProtocolError):
            here.send(Hello(version="1", name="x" * MAX_MESSAGE_BYTES))
        here.send(hello())
        assert await there.receive() == hello()

    house_of(scenario)


def test_closing_what_is_closed() -> None:
    async def scenario(house: House) -> None:
        here, there = await streams(house)
        await here.close()
        await here.close(Goodbye(reason="again"))
        link: Link = there.link
        await link.wait_ended()
        await there.close(Goodbye(reason="me too"))

    house_of(scenario)
