"""What hostile clients do to honest calls: five calls through one relay, and a flood.

The calls are those of bench/relay.py: 50 frames a second each way, from processes of
their own. The flood (bench/_floods.py) is one more, from up to 200 hosts of loopback,
at 10 000 packets a second where it is packets. The relay is an ordinary one, with all
of its limits. Everything shares this machine: a flood takes CPU from all of them.
"""

import argparse
import asyncio
import json
import sys
import time
from dataclasses import dataclass

from bench._calls import blast, clients, talkers
from bench._floods import LINKED, PLAIN
from bench._load import SECONDS, Load
from bench._stage import WZP, Program, folder, introduce, relay, show
from wzp_cli.address import HostPort
from wzp_cli.errors import WzpError

CALLS = 5
AHEAD_S = 1.0
NEWCOMER_S = 5.0
NONE = "nothing"
OWN = "frames of an own channel"
HEAD = ("flood", "sent/s", "lost %", "p50 us", "p99 us", "relay CPU %", "newcomer ms")


@dataclass(frozen=True)
class Siege:
    """How the calls fared; `sent_per_s`: of the flood; `newcomer_s`: None: in vain."""

    load: Load
    sent_per_s: float
    newcomer_s: float | None

    def row(self, kind: str) -> list[str]:
        """Return a line of the table."""
        load, late_s = self.load, self.newcomer_s
        figures = (load.loss_pct, load.p50_us, load.p99_us, 100 * load.core)
        return [
            kind,
            f"{self.sent_per_s:.0f}",
            *("-" if each is None else f"{each:.1f}" for each in figures),
            "in vain" if late_s is None else f"{1000 * late_s:.0f}",
        ]


def main() -> None:
    """Try each flood, without and with forwarders, and print a table of each."""
    parser = argparse.ArgumentParser(prog="dev.py bench floods", description=__doc__)
    parser.add_argument("--forwarders", type=int, nargs="+", default=(0, 1))
    parser.add_argument("--only", nargs="+", default=(NONE, *PLAIN, *LINKED))
    options = parser.parse_args()
    introduce("floods", f"wzp relay, {CALLS} calls, {SECONDS:g} s of each flood")
    for forwarders in options.forwarders:
        rows = [_try(kind, forwarders).row(kind) for kind in options.only]
        show(f"--forwarders {forwarders}", HEAD, rows)


def _try(kind: str, forwarders: int) -> Siege:
    words = ("--forwarders", str(forwarders))
    with folder() as home, relay(home, WZP, *words) as (program, address):
        return asyncio.run(_besiege(program, HostPort.parse(address), kind))


async def _besiege(program: Program, server: HostPort, kind: str) -> Siege:
    async with talkers(server, CALLS) as (everybody, voices):
        if kind != OWN:
            return await _under(program, server, kind, (everybody, voices), None)
        async with talkers(server, 1) as (thieves, ((number, route), _)):
            told = {"descriptor": number, "header": "08" + route.send_id.hex()}
            at_work = await _under(
                program, server, kind, (everybody, voices), (told, number)
            )
            del thieves
            return at_work


async def _under(
    program: Program,
    server: HostPort,
    kind: str,
    calls: tuple,
    pair: tuple[dict, int] | None,
) -> Siege:
    async with asyncio.TaskGroup() as group:
        flooding = group.create_task(_flood(server, kind, pair))
        await asyncio.sleep(AHEAD_S)
        arriving = group.create_task(_newcomer(server))
        load = await blast(program, *calls, CALLS)
    return Siege(load, flooding.result(), arriving.result())


async def _flood(server: HostPort, kind: str, pair: tuple[dict, int] | None) -> float:
    """Flood as long as the calls last; return how much a second."""
    if kind == NONE:
        return 0.0
    seconds = SECONDS + 2 * AHEAD_S
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench._floods", kind, server.host),
        *(str(server.port), str(seconds)),
        pass_fds=[pair[1]] if pair else [],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate(json.dumps(pair[0]).encode() if pair else b"")
    return json.loads(out)["sent"] / seconds


async def _newcomer(server: HostPort) -> float | None:
    """Return how long it takes somebody to register meanwhile."""
    began_s = time.monotonic()
    try:
        async with asyncio.timeout(NEWCOMER_S), clients(1, server):
            return time.monotonic() - began_s
    except (TimeoutError, WzpError):
        return None


if __name__ == "__main__":
    main()
