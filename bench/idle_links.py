"""Calls at a relay that has many idle clients besides: does it stay inside its limits?

Relay, clients, senders and receivers are processes of their own; the calls' sound is
written into the clients' sockets, as `bench relay` does it.
"""

import argparse
import asyncio
import json
import resource
import subprocess

from bench._calls import clients, through
from bench._load import SECONDS
from bench._stage import WZP, Program, folder, introduce, relay, show
from bench.channel import LIFTED
from wzp_cli.address import HostPort

IDLE_S = 30.0
"""More than a keep-alive takes (25 s)."""


def main() -> None:
    """Measure, print what it took, dropped and lost."""
    parser = argparse.ArgumentParser(
        prog="dev.py bench idle_links", description=__doc__
    )
    parser.add_argument("--links", type=int, default=1000)
    parser.add_argument("--calls", type=int, default=50)
    options = parser.parse_args()
    introduce(
        f"idle_links --links {options.links} --calls {options.calls}",
        f"{' '.join(LIFTED[1:])} relay; {SECONDS:g} s of calls",
    )
    files = options.links + 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, max(files, 4096)))
    with folder() as home, relay(home, LIFTED) as (program, address):
        server = HostPort.parse(address)
        asyncio.run(_measure(program, server, options.links, options.calls))
        words = ("relay", "status", "--state-dir", str(home / "r"), "--json")
        ran = subprocess.run([*WZP, *words], capture_output=True, check=True)
    told = json.loads(ran.stdout)["result"]
    for title, name in (("dropped", "dropped"), ("lost by the socket", "socket")):
        rows = [[by, f"{packets}"] for by, packets in told[name].items()]
        show(title, ["by", "packets"], rows)


async def _measure(program: Program, server: HostPort, links: int, calls: int) -> None:
    before_mib = program.resident_mib()
    async with clients(links, server):
        idle_mib, idle_s = program.resident_mib(), program.cpu_s()
        await asyncio.sleep(IDLE_S)
        idle_pct = (program.cpu_s() - idle_s) / IDLE_S * 100
        load = await through(program, server, calls)
        busy_mib = program.resident_mib()
    head = ["", "MiB", "CPU %", "packets/s", "loss %", "p50 us", "p99 us"]
    per_s, loss, p50, p99, core, *_ = load.row("")[1:]
    rows = [
        ["nobody", f"{before_mib:.1f}", *"-" * 5],
        [f"{links} idle", f"{idle_mib:.1f}", f"{idle_pct:.1f}", *"-" * 4],
        [f"and {calls} calls", f"{busy_mib:.1f}", core, per_s, loss, p50, p99],
    ]
    show("a relay with idle links and calls", head, rows)


if __name__ == "__main__":
    main()
