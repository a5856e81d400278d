"""Both call each other at once: one call comes of it, the smaller identity's."""

import pytest

from tests.support.world import Person, World, never, scenario
from wzp_cli.events import Answered, Hangup, Ringing
from wzp_cli.services.calls.talk import CallOutcome


async def crossed(world: World, first: str, second: str) -> tuple[Person, Person]:
    """`first` rings the other's listener; then the other's own call crosses that."""
    await world.relay()
    small, large = sorted(
        [await world.person(name, registers=False) for name in ("one", "two")],
        key=lambda person: person.identity,
    )
    people = {"small": small, "large": large}
    one, other = people[first], people[second]
    at_home = await world.person("at home", keypair=other.keypair)
    await one.register(publishes=False)
    await other.register(publishes=False)
    at_home.listen(ask=never)
    calling = one.calls(other, duration_s=3)
    await one.told(Ringing)
    answer: CallOutcome = await other.call(one, duration_s=3)
    outcome = await calling.result()
    assert (outcome.peer, answer.peer) == (str(other.identity), str(one.identity))
    assert (await at_home.told(Hangup)).reason == "answered-elsewhere"
    return one, other


@pytest.mark.parametrize("first", ["small", "large"])
@scenario
async def test_whoever_was_first_there_is_one_call(world: World, first: str) -> None:
    second = "large" if first == "small" else "small"
    one, other = await crossed(world, first, second)
    for person in (one, other):
        assert len(person.all(Answered)) == 1
        assert len(person.outcomes) == 1
        assert len(person.sound.numbers) > 100
