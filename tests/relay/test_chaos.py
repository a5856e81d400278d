"""A fleet under fire: relays killed, drained and stopped, NATS killed, calls all along.

Relays and nats-server are real processes; the clients live in this one, each with a
socket of its own. What is asked of them: every call ends in a known state, nobody is
locked out, nobody is found who is not there, and no channel is left.
"""

import asyncio
import random
import signal
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.crowd import Client, crowd, named
from tests.support.nats_server import NatsServer, nats_server
from tests.support.processes import Processes
from wzp_cli.adapters.metrics import ask_status
from wzp_cli.adapters.state import open_state
from wzp_cli.address import HostPort
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.endpoint import LINK_IDLE_TIMEOUT_S
from wzp_cli.defaults.relay import RELAY_BACKOFF_MAX_S
from wzp_cli.protocol.relay_facts import RelayFacts

HOSTS = ("127.0.0.11", "127.0.0.12", "127.0.0.13")
NAME = "fleet.example"
CLIENTS = 24
CALLS_AT_ONCE = 4
KNOWN_ENDS = {
    *("made, ended by local", "made, ended by peer", "made, ended by network"),
    *("peer_offline", "peer_busy", "no_answer", "relay_busy", "relay_unreachable"),
    *("peer_unreachable", "connection_lost"),
}
RECOVERY_S = LINK_IDLE_TIMEOUT_S + RELAY_BACKOFF_MAX_S


def free_port() -> int:
    """Return a port that is free, with the three after it, on each of the hosts."""
    while True:
        port = random.randint(20_000, 60_000)
        try:
            for host in HOSTS:
                for number in range(port, port + 4):
                    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                        probe.bind((host, number))
        except OSError:
            continue
        return port


@dataclass
class RelayProcess:
    """One relay of the fleet, at an address of its own, through all its lives."""

    processes: Processes
    host: str
    words: tuple[str, ...]

    def start(self) -> None:
        """Start it; returns when it serves."""
        self.program = self.processes.user(self.host).start("relay", *self.words)
        ready = self.program.wait_for("relay.ready")
        self.status_at = HostPort("127.0.0.1", int(ready["metrics"].split(":")[1]))

    def facts(self) -> RelayFacts:
        """Ask it."""
        return ask_status(self.status_at, 5.0)


@dataclass
class Scene:
    """All that takes part."""

    relays: list[RelayProcess]
    nats: NatsServer
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
        first, second, third = self.relays
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
        await asyncio.sleep(4)
        await asyncio.to_thread(self.nats.start)
        await asyncio.sleep(2)
        third.program.send(signal.SIGSTOP)  # to all others, it is cut off
        await asyncio.sleep(4)
        third.program.send(signal.SIGCONT)
        await asyncio.sleep(3)

    def all_facts(self) -> list[RelayFacts]:
        return [relay.facts() for relay in self.relays]

    async def settled(self, is_so: Callable[[list[RelayFacts]], bool]) -> bool:
        """Return whether it becomes so within the time that recovery may take."""
        deadline = asyncio.get_running_loop().time() + RECOVERY_S
        while not is_so(await asyncio.to_thread(self.all_facts)):
            if asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.sleep(0.5)
        return True


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
    assert await scene.settled(at_rest), (scene.all_facts(), scene.ends)
    for one, two in zip(
        scene.clients, scene.clients[1:] + scene.clients[:1], strict=True
    ):
        (route,) = await one.registration.connect(two.identity)
        one.registration.close_channel(route)
    assert await scene.settled(at_rest), scene.all_facts()


@pytest.mark.timeout(300)
def test_a_fleet_under_fire(tmp_path: Path) -> None:
    key = tmp_path / "key"
    identity = open_state(key).keypair.identity
    port = free_port()

    async def scenario(processes: Processes, nats: NatsServer) -> None:
        named(NAME, HOSTS)
        relays = [
            RelayProcess(
                processes,
                host,
                (
                    *("--listen", f"{host}:{port}", "--metrics", "127.0.0.1:0"),
                    *("--key-file", str(key / "identity.key"), "--drain", "3s"),
                    *("--cluster", nats.url),
                ),
            )
            for host in HOSTS
        ]
        for each in relays:
            await asyncio.to_thread(each.start)
            assert (await asyncio.to_thread(each.facts)).id == str(identity)
        async with crowd(CLIENTS, HostPort(NAME, port)) as clients:
            await play(Scene(relays, nats, clients))
        for each in relays:
            each.program.terminate()
            end = await asyncio.to_thread(each.program.wait_end)
            assert end["exit"] == 0

    with Processes(tmp_path / "users") as processes, nats_server() as nats:
        asyncio.run(scenario(processes, nats))
