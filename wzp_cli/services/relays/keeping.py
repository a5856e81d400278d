"""What goes on beside a link to a relay: is it alive still, is there a better one?"""

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass, field

from wzp_cli.concurrency import task_group
from wzp_cli.defaults.endpoint import UDP_AGAIN_MAX_S, UDP_AGAIN_MIN_S
from wzp_cli.defaults.relay import (
    CALL_KEEPALIVE_ANSWER_S,
    KEEPALIVE_ANSWER_S,
    KEEPALIVE_MAX_S,
    KEEPALIVE_MIN_S,
    RELAY_BACKOFF_FIRST_S,
    RELAY_BACKOFF_MAX_S,
)
from wzp_cli.errors import NetworkError, WzpError
from wzp_cli.events import Report, Warned
from wzp_cli.services.relays.channels import RelayChannels
from wzp_cli.services.relays.requests import RelayRequests
from wzp_cli.services.relays.session import RelaySession, RelayVisit

__all__ = ["Keeping", "find_again"]


async def find_again(
    visit: RelayVisit, delay_s: float, report: Report
) -> tuple[RelaySession, float]:
    """Come back, after `delay_s` at most; return the longest pause next time."""
    while True:
        # Full jitter: a relay that restarts is not met by all clients at once.
        await asyncio.sleep(random.uniform(0.0, delay_s))
        delay_s = min(max(2 * delay_s, RELAY_BACKOFF_FIRST_S), RELAY_BACKOFF_MAX_S)
        try:
            return await visit.open(), delay_s
        except NetworkError:
            continue
        except WzpError as error:
            report(Warned(code=error.code, message=str(error)))
            delay_s = RELAY_BACKOFF_MAX_S


@dataclass(eq=False)
class Keeping:
    """One link to a relay, kept alive, and ended for another one that is better.

    Attributes:
        visit: How that other one is opened.
        session: The link.
        channels: What keeps it open: calls go through it.
        requests: And so do answers that are awaited.
        nudged: Set by whoever wants to know at once whether the relay is there.
        report: Takes Warned.
        better: What the link was ended for while all was well: by UDP.
        anew: What it was ended for as the relay was silent, or about to stop.
    """

    visit: RelayVisit
    session: RelaySession
    channels: RelayChannels
    requests: RelayRequests
    nudged: asyncio.Event
    report: Report
    better: RelaySession | None = None
    anew: RelaySession | None = None
    _drains: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Keep it until it ends; cancelled when it has."""
        async with task_group() as group:
            group.create_task(self._keep_alive())
            group.create_task(self._move())
            if self.session.address.is_tcp:
                group.create_task(self._return_to_udp())

    def drain(self) -> None:
        """Look for another relay of its name: this one is about to stop."""
        self._drains.set()

    async def _keep_alive(self) -> None:
        while not self.session.link.ended:
            with suppress(TimeoutError):
                async with asyncio.timeout(
                    random.uniform(KEEPALIVE_MIN_S, KEEPALIVE_MAX_S)
                ):
                    await self.nudged.wait()
            self.nudged.clear()
            in_call = bool(self.channels.in_use)
            answer_s = CALL_KEEPALIVE_ANSWER_S if in_call else KEEPALIVE_ANSWER_S
            if await self.session.link.ping(answer_s):
                continue
            if self.channels.in_use:
                await self._find_beside()
            else:
                self.session.link.abort("the relay is silent")

    async def _find_beside(self) -> None:
        """The relay is silent in a call: wait for it, and see if it has begun anew.

        The link's channels would be lost with it, so it ends only if it is still silent
        when the relay has welcomed us on another one.
        """
        link = self.session.link
        async with task_group() as group:
            finding = group.create_task(self._replace())
            while not await link.ping(KEEPALIVE_ANSWER_S) and not link.ended:
                pass
            finding.cancel()

    async def _replace(self) -> None:
        session, _ = await find_again(self.visit, 0.0, self.report)
        try:
            answered = await self.session.link.ping(CALL_KEEPALIVE_ANSWER_S)
        except BaseException:
            session.end()
            raise
        if answered:
            session.end()
        else:
            self.anew = session
            self.session.link.abort("the relay began anew")

    async def _move(self) -> None:
        """Once the relay is about to stop: go to another one of its name, if any.

        The relay that stops sends us away. Calls ask for another channel there.
        """
        await self._drains.wait()
        self.anew, _ = await find_again(self.visit, RELAY_BACKOFF_FIRST_S, self.report)
        self.session.link.abort("the relay stops")

    async def _return_to_udp(self) -> None:
        """Come to the relay by UDP as soon as that gets through, and leave TCP.

        A call under way keeps the link: its channels are bound to it.
        """
        while True:
            await asyncio.sleep(random.uniform(UDP_AGAIN_MIN_S, UDP_AGAIN_MAX_S))
            if self._is_busy:
                continue
            try:
                better = await self.visit.open_by_udp()
            except WzpError:
                continue
            if self._is_busy:
                better.end()
                continue
            self.better = better
            self.session.link.abort("by UDP from now on")

    @property
    def _is_busy(self) -> bool:
        return bool(self.channels.in_use or len(self.requests))
