"""How far stateful tests look: some seconds in CI, as long as wanted by hand.

WZP_TESTS_DEEP=5000 python3 dev.py test tests/protocol/test_paths_rules.py
"""

import os

from hypothesis import HealthCheck, settings

__all__ = ["DEEP", "depth"]

DEEP = int(os.environ.get("WZP_TESTS_DEEP", "0"))
"""How many examples; 0: as many as the test has time for."""

_DEEP_STEPS = 60


def depth(examples: int, steps: int) -> settings:
    """Return how many examples of how many steps; deep ones where that is asked for."""
    return settings(
        max_examples=DEEP or examples,
        stateful_step_count=_DEEP_STEPS if DEEP else steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
