"""Filtering and spoilt mappings, judged by fresh sockets, whatever was contacted."""

from functools import partial

import pytest
from aioice.stun import Class, Message, Method, parse_message

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
from wzp_cli.defaults.relay import RELAY_MAX_PROBES_PER_CLIENT_PER_MIN
from wzp_cli.protocol.nat import Filtering, Mapping
from wzp_cli.services.detect_nat import NatReport, Server, detect_nat

SECOND = HostPort("20.0.0.2", RELAY.port)
RELAYS = [Server(SECOND, "relay"), Server(RELAY, "relay")]
EI, APD = Filtering.ENDPOINT_INDEPENDENT, Filtering.ADDRESS_AND_PORT_DEPENDENT


async def two_relays(world: World) -> None:
    await world.relay(SECOND.host)
    await world.relay()


async def ask(person: Person, servers: list[Server] = RELAYS) -> NatReport:
    return await detect_nat(
        person.endpoint, servers, person.pins, person.interfaces, person.report
    )


@pytest.mark.parametrize(
    ("kind", "filtering", "spoilt"),
    [
        (FULL_CONE, EI, False),
        (ADDRESS_RESTRICTED, Filtering.ADDRESS_DEPENDENT, False),
        (MASQUERADE, APD, False),
        (POISONABLE, APD, True),
        (SEQUENTIAL, APD, None),
        (RANDOM, APD, None),
        (None, Filtering.NONE, False),
    ],
)
@scenario
async def test_each_kind_three_times_in_a_row(
    world: World, kind: NatKind | None, filtering: Filtering, spoilt: bool | None
) -> None:
    """What was contacted a moment ago does not make a filter look open."""
    await two_relays(world)
    alice = await world.person("alice", kind)
    for _ in range(3):
        report = await ask(alice)
        assert report.facts.filtering is filtering
        assert report.accepts_unsolicited_input is spoilt
        assert alice.endpoint.spares == 0


@scenario
async def test_one_relay_tells_ports_apart_and_claims_no_more(world: World) -> None:
    await world.relay()
    servers = [Server(RELAY, "relay")]
    for kind, filtering, spoilt in (
        (MASQUERADE, APD, False),
        (POISONABLE, APD, True),
        (ADDRESS_RESTRICTED, Filtering.UNKNOWN, False),
        (FULL_CONE, Filtering.UNKNOWN, False),
    ):
        person = await world.person("alice", kind, registers=False)
        report = await ask(person, servers)
        assert report.facts.filtering is filtering
        assert report.accepts_unsolicited_input is spoilt


@scenario
async def test_the_one_socket_is_left_as_it_was(world: World) -> None:
    """Nothing unsolicited is sent to it: on an accepting router it would be spoilt."""
    await two_relays(world)
    alice = await world.person("alice", POISONABLE)
    packets = world.record()
    report = await ask(alice)
    own = [p for p in packets if p.to == report.reflexive]
    assert alice.nat is not None
    assert {p.source for p in own} <= {
        p.to for p in packets if p.source == report.reflexive
    }
    assert not [pair for pair in alice.nat._poisoned if pair[0] == report.reflexive]


@scenario
async def test_a_relay_that_has_had_enough_leaves_it_open(world: World) -> None:
    relay = await world.relay()
    alice = await world.person("alice", registers=False)
    for _ in range(RELAY_MAX_PROBES_PER_CLIENT_PER_MIN):
        client = alice.endpoint.local._replace(host=alice.public_host)
        relay.server.limits.admit_probe(alice.identity.key, client, 0.0)
    report = await ask(alice, [Server(RELAY, "relay")])
    assert report.facts.filtering is Filtering.UNKNOWN
    assert report.accepts_unsolicited_input is None


@scenario
async def test_a_firewall_for_ipv6_is_judged_like_a_nat(world: World) -> None:
    for number in (2, 1):
        machine = world.net.host(f"20.0.0.{number}", f"2600::{number}")
        await world.relay(f"20.0.0.{number}", machine=machine)
        world.name(f"r{number}.example", f"20.0.0.{number}", f"2600::{number}")
    alice = await world.person("alice", registers=False)
    assert alice.nat is not None
    alice.host.attach("2600:1::2", alice.nat)
    names = [HostPort(f"r{number}.example", RELAY.port) for number in (1, 2)]
    report = await ask(alice, [Server(name, "relay") for name in names])
    assert (report.ipv6.reachable, report.ipv6.filtering) == (True, APD)
    assert report.facts.filtering is APD


class TwoFaced:
    """A STUN server with two addresses and two ports, as RFC 5780 has it."""

    def __init__(self, world: World) -> None:
        machine = world.net.host("20.9.0.1", "20.9.0.2")
        self.wires = {port: machine.wire(port) for port in (3478, 3479)}
        for port, wire in self.wires.items():
            wire.start(partial(self._answer, port))

    def _answer(self, port: int, datagram: bytes, source: Address, own: str) -> None:
        request = parse_message(datagram)
        if request.message_class is not Class.REQUEST:
            return
        other = ("20.9.0.1" if own == "20.9.0.2" else "20.9.0.2", 6957 - port)
        change = request.attributes.get("CHANGE-REQUEST", 0)
        answer = Message(Method.BINDING, Class.RESPONSE, request.transaction_id)
        answer.attributes["XOR-MAPPED-ADDRESS"] = tuple(source)
        answer.attributes["OTHER-ADDRESS"] = other
        host = other[0] if change & 4 else own
        wire = self.wires[other[1] if change & 2 else port]
        wire.send(bytes(answer), source, source=host)


@pytest.mark.parametrize(
    ("kind", "filtering"),
    [
        (FULL_CONE, EI),
        (ADDRESS_RESTRICTED, Filtering.ADDRESS_DEPENDENT),
        (MASQUERADE, APD),
        (POISONABLE, APD),
        (RANDOM, APD),
        (None, Filtering.NONE),
    ],
)
@scenario
async def test_a_stun_server_with_two_addresses_shows_the_same(
    world: World, kind: NatKind | None, filtering: Filtering
) -> None:
    TwoFaced(world)
    alice = await world.person("alice", kind, registers=False)
    servers = [Server(HostPort("20.9.0.1", 3478), "stun")]
    for _ in range(2):
        report = await ask(alice, servers)
        assert report.facts.mapping is not Mapping.UNKNOWN
        assert report.facts.filtering is filtering
        spoilt = {POISONABLE: True, RANDOM: None}.get(kind or FULL_CONE, False)
        assert report.accepts_unsolicited_input is spoilt
