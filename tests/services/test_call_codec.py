"""Which codec a call has: the caller's best if the callee has it, else G.711."""

from collections.abc import Callable

import pytest

from tests.support.world import Person, World, scenario
from wzp_cli.adapters.codecs.g711 import G711Codec
from wzp_cli.adapters.codecs.opus import open_opus

Outfit = Callable[[Person], None]


def rich(person: Person) -> None:
    person.codec = open_opus
    person.other_codecs = {"pcmu": G711Codec}


def poor(person: Person) -> None:
    """Somebody without libopus."""
    person.codec = G711Codec


@pytest.mark.parametrize(
    ("caller", "callee"), [(rich, rich), (rich, poor), (poor, rich), (poor, poor)]
)
@scenario
async def test_everybody_can_talk_to_everybody(
    world: World, caller: Outfit, callee: Outfit
) -> None:
    alice, bob = await world.people("alice", "bob")
    caller(alice)
    callee(bob)
    bob.listen()
    outcome = await alice.call(bob, duration_s=2)
    for sound in (alice.sound, bob.sound):
        heard = [pcm for _, pcm in sound.sink.heard if any(pcm)]
        assert len(heard) > 80
    assert outcome.frames.concealed <= 1
