"""A call that the running listener makes, as who asked for it sees and steers it.

    placed = PlacedCall(state, session.report)
    async with placed.steered(): ...    keys of the screen become orders to the listener

Fits `view.board.Board`: the screen is here, the call and its sound are there.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from wzp_cli.adapters.disk.state import State
from wzp_cli.cli.control.asking import asked_running
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.program import PLACED_ORDERS_WAITING
from wzp_cli.errors import WzpError
from wzp_cli.events import Answered, Event, Held, Report, Warned
from wzp_cli.protocol.messages.control import (
    AskHangUp,
    AskHold,
    AskMute,
    AskTalk,
    CallSteered,
    Request,
)

__all__ = ["PlacedCall"]


class PlacedCall:
    """The call and its switches.

    Attributes:
        held: Whether we have put it on hold.
    """

    def __init__(self, state: State, report: Report) -> None:
        self.held = False
        self._state = state
        self._report = report
        self._answered = self._pressed = False
        self._orders: asyncio.Queue[Request] = asyncio.Queue(PLACED_ORDERS_WAITING)

    def report(self, event: Event) -> None:
        """Take what the listener tells, and tell it on."""
        match event:
            case Answered():
                self._answered = True
            case Held(by="local", held=held):
                self.held = held
        self._report(event)

    @asynccontextmanager
    async def steered(self) -> AsyncIterator[None]:
        """Give the orders, one after the other, while the block runs."""
        async with task_group() as group:
            ordering = group.create_task(self._order_all())
            try:
                yield
            finally:
                ordering.cancel()

    @property
    def line(self) -> Self:
        """The call."""
        return self

    @property
    def controls(self) -> Self | None:
        """The switches, once it was answered."""
        return self if self._answered else None

    def switch_mute(self, on: bool | None) -> None:
        """Mute, or no longer."""
        self._pressed = False
        self._order(AskMute(on=on))

    def talk(self, on: bool | None = True) -> None:
        """Press push-to-talk's key, or release it; a key that repeats is one press."""
        wanted = not self._pressed if on is None else on
        if wanted != self._pressed:
            self._pressed = wanted
            self._order(AskTalk(on=wanted))

    def hold(self, on: bool = True) -> None:
        """Put the call on hold, or resume it."""
        self._order(AskHold(on=on))

    def hang_up(self) -> None:
        """End it."""
        self._order(AskHangUp())

    def _order(self, order: Request) -> None:
        """Have an order given; of a flood of keys the last are left out."""
        if not self._orders.full():
            self._orders.put_nowait(order)

    async def _order_all(self) -> None:
        while True:
            order = await self._orders.get()
            try:
                await asked_running(self._state, order, CallSteered, lambda event: None)
            except WzpError as error:
                self._report(Warned(code=error.code, message=str(error)))
