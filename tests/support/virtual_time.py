"""An event loop whose clock jumps: where it would wait, the time has passed.

A ring of 45 s is over at once. The clock also moves by a microsecond each turn, so that
no instant lasts for ever. What a callback raises, which asyncio would only log, fails
the test.
"""

import asyncio
import random
import selectors
import socket
from collections.abc import Coroutine, Mapping
from typing import Any

__all__ = ["VirtualLoop", "run"]

_TURN_S = 1e-6
_GIVE_UP_S = 3600.0


class _JumpingSelector(selectors.DefaultSelector):
    now_s = 0.0

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "everybody waits for nothing"
        self.now_s += max(_TURN_S, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop. `names` is its DNS; numeric hosts need none."""

    def __init__(self) -> None:
        self._clock = _JumpingSelector()
        self.names: dict[str, list[str]] = {}
        self.accidents: list[Mapping[str, Any]] = []
        super().__init__(self._clock)
        self.set_exception_handler(lambda _, context: self.accidents.append(context))

    def time(self) -> float:
        """Return the virtual seconds since the start."""
        return self._clock.now_s

    async def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        *,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        """Look a name up in `names`; no thread, no network."""
        found: list[Any] = []
        for known in self.names.get(str(host), [str(host)]):
            found += socket.getaddrinfo(
                known, port, type=type, flags=socket.AI_NUMERICHOST
            )
        found = [entry for entry in found if family in (0, entry[0])]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return found


def run(scenario: Coroutine[Any, Any, None], *, give_up_s: float = _GIVE_UP_S) -> None:
    """Run a scenario in virtual time, at most an hour of it: always with one luck."""
    random.seed(1)

    async def limited() -> None:
        async with asyncio.timeout(give_up_s):
            await scenario

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(limited())
        loop = runner.get_loop()
    assert isinstance(loop, VirtualLoop)
    assert not loop.accidents, loop.accidents
