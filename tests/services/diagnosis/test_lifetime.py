"""How long mappings last, in virtual time: minutes pass in no time."""

import asyncio
from dataclasses import replace

import pytest

from tests.support.fakenet import (
    FULL_CONE,
    MASQUERADE,
    POISONABLE,
    RANDOM,
    SEQUENTIAL,
    NatKind,
)
from tests.support.world import RELAY, RELAY_HOST, Person, World, scenario
from wzp_cli.address import HostPort
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.diagnosis import LIFETIME_SILENCES_S, LIFETIME_STREAM_S
from wzp_cli.defaults.relay import RELAY_MAX_PROBES_PER_CLIENT_PER_MIN
from wzp_cli.events import Event, MappingAged
from wzp_cli.services.diagnosis.lifetime import LifetimeSettings, measure_lifetime

LONGEST_S = LIFETIME_SILENCES_S[-1]


async def ask(
    person: Person, told: list[Event] | None = None, relay: HostPort = RELAY
) -> MappingAged:
    report = person.report if told is None else told.append
    found = await measure_lifetime(person.endpoint, [relay], person.pins, report)
    assert person.endpoint.spares == 0
    return found


@pytest.mark.parametrize(
    "kind", [MASQUERADE, FULL_CONE, POISONABLE, SEQUENTIAL, RANDOM]
)
@pytest.mark.parametrize(
    ("lifetime_s", "lived_s", "lost_s"),
    [(5, 0, 8), (10, 8, 15), (30, 25, 40), (60, 55, 80), (120, 110, 140)],
)
@scenario
async def test_between_which_silences_a_mapping_ends(
    world: World, kind: NatKind, lifetime_s: float, lived_s: float, lost_s: float
) -> None:
    await world.relay()
    nat = replace(kind, lifetime_s=lifetime_s)
    alice = await world.person("alice", nat, registers=False)
    found = await ask(alice)
    assert (found.lived_s, found.lost_s, found.next_s) == (lived_s, lost_s, None)


@scenario
async def test_a_mapping_that_outlives_them_all(world: World) -> None:
    await world.relay()
    alice = await world.person("alice", registers=False)
    told: list[Event] = []
    found = await ask(alice, told)
    assert found == MappingAged(lived_s=LONGEST_S, lost_s=None, next_s=None)
    known = [each for each in told if isinstance(each, MappingAged)]
    assert known == told
    assert [each.lived_s for each in known] == [0, *LIFETIME_SILENCES_S]
    assert [each.next_s for each in known] == [*LIFETIME_SILENCES_S, None]


@scenario
async def test_it_ends_with_the_first_silence_that_is_too_long(world: World) -> None:
    await world.relay()
    nat = replace(MASQUERADE, lifetime_s=20.0)
    alice = await world.person("alice", nat, registers=False)
    began = alice.endpoint.now()
    found = await ask(alice)
    assert found.lost_s == 25
    assert alice.endpoint.now() - began < LIFETIME_STREAM_S + 25 + 5


@scenario
async def test_our_own_questions_keep_no_mapping_alive(world: World) -> None:
    """Between the second question and the relay's packet, a spare sends nothing."""
    await world.relay()
    alice = await world.person("alice", registers=False)
    own = alice.endpoint.local.port
    packets = world.record()
    await ask(alice)
    ports = {p.source.port for p in packets if p.source.host == alice.public_host}
    spares = ports - {own}
    assert len(spares) == len(LIFETIME_SILENCES_S)
    for port in spares:
        assert len([p for p in packets if p.source.port == port]) == 2


@scenario
async def test_without_a_relay_nothing_is_known(world: World) -> None:
    alice = await world.person("alice", registers=False)
    told: list[Event] = []
    found = await ask(alice, told, HostPort("20.0.0.9", 4433))
    assert (found.lived_s, found.lost_s) == (0, None)
    assert told == []


@scenario
async def test_a_relay_that_goes_away_leaves_what_was_known(world: World) -> None:
    await world.relay()
    alice = await world.person("alice", registers=False)

    async def go_away() -> None:
        await asyncio.sleep(LIFETIME_STREAM_S + 20)
        world.net.cut(alice.public_host, RELAY_HOST)

    async with task_group() as group:
        group.create_task(go_away())
        found = await ask(alice)
    assert (found.lived_s, found.lost_s) == (15, None)


@scenario
async def test_a_relay_that_grants_no_probes_claims_nothing(world: World) -> None:
    relay = await world.relay()
    alice = await world.person("alice", registers=False)
    client = alice.endpoint.local._replace(host=alice.public_host)
    settings = LifetimeSettings(silences_s=[1.0])

    async def use_up() -> None:
        await asyncio.sleep(LIFETIME_STREAM_S + 0.9)
        now = relay.endpoint.now()
        for _ in range(RELAY_MAX_PROBES_PER_CLIENT_PER_MIN):
            relay.server.limits.admit_probe(alice.identity.key, client, now)

    async with task_group() as group:
        group.create_task(use_up())
        found = await measure_lifetime(
            alice.endpoint, [RELAY], alice.pins, alice.report, settings
        )
    assert (found.lived_s, found.lost_s) == (0, None)
