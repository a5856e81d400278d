"""Orders for the one call of a process: in each state, and through real endpoints."""

import asyncio
from collections.abc import Callable

import pytest

from tests.support.virtual_time import run
from tests.support.world import Doing, Person, World, never, scenario
from wzp_cli.errors import (
    CallUnderWay,
    CallWithdrawn,
    NoAnswer,
    NoCall,
    PeerBusy,
    PeerDeclined,
    PeerOffline,
)
from wzp_cli.events import Answered, Hangup, Held, Incoming, Missed, Muted, Ringing
from wzp_cli.services.calls.switchboard import Line, Switchboard
from wzp_cli.services.calls.talk import CallOutcome

ORDERS: dict[str, Callable[[Switchboard], Line]] = {
    "answer": lambda board: board.answer(),
    "hang up": lambda board: board.hang_up(),
    "mute": lambda board: board.mute(True),
    "hold": lambda board: board.hold(None),
    "talk": lambda board: board.talk(True),
}


@pytest.mark.parametrize("order", ORDERS)
def test_without_a_call_there_is_nothing_to_do(order: str) -> None:
    with pytest.raises(NoCall, match=r"call"):
        ORDERS[order](Switchboard())


@pytest.mark.parametrize("order", ["mute", "hold", "talk"])
def test_what_only_rings_has_no_switches(order: str) -> None:
    async def rings() -> None:
        board = Switchboard()
        with board.takes_in("wzp1peer", "Eve"), pytest.raises(NoCall):
            ORDERS[order](board)

    run(rings())


def test_the_first_word_counts() -> None:
    async def rings() -> None:
        board = Switchboard()
        with board.takes_in("wzp1peer", "Eve") as line:
            assert board.answer() is line
            with pytest.raises(NoCall):
                board.answer()
            line.decide(False)
            assert await line.decided()
        with board.takes_in("wzp1peer", "Eve") as line:
            board.hang_up()
            line.decide(True)
            assert not await line.decided()
        assert board.line is None

    run(rings())


def test_there_is_one_call_at_a_time() -> None:
    async def rings() -> None:
        board = Switchboard()
        with board.takes_in("wzp1peer", ""):
            with pytest.raises(CallUnderWay), board.takes_in("wzp1other", ""):
                raise AssertionError
            with pytest.raises(CallUnderWay):
                await board.places("wzp1other", None, no_call)

    run(rings())


async def no_call(line: Line) -> CallOutcome:
    raise AssertionError("nobody was to be called")


# --- Steered from outside -------------------------------------------------------


def at_desk(person: Person, **settings: object) -> Switchboard:
    """Let somebody listen where nobody sits; return what steers it."""
    board = Switchboard()
    person.listen(never, switchboard=board, **settings)
    return board


def places(person: Person, board: Switchboard, target: Person) -> Doing[CallOutcome]:
    """Call through a listener."""

    async def call(line: Line) -> CallOutcome:
        return await person.call(target, on_controls=line.talks, accept=line.crossing)

    return person.world.start(board.places(str(target.identity), target.identity, call))


@scenario
async def test_a_call_is_answered_and_hung_up_by_orders(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    board = at_desk(bob)
    call = alice.calls(bob)
    await bob.told(Incoming)
    assert board.line is not None
    assert (board.line.peer, board.line.name) == (str(alice.identity), "alice")
    board.answer()
    await alice.told(Answered)
    await asyncio.sleep(1)
    board.mute(None)
    board.hold(True)
    await alice.told(Held)
    board.hold(None)
    board.mute(None)
    board.talk(False)
    board.talk(None)
    board.mute(False)
    muted = [event.muted for event in bob.all(Muted)]
    assert muted == [True, False, True, False, False]
    assert [event.held for event in bob.all(Held)] == [True, False]
    assert board.hang_up().peer == str(alice.identity)
    assert (await call.result()).end.by == "peer"
    assert (await bob.told(Hangup)).by == "local"
    assert bob.all(Missed) == []


@scenario
async def test_hanging_up_declines_what_rings(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    board = at_desk(bob)
    call = alice.calls(bob)
    await bob.told(Incoming)
    board.hang_up()
    with pytest.raises(PeerDeclined):
        await call.result()
    assert [event.reason for event in bob.all(Hangup)] == ["declined"]
    assert bob.all(Missed) == []
    assert bob.sounds == []


@scenario
async def test_an_answer_and_a_hang_up_before_the_sound_is_open(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    board = at_desk(bob)
    call = alice.calls(bob)
    await bob.told(Incoming)
    board.answer()
    board.hang_up()
    assert (await call.result()).end.by == "peer"
    assert (await bob.told(Hangup)).by == "local"


@scenario
async def test_calls_that_nobody_took_are_missed_for_a_reason(world: World) -> None:
    alice, bob, carol = await world.people("alice", "bob", "carol")
    at_desk(bob, ring_timeout_s=5)
    ringing = alice.calls(bob)
    await bob.told(Incoming)
    with pytest.raises(PeerBusy):
        await carol.call(bob)
    await ringing.stop()
    withdrawn = await bob.told(Missed, lambda event: event.reason == "withdrawn")
    assert (withdrawn.peer, withdrawn.name) == (str(alice.identity), "alice")
    assert [event.by for event in bob.all(Hangup)] == ["peer"]
    waiting = carol.calls(bob, ring_timeout_s=60)
    await bob.told(Missed, lambda event: event.reason == "timeout")
    assert [event.reason for event in bob.all(Missed)] == [
        "busy", "withdrawn", "timeout"
    ]  # fmt: skip
    with pytest.raises(NoAnswer):
        await waiting.result()


@scenario
async def test_a_call_placed_through_a_listener(world: World) -> None:
    alice, bob, carol = await world.people("alice", "bob", "carol")
    board, there = at_desk(alice), at_desk(bob)
    call = places(alice, board, bob)
    await alice.told(Ringing)
    there.answer()
    await bob.told(Answered)
    with pytest.raises(PeerBusy):
        await carol.call(alice)
    assert [event.reason for event in alice.all(Missed)] == ["busy"]
    await asyncio.sleep(1)
    board.hang_up()
    outcome = await call.result()
    assert (outcome.peer, outcome.end.by) == (str(bob.identity), "local")
    back = bob.calls(alice, duration_s=1)
    await alice.told(Incoming)
    board.answer()
    assert (await back.result()).path == "direct"


@scenario
async def test_a_placed_call_is_withdrawn_by_an_order(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    board = at_desk(alice)
    at_desk(bob)
    call = places(alice, board, bob)
    await alice.told(Ringing)
    board.hang_up()
    with pytest.raises(CallWithdrawn):
        await call.result()
    assert (await bob.told(Missed)).reason == "withdrawn"
    assert board.line is None


@scenario
async def test_a_placed_call_that_fails_leaves_the_line_free(world: World) -> None:
    (alice,) = await world.people("alice")
    stranger = await world.person("stranger", registers=False)
    board = at_desk(alice)
    with pytest.raises(PeerOffline):
        await places(alice, board, stranger).result()
    assert board.line is None


@pytest.mark.parametrize("first", ["small", "large"])
@scenario
async def test_two_listeners_that_call_each_other_at_once(
    world: World, first: str
) -> None:
    """Each one's link comes in where the other takes calls; one call comes of it."""
    people = sorted(
        await world.people("one", "two"), key=lambda person: person.identity
    )
    one, other = people if first == "small" else reversed(people)
    boards = {person.name: at_desk(person) for person in (one, other)}
    calls = [places(one, boards[one.name], other)]
    await asyncio.sleep(0)
    calls.append(places(other, boards[other.name], one))
    for person in (one, other):
        await person.told(Answered)
    await asyncio.sleep(2)
    boards[one.name].hang_up()
    ends = [(await call.result()).end.by for call in calls]
    assert sorted(ends) == ["local", "peer"]
    for person in (one, other):
        assert len(person.all(Answered)) == len(person.outcomes) == 1
        assert person.all(Incoming) == []
        assert person.all(Missed) == []
        assert len(person.sound.numbers) > 50
    await asyncio.sleep(1)
    for person in (one, other):
        assert person.registration is not None
        assert not person.registration._channels.in_use
