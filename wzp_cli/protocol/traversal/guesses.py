"""Which ports to try: the harder side's NAT chose them, we have samples at best."""

import itertools
import random
from collections.abc import Iterator, Sequence

from wzp_cli.defaults.paths import (
    LOWEST_PEER_PORT,
    PREDICTION_MAX_PORTS,
    PREDICTION_REACH_PORTS,
    SEARCH_MAX_PROBES,
    SEARCH_NARROWING_MIN_SAMPLES,
)

__all__ = ["meeting_port", "port_range", "predict", "search"]

_HIGHEST_PORT = 65_535


def _valid(ports: Iterator[int]) -> Iterator[int]:
    return (port for port in ports if LOWEST_PEER_PORT <= port <= _HIGHEST_PORT)


def predict(samples: Sequence[int], step: int) -> list[int]:
    """Return the likely ports of a sequential NAT, the likeliest first.

    Args:
        samples: Ports that it gave just before and just after the ones sought.
        step: From one port to the next; negative: downwards.

    Returns:
        At most PREDICTION_MAX_PORTS: what lies between the samples, then what lies
        around them, nearest first. Empty without samples.
    """
    if not samples or not step:
        return []
    first, last = samples[0], samples[-1]
    between = range(first + step, last, step)
    around = (
        port
        for distance in range(1, PREDICTION_REACH_PORTS + 1)
        for port in (last + distance * step, first - distance * step)
    )
    ports = dict.fromkeys(_valid(itertools.chain(between, around)))
    return list(itertools.islice(ports, PREDICTION_MAX_PORTS))


def port_range(samples: Sequence[int]) -> range:
    """Return where a NAT's random ports lie.

    A carrier's NAT often gives each customer a block of ports. Enough samples show it:
    the block is taken to reach half of their spread beyond them, to both sides.
    """
    everything = range(LOWEST_PEER_PORT, _HIGHEST_PORT + 1)
    if len(samples) < SEARCH_NARROWING_MIN_SAMPLES:
        return everything
    low, high = min(samples), max(samples)
    margin = (high - low) // 2 + 1
    return range(
        max(everything.start, low - margin), min(everything.stop, high + margin + 1)
    )


def search(samples: Sequence[int], rng: random.Random) -> list[int]:
    """Return random ports, none twice: at most SEARCH_MAX_PROBES."""
    ports = port_range(samples)
    return rng.sample(ports, min(len(ports), SEARCH_MAX_PROBES))


def meeting_port(sample: int, step: int, number: int, rng: random.Random) -> int | None:
    """Return the peer's port for our socket `number` (from 1), when both NATs count.

    Both sides send from their n-th socket to the peer's n-th next port, so the packets
    meet, if nobody else makes either NAT count on meanwhile. Half of the sockets
    suppose that; the others that a few ports went to somebody else: whatever the two
    offsets are, some sockets of both sides fit together.
    """
    others = 0 if rng.random() < 0.5 else rng.randrange(1, 8)
    port = sample + (number + others) * step
    return port if LOWEST_PEER_PORT <= port <= _HIGHEST_PORT else None
