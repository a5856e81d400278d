"""Who is let in at a mapping, and whether being kept out spoils it (RFC 5780 4.4).

A spare socket asks one address and is then written to from others, which it has never
written to: another port of the same host, and another host. It writes to those only
after that, which shows two things: that a packet from there does arrive once it is
expected, and whether the mapping toward them is now another one. The one socket itself
can't be used: what it has written to before (a relay, in this run or in the last one)
passes any filter.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from wzp_cli.address import Address
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.diagnosis import (
    FILTER_FAR_WAIT_S,
    FILTER_GRACE_S,
    FILTER_PROBES_S,
    FILTER_WAIT_S,
)
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.endpoint.stun import message as stun
from wzp_cli.protocol.nat import Reflection
from wzp_cli.protocol.nat.evidence import FilterEvidence
from wzp_cli.protocol.traversal.route import DirectRoute
from wzp_cli.services.diagnosis.survey import Survey, Visited

__all__ = ["RelayPort", "Trial", "arrives", "by_relays", "by_stun", "sees"]


class _Source(Protocol):
    """Somebody who sends us an unsolicited packet."""

    @property
    def address(self) -> Address:
        """From where."""
        ...

    def ask(self, transaction_id: bytes) -> None:
        """Have one sent, with this transaction id."""
        ...

    async def over(self, transaction_id: bytes, asked: int) -> bool:
        """Return when all that were asked for must be there; whether they were sent."""
        ...


@dataclass
class Trial:
    """One spare socket's trial; what is known of it at any time is evidence.

    Attributes:
        before: What the address says that was asked.
        let_in: By where packets came from: whether one arrived; None: not sure.
        after: What those addresses say that were written to afterwards.
    """

    before: Reflection | None = None
    let_in: dict[Address, bool | None] = field(default_factory=dict)
    after: list[Reflection] = field(default_factory=list)

    def evidence(self) -> FilterEvidence:
        """Return what is known by now."""
        if self.before is None:
            return FilterEvidence()
        near = self.before.server.host
        return FilterEvidence(
            other_port=self._at(lambda host: host == near),
            other_address=self._at(lambda host: host != near),
            before=self.before,
            after=tuple(r for r in self.after if self.let_in.get(r.server) is False),
        )

    def _at(self, fits: Callable[[str], bool]) -> bool | None:
        fitting = (came for at, came in self.let_in.items() if fits(at.host))
        return next(fitting, None)


async def by_relays(survey: Survey, trial: Trial, *, v6: bool) -> None:
    """Judge the filtering with the help of one relay, or two at different hosts.

    Each relay sends only to our own host, as it sees it, from a port of its own that a
    spare socket of ours has never written to.
    """
    endpoint = survey.endpoint
    near = await _first_relay(survey, v6=v6)
    if near is None:
        return
    spares = endpoint.open_spares(1)
    try:
        for spare in spares:
            trial.before = await endpoint.reflect(near, spare=spare)
            sources = await _relay_ports(survey, trial.before)
            await _try(endpoint, trial, spare, sources)
    except TimeoutError:
        pass
    finally:
        endpoint.close_spares(spares)


async def _first_relay(survey: Survey, *, v6: bool) -> Address | None:
    """Return the first relay that answers; its link will be up in two round trips."""

    def answered() -> list[Address]:
        return [
            each.reflection.server
            for each in survey.answers
            if each.kind == "relay"
            and each.reflection is not None
            and each.reflection.reflexive.is_v6 == v6
        ]

    await survey.until(lambda: answered() or survey.settled)
    return next(iter(answered()), None)


async def _relay_ports(survey: Survey, before: Reflection) -> "list[_Source]":
    """Return who can write to us: the relay that was asked, and one at another host.

    The other one is waited for no longer than twice as long as the first took.
    """

    def fitting(*, near: bool) -> list[Visited]:
        return [
            each
            for each in survey.visited
            if (each.address.host == before.server.host) == near
            and each.session.extra_ports
            and sees(each, before)
        ]

    await survey.until(lambda: fitting(near=True) or not survey.is_visiting)
    took_s = survey.endpoint.now() - survey.began
    with suppress(TimeoutError):
        async with asyncio.timeout(took_s + FILTER_FAR_WAIT_S):
            await survey.until(lambda: fitting(near=False) or not survey.is_visiting)
    visited = fitting(near=True)[:1] + fitting(near=False)[:1]
    return [RelayPort(survey, each, before) for each in visited]


def sees(relay: Visited, mapped: Reflection) -> bool:
    """Return whether a relay sees us at the host of the mapping: there it sends."""
    return relay.session.seen.host == mapped.reflexive.host


@dataclass
class RelayPort:
    """The first extra port of a relay, which writes to a mapping of ours."""

    survey: Survey
    relay: Visited
    mapped: Reflection

    @property
    def address(self) -> Address:
        """From where it writes."""
        host, port = self.relay.address.host, self.relay.session.extra_ports[0]
        return Address(host, port)

    def ask(self, transaction_id: bytes) -> None:
        """Have it write, with this transaction id."""
        self.relay.ask_probe(
            self.address.port, self.mapped.reflexive.port, transaction_id
        )

    async def over(self, transaction_id: bytes, asked: int) -> bool:
        """Return when all must be there; whether the relay says that they have left."""

        def sent() -> bool:
            return self.relay.probed.get(transaction_id.hex(), 0) >= asked

        try:
            async with asyncio.timeout(FILTER_WAIT_S):
                await self.survey.until(sent)
        except TimeoutError:  # the relay is lost, or has had enough of us
            return False
        await asyncio.sleep(self.mapped.rtt_s / 2 + FILTER_GRACE_S)
        return True


async def by_stun(endpoint: Endpoint, trial: Trial, seen: Reflection) -> None:
    """Judge the filtering with the help of a STUN server that has another address.

    Args:
        endpoint: Ours.
        trial: Takes what is found.
        seen: What that server has answered; it names the other address.
    """
    other = seen.other
    if other is None:
        return
    spares = endpoint.open_spares(1)
    try:
        for spare in spares:
            mapped = trial.before = await endpoint.reflect(seen.server, spare=spare)
            near = Address(seen.server.host, other.port)
            sources: list[_Source] = [
                _Changed(endpoint, spare, mapped, near, stun.Change.PORT)
            ]
            if other.host != seen.server.host:
                change = stun.Change.ADDRESS_AND_PORT
                sources.append(_Changed(endpoint, spare, mapped, other, change))
            await _try(endpoint, trial, spare, sources)
    except TimeoutError:
        pass
    finally:
        endpoint.close_spares(spares)


@dataclass
class _Changed:
    """A STUN server that answers from elsewhere than it was asked."""

    endpoint: Endpoint
    spare: int
    mapped: Reflection
    address: Address
    change: stun.Change

    def ask(self, transaction_id: bytes) -> None:
        request = stun.encode_request(transaction_id, change=self.change)
        self.endpoint.carry(request, DirectRoute(self.mapped.server, self.spare))

    async def over(self, transaction_id: bytes, asked: int) -> bool:
        await asyncio.sleep(1.5 * self.mapped.rtt_s + FILTER_GRACE_S)
        return True


async def _try(
    endpoint: Endpoint, trial: Trial, spare: int, sources: Sequence[_Source]
) -> None:
    """Let each of the sources write, then write to each of them."""

    async def try_one(source: _Source) -> None:
        arrived = await arrives(endpoint, spare, source)
        if arrived:
            trial.let_in[source.address] = True
            return
        try:
            after = await endpoint.reflect(source.address, spare=spare)
        except TimeoutError:
            return  # perhaps nothing ever comes from there
        trial.after.append(after)
        trial.let_in[source.address] = arrived

    async with task_group() as group:
        for source in sources:
            group.create_task(try_one(source))


async def arrives(endpoint: Endpoint, spare: int, source: _Source) -> bool | None:
    """Have packets sent until one is let in; None where it is not sure they left."""
    arrived, done = False, asyncio.Event()
    sent = False

    def take(message: stun.BindingMessage, route: DirectRoute) -> None:
        nonlocal arrived
        if route == DirectRoute(source.address, spare):
            arrived = True
            done.set()

    async def ask_all() -> None:
        nonlocal sent
        began = endpoint.now()
        for at_s in FILTER_PROBES_S:
            await asyncio.sleep(began + at_s - endpoint.now())
            source.ask(transaction_id)
        sent = await source.over(transaction_id, len(FILTER_PROBES_S))
        done.set()

    transaction_id = stun.new_transaction_id()
    with endpoint.expecting(transaction_id, take):
        async with task_group() as group:
            asking = group.create_task(ask_all())
            await done.wait()
            asking.cancel()
    return arrived or (False if sent else None)
