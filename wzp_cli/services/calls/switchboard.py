"""The one call of a process, and the orders that reach it from outside.

    with switchboard.takes_in(peer, name) as line:      somebody calls
        answered = await line.decided()
    await switchboard.places(peer, call)                we call

    switchboard.answer()        .hang_up()        .mute(True)        .hold(None)

Who carries the call moves its line on; who steers it gives orders. An order that finds
nothing to do raises NoCall: there is a sentence for each.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from wzp_cli.concurrency import task_group
from wzp_cli.endpoint.links.link import Link
from wzp_cli.errors import CallUnderWay, CallWithdrawn, NoCall
from wzp_cli.protocol.names.identity import Identity
from wzp_cli.protocol.traversal.route import ChannelRoute
from wzp_cli.services.calls.call_controls import CallControls
from wzp_cli.services.calls.talk import CallOutcome

__all__ = ["Line", "LineState", "Switchboard"]

LineState = Literal["ringing", "calling", "answered", "talking"]
"""Somebody calls; we call; the answer was given, sound is opened; sound flows."""


class Line:
    """One call, from its first ring to its end.

    Attributes:
        peer, name: Who; before an answer from a bare address `peer` is that address.
        state: How far it has come.
    """

    def __init__(self, state: LineState, peer: str, name: str = "") -> None:
        self.peer, self.name = peer, name
        self.state: LineState = state
        self.controls: CallControls | None = None
        self._decision: asyncio.Future[bool] = (
            asyncio.get_running_loop().create_future()
        )
        self._withdraw: Callable[[], object] = lambda: None
        self._hung_up = False
        self._over = asyncio.Event()
        self._target: Identity | None = None
        self._crossing: asyncio.Queue[Link] = asyncio.Queue()

    # -- who carries the call

    async def decided(self) -> bool:
        """Return whether it is answered, once somebody has said so."""
        return await self._decision

    def decide(self, answered: bool) -> None:
        """Answer, or decline; the first word counts."""
        if not self._decision.done():
            self._decision.set_result(answered)
            if answered:
                self.state = "answered"

    def talks(self, controls: CallControls) -> None:
        """Sound flows, and has switches from now on."""
        self.controls, self.state = controls, "talking"
        if self._hung_up:
            controls.hang_up()

    def crosses(self, link: Link) -> bool:
        """Return whether the peer that we call has dialled this link to call us."""
        proven = self._target is not None and link.identity == self._target
        relayed = isinstance(link.routes[0], ChannelRoute)
        return self.state == "calling" and proven and relayed

    async def cross(self, link: Link) -> None:
        """Let our call have such a link; return when the call is over."""
        self._crossing.put_nowait(link)
        await self._over.wait()

    async def crossing(self) -> Link:
        """Return the next such link."""
        return await self._crossing.get()

    # -- who steers it

    def hang_up(self) -> None:
        """End it, whatever it does: decline, withdraw, or hang up."""
        self._hung_up = True
        match self.state:
            case "ringing":
                self.decide(False)
            case "calling":
                self._withdraw()
            case "talking" if self.controls is not None:
                self.controls.hang_up()

    # -- the switchboard

    def _calls(self, target: Identity | None, withdraw: Callable[[], object]) -> None:
        self._target, self._withdraw = target, withdraw

    def _ends(self) -> None:
        self._over.set()
        while not self._crossing.empty():
            self._crossing.get_nowait().refuse("not taking calls")


class Switchboard:
    """Where the call under way is found. There is one at a time."""

    def __init__(self) -> None:
        self._line: Line | None = None

    @property
    def line(self) -> Line | None:
        """The call under way."""
        return self._line

    @contextmanager
    def takes_in(self, peer: str, name: str) -> Iterator[Line]:
        """Have somebody's call rung, and more, while the block runs.

        Raises:
            CallUnderWay: There is one.
        """
        with self._under_way(Line("ringing", peer, name)) as line:
            yield line

    async def places(
        self,
        peer: str,
        target: Identity | None,
        call: Callable[[Line], Awaitable[CallOutcome]],
    ) -> CallOutcome:
        """Return what came of a call of our own; cancelling ends it.

        Args:
            peer: Whom we call, to be shown.
            target: Who that is, where it is known.
            call: Makes it; gives the line its switches.

        Raises:
            CallUnderWay: There is one.
            CallWithdrawn: It was hung up before anybody answered.
        """
        with self._under_way(Line("calling", peer)) as line:
            async with task_group() as group:
                calling = group.create_task(_awaited(call(line)))
                line._calls(target, calling.cancel)
                await asyncio.wait([calling])
            if calling.cancelled():
                raise CallWithdrawn
            return calling.result()

    @contextmanager
    def _under_way(self, line: Line) -> Iterator[Line]:
        if self._line is not None:
            raise CallUnderWay
        self._line = line
        try:
            yield line
        finally:
            self._line = None
            line._ends()

    # -- orders

    def answer(self) -> Line:
        """Answer what rings. Raises NoCall."""
        line = self._line
        if line is None or line.state != "ringing":
            raise NoCall("nobody is calling")
        line.decide(True)
        return line

    def hang_up(self) -> Line:
        """Hang up, withdraw or decline what is under way. Raises NoCall."""
        if self._line is None:
            raise NoCall("there is no call to hang up")
        self._line.hang_up()
        return self._line

    def mute(self, on: bool | None) -> Line:
        """Hold our voice back, or no longer; None: the other way. Raises NoCall."""
        line, controls = self._talking()
        controls.switch_mute(on)
        return line

    def talk(self, on: bool | None) -> Line:
        """Push to talk, or release; None: the other way. Raises NoCall."""
        line, controls = self._talking()
        controls.talk(on)
        return line

    def hold(self, on: bool | None) -> Line:
        """Put the call on hold, or resume it; None: the other way. Raises NoCall."""
        line, controls = self._talking()
        controls.hold(not controls.held if on is None else on)
        return line

    def _talking(self) -> tuple[Line, CallControls]:
        line = self._line
        if line is None or line.controls is None:
            raise NoCall("no call has been answered")
        return line, line.controls


async def _awaited(work: Awaitable[CallOutcome]) -> CallOutcome:
    return await work
