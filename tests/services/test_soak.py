"""Fifty calls in a row leave nothing behind; `bench soak` makes them live."""

import asyncio
import gc
import itertools
import random
from collections import Counter

from tests.support.fakenet import (
    ADDRESS_RESTRICTED,
    FULL_CONE,
    MASQUERADE,
    POISONABLE,
    RANDOM,
    SEQUENTIAL,
)
from tests.support.world import Person, World, scenario
from wzp_cli.address import Address
from wzp_cli.protocol.media.adaptation import ladder

KINDS = (
    None,
    MASQUERADE,
    POISONABLE,
    FULL_CONE,
    ADDRESS_RESTRICTED,
    SEQUENTIAL,
    RANDOM,
)
CALLS = 50
REST_S = 45.0
"""A search's pause, and an idle link's end, are behind us then."""


def census() -> Counter[str]:
    """Count what there is of wzp's own objects (addresses: NATs keep them, too).

    What a cache of a fixed size has kept is no leak, and is dropped first.
    """
    ladder._ways.cache_clear()
    gc.collect()
    kinds = [type(each) for each in gc.get_objects() if type(each) is not Address]
    return Counter(
        k.__qualname__ for k in kinds if str(k.__module__).startswith("wzp_cli.")
    )


def forget(*people: Person) -> None:
    """Drop what the test itself keeps of a call."""
    for person in people:
        for kept in (person.events, person.sounds, person.outcomes):
            kept.clear()


@scenario
async def test_nothing_is_left_of_fifty_calls(world: World) -> None:
    relay = await world.relay()
    people = [
        await world.person(f"p{number}", kind) for number, kind in enumerate(KINDS)
    ]
    for person in people:
        person.listen()
    chance = random.Random(4)
    counts: list[tuple[int, Counter[str]]] = []
    pairs = list(itertools.combinations(people, 2))
    warm = len(pairs)  # whoever met is remembered, in budgets
    while len(pairs) < CALLS:
        pairs.append(chance.choice(pairs))
    for number, pair in enumerate(pairs):
        world.net.loss = chance.choice((0.0, 0.0, 0.02, 0.1))
        caller, callee = chance.sample(pair, 2)
        outcome = await caller.call(callee, duration_s=3)
        assert outcome.frames.received > 0
        world.net.loss = 0.0
        await asyncio.sleep(REST_S)
        forget(*people)
        relay.events.clear()
        assert (relay.left["channels"], relay.left["links"]) == (0, len(people))
        for person in people:
            assert person.endpoint.spares == 0
            assert person.endpoint._checks == {}
            assert list(person.host.wires) == [person.endpoint.local.port]
        if number >= warm:
            counts.append((len(asyncio.all_tasks()), census()))
    assert len({tasks for tasks, _ in counts}) == 1
    first, last = counts[0][1], counts[-1][1]
    grown = {
        kind: (first[kind], last[kind]) for kind in last if last[kind] > first[kind] + 5
    }
    assert grown == {}
