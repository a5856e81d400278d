"""Where a relay is looked for, and that a slow answer delays no other."""

import asyncio

import pytest

from tests.support.world import RELAY, RELAY_HOST, Person, World, scenario
from wzp_cli.address import Address, HostPort
from wzp_cli.defaults.relay import (
    ADDRESS_STAGGER_S,
    SRV_ANSWER_S,
    SRV_HEAD_START_S,
    SRV_MAX_ADDRESSES,
)
from wzp_cli.errors import NameNotFound
from wzp_cli.services.relays.places import Place, RelayPlaces

UDP, TCP = f"_wzp._udp.{RELAY.host}", f"_wzps._tcp.{RELAY.host}"
HERE = HostPort("here.example", 5000)
THERE = HostPort("there.example", 443)


def now() -> float:
    return asyncio.get_running_loop().time()


async def batches(
    person: Person, relay: HostPort = RELAY, told: int | None = None
) -> list[list[Place]]:
    """Return what is found, as it comes."""
    found: list[list[Place]] = []
    places = RelayPlaces(person.endpoint, relay, told_tcp_port=lambda _: told)
    await places.find(lambda some: found.append(list(some)))
    return found


def at(host: str, port: int, name: str = RELAY.host, *, tcp: bool = False) -> Place:
    return Place(Address(host, port, tunnel=int(tcp)), name)


async def somebody(world: World, *, by_tcp: bool = False) -> Person:
    server = await world.relay()
    world.name(HERE.host, "20.0.0.5", "20.0.0.6")
    world.name(THERE.host, "20.0.0.7")
    return await world.person(
        "alice", registers=False, by_tcp=server if by_tcp else None
    )


@scenario
async def test_without_records_the_names_own_addresses(world: World) -> None:
    alice = await somebody(world)
    assert await batches(alice) == [[at(RELAY_HOST, 4433)]]


@scenario
async def test_records_say_host_port_and_order(world: World) -> None:
    alice = await somebody(world)
    world.records(UDP, THERE, HERE)
    assert await batches(alice) == [
        [
            at("20.0.0.7", 443, THERE.host),
            at("20.0.0.5", 5000, HERE.host),
            at("20.0.0.6", 5000, HERE.host),
        ]
    ]


@pytest.mark.parametrize(
    "relay",
    [
        HostPort(RELAY.host, 4434),  # somebody knows better
        HostPort("20.0.0.1", 4433),
        HostPort("relay", 4433),
        HostPort("relay.local", 4433),
    ],
)
@scenario
async def test_where_records_are_not_asked_for(world: World, relay: HostPort) -> None:
    alice = await somebody(world)
    world.name("relay", RELAY_HOST)
    world.name("relay.local", RELAY_HOST)
    world.records(f"_wzp._udp.{relay.host}", HERE)
    assert await batches(alice, relay) == [[at(RELAY_HOST, relay.port, relay.host)]]


@scenario
async def test_a_record_to_port_53_or_to_nobody_counts_for_none(world: World) -> None:
    alice = await somebody(world)
    world.name("all.example", "224.0.0.1")
    for target in (
        HostPort(HERE.host, 53),
        HostPort("all.example", 4433),
        HostPort("nowhere.example", 4433),
    ):
        world.records(UDP, target)
        assert await batches(alice) == [[at(RELAY_HOST, 4433)]]


@scenario
async def test_no_more_addresses_than_are_tried(world: World) -> None:
    alice = await somebody(world)
    world.name(HERE.host, *(f"20.0.1.{n}" for n in range(1, 100)))
    world.records(UDP, HERE)
    (found,) = await batches(alice)
    assert len(found) == SRV_MAX_ADDRESSES


@scenario
async def test_a_name_with_neither(world: World) -> None:
    alice = await somebody(world)
    with pytest.raises(NameNotFound):
        await batches(alice, HostPort("nowhere.example", 4433))


@scenario
async def test_a_name_may_have_records_alone(world: World) -> None:
    alice = await somebody(world)
    world.name(RELAY.host)
    world.records(UDP, HostPort(RELAY_HOST, 4433))
    world.records_delay_s = 1.0
    assert await batches(alice) == [[at(RELAY_HOST, 4433, RELAY_HOST)]]


# --- slow answers ---------------------------------------------------------------


@scenario
async def test_addresses_wait_a_moment_for_records_and_late_ones_still_count(
    world: World,
) -> None:
    alice = await somebody(world)
    world.records(UDP, THERE)
    world.records_delay_s = SRV_HEAD_START_S / 2
    assert await batches(alice) == [[at("20.0.0.7", 443, THERE.host)]]
    world.records_delay_s = 2 * SRV_HEAD_START_S
    assert await batches(alice) == [
        [at(RELAY_HOST, 4433)],
        [at("20.0.0.7", 443, THERE.host)],
    ]


@scenario
async def test_a_dead_resolver_of_records_costs_the_moment_alone(world: World) -> None:
    alice = await somebody(world)
    await alice.register()
    quick = now()
    assert alice.registration is not None
    world.records_delay_s = SRV_ANSWER_S
    bob = await world.person("bob", registers=False)
    await bob.register()
    assert now() - quick <= quick + SRV_HEAD_START_S


@scenario
async def test_who_comes_late_by_records_is_still_reached(world: World) -> None:
    """The name's own host is a web server; the relay is elsewhere, its record slow."""
    alice = await somebody(world)
    world.name(RELAY.host, "20.0.0.99")
    world.records(UDP, HostPort(RELAY_HOST, RELAY.port))
    world.records_delay_s = 0.2
    began = now()
    registration = await alice.register()
    assert registration.address == Address(RELAY_HOST, RELAY.port)
    assert now() - began < 0.2 + ADDRESS_STAGGER_S
    assert list(alice.pins.keys) == [str(RELAY)]  # by the name that was typed


# --- where it takes WebSockets --------------------------------------------------


@scenario
async def test_the_tcp_port_is_443_or_told_or_said_or_recorded(world: World) -> None:
    alice = await somebody(world, by_tcp=True)
    udp = at(RELAY_HOST, 4433)
    assert await batches(alice) == [[udp, at(RELAY_HOST, 443, tcp=True)]]
    assert await batches(alice, told=9) == [[udp, at(RELAY_HOST, 9, tcp=True)]]
    said = RELAY._replace(tcp=8443)
    by_said = at(RELAY_HOST, 8443, tcp=True)
    assert await batches(alice, said, told=9) == [[udp, by_said]]
    world.records(TCP, THERE)
    recorded = at("20.0.0.7", 443, THERE.host, tcp=True)
    assert await batches(alice, told=9) == [[udp, recorded]]
    assert await batches(alice, said) == [[udp, by_said, recorded]]


@scenario
async def test_who_cannot_go_by_tcp_does_not_look_for_it(world: World) -> None:
    alice = await somebody(world)
    world.records(TCP, THERE)
    assert await batches(alice) == [[at(RELAY_HOST, 4433)]]


@scenario
async def test_blocked_udp_and_a_port_of_its_own_never_heard_by_udp(
    world: World,
) -> None:
    alice = await somebody(world, by_tcp=True)
    assert alice.nat is not None
    alice.nat.blocked = True
    world.records(TCP, HostPort(RELAY_HOST, 443))
    registration = await alice.register()
    assert registration.address == Address(RELAY_HOST, 443, tunnel=1)
