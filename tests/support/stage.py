"""A world that stands while a test steps in and out: built once, in virtual time.

Fuzz targets and state machines bring things to it, let time pass and look at what came
of it. What breaks inside, which asyncio would only log, breaks the test.
"""

import asyncio
import collections
import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Generic, TypeVar

from tests.support.fakenet import Packet
from tests.support.virtual_time import VirtualLoop
from tests.support.world import World
from wzp_cli.address import Address
from wzp_cli.concurrency import task_group
from wzp_cli.endpoint.endpoint import Endpoint

__all__ = ["Stage", "Traffic"]

T = TypeVar("T")
_UNPROVEN_RATIO = 3
"""Bytes that may go to an address for each that came from there (RFC 9000 8.1)."""


class Stage(Generic[T]):
    """A world and who is in it."""

    def __init__(self, build: Callable[[World], Awaitable[T]]) -> None:
        random.seed(1)
        self.loop = VirtualLoop()
        self._built: asyncio.Future[T] = self.loop.create_future()
        self._life = self.loop.create_task(self._live(build))
        self.cast = self.loop.run_until_complete(self._built)

    async def _live(self, build: Callable[[World], Awaitable[T]]) -> None:
        async with task_group() as group, AsyncExitStack() as stack:
            self.world = World(stack, group)
            self._built.set_result(await build(self.world))
            try:
                await asyncio.Event().wait()
            finally:
                await self.world.stop()

    def run(self, work: Awaitable[object]) -> None:
        """Do something, while all else goes on."""
        self.loop.run_until_complete(_awaited(work))
        self.check()

    def pass_time(self, seconds: float) -> None:
        """Let the world go on for so long."""
        self.run(asyncio.sleep(seconds))

    def let_pass(self, seconds: float) -> None:
        """The same, between `enter` and `leave`."""
        self.leave()
        self.pass_time(seconds)
        self.enter()

    def enter(self) -> None:
        """Let what is called now find the loop, without running it."""
        asyncio._set_running_loop(self.loop)

    def leave(self) -> None:
        """End that."""
        asyncio._set_running_loop(None)

    def close(self) -> None:
        """End the world, and see that it ends well."""
        self._life.cancel()
        with suppress(asyncio.CancelledError):
            self.loop.run_until_complete(self._life)
        self.loop.close()
        assert not self.loop.accidents, self.loop.accidents

    def check(self) -> None:
        """Fail if something broke."""
        accidents, self.loop.accidents = self.loop.accidents, []
        assert not accidents, accidents
        assert not self._life.done(), self._life


async def _awaited(work: Awaitable[object]) -> None:
    await work


class Traffic:
    """What came to one host and what it sent, by the address at the other end."""

    most_beside = 0
    """Bytes that may go to another port of a host that has a link."""

    def __init__(self, world: World, endpoint: Endpoint, host: str) -> None:
        self._endpoint, self._host = endpoint, host
        self._known: set[Address] = set()
        self._known_hosts: set[str] = set()
        self.came: collections.Counter[Address] = collections.Counter()
        self.sent: collections.Counter[Address] = collections.Counter()
        world.net.on_packet(self._see)

    def know(self, address: Address) -> None:
        """What goes there is no matter: there is a link."""
        self._known.add(address)
        self._known_hosts.add(address.host)

    def clear(self) -> None:
        """Begin anew; what opened a handshake counts until that has ended."""
        if not self._endpoint.half_open:
            self.came.clear()
            self.sent.clear()

    def check(self) -> None:
        """Nothing goes where nothing came from, and no more than three times that."""
        for address, size in self.sent.items():
            if address.host in self._known_hosts and size <= self.most_beside:
                continue  # a probe for a client, to another port of its own host
            if address not in self._known:
                most = _UNPROVEN_RATIO * self.came[address]
                assert size <= most, f"{size} bytes to {address}, for {most}"

    def _see(self, packet: Packet) -> None:
        if packet.segment == "public" and packet.source.host == self._host:
            self.sent[packet.to] += len(packet.datagram)
        elif packet.segment == "public" and packet.to.host == self._host:
            self.came[packet.source] += len(packet.datagram)
