"""How `endpoint` and `relay` play a script: doings on a stage, rules after each."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from fuzz._script import Script
from tests.support.stage import Stage, Traffic

__all__ = ["play"]

_AFTERWARDS_S = 0.05


class _Watched(Protocol):
    traffic: Traffic
    heard: list[bytes]


C = TypeVar("C", bound=_Watched)


def play(
    stage: Stage[C],
    data: bytes,
    doings: Sequence[Callable[[C, Script], None]],
    check: Callable[[C], None],
) -> None:
    """Do what `data` says; `check` holds after each doing, nobody else is reached."""
    cast, script = stage.cast, Script(data)
    cast.traffic.clear()
    cast.heard.clear()
    stage.enter()
    try:
        while script.goes_on:
            script.pick(doings)(cast, script)
            check(cast)
    finally:
        stage.leave()
    stage.pass_time(_AFTERWARDS_S)
    check(cast)
    cast.traffic.check()
