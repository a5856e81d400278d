"""A relay keeps nothing of clients that have left, and that without its collector.

Python's garbage collector looks at what is old only when there is a quarter more of it:
objects in circles make a process grow by dozens of dead clients between two rounds.
"""

import asyncio
import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.world import RELAY, Person, RelayAtWork, World, scenario
from wzp_cli.defaults.endpoint import LINK_IDLE_TIMEOUT_S
from wzp_cli.endpoint.links.link import Link
from wzp_cli.services.relays.registration import register

_Refs = list[weakref.ref[Link]]


@contextmanager
def no_collector() -> Iterator[None]:
    """Leave to the counts of references what is freed."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def links_of(relay: RelayAtWork) -> _Refs:
    return [weakref.ref(link) for link in relay.endpoint.links]


async def visit(guest: Person, callee: Person, relay: RelayAtWork) -> _Refs:
    """Register, ask for a channel, give it back, leave; return the relay's links."""
    context = register(guest.endpoint, RELAY, guest.pins, guest.report, publishes=True)
    async with context as registration:
        (route,) = await registration.connect(callee.identity)
        links = links_of(relay)
        registration.close_channel(route)
    return links


@scenario
async def test_who_leaves_is_freed_at_once(world: World) -> None:
    relay = await world.relay()
    bob = await world.person("bob")
    guest = await world.person("guest", registers=False)
    with no_collector():
        for _ in range(3):
            links = await visit(guest, bob, relay)
            assert len(links) == 2
            await asyncio.sleep(1.0)
            assert [ref() for ref in links if ref()] == list(relay.endpoint.links)
            assert relay.left["links"] == 1


@scenario
async def test_who_falls_silent_is_freed_once_that_is_noticed(world: World) -> None:
    relay = await world.relay()
    alice, bob = await world.person("alice"), await world.person("bob")
    with no_collector():
        assert alice.registration is not None
        await alice.registration.connect(bob.identity)
        links = links_of(relay)
        for person in (alice, bob):
            person.vanish()
        await asyncio.sleep(LINK_IDLE_TIMEOUT_S + 30)
        assert [ref() for ref in links] == [None, None]
        assert not any(relay.left.values())


@scenario
async def test_budgets_of_who_has_left_are_forgotten_once_they_are_whole(
    world: World,
) -> None:
    relay = await world.relay()
    bob = await world.person("bob")
    limits = relay.server.limits
    for number in range(5):
        guest = await world.person(f"guest {number}", registers=False)
        await visit(guest, bob, relay)
    kept = (limits._registrations, limits._callers)
    assert [len(each) for each in kept] == [6, 5]
    await asyncio.sleep(61.0)
    await visit(guest, bob, relay)
    assert [len(each) for each in kept] == [1, 1]
