"""What `detect-nat` finds out, from the one socket that also carries calls."""

import asyncio

import pytest

from tests.support.fakenet import (
    ADDRESS_RESTRICTED,
    FULL_CONE,
    MASQUERADE,
    POISONABLE,
    RANDOM,
    SEQUENTIAL,
    NatKind,
)
from tests.support.world import RELAY, Person, World, scenario
from wzp_cli.address import Address, HostPort
from wzp_cli.endpoint.stun.reflector import Reflector
from wzp_cli.errors import KeyChanged
from wzp_cli.events import Registered
from wzp_cli.protocol.names.identity import Keypair
from wzp_cli.protocol.nat import (
    Allocation,
    Mapping,
    Reflection,
    Verdict,
    classify_mapping,
    verdict,
)
from wzp_cli.services.detect_nat import DetectSettings, NatReport, Server, detect_nat

STUN_HOSTS = ("20.9.0.1", "20.9.0.2")
STUNS = [Server(HostPort(host, 3478), "stun") for host in STUN_HOSTS]


def open_stun_servers(world: World) -> None:
    for host in STUN_HOSTS:
        Reflector(world.net.host(host).wire(3478))


async def ask(
    person: Person, servers: list[Server] = STUNS, timeout_s: float = 5.0
) -> NatReport:
    return await detect_nat(
        person.endpoint,
        servers,
        person.pins,
        person.interfaces,
        person.report,
        DetectSettings(timeout_s=timeout_s),
    )


@scenario
async def test_one_socket_judges_right_what_a_socket_for_each_probe_judges_wrong(
    world: World,
) -> None:
    """The founding fact. A port-preserving NAT gives each local port its own external
    port, so a fresh socket for each probe makes an endpoint-independent NAT look
    symmetric; and none of its ports is the one where calls are accepted."""
    open_stun_servers(world)
    nat = world.nat(MASQUERADE)
    alice = await world.person("alice", nat=nat, registers=False)

    report = await ask(alice)
    assert report.facts.mapping is Mapping.ENDPOINT_INDEPENDENT
    assert report.port_preserving is True
    assert report.reflexive == Address(nat.external, alice.endpoint.local.port)

    fresh: list[Reflection] = []
    own: list[Address] = []
    for server in STUNS:
        probe = await world.open_endpoint(alice.host)
        own.append(Address(alice.interfaces()[0].host, probe.local.port))
        fresh.append(await probe.reflect(Address(*server.name[:2])))
    assert classify_mapping(own, fresh) is Mapping.ENDPOINT_DEPENDENT
    assert report.reflexive not in [each.reflexive for each in fresh]

    bob = await world.person("bob", registers=False)
    assert report.reflexive is not None
    await bob.endpoint.reflect(Address(*STUNS[0].name[:2]))
    nat.forward(report.reflexive.port, own[0]._replace(port=report.reflexive.port))
    alice.listen()
    outcome = await bob.dial(report.reflexive, duration_s=0.5)
    assert outcome.peer == str(alice.identity)


@pytest.mark.parametrize(
    ("kind", "mapping", "allocation"),
    [
        (FULL_CONE, Mapping.ENDPOINT_INDEPENDENT, Allocation.PRESERVING),
        (ADDRESS_RESTRICTED, Mapping.ENDPOINT_INDEPENDENT, Allocation.PRESERVING),
        (MASQUERADE, Mapping.ENDPOINT_INDEPENDENT, Allocation.PRESERVING),
        (POISONABLE, Mapping.ENDPOINT_INDEPENDENT, Allocation.PRESERVING),
        (SEQUENTIAL, Mapping.ADDRESS_AND_PORT_DEPENDENT, Allocation.SEQUENTIAL),
        (RANDOM, Mapping.ADDRESS_AND_PORT_DEPENDENT, Allocation.RANDOM),
        (None, Mapping.NONE, Allocation.PRESERVING),
    ],
)
@scenario
async def test_each_kind_of_nat_is_named(
    world: World, kind: NatKind | None, mapping: Mapping, allocation: Allocation
) -> None:
    open_stun_servers(world)
    await world.relay()
    alice = await world.person("alice", kind, registers=False)
    report = await ask(alice, [Server(RELAY, "relay"), *STUNS])
    assert report.facts.mapping is mapping
    assert report.facts.allocation is allocation
    assert report.facts.udp_blocked is False
    assert all(each.error is None for each in report.answers)
    assert len(report.answers) == 4, "the relay's extra port answers too"


@scenario
async def test_one_relay_alone_shows_port_dependence_and_claims_no_more(
    world: World,
) -> None:
    await world.relay()
    easy = await world.person("easy", MASQUERADE, registers=False)
    hard = await world.person("hard", RANDOM, registers=False)
    servers = [Server(RELAY, "relay")]
    assert (await ask(easy, servers)).facts.mapping is Mapping.UNKNOWN
    assert (
        await ask(hard, servers)
    ).facts.mapping is Mapping.ADDRESS_AND_PORT_DEPENDENT


@scenario
async def test_the_same_socket_may_be_listening_meanwhile(world: World) -> None:
    open_stun_servers(world)
    alice, bob = await world.people("alice", "bob")
    alice.listen()
    call = bob.calls(alice, duration_s=3)
    await bob.told(Registered)
    report = await ask(alice)
    assert report.facts.mapping is Mapping.ENDPOINT_INDEPENDENT
    assert alice.registration is not None
    assert report.reflexive == alice.registration.reflexive
    assert (await call.result()).path == "direct"


@scenario
async def test_nobody_answers_on_a_network_without_udp(world: World) -> None:
    open_stun_servers(world)
    await world.relay()
    alice = await world.person("alice", registers=False)
    assert alice.nat is not None
    alice.nat.blocked = True
    report = await ask(alice, [Server(RELAY, "relay"), *STUNS], timeout_s=2.0)
    assert asyncio.get_running_loop().time() < 3.5, "all are asked at once"
    assert report.reflexive is None
    assert report.facts.mapping is Mapping.UNKNOWN
    assert report.facts.udp_blocked is None, "not measured: perhaps all were down"
    assert report.port_preserving is None
    assert verdict(report.facts) is Verdict.UNKNOWN
    assert [bool(each.error) for each in report.answers] == [True] * 3


@scenario
async def test_a_dead_server_and_a_wrong_name_are_told_and_cost_no_verdict(
    world: World,
) -> None:
    open_stun_servers(world)
    world.name("nowhere.example")
    dead, nowhere = HostPort("20.9.0.9", 3478), HostPort("nowhere.example", 3478)
    alice = await world.person("alice", registers=False)
    report = await ask(alice, [Server(dead, "stun"), Server(nowhere, "stun"), *STUNS])
    assert report.facts.mapping is Mapping.ENDPOINT_INDEPENDENT
    errors = {each.server: each.error for each in report.answers if each.error}
    assert set(errors) == {str(dead), str(nowhere)}


@scenario
async def test_a_relay_that_changed_its_key_is_refused(world: World) -> None:
    await world.relay()
    open_stun_servers(world)
    alice = await world.person("alice", registers=False)
    alice.pins.pin(str(RELAY), Keypair.generate().identity.key)
    with pytest.raises(KeyChanged):
        await ask(alice, [Server(RELAY, "relay"), *STUNS])


@scenario
async def test_a_server_with_both_families_is_asked_over_both(world: World) -> None:
    machine = world.net.host("20.9.0.1", "2600::1")
    Reflector(machine.wire(3478))
    world.name("both.example", "20.9.0.1", "2600::1")
    alice = await world.person("alice", registers=False)
    assert alice.nat is not None
    alice.host.attach("2600:1::2", alice.nat)
    report = await ask(alice, [Server(HostPort("both.example", 3478), "stun")])
    assert report.reflexive is not None
    assert report.reflexive.host == alice.nat.external
    assert report.reflexive_v6 == Address("2600:1::2", alice.endpoint.local.port)


@scenario
async def test_a_relay_that_answers_by_tcp_shows_that_udp_is_blocked(
    world: World,
) -> None:
    server = await world.relay()
    alice = await world.person("alice", registers=False, by_tcp=server)
    assert alice.nat is not None
    alice.nat.blocked = True
    report = await ask(alice, [Server(RELAY, "relay")], timeout_s=2.0)
    assert report.facts.udp_blocked is True
    assert report.tcp_relay == HostPort(RELAY.host, 443)
    assert verdict(report.facts) is Verdict.BLOCKED
    assert report.reflexive is None, "the address of the TCP connection is none"


@scenario
async def test_where_udp_answers_tcp_is_not_spoken_of(world: World) -> None:
    server = await world.relay()
    alice = await world.person("alice", registers=False, by_tcp=server)
    report = await ask(alice, [Server(RELAY, "relay")], timeout_s=2.0)
    assert (report.facts.udp_blocked, report.tcp_relay) == (False, None)
