"""What each side names, and what of it may be checked; paths in test_paths.py."""

import asyncio
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.support.world import Person, World, scenario
from wzp_cli.address import Address
from wzp_cli.defaults.paths import MAX_CANDIDATES_OF_CALL
from wzp_cli.events import Candidate, Event
from wzp_cli.protocol.messages.peer import CandidateInfo
from wzp_cli.protocol.traversal.route import ChannelRoute, DirectRoute
from wzp_cli.services.routes.candidates import Candidacy, RoutePlan

PORT = 5000
PEER = DirectRoute(Address("20.9.0.1", 7000))


@dataclass(frozen=True)
class Interface:
    host: str

    @property
    def network(self) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
        return ipaddress.ip_network(f"{self.host}/24", strict=False)


def candidacy(*hosts: str, direct: bool = True) -> tuple[Candidacy, list[Event]]:
    events: list[Event] = []
    plan = RoutePlan(direct, lambda: [Interface(host) for host in hosts])
    return Candidacy(plan, PEER, PORT, events.append), events


def host(address: str) -> CandidateInfo:
    return CandidateInfo(type="host", address=address)


def test_ours_are_told_once_and_again_when_we_have_moved() -> None:
    hosts = ["192.168.1.2"]
    events: list[Event] = []
    plan = RoutePlan(True, lambda: [Interface(each) for each in hosts])
    ours = Candidacy(plan, PEER, PORT, events.append)
    assert not ours.offered
    assert ours.offer() == [host("192.168.1.2:5000")]
    assert ours.offered
    assert not ours.look_around()
    assert not ours.has_moved
    hosts.append("10.1.0.2")
    assert ours.look_around()
    assert ours.has_moved
    assert ours.offer() == [host("192.168.1.2:5000"), host("10.1.0.2:5000")]
    assert not ours.has_moved
    told = [event.address for event in events if isinstance(event, Candidate)]
    assert told == ["192.168.1.2:5000", "10.1.0.2:5000"]
    assert set(ours.own_addresses) == {
        Address("192.168.1.2", PORT),
        Address("10.1.0.2", PORT),
    }


def test_always_by_relay_offers_nothing() -> None:
    ours, events = candidacy("192.168.1.2", direct=False)
    assert ours.offer() == []
    assert events == []


def test_a_peer_that_moves_is_where_it_says_last() -> None:
    theirs, _ = candidacy("192.168.1.2")
    for number in (1, 2):
        theirs.take([host(f"20.3.0.{number}:5000"), host("no address")])
        expected = DirectRoute(Address(f"20.3.0.{number}", 5000))
        assert theirs.allowed() == [(expected, "srflx")]


def test_a_peer_may_name_more_for_ever() -> None:
    theirs, events = candidacy("192.168.1.2")
    for number in range(200):
        theirs.take([host(f"20.3.0.1:{2000 + number}")])
        assert len(theirs.allowed()) == (number < MAX_CANDIDATES_OF_CALL)
    assert len(events) == MAX_CANDIDATES_OF_CALL
    theirs.take([host("20.3.0.1:2000")])
    assert len(theirs.allowed()) == 1  # back where it was


def test_what_is_refused_has_a_reason() -> None:
    theirs, _ = candidacy("192.168.1.2")
    named = ("10.9.9.9:5000", "192.168.1.7:5000", "20.3.0.1:5000")
    theirs.take([host(address) for address in named])
    assert theirs.allowed() == [
        (DirectRoute(Address("192.168.1.7", 5000)), "host"),
        (DirectRoute(Address("20.3.0.1", 5000)), "srflx"),
    ]
    assert theirs.refused == {
        Address("10.9.9.9", 5000): "private address of another network"
    }


async def with_relay(world: World) -> tuple[Person, Person, ChannelRoute, Candidacy]:
    """Return two people, bob's channel to alice, and his view of candidates."""
    alice, bob = await world.people("alice", "bob")
    assert alice.registration is not None
    assert bob.registration is not None
    (route,) = await bob.registration.connect(alice.identity)
    await asyncio.sleep(0.1)
    back = ChannelRoute(route.relay, route.receive_id, route.send_id)
    alice.registration.claim(back)
    plan = RoutePlan(True, bob.interfaces, bob.registration)
    view = Candidacy(plan, route, bob.endpoint.local.port, bob.report)
    return alice, bob, back, view


@scenario
async def test_confirmed_is_what_the_peer_and_the_relay_both_name(
    world: World,
) -> None:
    alice, _, back, view = await with_relay(world)
    seen = Address(alice.public_host, alice.endpoint.local.port)
    view.take([CandidateInfo(type="srflx", address=str(seen))])
    assert view.confirmed() is None, "the peer's word alone"
    assert alice.registration is not None
    alice.registration.reveal(back)
    await asyncio.sleep(0.1)
    assert view.confirmed() == seen


@scenario
async def test_another_port_of_the_confirmed_host_has_to_be_allowed_itself(
    world: World,
) -> None:
    alice, _, back, view = await with_relay(world)
    assert alice.registration is not None
    alice.registration.reveal(back)
    await asyncio.sleep(0.1)
    low = CandidateInfo(type="srflx", address=f"{alice.public_host}:53")
    view.take([low, CandidateInfo(type="srflx", address="20.9.9.9:5000")])
    assert view.confirmed() is None
    other = Address(alice.public_host, 6000)
    view.take([low, CandidateInfo(type="srflx", address=str(other))])
    assert view.confirmed() == other


@dataclass
class Mapping:
    """A router's port, as `ports.PortMapping`."""

    external: Address | None = None
    watchers: set[Callable[[], None]] = field(default_factory=set)


def test_a_port_of_the_routers_is_offered_while_there_is_one() -> None:
    mapping = Mapping()
    plan = RoutePlan(True, lambda: [Interface("192.168.1.2")], None, mapping)
    ours = Candidacy(plan, PEER, PORT, lambda event: None)
    assert ours.offer() == [host("192.168.1.2:5000")]
    mapping.external = Address("20.9.0.7", 6000)
    assert ours.has_moved
    mapped = CandidateInfo(type="mapped", address="20.9.0.7:6000")
    assert ours.offer() == [mapped, host("192.168.1.2:5000")]
    mapping.external = Address("192.168.1.2", PORT)  # our own: named already
    assert ours.offer() == [host("192.168.1.2:5000")]


@scenario
async def test_a_mapped_port_is_believed_where_the_relay_sees_us(world: World) -> None:
    _, bob = await world.people("alice", "bob")
    assert bob.registration is not None
    seen = bob.registration.reflexive
    assert seen is not None
    mapping = Mapping()
    plan = RoutePlan(True, bob.interfaces, bob.registration, mapping)
    assert not plan.is_mapped
    mapping.external = Address(seen.host, 6000)
    assert plan.is_mapped
    mapping.external = Address("20.9.0.99", 6000)  # beyond it is another NAT
    assert not plan.is_mapped
    assert RoutePlan(True, bob.interfaces, None, mapping).is_mapped
