"""What one relay can do: registrations, idle links, calls; beside coturn.

Relay, senders and receivers are processes of their own. Each call is a real channel,
asked for over registered links; its sound is 50 frames of 130 bytes a second each way,
written into the two clients' sockets, without QUIC in between. coturn (one relay
thread) gets the same load from its own tools: clients that bind a channel each and send
to an echo: one call's load is one client.
"""

import argparse
import asyncio
import functools
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench._blast import FRAME_BYTES
from bench._calls import clients, through
from bench._coturn import coturn
from bench._curve import curve
from bench._load import PER_S, SECONDS, Load
from bench._stage import Program, cpu_s, folder, introduce, relay, show
from bench.channel import LIFTED
from wzp_cli.address import HostPort

CALLS = (1, 10, 100, 500)
FORWARDERS = (0, 1, 2)
MOST_ENDED = 100
MOST_DRAWN = 1.0
_PACE = (str(SECONDS), str(PER_S))
REGISTRATIONS = 200
DRAWING = Path(__file__).parents[1] / "docs" / "relay-load.svg"


def main() -> None:
    """Measure, print two tables, draw the curve."""
    parser = argparse.ArgumentParser(prog="dev.py bench relay", description=__doc__)
    parser.add_argument("--calls", type=int, nargs="+", default=CALLS)
    parser.add_argument("--forwarders", type=int, nargs="+", default=FORWARDERS)
    parser.add_argument("--calls-alone", action="store_true", help="no registrations")
    parser.add_argument("--draw", action="store_true", help=f"write {DRAWING.name}")
    options = parser.parse_args()
    introduce(
        "relay", f"{' '.join(LIFTED[1:])} relay; coturn; aioquic; {SECONDS:g} s each"
    )
    if not options.calls_alone:
        with folder() as home, relay(home, LIFTED) as (program, address):
            asyncio.run(_registrations(program, HostPort.parse(address)))
    head = ["calls", "packets/s", "loss %", "p50 us", "p99 us", "CPU %", "per core-s"]
    loads: dict[str, list[Load]] = {}
    for calls in options.calls:
        for name, measure in _ways(options.forwarders):
            if name == "aioquic" and calls > MOST_ENDED:
                continue
            loads.setdefault(name, []).append(measure(calls))
            _say(f"{', '.join(loads[name][-1].row(name))}")
    rows = [load.row(name) for name, some in loads.items() for load in some]
    show(f"calls: frames of {FRAME_BYTES} bytes, {PER_S:g}/s each way", head, rows)
    if options.draw:
        lines = {
            name: [(e.calls, 100 * e.wanted) for e in some if e.wanted < MOST_DRAWN]
            for name, some in loads.items()
        }
        up = "CPU that its packets want, % of a core"
        text = curve("Load of a relay", "calls over the relay", up, lines)
        DRAWING.write_text(text, "utf-8")


def _ways(forwarders: Sequence[int]) -> Iterator[tuple[str, Callable[[int], Load]]]:
    """Yield what so many calls may go through, and how that is measured."""
    for count in forwarders:
        name = f"wzp, {count} forwarder{'s'[: count - 1]}" if count else "wzp"
        yield name, functools.partial(_wzp, forwarders=count)
    if shutil.which("turnserver"):
        yield "coturn", coturn
    yield "aioquic", _terminating


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


# --- registrations and idle links


async def _registrations(program: Program, server: HostPort) -> None:
    async with clients(1, server):
        before_s, before_mib = program.cpu_s(), program.resident_mib()
        began_s = time.monotonic()
        async with clients(REGISTRATIONS, server):
            took_s = time.monotonic() - began_s
            cpu_s = program.cpu_s() - before_s
            each_kib = (program.resident_mib() - before_mib) * 1024 / REGISTRATIONS
            idle_s = program.cpu_s()
            await asyncio.sleep(5)
            idle = (program.cpu_s() - idle_s) / 5
    show(
        f"{REGISTRATIONS} registrations, then as many idle links for 5 s",
        ["", "a second", "per core-s", "KiB a link", "links a GB", "idle CPU %"],
        [
            [
                "wzp",
                f"{REGISTRATIONS / took_s:.0f}",
                f"{REGISTRATIONS / cpu_s:.0f}",
                f"{each_kib:.0f}",
                f"{2**20 / each_kib:.0f}",
                f"{100 * idle:.1f}",
            ]
        ],
    )


# --- calls through wzp relay


def _wzp(calls: int, forwarders: int) -> Load:
    words = ("--forwarders", str(forwarders))
    with folder() as home, relay(home, LIFTED, *words) as (program, address):
        return asyncio.run(through(program, HostPort.parse(address), calls))


# --- calls through a relay that ends QUIC


def _terminating(calls: int) -> Load:
    words = [sys.executable, "-m", "bench._terminating"]
    with (
        subprocess.Popen(
            [*words, "serve"], stdout=subprocess.PIPE, text=True
        ) as server,
        subprocess.Popen(
            [*words, "call", "127.0.0.1", _line(server), str(calls), *_PACE],
            stdout=subprocess.PIPE,
            text=True,
        ) as clients,
    ):
        try:
            assert _line(clients) == "connected"
            before_s, began_s = cpu_s(server.pid), time.monotonic()
            assert _line(clients) == "sent"
            core = (cpu_s(server.pid) - before_s) / (time.monotonic() - began_s)
            told = json.loads(_line(clients))
        finally:
            clients.terminate()
            server.terminate()
    return Load.of(calls, told, told["delays_us"], core)


def _line(process: subprocess.Popen) -> str:
    return process.stdout.readline().strip()


if __name__ == "__main__":
    main()
