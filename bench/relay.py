"""What one relay can do: registrations, idle links, calls; beside coturn.

Relay, senders and receivers are processes of their own. Each call is a real channel,
asked for over registered links; its sound is 50 frames of 130 bytes a second each way,
written into the two clients' sockets, without QUIC in between. coturn (one relay
thread) gets the same load from its own tools: clients that bind a channel each and send
to an echo: one call's load is one client.
"""

import argparse
import asyncio
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench._blast import FRAME_BYTES
from bench._curve import curve
from bench._stage import (
    HERTZ,
    Program,
    folder,
    introduce,
    percentile,
    relay,
    show,
)
from bench.channel import LIFTED, Pins
from wzp_cli.address import HostPort
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.factory import Bind, open_endpoint
from wzp_cli.protocol.identity import Keypair
from wzp_cli.protocol.route import ChannelRoute
from wzp_cli.services.registration import Registration, register

CALLS = (1, 10, 100, 500)
PER_S = 50.0
SECONDS = 5.0
REGISTRATIONS = 200
DRAWING = Path(__file__).parents[1] / "docs" / "relay-load.svg"


@dataclass(frozen=True)
class Load:
    """What so many calls did to a relay. `core`: its CPU, as a share of one."""

    calls: int
    per_s: float
    loss_pct: float | None
    p50_us: float | None
    p99_us: float | None
    core: float

    @property
    def per_core_s(self) -> float:
        """Packets passed on for each second of the relay's CPU."""
        return self.per_s / self.core

    @property
    def wanted(self) -> float:
        """The share of a core that all of its calls' packets want, lost ones too."""
        return self.calls * 2 * PER_S / self.per_core_s

    def row(self, name: str) -> list[str]:
        """Return a line of the table."""
        told = (self.loss_pct, self.p50_us, self.p99_us)
        loss, p50, p99 = ("-" if each is None else f"{each:.1f}" for each in told)
        figures = [f"{self.per_s:.0f}", loss, p50, p99, f"{100 * self.core:.0f}"]
        return [f"{name}, {self.calls}", *figures, f"{self.per_core_s:.0f}"]


def main() -> None:
    """Measure, print two tables, draw the curve."""
    parser = argparse.ArgumentParser(prog="dev.py bench relay", description=__doc__)
    parser.add_argument("--calls", type=int, nargs="+", default=CALLS)
    parser.add_argument("--draw", action="store_true", help=f"write {DRAWING.name}")
    options = parser.parse_args()
    introduce("relay", f"{' '.join(LIFTED[1:])} relay; coturn; {SECONDS:g} s each")
    with folder() as home, relay(home, LIFTED) as (program, address):
        asyncio.run(_registrations(program, HostPort.parse(address)))
    loads = {"wzp": [_wzp(calls) for calls in options.calls]}
    if shutil.which("turnserver"):
        loads["coturn"] = [_coturn(calls) for calls in options.calls]
    head = ["calls", "packets/s", "loss %", "p50 us", "p99 us", "CPU %", "per core-s"]
    rows = [load.row(name) for name, some in loads.items() for load in some]
    show(f"calls: frames of {FRAME_BYTES} bytes, {PER_S:g}/s each way", head, rows)
    if options.draw:
        lines = {
            name: [(each.calls, 100 * each.wanted) for each in some]
            for name, some in loads.items()
        }
        up = "CPU that its packets want, % of a core"
        text = curve("Load of a relay", "calls over the relay", up, lines)
        DRAWING.write_text(text, "utf-8")


# --- registrations and idle links


async def _registrations(program: Program, server: HostPort) -> None:
    async with _clients(1, server):
        before_s, before_mib = program.cpu_s(), program.resident_mib()
        began_s = time.monotonic()
        async with _clients(REGISTRATIONS, server):
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


@asynccontextmanager
async def _clients(
    count: int, server: HostPort, *, publishes: bool = True
) -> AsyncIterator[list[tuple[Endpoint, Registration]]]:
    async with AsyncExitStack() as stack:
        clients = []
        for _ in range(count):
            endpoint = await stack.enter_async_context(
                open_endpoint(
                    Keypair.generate(), Bind(host=server.host), lambda event: None
                )
            )
            registration = await stack.enter_async_context(
                register(
                    *(endpoint, server, Pins(), lambda event: None),
                    publishes=publishes,
                )
            )
            clients.append((endpoint, registration))
        yield clients


# --- calls through wzp relay


def _wzp(calls: int) -> Load:
    with folder() as home, relay(home, LIFTED) as (program, address):
        return asyncio.run(_through(program, HostPort.parse(address), calls))


async def _through(program: Program, server: HostPort, calls: int) -> Load:
    """Join callers and callees, each with each, until there are so many calls."""
    side = next(n for n in range(1, calls + 1) if n * n >= calls)
    async with (
        _clients(side, server) as callees,
        _clients(side, server, publishes=False) as callers,
    ):
        voices: list[tuple[int, ChannelRoute]] = []
        for endpoint, registration in callers:
            for callee, _ in callees:
                if len(voices) < 2 * calls:
                    (route,) = await registration.connect(callee.identity)
                    back = ChannelRoute(route.relay, route.receive_id, route.send_id)
                    voices += [(_descriptor(endpoint), route)]
                    voices += [(_descriptor(callee), back)]
        everybody = [endpoint for endpoint, _ in (*callers, *callees)]
        return await _blast(program, everybody, voices, calls)


async def _blast(
    program: Program,
    everybody: list[Endpoint],
    voices: list[tuple[int, ChannelRoute]],
    calls: int,
) -> Load:
    loop = asyncio.get_running_loop()
    descriptors = [_descriptor(endpoint) for endpoint in everybody]
    for each in descriptors:
        loop.remove_reader(each)  # they only wait meanwhile
    told = {
        "voices": [(each, "08" + route.send_id.hex()) for each, route in voices],
        "relay": list(voices[0][1].relay),
        "seconds": SECONDS,
        "per_s": PER_S,
    }
    before_s, began_s = program.cpu_s(), time.monotonic()
    async with asyncio.TaskGroup() as group:
        receiving = group.create_task(
            _process("receive", {"descriptors": descriptors}, descriptors)
        )
        sending = group.create_task(_process("send", told, descriptors))
        await sending
        core = (program.cpu_s() - before_s) / (time.monotonic() - began_s)
    for endpoint in everybody:  # so that they can say goodbye
        wire = endpoint._wire
        loop.add_reader(_descriptor(endpoint), wire._read)  # type: ignore[attr-defined]
    sent = sending.result()
    delays_us = receiving.result()["delays_us"]
    return Load(
        calls,
        len(delays_us) / sent["seconds"],
        100 * (1 - len(delays_us) / sent["sent"]),
        percentile(delays_us, 0.5),
        percentile(delays_us, 0.99),
        core,
    )


def _descriptor(endpoint: Endpoint) -> int:
    return endpoint._wire._sock.fileno()  # type: ignore[attr-defined]


async def _process(kind: str, told: dict, descriptors: list[int]) -> dict:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench._voices", kind),
        pass_fds=descriptors,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 30,
    )
    out, _ = await process.communicate(json.dumps(told).encode())
    return json.loads(out)


# --- the same through coturn


def _coturn(calls: int) -> Load:
    count = int(PER_S * SECONDS)
    words = (
        *("-m", str(calls), "-n", str(count), "-l", str(FRAME_BYTES - 4), "-z", "20"),
        *("-c", "-e", "127.0.0.1", "-r", "3599", "-p", "3588"),
        *("-u", "u", "-w", "p", "127.0.0.1"),
    )
    with _turn_servers() as server:
        before_s = _cpu_s(server)
        ran = subprocess.run(
            ["turnutils_uclient", *words], capture_output=True, text=True, timeout=120
        )
        cpu_s = _cpu_s(server) - before_s
    text = ran.stdout + ran.stderr
    received = re.findall(r"tot_recv_msgs=(\d+)", text)
    if not received:
        sys.exit(f"turnutils_uclient: {text[-500:]}")
    echoed = int(received[-1])
    sent = calls * count
    # It sends for about SECONDS; before and after that it sets up and waits.
    return Load(
        calls,
        2 * echoed / SECONDS,
        100 * (1 - echoed / sent),
        None,
        None,
        cpu_s / SECONDS,
    )


@contextmanager
def _turn_servers() -> Iterator[int]:
    with tempfile.TemporaryDirectory() as home:
        words = [
            *("turnserver", "-n", "-L", "127.0.0.1", "-E", "127.0.0.1", "-p", "3588"),
            *("--lt-cred-mech", "-u", "u:p", "-r", "bench", "--relay-threads=1"),
            *("--allow-loopback-peers", "--no-tls", "--no-dtls", "--no-cli"),
            *("--log-file", f"{home}/log", "--pidfile", f"{home}/pid"),
            *("--userdb", f"{home}/db", "--simple-log", "--cli-password=x"),
        ]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        server = subprocess.Popen(words, **quiet)
        peer = subprocess.Popen(
            ["turnutils_peer", "-L", "127.0.0.1", "-p", "3599"], **quiet
        )
        time.sleep(2)
        try:
            yield server.pid
        finally:
            for process in (server, peer):
                process.terminate()
                process.wait()


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / HERTZ


if __name__ == "__main__":
    main()
