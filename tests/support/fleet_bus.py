"""A bus between relays, in memory: what NATS does for them, and may do to them."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from wzp_cli.defaults.relay import FLEET_ANSWER_S
from wzp_cli.errors import ConnectionLost

__all__ = ["BusSeat", "Hub"]

AnswerQuestion = Callable[[bytes], Awaitable[bytes]]


@dataclass
class Hub:
    """Where all seats meet. `delay_s`: one way. `asked`: every subject and question."""

    delay_s: float = 0.001
    seats: list["BusSeat"] = field(default_factory=list)
    asked: list[tuple[str, bytes]] = field(default_factory=list)

    def seat(self) -> "BusSeat":
        """Return a place for one relay."""
        self.seats.append(BusSeat(self))
        return self.seats[-1]


@dataclass
class BusSeat:
    """One relay's place; fits `ports.FleetBus`. `silent`: it is asked in vain."""

    hub: Hub
    up: bool = True
    silent: bool = False
    held: dict[str, AnswerQuestion] = field(default_factory=dict)

    async def ask(self, subject: str, question: bytes) -> list[bytes]:
        """See the port."""
        if not self.up:
            raise ConnectionLost("cut off")
        self.hub.asked.append((subject, question))
        await asyncio.sleep(self.hub.delay_s)
        others = [
            seat
            for seat in self.hub.seats
            if seat is not self and seat.up and subject in seat.held
        ]
        answers = [
            await each.held[subject](question) for each in others if not each.silent
        ]
        await asyncio.sleep(self.hub.delay_s)
        if others and not answers:
            await asyncio.sleep(FLEET_ANSWER_S)
            raise ConnectionLost("silence")
        return answers

    async def hold(self, subject: str, answer: AnswerQuestion) -> None:
        """See the port."""
        self.held[subject] = answer

    async def drop(self, subject: str) -> None:
        """See the port."""
        self.held.pop(subject, None)

    async def settle(self) -> None:
        """See the port."""
        await asyncio.sleep(2 * self.hub.delay_s)
