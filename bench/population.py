"""Ten thousand pairs of homes by lot: how many talk directly, who is sprayed?

In memory and in virtual time: wzp's own code above the socket, a network with NATs
below it (`tests/support/fakenet.py`). Which NATs there are comes from a survey:

- *Ford*: 82 % of 380 NATs keep one mapping for all destinations (Ford, Srisuresh,
  Kegel: Peer-to-peer communication across NATs, USENIX 2005). How the others choose
  ports was not asked: all at random is the worst case, half in sequence a middle one.
- *hard*: half of all NATs choose ports at random. No survey: to see how it bends.

Filtering was not asked either: the strictest everywhere. Of the NATs that keep one
mapping, a quarter accept unsolicited input; that share is ours. Each pair pings until
it is direct, at most 16 s. IPv6 and port mapping, which would help, are left out.

Packets are those of one side toward the other's home, of the side that sent more:
*sent* counts all, *arrived* those whose TTL reaches the home; *ports* and *in 1 s* are
of these, and *elsewhere* are all packets to anybody but the relay and the two homes.
"""

import argparse
import asyncio
import multiprocessing
import os
import random
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench._stage import introduce, percentile, show
from bench.traverse import wilson
from tests.support.fakenet import (
    MASQUERADE,
    POISONABLE,
    RANDOM,
    SEQUENTIAL,
    NatKind,
    Packet,
)
from tests.support.world import Person, World, scenario
from wzp_cli.events import PathPlanned
from wzp_cli.protocol.names.policy import Policy
from wzp_cli.services.calls.ping import PingOutcome, PingSettings, ping_identity

PINGS = 16
POPULATIONS: dict[str, tuple[tuple[NatKind, float], ...]] = {
    "Ford, others at random": (
        (MASQUERADE, 0.615),
        (POISONABLE, 0.205),
        (RANDOM, 0.18),
    ),
    "Ford, half of the others in sequence": (
        (MASQUERADE, 0.615),
        (POISONABLE, 0.205),
        (SEQUENTIAL, 0.09),
        (RANDOM, 0.09),
    ),
    "hard": ((MASQUERADE, 0.375), (POISONABLE, 0.125), (RANDOM, 0.5)),
}


@dataclass(frozen=True)
class Pair:
    """What became of one pair."""

    strategy: str
    direct_ms: float | None
    sent: int
    arrived: int
    ports: int
    per_s: int
    stray: int


def connect(lot: tuple[int, NatKind, NatKind]) -> Pair:
    """Let one pair ping until it is direct."""
    seed, ours, theirs = lot
    found: list[Pair] = []

    @scenario
    async def play(world: World) -> None:
        random.seed(seed)
        await world.relay()
        sent: list[tuple[float, Packet]] = []
        clock = asyncio.get_running_loop().time

        def tap(packet: Packet) -> None:
            if packet.segment == "public":
                sent.append((clock(), packet))

        world.net.on_packet(tap)
        alice, bob = [
            await world.person(name, kind)
            for name, kind in (("alice", ours), ("bob", theirs))
        ]
        for person in (alice, bob):
            assert person.nat is not None
            person.nat._random.seed(f"{seed} {person.name}")
            person.nat._next = random.randrange(20_000, 50_000)
        bob.listen(policy=lambda identity: Policy("a friend"))
        sent.clear()
        outcome = await _ping(alice, bob)
        found.append(_figures(outcome, alice, bob, sent, world.net.public.hops))

    play()
    return found[0]


async def _ping(alice: Person, bob: Person) -> PingOutcome:
    assert alice.registration is not None
    return await ping_identity(
        alice.endpoint,
        alice.registration,
        bob.identity,
        PingSettings(count=PINGS, until_direct=True),
        alice.interfaces,
        alice.report,
    )


def _figures(
    outcome: PingOutcome,
    alice: Person,
    bob: Person,
    sent: Iterable[tuple[float, Packet]],
    hops: int,
) -> Pair:
    homes = {alice.public_host, bob.public_host}
    relay = alice.registration.address.host if alice.registration else ""
    sent_to: Counter[str] = Counter()
    arrived: dict[str, list[tuple[float, int]]] = {home: [] for home in homes}
    stray = 0
    for at_s, packet in sent:
        if packet.source.host == relay or packet.to.host == relay:
            continue
        if packet.to.host in homes:
            sent_to[packet.to.host] += 1
            if packet.ttl > hops:
                arrived[packet.to.host].append((at_s, packet.to.port))
        else:
            stray += 1
    planned = alice.all(PathPlanned)
    most = max(arrived.values(), key=len)
    return Pair(
        strategy=planned[0].strategy if planned else "checks",
        direct_ms=outcome.time_to_direct_ms,
        sent=max(sent_to.values(), default=0),
        arrived=len(most),
        ports=len({port for _, port in most}),
        per_s=_most_per_second([at_s for at_s, _ in most]),
        stray=stray,
    )


def _most_per_second(times: Sequence[float]) -> int:
    first, most = 0, 0
    for last, at in enumerate(times):
        while times[first] <= at - 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


def lots(name: str, pairs: int, seed: int) -> list[tuple[int, NatKind, NatKind]]:
    """Return who meets whom."""
    kinds, shares = zip(*POPULATIONS[name], strict=True)
    chance = random.Random(f"{name} {seed}")
    return [
        (chance.randrange(2**32), *chance.choices(kinds, shares, k=2))
        for _ in range(pairs)
    ]


def _rows(pairs: Sequence[Pair]) -> list[list[str]]:
    rows = []
    by_strategy = Counter(pair.strategy for pair in pairs)
    for strategy in [*sorted(by_strategy), "all"]:
        some = [pair for pair in pairs if strategy in (pair.strategy, "all")]
        direct = [pair.direct_ms for pair in some if pair.direct_ms is not None]
        low, high = wilson(len(direct), len(some))
        rows.append(
            [
                strategy,
                str(len(some)),
                f"{100 * len(direct) / len(some):.1f} %",
                f"{100 * low:.1f}-{100 * high:.1f}",
                f"{statistics.median(direct):.0f}" if direct else "-",
                f"{percentile(direct, 0.95):.0f}" if direct else "-",
                f"{statistics.median(pair.sent for pair in some):.0f}",
                str(max(pair.sent for pair in some)),
                str(max(pair.arrived for pair in some)),
                str(max(pair.ports for pair in some)),
                str(max(pair.per_s for pair in some)),
                str(sum(pair.stray for pair in some)),
            ]
        )
    return rows


HEAD = [
    "strategy",
    "pairs",
    "direct",
    "95 %",
    "median ms",
    "p95",
    "sent",
    "most sent",
    "arrived",
    "ports",
    "in 1 s",
    "elsewhere",
]


def main() -> None:
    """Run the populations and print a table for each."""
    parser = argparse.ArgumentParser(
        prog="dev.py bench population",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=list(POPULATIONS))
    options = parser.parse_args()
    introduce(
        f"population --pairs {options.pairs} --seed {options.seed}",
        "pings in memory between two homes by lot",
    )
    names = [options.only] if options.only else list(POPULATIONS)
    with multiprocessing.Pool(os.cpu_count()) as pool:
        for name in names:
            who = lots(name, options.pairs, options.seed)
            show(name, HEAD, _rows(pool.map(connect, who, chunksize=20)))


if __name__ == "__main__":
    main()
