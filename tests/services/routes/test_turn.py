"""A call's way through TURN: made, taken, kept, given back, and done without."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from aioice.stun import Method

from tests.support.fakenet import RANDOM
from tests.support.memory_turn import TURN_HOST, MemoryTurn
from tests.support.world import RELAY_HOST, Person, RelayAtWork, World, scenario
from wzp_cli.address import Address
from wzp_cli.defaults.paths import STANDBY_PROBE_S
from wzp_cli.defaults.relay import (
    TURN_AGAIN_S,
    TURN_REFRESH_S,
    TURN_STREAM_HEAD_START_S,
)
from wzp_cli.events import Candidate, MediaStarted, PathChanged, PathTried, Warned
from wzp_cli.protocol.messages.peer import Relayed
from wzp_cli.protocol.traversal.route import TurnRoute
from wzp_cli.relay.turn import TurnService
from wzp_cli.services.calls.talk import CallOutcome
from wzp_cli.services.routes.turn import CallTurn


async def talking(
    world: World, service: TurnService | None = None, **call: Any
) -> tuple[MemoryTurn, RelayAtWork, Person, Person, Any]:
    """A call that can't go direct, at a relay with a TURN server."""
    server = MemoryTurn(world.net.host(TURN_HOST))
    relay = await world.relay(turn=service or server.service)
    alice, bob = [await world.person(name, RANDOM) for name in ("alice", "bob")]
    bob.listen(direct=call.get("direct", True))
    outcome = alice.calls(bob, **call)
    for person in (alice, bob):
        await person.told(MediaStarted)
    return server, relay, alice, bob, outcome


def through(server: MemoryTurn) -> Any:
    return lambda event: event.remote == str(server.at)


async def tried(*people: Person) -> None:
    for person in people:
        await person.told(PathTried, lambda event: event.address.startswith("turn"))


@scenario
async def test_a_call_goes_on_when_the_relay_is_gone(world: World) -> None:
    server, relay, alice, bob, call = await talking(world, duration_s=15)
    await tried(alice, bob)
    relay.vanish()
    for person in (alice, bob):
        await person.told(PathChanged, through(server))
    outcome: CallOutcome = await call.result()
    assert outcome.end.reason == "time is up"
    assert (outcome.path, outcome.remote) == ("relay", str(server.at))
    assert max(person.sound.longest_gap_s for person in (alice, bob)) < 1.0
    await asyncio.sleep(1)
    assert len(server) == 0, "given back"
    assert len(server.users) == 2, "each side's own"


@scenario
async def test_the_quicker_of_relay_and_turn_is_taken(world: World) -> None:
    server, _, alice, bob, call = await talking(world, duration_s=15)
    await tried(alice, bob)
    assert not alice.all(PathChanged), "as quick as the channel, so the channel stays"
    for person in (alice, bob):
        world.net.delay(person.public_host, RELAY_HOST, 0.2)
    for person in (alice, bob):
        await person.told(PathChanged, through(server))
    assert (await call.result()).remote == str(server.at)


@scenario
async def test_always_relay_may_use_it_and_reveals_no_address(world: World) -> None:
    _, relay, alice, bob, call = await talking(world, duration_s=15, direct=False)
    await tried(alice, bob)
    relay.vanish()
    assert (await call.result()).end.reason == "time is up"
    for person in (alice, bob):
        told = person.all(Candidate)
        assert {(each.side, each.type) for each in told} == {
            ("local", "relayed"),
            ("remote", "relayed"),
        }
        assert {each.address.partition(":")[0] for each in told} == {TURN_HOST}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("secret", "refuses: 401 Unauthorized"),
        ("silent", "does not answer"),
        ("name", "no address was found for nowhere.example"),
        ("private", "not where such a server may be"),
        ("text", "the relay names none"),
    ],
)
@scenario
async def test_without_turn_the_call_goes_on_and_says_why_once(
    world: World, fault: str, words: str
) -> None:
    services = {
        "secret": TurnService(TURN_HOST, "wrong", lambda: 2e9),
        "name": TurnService("nowhere.example", "sesame", lambda: 2e9),
        "private": TurnService("192.168.1.1", "sesame", lambda: 2e9),
        "text": TurnService("a:b:c", "sesame", lambda: 2e9),
        "silent": TurnService("20.0.0.77", "sesame", lambda: 2e9),
    }
    duration_s = 2 * TURN_AGAIN_S + 20 if fault == "secret" else 15
    talk = talking(world, services[fault], duration_s=duration_s)
    server, _, alice, bob, call = await talk
    assert (await call.result()).end.reason == "time is up"
    for person in (alice, bob):
        (warned,) = person.all(Warned)
        assert words in warned.message
        assert warned.message.endswith("; the call goes on without it")
    assert len(server) == 0


@scenario
async def test_a_relay_without_turn_is_asked_in_vain(world: World) -> None:
    alice, bob = await world.people("alice", "bob", kind=RANDOM)
    bob.listen()
    assert (await alice.call(bob, duration_s=8)).path == "relay"
    assert not alice.all(Warned)
    assert not alice.all(Candidate, lambda each: each.type == "relayed")


class Held:
    """A CallTurn on its own, with the peer's part played by the test."""

    def __init__(self, world: World, person: Person, channel: Any) -> None:
        assert person.registration is not None
        self.said: list[Relayed] = []
        self.routes: list[TurnRoute] = []
        self.turn = CallTurn(
            person.endpoint,
            person.registration,
            lambda: channel,
            self.said.append,
            self.routes.append,
            person.report,
        )
        self.doing = world.start(self.turn.run())
        self._endpoint, self._channel = person.endpoint, channel

    async def go_on(self, seconds: float) -> None:
        """Let so much time pass, with probes that keep the relay's channel alive."""
        end_s = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end_s:
            self._endpoint.carry(b"\x40", self._channel)
            await asyncio.sleep(STANDBY_PROBE_S)


async def held(world: World) -> tuple[MemoryTurn, Held]:
    server = MemoryTurn(world.net.host(TURN_HOST))
    await world.relay(turn=server.service)
    alice, bob = [await world.person(name, RANDOM) for name in ("alice", "bob")]
    assert alice.registration is not None
    (channel,) = await alice.registration.connect(bob.identity)
    holding = Held(world, alice, channel)
    await alice.told(Candidate, lambda each: each.type == "relayed")
    return server, holding


@scenario
async def test_it_is_refreshed_while_the_call_goes_on(world: World) -> None:
    server, holding = await held(world)
    holding.turn.take(Relayed(address="20.0.0.9:50000"))
    await holding.go_on(3 * TURN_REFRESH_S + 10)
    assert server.asked.count(Method.REFRESH) == 3
    assert server.asked.count(Method.CHANNEL_BIND) == 4
    assert server.asked.count(Method.ALLOCATE) == len(server) == 1
    await holding.doing.stop()
    assert len(server) == 0


@scenario
async def test_a_lost_allocation_is_made_anew_with_new_credentials(
    world: World,
) -> None:
    server, holding = await held(world)
    server.restart()
    await holding.go_on(TURN_REFRESH_S + TURN_AGAIN_S + 5)
    assert len(holding.said) == 2
    assert server.asked.count(Method.ALLOCATE) == len(server.users) == 2
    await holding.doing.stop()


@pytest.mark.parametrize(
    "address",
    [
        *("192.168.1.1:50000", "127.0.0.1:50000", "169.254.1.1:50000", "20.0.0.9:53"),
        *("[2001:4860::1]:50000", "nonsense", "20.0.0.9", "224.0.0.1:50000"),
    ],
)
@scenario
async def test_a_peer_can_not_point_it_away(world: World, address: str) -> None:
    server, holding = await held(world)
    holding.turn.take(Relayed(address=address))
    await asyncio.sleep(1)
    assert Method.CHANNEL_BIND not in server.asked
    assert holding.routes == []
    holding.turn.take(Relayed(address="20.0.0.10:50000"))
    await asyncio.sleep(1)
    assert [str(route.peer) for route in holding.routes] == ["20.0.0.10:50000"]
    await holding.doing.stop()


@scenario
async def test_hostile_bytes_of_the_server_do_not_harm_the_call(world: World) -> None:
    server, _, alice, bob, call = await talking(world, duration_s=8)
    await tried(alice, bob)
    for _ in range(50):
        server.say(b"\x40\x00\xff\xff" + bytes(60_000), b"\x4f" * 1200, b"\x00" * 28)
        server.say(b"\x40\x00\x00\x20" + b"\x45" * 32, b"\xc0" + bytes(1400), b"\x05")
        await asyncio.sleep(0.02)
    outcome = await call.result()
    assert outcome.end.reason == "time is up"
    assert alice.sound.longest_gap_s < 0.1


# --- by TCP and TLS -------------------------------------------------------------


def by_tcp(world: World, *ports: int) -> tuple[MemoryTurn, TurnService]:
    """A TURN server whose streams are at these ports, TCP first, then TLS."""
    server = MemoryTurn(world.net.host(TURN_HOST))
    server.streams_at = {Address(TURN_HOST, port) for port in ports}
    world.dial_turn = server.dial
    return server, replace(server.service, tcp=3478, tls=443)


async def a_call(
    world: World, service: TurnService, *, blocked: bool
) -> tuple[RelayAtWork, Person, Person, Any]:
    """A call under way, both sides through the relay; `blocked`: by WebSockets."""
    relay = await world.relay(turn=service)
    people = []
    for name in ("alice", "bob"):
        tunnels = relay if blocked else None
        person = await world.person(name, RANDOM, registers=False, by_tcp=tunnels)
        assert person.nat is not None
        person.nat.blocked = blocked
        await person.register()
        people.append(person)
    alice, bob = people
    bob.listen()
    call = alice.calls(bob, duration_s=25)
    for person in people:
        await person.told(MediaStarted)
    return relay, alice, bob, call


@pytest.mark.parametrize(("port", "tls"), [(3478, False), (443, True)])
@scenario
async def test_blocked_udp_goes_by_tcp_or_tls_and_outlives_the_relay(
    world: World, port: int, tls: bool
) -> None:
    server, service = by_tcp(world, port)
    relay, alice, bob, call = await a_call(world, service, blocked=True)
    await tried(alice, bob)
    assert (Address(TURN_HOST, port), TURN_HOST, tls) in server.dialled
    for person in (alice, bob):
        (attempt,) = person.all(PathTried, lambda each: each.address.startswith("turn"))
        assert attempt.address == f"turn {TURN_HOST}:{port}/tcp"
    relay.vanish()
    assert (await call.result()).end.reason == "time is up"
    await asyncio.sleep(1)
    assert len(server) == len(server._streams) == 0, "given back"


@scenario
async def test_where_udp_answers_tcp_is_not_tried(world: World) -> None:
    server, service = by_tcp(world, 3478, 443)
    _, alice, bob, call = await a_call(world, service, blocked=False)
    await tried(alice, bob)
    assert (await call.result()).end.reason == "time is up"
    assert server.dialled == []


@scenario
async def test_where_the_server_takes_no_udp_tcp_follows_and_nobody_warns(
    world: World,
) -> None:
    server, service = by_tcp(world, 443)
    server._wire.close()
    _, alice, bob, call = await a_call(world, service, blocked=False)
    began = asyncio.get_running_loop().time()
    await tried(alice, bob)
    took_s = asyncio.get_running_loop().time() - began
    assert took_s < 2 * TURN_STREAM_HEAD_START_S + 1
    assert (await call.result()).end.reason == "time is up"
    assert not alice.all(Warned)


@scenario
async def test_without_any_way_the_call_goes_on_and_says_why_once(world: World) -> None:
    _, service = by_tcp(world)
    _, alice, bob, call = await a_call(world, service, blocked=True)
    assert (await call.result()).end.reason == "time is up"
    for person in (alice, bob):
        (warned,) = person.all(Warned)
        assert f"{TURN_HOST}:3478/tcp: Connection refused; the call" in warned.message


@scenario
async def test_a_cut_connection_is_told_and_the_call_goes_on(
    world: World,
) -> None:
    server, service = by_tcp(world, 443)
    _, alice, bob, call = await a_call(world, service, blocked=True)
    await tried(alice, bob)
    server.cut()
    await asyncio.sleep(1)
    assert len(server) == 0
    for person in (alice, bob):
        (warned,) = person.all(Warned)
        assert "the connection is lost" in warned.message
    assert (await call.result()).end.reason == "time is up"


@scenario
async def test_a_relay_that_names_no_port_of_tcp_has_none(world: World) -> None:
    server, service = by_tcp(world, 3478)
    service = replace(service, tcp=0, tls=0)
    _, alice, _, call = await a_call(world, service, blocked=True)
    assert (await call.result()).end.reason == "time is up"
    assert server.dialled == []
    assert not alice.all(Warned)
