"""How long a mapping lasts in silence (RFC 4787 section 4.3).

Several spare sockets ask an extra port of a relay, all at once, and fall silent: each
for longer than the one before. Then that same port writes to each, which it may as long
as the mapping stands. The relay asks, not we: our own packet would make a new mapping,
and nothing would be learnt. No socket is used twice, since what came in may have made
its mapping younger.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from wzp_cli.address import Address, HostPort
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.diagnosis import LIFETIME_SILENCES_S, LIFETIME_STREAM_S
from wzp_cli.defaults.relay import KEEPALIVE_ANSWER_S, KEEPALIVE_MIN_S
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.events import Event, MappingAged, Report
from wzp_cli.ports import RelayPins
from wzp_cli.protocol.reach import is_public
from wzp_cli.services.diagnosis.filtering import RelayPort, arrives, sees
from wzp_cli.services.diagnosis.survey import Server, Survey, Visited

__all__ = ["LifetimeSettings", "measure_lifetime"]


@dataclass(frozen=True, slots=True)
class LifetimeSettings:
    """What to try.

    Attributes:
        silences_s: How long to be silent, the shortest first.
        relay_token: What the relays want to see of their clients ("" nothing).
    """

    silences_s: Sequence[float] = LIFETIME_SILENCES_S
    relay_token: str = ""


async def measure_lifetime(
    endpoint: Endpoint,
    relays: Sequence[HostPort],
    pins: RelayPins,
    report: Report,
    settings: LifetimeSettings | None = None,
) -> MappingAged:
    """Find the longest silence that a mapping outlives, and the next one.

    Takes as long as the first silence that it does not outlive, or the longest of all.

    Args:
        endpoint: Where the spare sockets come from.
        relays: The first that answers over IPv4 helps.
        pins: Keys of relays met before.
        report: Told after each silence what is known by then.
        settings: What to try.

    Returns:
        What is known at the end: nothing where no relay could help.

    Raises:
        KeyChanged: A relay shows another key than the pinned one.
    """
    settings = settings or LifetimeSettings()
    survey = Survey(endpoint, pins, _tell_nobody, settings.relay_token)
    try:
        async with task_group() as group:
            beside = [
                group.create_task(work)
                for work in (survey.read(), _visit(survey, relays), _keep(survey))
            ]
            found = await _measure(survey, settings.silences_s, report)
            for each in beside:
                each.cancel()
    finally:
        await survey.close()
    return found


def _tell_nobody(event: Event) -> None:
    """Pass over what the visit tells: the diagnosis before this one has told it."""


async def _visit(survey: Survey, relays: Sequence[HostPort]) -> None:
    await survey.ask([Server(relay, "relay") for relay in relays])
    survey.settled = True
    survey.tell()


async def _keep(survey: Survey) -> None:
    """Keep the links for ever; they are the one socket's, whose mapping is another."""
    while True:
        await asyncio.sleep(KEEPALIVE_MIN_S)
        for each in survey.visited:
            await each.session.link.ping(KEEPALIVE_ANSWER_S)


async def _measure(
    survey: Survey, silences_s: Sequence[float], report: Report
) -> MappingAged:
    relay = await _helper(survey)
    if relay is None:
        return MappingAged(lived_s=0, lost_s=None, next_s=None)
    spares = survey.endpoint.open_spares(len(silences_s))
    try:
        async with task_group() as group:
            trials = [
                (
                    silence_s,
                    group.create_task(_outlives(survey, relay, spare, silence_s)),
                )
                for spare, silence_s in zip(spares, silences_s, strict=False)
            ]
            found = await _judge(trials, report)
            for _, trial in trials:
                trial.cancel()
    finally:
        survey.endpoint.close_spares(spares)
    return found


async def _helper(survey: Survey) -> Visited | None:
    """Return a relay that writes to us from a port of its own, a public one if any."""

    def able() -> list[Visited]:
        return [
            each
            for each in survey.visited
            if each.session.extra_ports and not each.address.is_v6
        ]

    def outside() -> list[Visited]:
        return [each for each in able() if is_public(each.address.host)]

    await survey.until(lambda: outside() or not survey.is_visiting)
    return next(iter(outside() or able()), None)


async def _judge(
    trials: Sequence[tuple[float, "asyncio.Task[bool | None]"]], report: Report
) -> MappingAged:
    """Wait for one trial after the other, as long as the mapping outlives them."""
    silences_s: list[float | None] = [silence_s for silence_s, _ in trials]
    found = MappingAged(lived_s=0, lost_s=None, next_s=next(iter(silences_s), None))
    report(found)
    for (silence_s, trial), next_s in zip(trials, [*silences_s[1:], None], strict=True):
        lives = await trial
        if lives is None:  # the relay is lost, or never came through
            break
        if lives:
            found = MappingAged(lived_s=silence_s, lost_s=None, next_s=next_s)
        else:
            found = MappingAged(lived_s=found.lived_s, lost_s=silence_s, next_s=None)
        report(found)
        if not lives:
            break
    return found


async def _outlives(
    survey: Survey, relay: Visited, spare: int, silence_s: float
) -> bool | None:
    """Whether a mapping outlives a silence; None: not sure.

    The relay is asked a second time later, since NATs that are made of conntrack know a
    stream, which lives longer, by traffic in both directions over some seconds.
    """
    endpoint = survey.endpoint
    at = Address(relay.address.host, relay.session.extra_ports[0])
    try:
        await endpoint.reflect(at, spare=spare)
        await asyncio.sleep(LIFETIME_STREAM_S)
        mapped = await endpoint.reflect(at, spare=spare)
        if not sees(relay, mapped):
            return None
        await asyncio.sleep(silence_s)
        lives = await arrives(endpoint, spare, RelayPort(survey, relay, mapped))
        if lives is False:  # does anything come from there, once it is asked for?
            await endpoint.reflect(at, spare=spare)
    except TimeoutError:
        return None
    return lives
