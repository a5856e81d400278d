"""The other relays of a fleet: who is found there, and who comes here from there.

Presence lives in the relay that has the link, and nowhere else; the others ask it. So
a relay that dies takes its clients' presence with it, and nothing has to be made agree.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

import msgspec

from wzp_cli.defaults.relay import FLEET_JOIN_S
from wzp_cli.errors import RemoteProtocolError, WzpError
from wzp_cli.ports import FleetBus
from wzp_cli.protocol.messages.fleet import (
    Found,
    Ticket,
    Wanted,
    decode_found,
    decode_wanted,
    subject,
)
from wzp_cli.protocol.names.identity import Identity
from wzp_cli.protocol.relay_facts import FleetFacts
from wzp_cli.relay.forwarding.channels import Channel, Reservation

__all__ = ["Fleet", "FleetCall"]

Answer = Callable[[Identity, Wanted], Found]
"""What this relay says when others ask it for somebody."""

_OUTCOMES = ("found", "nobody", "lost")


@dataclass(slots=True, eq=False)
class FleetCall:
    """A call whose devices come from other relays.

    Attributes:
        until_s: When whoever has not come is given up.
        reserved: The devices that the caller was told of, and their channels.
        joined: The devices that have come.
    """

    name: str
    secret: str
    caller: Hashable
    target: Identity
    until_s: float
    reserved: dict[str, Reservation] = field(default_factory=dict)
    joined: dict[str, Channel] = field(default_factory=dict)


class Fleet:
    """What one relay does with the others.

    Attributes:
        answer: Set by the relay before `keep` runs.
    """

    def __init__(
        self, bus: FleetBus, fleet: Identity, addresses: Sequence[str]
    ) -> None:
        """Take the bus, the fleet's key, and where other relays' clients meet us."""
        self.answer: Answer = lambda target, wanted: Found()
        self._bus = bus
        self._fleet = fleet
        self._addresses = tuple(addresses)
        self._calls: dict[str, FleetCall] = {}
        self._held: set[Identity] = set()
        self._findable: set[Identity] = set()
        self._wanted: dict[Identity, bool] = {}
        self._look = asyncio.Event()
        self._settled = asyncio.Event()  # of the latest changes
        self._settled.set()
        self._telling = self._settled  # of those that the bus is told now
        self._over = False
        self._asked = Counter(dict.fromkeys(_OUTCOMES, 0))
        self._answered = self._joined = self._refused = 0

    # -- who is here

    def findable(self, identity: Identity, is_findable: bool) -> None:
        """Let others find an identity here, or no longer."""
        if self._over or (identity in self._findable) == is_findable:
            return
        if is_findable:
            self._findable.add(identity)
        else:
            self._findable.discard(identity)
        self._wanted[identity] = is_findable
        if self._settled is self._telling:
            self._settled = asyncio.Event()
        self._look.set()

    async def settled(self) -> None:
        """Return when others find whom they shall find by now, or we have stopped.

        What changes meanwhile is not waited for: something always does.
        """
        await self._settled.wait()

    async def keep(self) -> None:
        """Tell the bus whom we hold, for ever, one change after the other."""
        try:
            while True:
                await self._look.wait()
                self._look.clear()
                self._telling, wanted = self._settled, self._wanted
                self._wanted = {}
                for identity, is_findable in wanted.items():
                    await self._hold(identity, is_findable)
                await self._bus.settle()
                self._telling.set()
        finally:
            self._over = True  # whoever still waits must not wait for ever
            self._telling.set()
            self._settled.set()

    async def _hold(self, identity: Identity, is_findable: bool) -> None:
        if is_findable == (identity in self._held):
            return
        name = subject(self._fleet, identity)
        if is_findable:
            self._held.add(identity)
            await self._bus.hold(name, lambda data: self._answer(identity, data))
        else:
            self._held.discard(identity)
            await self._bus.drop(name)

    async def _answer(self, target: Identity, data: bytes) -> bytes:
        try:
            found = self.answer(target, decode_wanted(data))
        except WzpError:
            found = Found()
        self._answered += 1
        return msgspec.json.encode(found)

    # -- calls to who is elsewhere

    def begin(
        self, caller: Hashable, caller_id: Identity, target: Identity, now: float
    ) -> tuple[FleetCall, Wanted]:
        """Open a call; return it, and what to ask the others."""
        call = FleetCall(
            os.urandom(8).hex(),
            os.urandom(32).hex(),
            caller,
            target,
            now + FLEET_JOIN_S,
        )
        self._calls[call.name] = call
        wanted = Wanted(
            call=call.name,
            secret=call.secret,
            caller=str(caller_id),
            addresses=self._addresses,
        )
        return call, wanted

    async def find(self, call: FleetCall, wanted: Wanted) -> list[str]:
        """Return the devices that were told to come.

        Raises:
            ConnectionLost: The others can't be asked, or are silent.
        """
        name = subject(self._fleet, call.target)
        outcome = "lost"
        try:
            answers = await self._bus.ask(name, msgspec.json.encode(wanted))
            devices = [each for answer in answers for each in _devices(answer)]
            outcome = "found" if devices else "nobody"
            return devices
        finally:
            self._asked[outcome] += 1

    def redeem(
        self, shown: str, who: Identity, now: float
    ) -> tuple[FleetCall, str] | None:
        """Return the call and the device that a ticket is for; None: it is not good."""
        ticket = Ticket.parse(shown)
        call = None if ticket is None else self._calls.get(ticket.call)
        if (
            ticket is None
            or call is None
            or now > call.until_s
            or who != call.target
            or ticket.device in call.joined
            or not ticket.is_genuine(call.secret)
        ):
            self._refused += 1
            return None
        self._joined += 1
        return call, ticket.device

    def overdue(self, now: float) -> list[FleetCall]:
        """Forget the calls whose time to join is over, and return them."""
        over = [call for call in self._calls.values() if now > call.until_s]
        for call in over:
            del self._calls[call.name]
        return over

    def facts(self) -> FleetFacts:
        """Return what there is to know now."""
        return FleetFacts(
            up=self._bus.up,
            held=len(self._held),
            asked=dict(self._asked),
            answered=self._answered,
            joined=self._joined,
            refused=self._refused,
        )


def _devices(answer: bytes) -> tuple[str, ...]:
    try:
        return decode_found(answer).devices
    except RemoteProtocolError:
        return ()
