import pytest

from wzp_cli.protocol.buckets import KeyedBuckets, TokenBucket


def test_a_burst_at_once_then_the_rate() -> None:
    bucket = TokenBucket(10, 5, now=100.0)
    assert [bucket.take(1, 100.0) for _ in range(6)] == [True] * 5 + [False]
    assert bucket.take(1, 100.125)
    assert not bucket.take(1, 100.125)
    assert [bucket.take(1, 999.0) for _ in range(6)] == [True] * 5 + [False]


def test_nothing_is_taken_when_there_is_too_little() -> None:
    bucket = TokenBucket(1, 10, now=0.0)
    assert not bucket.take(11, 0.0)
    assert bucket.take(10, 0.0)
    assert not bucket.take(0.5, 0.25)
    assert bucket.take(0.5, 0.5)


def test_in_the_long_run_the_rate_holds() -> None:
    bucket = TokenBucket(50, 10, now=0.0)
    taken = sum(bucket.take(1, step / 1000) for step in range(10_000))
    assert 508 <= taken <= 510


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(1, 1, now=10.0)
    assert bucket.take(1, 10.0)
    assert not bucket.take(1, 5.0)
    assert not bucket.take(1, 10.5)
    assert bucket.take(1, 11.0)


def test_keys_have_budgets_of_their_own() -> None:
    buckets = KeyedBuckets(1, 2, capacity=10)
    assert [buckets.take(key, 0.0) for key in "aaabb"] == [True, True, False] + [
        True
    ] * 2
    assert buckets.take("a", 1.0)


@pytest.mark.parametrize("capacity", [1, 3])
def test_the_table_is_bounded_and_forgets_the_longest_unused(capacity: int) -> None:
    buckets = KeyedBuckets(1, 1, capacity=capacity)
    for number in range(100):
        assert buckets.take(number, 0.0)
        assert not buckets.take(number, 0.0)
    assert len(buckets) == capacity
    assert not buckets.take(100 - capacity, 0.0)  # still known, and now the latest
    assert buckets.take("new", 0.0)
    assert buckets.take(0, 0.0)


def test_who_may_take_as_much_as_a_stranger_is_forgotten() -> None:
    buckets = KeyedBuckets(1, 2, capacity=1000)
    for number in range(100):
        assert buckets.take(number, number / 10)
    assert len(buckets) == 20, "a full bucket is kept"
    assert buckets.take("still there", 11.0)
    assert [buckets.take(99, 11.0) for _ in range(3)] == [True, True, False]
    assert not buckets.take(99, 11.5), "forgotten before its bucket was full"


def test_a_table_that_nobody_asked_for_long_is_emptied_bit_by_bit() -> None:
    buckets = KeyedBuckets(2, 10, capacity=1000)
    for number in range(500):
        assert buckets.take(number, 0.0)
    assert buckets.take("next", 4.9)
    assert len(buckets) == 501
    assert buckets.take("next", 5.0)
    assert 400 < len(buckets) < 500, "all at once: who asks waits for it"
    for _ in range(50):
        buckets.take("next", 5.0)
    assert len(buckets) == 1
