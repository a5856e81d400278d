"""What a test needs from the machine beyond Python: absent, it is skipped or fails.

`WZP_TESTS_REQUIRE=netlab,pulse,pesq` names what must not be skipped (CI sets it).
"""

import os
from collections.abc import Iterable
from typing import NoReturn

import pytest

__all__ = ["broken_requirement", "require", "required"]


def required() -> frozenset[str]:
    """Return the names whose tests must run."""
    return frozenset(filter(None, os.environ.get("WZP_TESTS_REQUIRE", "").split(",")))


def require(name: str, reason: str) -> NoReturn:
    """Skip the running test because `name` is missing; fail where it is required."""
    pytest.skip(f"{name}: {reason}")  # tests/conftest.py turns it into a failure


def broken_requirement(markers: Iterable[str], reason: str) -> str | None:
    """Return the required name that a skip is about: by marker, or "NAME: ..."."""
    about = {*markers, reason.removeprefix("Skipped: ").partition(":")[0].strip()}
    return next(iter(sorted(about & required())), None)
