"""Clients that come, ask for a channel, and leave: what stays of them at the relay?

Each is a new identity on a new socket; so many at a time, one after the other. The
relay is a process of its own, and only its limits for one source are lifted: all come
from here. What it knows of who has left are budgets, for a minute, and addresses: 8,192
at most, which are 2 MiB. Exits 1 where its memory has grown in the second half by more
than GROWTH_MIB.
"""

import argparse
import asyncio
import random
import sys
import time
from dataclasses import dataclass, field

from bench._calls import clients
from bench._stage import Program, folder, introduce, relay, show
from bench.channel import LIFTED
from wzp_cli.address import HostPort
from wzp_cli.protocol.names.identity import Identity

CALLEES = 3
STAYS_S = 0.5
ROWS = 8
GONE_S = 2.0
GROWTH_MIB = 1.5


@dataclass
class Visits:
    """Who has been there, and the relay's memory in MiB after so many."""

    program: Program
    server: HostPort
    callees: list[Identity]
    until: float
    left: int = 0
    rows: list[tuple[int, float]] = field(default_factory=list)

    async def visit(self) -> None:
        """Come and go until the time is over."""
        while time.monotonic() < self.until:
            async with clients(1, self.server, publishes=False) as ((_, registered),):
                (route,) = await registered.connect(random.choice(self.callees))
                await asyncio.sleep(random.uniform(0.0, STAYS_S))
                registered.close_channel(route)
            self.left += 1

    async def watch(self, every_s: float) -> None:
        """Note the relay's memory, ROWS times."""
        for _ in range(ROWS):
            await asyncio.sleep(every_s)
            self.rows.append((self.left, self.program.resident_mib()))


async def _measure(
    program: Program, server: HostPort, seconds: float, at_once: int
) -> list[tuple[int, float]]:
    async with clients(CALLEES, server) as callees:
        known = [endpoint.identity for endpoint, _ in callees]
        before_mib = program.resident_mib()
        visits = Visits(program, server, known, time.monotonic() + seconds)
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(visits.visit())
            group.create_task(visits.watch(seconds / ROWS))
        await asyncio.sleep(GONE_S)
        after = (visits.left, program.resident_mib())
    rows = [(0, before_mib), *visits.rows, after]
    cells = [[f"{left}", f"{mib:.1f}"] for left, mib in rows]
    show("a relay whose clients come and go", ["visits", "MiB"], cells)
    return rows


def main() -> None:
    """Come, go, tell; exit 1 for what has grown."""
    parser = argparse.ArgumentParser(prog="dev.py bench visitors", description=__doc__)
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--at-once", type=int, default=16)
    options = parser.parse_args()
    introduce(
        f"visitors --minutes {options.minutes:g} --at-once {options.at_once}",
        f"{' '.join(LIFTED[1:])} relay",
    )
    with folder() as home, relay(home, LIFTED) as (program, address):
        server, seconds = HostPort.parse(address), 60 * options.minutes
        rows = asyncio.run(_measure(program, server, seconds, options.at_once))
    early, late = rows[ROWS // 2][1], rows[-1][1]
    if late - early > GROWTH_MIB:
        sys.exit(f"memory has grown from {early:.1f} to {late:.1f} MiB")


if __name__ == "__main__":
    main()
