"""A fleet under fire: relays killed, drained and cut off, NATS killed, calls all along.

Relays and nats-server are real processes on machines of their own; the clients live in
this one, each with a socket of its own in the laboratory. What is asked of them: every
call ends in a known state, nobody is locked out, nobody is found who is not there, and
no channel is left.
"""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.netlab.lab import Lab, SiteSpec
from tests.netlab.nats_server import LabNats
from tests.netlab.program import Stage
from tests.support.crowd import Client, crowd, named
from wzp_cli.adapters.disk.state import open_state
from wzp_cli.address import HostPort
from wzp_cli.cli.control.asking import asked_running
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.endpoint import LINK_IDLE_TIMEOUT_S
from wzp_cli.defaults.relay import RELAY_BACKOFF_MAX_S, RELAY_DEFAULT_PORT
from wzp_cli.endpoint.sockets.udp import UdpWire
from wzp_cli.endpoint.sockets.wire import Wire
from wzp_cli.protocol.messages.control import AskRelay
from wzp_cli.protocol.relay_facts import RelayFacts

pytestmark = pytest.mark.netlab

NAME = "fleet.example"
SERVERS = ("r1", "r2", "r3", "n1")
MACHINES = 6
CLIENTS = 60
CALLS_AT_ONCE = 4
KNOWN_ENDS = {
    *("made, ended by local", "made, ended by peer", "made, ended by network"),
    *("peer_offline", "peer_busy", "no_answer", "relay_busy", "relay_unreachable"),
    *("peer_unreachable", "connection_lost"),
}
RECOVERY_S = LINK_IDLE_TIMEOUT_S + RELAY_BACKOFF_MAX_S


class RelayMachine:
    """One relay of the fleet, through all its lives."""

    def __init__(self, stage: Stage, server: str, words: tuple[str, ...]) -> None:
        self._user = stage.user(server)
        self._words = words

    def start(self) -> None:
        """Start it; returns when it serves."""
        self.program = self._user.start("relay", *self._words)
        self.program.wait_for("relay.ready")

    async def facts(self) -> RelayFacts:
        """Ask it."""
        state = open_state(self._user.state / "relay")
        facts = await asked_running(state, AskRelay(), RelayFacts, lambda event: None)
        assert facts is not None, self.program.transcript()
        return facts


@dataclass
class Scene:
    """All that takes part."""

    lab: Lab
    relays: list[RelayMachine]
    nats: LabNats
    clients: list[Client]
    ends: Counter[str] = field(default_factory=Counter)
    over: bool = False

    async def call_on(self) -> None:
        """Make one call after the other."""
        while not self.over:
            idle = [client for client in self.clients if not client.busy]
            one, two = random.sample(idle, 2)
            direct = random.random() < 0.5
            end = await one.call(two, random.uniform(1.0, 4.0), direct=direct)
            self.ends[end] += 1
            await asyncio.sleep(random.uniform(0.1, 0.5))

    async def strike(self) -> None:
        """Do what operators fear, one thing after the other."""
        first, second, _ = self.relays
        await asyncio.sleep(4)
        first.program.kill()
        await asyncio.sleep(5)
        await asyncio.to_thread(first.start)
        await asyncio.sleep(2)
        second.program.terminate()  # drains
        end = await asyncio.to_thread(second.program.wait_end)
        assert end["exit"] == 0
        await asyncio.to_thread(second.start)
        await asyncio.sleep(2)
        self.nats.kill()
        await asyncio.sleep(3)
        await asyncio.to_thread(self.nats.start)
        await asyncio.sleep(2)
        self.lab.part("r3", "n1")
        await asyncio.sleep(4)
        self.lab.isolate("r1")
        await asyncio.sleep(4)
        self.lab.restore()
        await asyncio.sleep(3)

    async def all_facts(self) -> list[RelayFacts]:
        return [await relay.facts() for relay in self.relays]

    async def settled(self, is_so: Callable[[list[RelayFacts]], bool]) -> bool:
        """Return whether it becomes so within the time that recovery may take."""
        deadline = asyncio.get_running_loop().time() + RECOVERY_S
        while not is_so(await self.all_facts()):
            if asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.sleep(0.5)
        return True


def machine(number: int) -> str:
    """Return the name of a clients' machine."""
    return f"a{number + 1}" if number else "a"


def at_rest(facts: list[RelayFacts]) -> bool:
    """Whether everybody is there once, and nothing else is left."""
    links = sum(each.links for each in facts)
    published = sum(each.published for each in facts)
    left = sum(each.channels + each.reserved + each.half_open for each in facts)
    found = [each.fleet is not None and each.fleet.up for each in facts]
    held = sum(each.fleet.held for each in facts if each.fleet)
    return (links, published, held, left, all(found)) == (*3 * [CLIENTS], 0, True)


async def play(scene: Scene) -> None:
    async with task_group() as group:
        callers = [group.create_task(scene.call_on()) for _ in range(CALLS_AT_ONCE)]
        await scene.strike()
        scene.over = True
        await asyncio.wait(callers)
    assert set(scene.ends) <= KNOWN_ENDS, scene.ends
    assert scene.ends["made, ended by local"] > 10, scene.ends
    assert await scene.settled(at_rest), (await scene.all_facts(), scene.ends)
    everybody = scene.clients
    async with task_group() as group:
        for one, two in zip(everybody, everybody[1:] + everybody[:1], strict=True):
            group.create_task(find(one, two))
    assert await scene.settled(at_rest), await scene.all_facts()


async def find(one: Client, two: Client) -> None:
    (route,) = await one.registration.connect(two.identity)
    one.registration.close_channel(route)


@pytest.mark.timeout(300)
def test_a_fleet_under_fire(tmp_path: Path) -> None:
    key = tmp_path / "key"
    identity = open_state(key).keypair.identity
    office = SiteSpec("a", "open", hosts=MACHINES)

    async def scenario(lab: Lab, nats: LabNats) -> None:
        stage = Stage(lab, tmp_path)
        words = ("--key-file", str(key / "identity.key"), "--drain", "3s")
        relays = [
            RelayMachine(stage, server, (*words, "--cluster", nats.url))
            for server in SERVERS[:3]
        ]
        named(NAME, [lab.host(server).address for server in SERVERS[:3]])
        for each in relays:
            await asyncio.to_thread(each.start)
            assert (await each.facts()).id == str(identity)
        turns = itertools.cycle(machine(number) for number in range(MACHINES))

        def open_wire(port: int, host: str, multihomed: bool) -> Wire:
            sock = lab.host(next(turns)).socket()
            sock.setblocking(False)
            sock.bind(("0.0.0.0", port))
            return UdpWire(sock, multihomed=multihomed)

        relay = HostPort(NAME, RELAY_DEFAULT_PORT)
        async with crowd(CLIENTS, relay, open_wire) as clients:
            await play(Scene(lab, relays, nats, clients))
        for each in relays:
            each.program.terminate()
            end = await asyncio.to_thread(each.program.wait_end)
            assert end["exit"] == 0

    with Lab(office, servers=SERVERS) as lab, LabNats(lab.host("n1")) as nats:
        asyncio.run(scenario(lab, nats))
