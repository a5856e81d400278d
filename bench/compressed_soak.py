"""Hours of calls and registrations in minutes: what grows?

In memory and in virtual time: wzp's own code above the socket, all in one process, so
that tracemalloc sees who holds what. Four people call each other by lot, 5 s each, a
relay in between; somebody registers and leaves; each twentieth call the relay is away
for a minute and all register again. Exits 1 where memory, tasks, links, channels grow.
"""

import argparse
import asyncio
import gc
import os
import random
import sys
import tracemalloc
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench._stage import introduce, show
from tests.support.fakenet import MASQUERADE, RANDOM, SEQUENTIAL
from tests.support.virtual_time import run
from tests.support.world import RELAY, Person, RelayAtWork, World
from wzp_cli.concurrency import task_group
from wzp_cli.errors import WzpError
from wzp_cli.events import Registered
from wzp_cli.services.relays.registration import register

TALK_S = 5.0
PAUSES_S = (20.0, 60.0)
AWAY_EACH_CALLS = 20
AWAY_S = 60.0
QUIET_S = 120.0
"""All that is left over has gone by then: links at 30 s, checks and budgets later."""
ROWS = 8
GROWTH_KIB = 512.0
"""Of what wzp and aioquic hold, from the first row to the last: beyond it, not flat."""
OWN = ("*/wzp_cli/*", "*/aioquic/*")
"""The network in memory remembers what it has seen: that is not ours."""
TOP = 8


@dataclass
class Count:
    """What the process holds, when all is quiet."""

    minutes: float
    calls: int
    kib: float
    resident_mib: float
    files: int
    tasks: int
    relay: dict[str, int]

    def row(self) -> list[str]:
        """Return a line of the table."""
        left = self.relay
        return [
            f"{self.minutes:.0f} min",
            *(f"{self.calls}", f"{self.kib:.0f}", f"{self.resident_mib:.1f}"),
            *(f"{self.files}", f"{self.tasks}"),
            *(f"{left['links']}", f"{left['channels']}"),
        ]


@dataclass
class Soak:
    """A world, and what was counted in it."""

    hours: float
    chance: random.Random
    calls: int = 0
    failed: int = 0
    registrations: int = 0
    counts: list[Count] = field(default_factory=list)
    first: tracemalloc.Snapshot | None = None
    last: tracemalloc.Snapshot | None = None

    async def play(self) -> None:
        """Build the world, let it live, count."""
        async with task_group() as group, AsyncExitStack() as stack:
            world = World(stack, group)
            try:
                relay = await world.relay()
                kinds = (MASQUERADE, MASQUERADE, SEQUENTIAL, RANDOM)
                people = [
                    await world.person(f"person {number}", kind)
                    for number, kind in enumerate(kinds)
                ]
                guest = await world.person("guest", registers=False)
                for person in people:
                    person.listen()
                await self._live(relay, people, guest)
            finally:
                await world.stop()

    async def _live(
        self, relay: RelayAtWork, people: Sequence[Person], guest: Person
    ) -> None:
        now = asyncio.get_running_loop().time
        until = self.hours * 3600
        every = until / (ROWS + 1)
        while now() < until:
            await self._call(people)
            await self._visit(guest)
            if self.calls % AWAY_EACH_CALLS == 0:
                await self._away(relay, people)
            for watched in (relay, *people, guest):
                watched.events.clear()
            if now() >= every * (len(self.counts) + 1):
                await asyncio.sleep(QUIET_S)
                self._count(relay, now() / 60)
            await asyncio.sleep(self.chance.uniform(*PAUSES_S))

    async def _call(self, people: Sequence[Person]) -> None:
        here, there = self.chance.sample(people, 2)
        self.calls += 1
        try:
            await here.call(there, duration_s=TALK_S)
        except WzpError:
            self.failed += 1
        for person in people:
            person.sounds.clear()
            person.outcomes.clear()

    async def _visit(self, guest: Person) -> None:
        context = register(
            guest.endpoint, RELAY, guest.pins, guest.report, publishes=True
        )
        async with context:
            self.registrations += 1

    async def _away(self, relay: RelayAtWork, people: Sequence[Person]) -> None:
        for person in people:
            person.events.clear()
        wires = dict(relay.host.wires)
        relay.host.wires.clear()
        await asyncio.sleep(AWAY_S)
        relay.host.wires.update(wires)
        for person in people:
            await person.told(Registered)
            self.registrations += 1

    def _count(self, relay: RelayAtWork, minutes: float) -> None:
        gc.collect()
        ours = [tracemalloc.Filter(True, pattern) for pattern in OWN]
        self.last = tracemalloc.take_snapshot().filter_traces(ours)
        self.first = self.first or self.last
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self.counts.append(
            Count(
                minutes,
                self.calls,
                sum(each.size for each in self.last.traces) / 1024,
                pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
                len(os.listdir("/proc/self/fd")),
                len(asyncio.all_tasks()),
                relay.left,
            )
        )


def _growth(soak: Soak) -> list[list[str]]:
    """Return who holds more at the end than after the first eighth."""
    assert soak.first is not None
    assert soak.last is not None
    grown = soak.last.compare_to(soak.first, "lineno")
    here = f"{Path.cwd()}/"
    return [
        [str(each.traceback).replace(here, ""), f"{each.size_diff / 1024:.1f}"]
        for each in grown[:TOP]
    ]


def main() -> None:
    """Live, count, tell; exit 1 for anything that grows."""
    parser = argparse.ArgumentParser(
        prog="dev.py bench compressed_soak", description=__doc__
    )
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    introduce(f"compressed_soak --hours {options.hours:g}", "a relay and five people")
    soak = Soak(options.hours, random.Random(options.seed))
    tracemalloc.start()
    run(soak.play(), give_up_s=options.hours * 3600 + 3600)
    head = ["after", "calls", "KiB", "RSS MiB", "files", "tasks", "links", "channels"]
    title = (
        f"{soak.calls} calls, {soak.failed} failed, {soak.registrations} registrations"
    )
    show(title, head, [count.row() for count in soak.counts])
    show("grown most, KiB", ["where", "KiB"], _growth(soak))
    first, last = soak.counts[0], soak.counts[-1]
    if last.kib - first.kib > GROWTH_KIB:
        sys.exit(f"memory has grown from {first.kib:.0f} to {last.kib:.0f} KiB")
    if (first.files, first.tasks, first.relay) != (last.files, last.tasks, last.relay):
        sys.exit(f"something is left over: {first}, {last}")


if __name__ == "__main__":
    main()
