"""Hello, last words, and peers that say neither, over real links."""

import asyncio

import pytest

from tests.support.world import Doing, Person, World, scenario
from wzp_cli.address import Address
from wzp_cli.defaults.endpoint import FAREWELL_TIMEOUT_S
from wzp_cli.defaults.program import HELLO_TIMEOUT_S
from wzp_cli.endpoint.links.admission import Strangers
from wzp_cli.endpoint.links.link import Link
from wzp_cli.errors import ConnectionLost, RemoteProtocolError, WzpError
from wzp_cli.protocol.messages.peer import Goodbye, Hello, Offer, Ringing
from wzp_cli.protocol.messages.signal import encode
from wzp_cli.protocol.traversal.route import DirectRoute
from wzp_cli.services.conversation import Conversation, greet

UGLY = "Al\x1b[31mice\u202e\n" + "x" * 200


def now() -> float:
    return asyncio.get_running_loop().time()


async def two(world: World) -> tuple[Person, Person]:
    """Return two public people; the second one accepts."""
    alice = await world.person("alice", None, registers=False)
    bob = await world.person("bob", None, registers=False)
    bob.endpoint.accept_peers(Strangers.PROVEN)
    return alice, bob


async def linked(alice: Person, bob: Person) -> tuple[Link, Link]:
    address = Address(bob.public_host, bob.endpoint.local.port)
    link = await alice.endpoint.dial_peer(DirectRoute(address), bob.identity)
    return link, await bob.endpoint.accept()


async def greeted(
    world: World, names: tuple[str, str] = ("alice", "bob")
) -> tuple[Conversation, Conversation]:
    alice, bob = await two(world)
    ours, theirs = await linked(alice, bob)
    accepting: Doing[Conversation] = world.start(greet(theirs, names[1]))
    return await greet(ours, names[0]), await accepting.result()


@scenario
async def test_both_learn_who_the_other_is(world: World) -> None:
    ours, theirs = await greeted(world)
    assert (ours.name, theirs.name) == ("bob", "alice")
    assert (ours.peer, theirs.peer) == (ours.link.identity, theirs.link.identity)
    assert ours.peer != theirs.peer
    ours.say(Offer(call="1", media=["opus"]))
    assert await theirs.heard() == Offer(call="1", media=["opus"])
    theirs.try_to_say(Ringing(call="1"))
    assert await ours.heard() == Ringing(call="1")


@scenario
async def test_a_name_is_cleaned(world: World) -> None:
    _, theirs = await greeted(world, (UGLY, ""))
    assert theirs.name.startswith("Al[31mice")
    assert theirs.name.isprintable()
    assert len(theirs.name) <= 64


@scenario
async def test_a_dialler_that_says_nothing(world: World) -> None:
    alice, bob = await two(world)
    ours, theirs = await linked(alice, bob)
    began = now()
    with pytest.raises(ConnectionLost, match="hello"):
        await greet(theirs, "bob")
    assert now() - began == pytest.approx(HELLO_TIMEOUT_S, abs=0.01)
    await asyncio.sleep(0.1)
    assert ours.ended
    assert theirs.ended


@scenario
async def test_an_acceptor_that_says_nothing(world: World) -> None:
    alice, bob = await two(world)
    ours, theirs = await linked(alice, bob)
    with pytest.raises(ConnectionLost, match="hello"):
        await greet(ours, "alice")
    await asyncio.sleep(0.1)
    assert theirs.ended


@pytest.mark.parametrize(
    "first",
    [
        encode(Goodbye(reason="bye")),
        b"\0\0\0\x02{]",
        b"\xff\xff\xff\xff",
        (5000).to_bytes(4, "big"),
        encode(Hello(version="v" * 300)),
    ],
)
@scenario
async def test_anything_else_than_a_hello_ends_the_link(
    world: World, first: bytes
) -> None:
    alice, bob = await two(world)
    ours, theirs = await linked(alice, bob)
    ours.send(first)
    with pytest.raises(RemoteProtocolError):
        await greet(theirs, "bob")
    await asyncio.sleep(0.1)
    assert ours.ended


@scenario
async def test_messages_of_the_future_are_passed_over(world: World) -> None:
    alice, bob = await two(world)
    ours, theirs = await linked(alice, bob)
    future = b'{"type":"hologram"}'
    ours.send(len(future).to_bytes(4, "big") + future)
    accepting: Doing[Conversation] = world.start(greet(theirs, "bob"))
    await greet(ours, "alice")
    assert (await accepting.result()).name == "alice"


@scenario
async def test_a_peer_that_goes_before_its_hello(world: World) -> None:
    alice, bob = await two(world)
    ours, theirs = await linked(alice, bob)
    ours.abort("changed my mind")
    with pytest.raises(WzpError) as caught:
        await greet(theirs, "bob")
    assert isinstance(caught.value, ConnectionLost)


@scenario
async def test_whoever_no_longer_wants_to_greet_closes_the_link(world: World) -> None:
    alice, bob = await two(world)
    ours, theirs = await linked(alice, bob)
    greeting: Doing[Conversation] = world.start(greet(theirs, "bob"))
    await asyncio.sleep(1)
    await greeting.stop()
    await asyncio.sleep(0.1)
    assert ours.ended


@scenario
async def test_last_words_arrive(world: World) -> None:
    ours, theirs = await greeted(world)
    await ours.hang_up("good night")
    assert await theirs.heard() == Goodbye(reason="good night")
    with pytest.raises(ConnectionLost, match="bye"):
        await theirs.heard()
    with pytest.raises(ConnectionLost):
        theirs.say(Goodbye(reason="me too"))
    theirs.try_to_say(Goodbye(reason="me too"))
    await theirs.leave()


@scenario
async def test_last_words_to_a_dead_line_do_not_hold_up(world: World) -> None:
    alice, bob = await two(world)
    ours, theirs = await linked(alice, bob)
    accepting: Doing[Conversation] = world.start(greet(theirs, "bob"))
    conversation = await greet(ours, "alice")
    await accepting.result()
    bob.vanish()
    began = now()
    await conversation.hang_up("anybody there?")
    assert now() - began == pytest.approx(FAREWELL_TIMEOUT_S, abs=0.01)


@scenario
async def test_breaking_the_rules_later_ends_the_link(world: World) -> None:
    ours, theirs = await greeted(world)
    ours.link.send(b"\0\0\0\x02{]")
    with pytest.raises(RemoteProtocolError):
        await theirs.heard()
    assert theirs.link.ended
