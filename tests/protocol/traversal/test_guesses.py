import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wzp_cli.defaults.paths import (
    LOWEST_PEER_PORT,
    PREDICTION_MAX_PORTS,
    SEARCH_MAX_PROBES,
    SEARCH_SPARES,
)
from wzp_cli.protocol.traversal.guesses import (
    meeting_port,
    port_range,
    predict,
    search,
)

PORTS = st.integers(1, 65_535)


def test_what_lies_between_the_samples_comes_first() -> None:
    ports = predict((40_000, 40_005), 1)
    assert ports[:4] == [40_001, 40_002, 40_003, 40_004]
    assert ports[4:8] == [40_006, 39_999, 40_007, 39_998]
    assert len(ports) == PREDICTION_MAX_PORTS


def test_steps_and_directions() -> None:
    assert predict((40_000, 40_006), 2)[:4] == [40_002, 40_004, 40_008, 39_998]
    assert predict((40_000, 39_997), -1)[:4] == [39_999, 39_998, 39_996, 40_001]
    assert predict((40_000,), 1)[:2] == [40_001, 39_999]


def test_without_evidence_nothing_is_predicted() -> None:
    assert predict((), 1) == []
    assert predict((40_000, 40_001), 0) == []


@given(st.lists(PORTS, max_size=16), st.integers(-1024, 1024))
def test_a_peer_makes_us_try_a_hundred_ports_at_most(
    samples: list[int], step: int
) -> None:
    ports = predict(samples, step)
    assert len(set(ports)) == len(ports) <= PREDICTION_MAX_PORTS
    assert all(LOWEST_PEER_PORT <= port <= 65_535 for port in ports)


@given(st.lists(PORTS, max_size=16))
def test_a_search_never_repeats_itself(samples: list[int]) -> None:
    ports = search(samples, random.Random(1))
    assert len(set(ports)) == len(ports) <= SEARCH_MAX_PROBES
    assert all(LOWEST_PEER_PORT <= port <= 65_535 for port in ports)


def test_a_carriers_block_is_recognised() -> None:
    rng = random.Random(7)
    block = range(20_480, 22_528)
    inside = missed = 0
    for _ in range(200):
        taken = rng.sample(block, SEARCH_SPARES)
        ports = search(taken[:8], rng)
        tries = next((n for n, p in enumerate(ports, 1) if p in set(taken)), None)
        missed += tries is None
        inside += len(port_range(taken[:8])) <= 2 * len(block) + 2
    assert inside == 200
    assert missed == 0


@pytest.mark.parametrize("samples", [(), (2000, 2001, 2002), (1024, 65_000) * 4])
def test_without_a_block_the_whole_range_is_searched(samples: tuple[int, ...]) -> None:
    assert port_range(samples) == range(LOWEST_PEER_PORT, 65_536)


def test_the_odds_of_a_search_are_those_of_the_arithmetic() -> None:
    """99 % within 1200 probes (256 of 64,512 ports open)."""
    rng = random.Random(1)
    found = []
    for _ in range(400):
        taken = set(rng.sample(range(LOWEST_PEER_PORT, 65_536), SEARCH_SPARES))
        ports = search((), rng)
        found.append(next((n for n, p in enumerate(ports, 1) if p in taken), 9999))
    assert sum(tries <= SEARCH_MAX_PROBES for tries in found) >= 0.97 * len(found)
    assert 130 < sorted(found)[200] < 230, "half of them within some 174"


def meets(extra_ours: int, extra_theirs: int, rng: random.Random) -> bool:
    """Play both sides of a meeting; `extra`: ports that went to others before."""
    ours, theirs = 40_000, 50_000
    sent = {
        (ours + extra_ours + n, meeting_port(theirs, 1, n, rng)) for n in range(1, 65)
    }
    answers = {
        (meeting_port(ours, 1, n, rng), theirs + extra_theirs + n) for n in range(1, 65)
    }
    return bool(sent & answers)


@pytest.mark.parametrize("extra", [(0, 0), (1, 0), (0, 1), (1, 1), (3, 2), (0, 6)])
def test_two_counting_nats_meet_though_others_take_ports(
    extra: tuple[int, int],
) -> None:
    rng = random.Random(3)
    assert sum(meets(*extra, rng) for _ in range(100)) >= 95


def test_a_meeting_stays_within_ports_that_may_be_checked() -> None:
    rng = random.Random(1)
    assert meeting_port(65_530, 1, 64, rng) is None
    assert meeting_port(1030, -1, 64, rng) is None
