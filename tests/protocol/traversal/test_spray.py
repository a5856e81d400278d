from wzp_cli.defaults.paths import (
    PREDICTION_PAUSE_S,
    SEARCH_PAUSE_S,
    SPRAY_CHECKS_BURST,
    SPRAY_CHECKS_PER_S,
    SPRAY_MAX_HOSTS,
)
from wzp_cli.protocol.traversal.spray import SprayBudget

VICTIM, OTHER = "20.9.9.9", "20.9.9.8"


def test_one_search_at_a_time() -> None:
    budget = SprayBudget()
    assert budget.begin_search(VICTIM, 0.0)
    assert not budget.begin_search(OTHER, 1.0)
    budget.end_search()
    assert budget.begin_search(OTHER, 1.0)


def test_a_host_is_searched_again_after_a_pause_only() -> None:
    budget = SprayBudget()
    assert budget.begin_search(VICTIM, 0.0)
    budget.end_search()
    assert not budget.begin_search(VICTIM, SEARCH_PAUSE_S - 0.1)
    assert budget.begin_search(VICTIM, SEARCH_PAUSE_S)


def test_rounds_of_prediction_have_a_pause() -> None:
    budget = SprayBudget()
    assert budget.begin_prediction(VICTIM, 0.0)
    assert not budget.begin_prediction(VICTIM, PREDICTION_PAUSE_S - 0.1)
    assert budget.begin_prediction(OTHER, 0.0)
    assert budget.begin_prediction(VICTIM, PREDICTION_PAUSE_S)


def test_checks_toward_one_host_are_counted_whatever_the_call() -> None:
    budget = SprayBudget()
    taken = sum(budget.take_check(VICTIM, 0.0) for _ in range(1000))
    assert taken == SPRAY_CHECKS_BURST
    assert budget.take_check(OTHER, 0.0)
    taken = sum(budget.take_check(VICTIM, n / 100) for n in range(1, 6001))
    assert taken <= 60 * SPRAY_CHECKS_PER_S


def test_memory_is_bounded() -> None:
    budget = SprayBudget()
    for number in range(2 * SPRAY_MAX_HOSTS):
        budget.begin_prediction(f"host {number}", 0.0)
        budget.take_check(f"host {number}", 0.0)
    assert len(budget._last) == len(budget._checks) == SPRAY_MAX_HOSTS
