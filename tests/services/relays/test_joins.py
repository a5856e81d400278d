"""Following our relay's word to another relay, and not further than that."""

import asyncio

from tests.support.world import RELAY_HOST, World, scenario
from wzp_cli.defaults.relay import FLEET_JOINS_PER_MIN, FLEET_MAX_JOINS
from wzp_cli.protocol.messages import relay
from wzp_cli.protocol.names.identity import Keypair
from wzp_cli.services.relays.joins import RelayJoins

ELSEWHERE = "20.0.0.9"


def summoned(*hosts: str, port: int = 4433) -> relay.Summoned:
    addresses = tuple(f"{host}:{port}" for host in hosts)
    return relay.Summoned(addresses=addresses, ticket="c.d.m")


async def summon(
    world: World, *messages: relay.Summoned
) -> tuple[RelayJoins, set[str]]:
    """Have a relay say so; return what came of it, and which hosts were dialled."""
    server = await world.relay()
    alice = await world.person("alice")
    packets = world.record()
    (link,) = server.server._streams
    for message in messages:
        server.server._tell(link, message)
    await asyncio.sleep(1)
    assert alice.registration is not None
    hosts = {p.to.host for p in packets if p.source.host == alice.public_host}
    return alice.registration.joins, hosts - {RELAY_HOST}


@scenario
async def test_another_relay_is_dialled_where_ours_says(world: World) -> None:
    joins, dialled = await summon(world, summoned(ELSEWHERE))
    assert dialled == {ELSEWHERE}
    await asyncio.sleep(10)
    assert joins._live == 0, "nobody is there: given up"


@scenario
async def test_addresses_that_are_no_relays_are_not_dialled(world: World) -> None:
    messages = [
        summoned("10.0.0.1", "192.168.0.1", "127.0.0.1", "224.0.0.1"),
        summoned(ELSEWHERE, port=53),
        relay.Summoned(addresses=("relay.example:4433", "x"), ticket="c.d.m"),
    ]
    assert (await summon(world, *messages))[1] == set()


@scenario
async def test_a_relay_with_another_key_is_left_at_once(world: World) -> None:
    other = await world.relay(ELSEWHERE, keypair=Keypair.generate())
    joins, dialled = await summon(world, summoned(ELSEWHERE))
    assert dialled == {ELSEWHERE}
    assert other.left["links"] == joins._live == 0
    assert other.server.counts.entered["welcome"] == 0


@scenario
async def test_many_summons_are_few_links(world: World) -> None:
    hosts = [f"20.3.0.{number}" for number in range(1, 60)]
    joins, dialled = await summon(world, *(summoned(host) for host in hosts))
    assert len(dialled) <= FLEET_MAX_JOINS
    assert joins._live <= FLEET_MAX_JOINS


@scenario
async def test_summons_without_end_are_followed_so_often(world: World) -> None:
    """Each is over at once, so that links under way are no limit."""
    server = await world.relay()
    await world.person("alice")
    (link,) = server.server._streams
    other = await world.relay(ELSEWHERE, keypair=Keypair.generate())
    for _ in range(200):
        server.server._tell(link, summoned(ELSEWHERE))
        await asyncio.sleep(0.2)
    begun = sum(other.endpoint.handshakes[how] for how in ("ok", "failed"))
    most = FLEET_JOINS_PER_MIN + 40 * FLEET_JOINS_PER_MIN / 60 + 1
    assert FLEET_JOINS_PER_MIN <= begun <= most
