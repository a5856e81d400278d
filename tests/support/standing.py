"""How somebody stands with their relay, as their events tell."""

import asyncio

from tests.support.world import Person
from wzp_cli.events import Registered, Warned


async def lost(person: Person, times: int = 1) -> None:
    await person.told(Warned, lambda event: event.code == "relay_lost", times=times)


async def found_again(person: Person) -> None:
    await person.told(Registered, times=2)
    await asyncio.sleep(0.001)
    assert person.registration is not None
    assert person.registration.is_up
