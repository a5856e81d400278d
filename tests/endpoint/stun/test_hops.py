"""What errors are made of; netlab/test_detect_nat.py asks real routers."""

import asyncio
from collections.abc import Callable
from typing import cast

import pytest

from tests.support.virtual_time import run
from wzp_cli.address import Address
from wzp_cli.defaults.diagnosis import TRACE_WAIT_S, WALK_HOP_S, WALK_MAX_HOPS
from wzp_cli.endpoint.sockets.spares import Spares
from wzp_cli.endpoint.sockets.wire import ErrorSink, Fate, IcmpError, Wire
from wzp_cli.endpoint.stun.hops import Walker, trace

SERVER = Address("5.0.1.2", 4433)
HOME, CARRIER, PUBLIC, NEXT = "192.168.1.1", "100.64.0.1", "11.0.0.1", "45.0.0.1"
Says = Callable[[int, int], str | None]
"""TTL and how often it was tried; the router that answers, None for silence."""


class Sockets:
    """Spares whose datagrams die where a test says so."""

    def __init__(self, says: Says, *, tells: bool = True) -> None:
        self.says, self.tells = says, tells
        self.sinks: dict[int, ErrorSink] = {}
        self.tries: dict[int, int] = {}
        self.is_open = 0

    def open(self, count: int) -> list[int]:
        self.is_open += count
        return list(range(1, count + 1))

    def close(self, numbers: list[int]) -> None:
        self.is_open -= len(numbers)

    def watch_errors(self, number: int, sink: ErrorSink) -> bool:
        self.sinks[number] = sink
        return self.tells

    def send(self, number: int, datagram: bytes, to: Address, ttl: int) -> None:
        self.tries[ttl] = self.tries.get(ttl, 0) + 1
        router = self.says(ttl, self.tries[ttl])
        if router is not None:
            error = IcmpError(Fate.EXPIRED, router)
            asyncio.get_running_loop().call_soon(self.sinks[number], error)


def traced(says: Says, *, tells: bool = True) -> tuple[list[str | None], float]:
    """Return the hops, and how long it took."""
    found: list[tuple[list[str | None], float]] = []

    async def play() -> None:
        sockets = Sockets(says, tells=tells)
        hops = await trace(cast(Spares, sockets), SERVER)
        found.append((hops, round(asyncio.get_running_loop().time(), 3)))
        assert sockets.is_open == 0

    run(play())
    return found[0]


@pytest.mark.parametrize(
    ("way", "hops"),
    [
        ({1: PUBLIC, 2: NEXT}, [PUBLIC]),
        ({1: HOME, 2: PUBLIC, 3: NEXT}, [HOME, PUBLIC]),
        ({1: HOME, 2: CARRIER, 3: PUBLIC}, [HOME, CARRIER, PUBLIC]),
    ],
)
def test_all_hops_at_once(way: dict[int, str], hops: list[str]) -> None:
    assert traced(lambda ttl, _: way.get(ttl)) == (hops, 0.0)


def test_a_lost_answer_is_asked_for_again() -> None:
    way = {1: HOME, 2: PUBLIC}
    hops, took_s = traced(lambda ttl, n: way.get(ttl) if n > 1 else None)
    assert (hops, took_s) == ([HOME, PUBLIC], 0.1)


def test_a_silent_router_is_waited_for_and_stays_unknown() -> None:
    way = {1: HOME, 3: PUBLIC, 4: NEXT}
    assert traced(lambda ttl, _: way.get(ttl)) == ([HOME, None, PUBLIC], TRACE_WAIT_S)


def test_where_nobody_or_nothing_tells() -> None:
    assert traced(lambda ttl, _: None) == ([], TRACE_WAIT_S)
    assert traced(lambda ttl, _: HOME, tells=False) == ([], 0.0)


# --- one by one


class OneSocket:
    """A wire whose datagrams die where a test says so."""

    def __init__(self, way: dict[int, str], *, tells: bool = True) -> None:
        self.way, self.tells = way, tells
        self.sink: ErrorSink | None = None

    def watch_errors(self, sink: ErrorSink | None) -> bool:
        self.sink = sink
        return self.tells

    def send(self, datagram: bytes, to: Address, *, ttl: int) -> None:
        assert to == SERVER
        if ttl in self.way:
            error = IcmpError(Fate.EXPIRED, self.way[ttl])
            assert self.sink is not None
            asyncio.get_running_loop().call_soon(self.sink, error)


def walked(wire: OneSocket) -> tuple[list[str | None], list[str | None], float]:
    """Return the hops of two walks that begin together, and how long they took."""
    found: list[tuple[list[str | None], list[str | None], float]] = []

    async def play() -> None:
        walker = Walker(cast(Wire, wire))
        async with asyncio.TaskGroup() as group:
            first = group.create_task(walker.walk(SERVER))
            second = group.create_task(walker.walk(SERVER))
        took_s = round(asyncio.get_running_loop().time(), 3)
        found.append((first.result(), second.result(), took_s))

    run(play())
    return found[0]


def test_a_walk_ends_at_the_first_public_router_and_there_is_one_at_a_time() -> None:
    wire = OneSocket({1: HOME, 3: PUBLIC, 4: NEXT})
    assert walked(wire) == ([HOME, None, PUBLIC], [], WALK_HOP_S)
    assert wire.sink is None


def test_a_walk_goes_so_far_and_nowhere_where_the_system_does_not_tell() -> None:
    silence: list[str | None] = [None] * WALK_MAX_HOPS
    assert walked(OneSocket({})) == (silence, [], round(WALK_MAX_HOPS * WALK_HOP_S, 3))
    assert walked(OneSocket({1: HOME}, tells=False)) == ([], [], 0.0)
