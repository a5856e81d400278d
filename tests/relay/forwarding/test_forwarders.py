"""Forwarders as processes of their own, on the port of a relay that the test plays."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.websockets import until
from wzp_cli.address import Address
from wzp_cli.concurrency import task_group
from wzp_cli.endpoint.sockets.shared_port import share
from wzp_cli.events import Event, Warned
from wzp_cli.protocol.demux import encode_frame
from wzp_cli.relay.forwarding import forwarders as module
from wzp_cli.relay.forwarding.channels import ChannelTable
from wzp_cli.relay.forwarding.forwarders import Forwarders
from wzp_cli.relay.forwarding.messages import Account

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone does it")
SOUND = b"\x40sound"


@dataclass
class Stage:
    """A relay's table and its forwarders, at work."""

    forwarders: Forwarders
    table: ChannelTable
    events: list[Event]
    port: int
    stack: ExitStack

    def client(self) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.stack.enter_context(sock)
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        return sock

    async def passes(
        self, send_id: bytes, here: socket.socket, there: socket.socket
    ) -> None:
        frame = encode_frame(send_id, SOUND)
        here.sendto(frame, ("127.0.0.1", self.port))
        loop = asyncio.get_running_loop()
        assert await loop.sock_recv(there, 2048) == frame


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def at(sock: socket.socket) -> Address:
    return Address(*sock.getsockname())


@asynccontextmanager
async def stage(count: int) -> AsyncIterator[Stage]:
    with ExitStack() as stack:
        first = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        first.bind(("127.0.0.1", 0))
        ports = [stack.enter_context(each) for each in share(first, count)]
        events: list[Event] = []
        forwarders = Forwarders(ports, events.append)
        table = ChannelTable()
        table.sharing = forwarders
        number = first.getsockname()[1]
        async with task_group() as group:
            keeping = group.create_task(forwarders.keep())
            at_work = Stage(forwarders, table, events, number, stack)
            await until(lambda: len(forwarders.pids) == count)
            try:
                yield at_work
            finally:
                left = forwarders.pids
                keeping.cancel()
        assert not any(map(is_alive, left))


def play(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await scenario()

    asyncio.run(bounded())


def test_channels_are_shared_out_and_survive_who_forwards_them() -> None:
    async def scenario() -> None:
        async with stage(2) as relay:
            alice, bob = relay.client(), relay.client()
            channels = [
                relay.table.open((f"a{n}", at(alice)), (f"b{n}", at(bob)), 0.0)
                for n in range(6)
            ]
            numbers = [relay.forwarders.number_of(c.caller_id) for c in channels]
            assert sorted(numbers) == [1, 1, 1, 2, 2, 2]
            credited: list[Account] = []
            relay.forwarders.on_account = credited.append

            async def all_pass() -> None:
                for channel in channels:
                    await relay.passes(channel.caller_id, alice, bob)
                    await relay.passes(channel.callee_id, bob, alice)

            await all_pass()
            before = relay.forwarders.pids
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            await until(lambda: not any(map(is_alive, before)))
            await all_pass()  # what came before the next ones were there has waited
            assert relay.forwarders.facts().restarts == 2
            assert not set(before) & set(relay.forwarders.pids)
            warned = [e.message for e in relay.events if isinstance(e, Warned)]
            assert sorted(warned) == [
                "forwarder 1 ended (-9); another one takes over its calls",
                "forwarder 2 ended (-9); another one takes over its calls",
            ]
            await until(
                lambda: sum(p.packets for each in credited for p in each.passed) >= 12
            )
            assert all(each > 0 for each in relay.forwarders.facts().cpu_s)
            moved = relay.client()
            relay.table.move("a0", at(moved))
            await relay.passes(channels[0].caller_id, moved, bob)
            await relay.passes(channels[0].callee_id, bob, moved)

    play(scenario)


def test_a_forwarder_that_hangs_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FORWARDER_SILENT_S", 2.0)

    async def scenario() -> None:
        async with stage(1) as relay:
            (before,) = relay.forwarders.pids
            os.kill(before, signal.SIGSTOP)
            await until(lambda: relay.forwarders.pids not in ([before], []))
            assert "was silent for 2 s" in str(relay.events[0])
            alice, bob = relay.client(), relay.client()
            channel = relay.table.open(("a", at(alice)), ("b", at(bob)), 0.0)
            await relay.passes(channel.caller_id, alice, bob)

    play(scenario)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ((sys.executable, "-c", "raise SystemExit"), "ended (0)"),
        (("/nowhere/python",), "failed ([Errno 2] No such file"),
    ],
)
def test_one_that_cannot_start_is_tried_again_and_given_nothing(
    command: tuple[str, ...], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FORWARDER_AGAIN_S", 0.05)
    monkeypatch.setattr(module, "_COMMAND", command)

    async def scenario() -> None:
        async with stage(0) as relay:
            assert relay.forwarders.choose() == 0
            assert relay.forwarders.facts().running == 0
        ports = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM)]
        events: list[Event] = []
        forwarders = Forwarders(ports, events.append)
        async with task_group() as group:
            keeping = group.create_task(forwarders.keep())
            await until(lambda: forwarders.restarts >= 3)
            keeping.cancel()
        assert forwarders.choose() == 0
        assert why in str(events[0])
        ports[0].close()

    play(scenario)


def test_forwarders_end_with_a_relay_that_is_killed() -> None:
    """Nobody tells them: the socket pair does."""
    script = (
        "import asyncio, socket, sys\n"
        "from wzp_cli.endpoint.sockets.shared_port import share\n"
        "from wzp_cli.relay.forwarding.forwarders import Forwarders\n"
        "async def main():\n"
        "    first = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "    first.bind(('127.0.0.1', 0))\n"
        "    forwarders = Forwarders(share(first, 2), print)\n"
        "    keeping = asyncio.get_running_loop().create_task(forwarders.keep())\n"
        "    while len(forwarders.pids) < 2:\n"
        "        await asyncio.sleep(0.01)\n"
        "    print(*forwarders.pids, flush=True)\n"
        "    await keeping\n"
        "asyncio.run(main())\n"
    )

    async def scenario() -> None:
        relay = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", script), stdout=asyncio.subprocess.PIPE
        )
        assert relay.stdout is not None
        pids = [int(word) for word in (await relay.stdout.readline()).split()]
        assert len(pids) == 2
        assert all(map(is_alive, pids))
        for pid in pids:
            os.kill(pid, signal.SIGTERM)  # as systemd does, to all of a service
        relay.kill()
        await relay.wait()
        await until(lambda: not any(map(is_alive, pids)))

    play(scenario)
