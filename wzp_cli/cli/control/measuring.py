"""Measuring once or again and again: through the wzp that runs, or by ourselves."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self, TypeVar

from msgspec import structs

from wzp_cli import __version__
from wzp_cli.adapters.disk.relay_lists import read_token
from wzp_cli.adapters.disk.state import State
from wzp_cli.cli.command import Session
from wzp_cli.cli.compose import endpoint_of
from wzp_cli.cli.control.asking import asked_running
from wzp_cli.cli.control.steering import lifetime_measured, measured
from wzp_cli.cli.nat.document import DetectedNat
from wzp_cli.cli.running.signals import on_signal
from wzp_cli.cli.settings import Settings
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.diagnosis import (
    DETECT_TIMEOUT_S,
    LIFETIME_PATIENCE_S,
    PUBLIC_STUN_SERVERS,
)
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.errors import (
    ControlSilent,
    ControlUnknown,
    RemoteProtocolError,
    UsageError,
)
from wzp_cli.events import (
    Bound,
    Event,
    Hello,
    MappingAged,
    Reflexive,
    Registered,
    Report,
    Warned,
)
from wzp_cli.protocol.messages.control import (
    AskDetectNat,
    AskLifetime,
    NamedServer,
    Request,
)

__all__ = ["Measuring", "measurement"]

T = TypeVar("T")


def measurement(
    settings: Settings, *, portmap: bool, public_stun: bool | None = None
) -> AskDetectNat:
    """Return what to measure.

    Args:
        settings: The command's, with its --relay and --stun.
        portmap: Ask the router, too.
        public_stun: --public-stun as it was said.

    Raises:
        UsageError: There is nobody to ask.
        EnvironmentFault: The file with the relays' token can't be read.
    """
    servers, public = _named_servers(settings), _public_servers(settings, public_stun)
    if not (servers or public):
        raise UsageError("nobody to ask; name a relay (--relay) or two (--stun)")
    token_file = settings.relay_token_file
    return AskDetectNat(
        servers=servers,
        timeout_s=settings.timeout_s or DETECT_TIMEOUT_S,
        portmap=portmap,
        relay_token="" if token_file is None else read_token(token_file),
        public_stun=public,
    )


def _named_servers(settings: Settings) -> list[NamedServer]:
    relays = [NamedServer(name=str(name), kind="relay") for name in settings.relays]
    servers = [NamedServer(name=str(name), kind="stun") for name in settings.stun or ()]
    return relays + servers


def _public_servers(settings: Settings, flag: bool | None) -> tuple[str, ...]:
    """Return whom to ask where too few answer: nobody, if that is not wanted."""
    wanted = settings.said.public_stun if flag is None else flag
    return () if wanted is False else PUBLIC_STUN_SERVERS


_NOBODY_HELPS = Warned(
    code="lifetime_unknown",
    message="how long a mapping lasts takes a relay with extra ports; none has helped",
)


def _once(report: Report) -> Report:
    """Return one that tells where the socket is, and who knows it, only as news."""
    told: dict[object, Event] = {}

    def tell(event: Event) -> None:
        about = _about(event)
        if about is None:
            report(event)
        elif told.get(about) != event:
            told[about] = event
            report(event)

    return tell


def _about(event: Event) -> object:
    match event:
        case Bound():
            return Bound
        case Reflexive():
            return Reflexive, event.via
        case Registered():
            return Registered, event.relay
    return None


def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()


class Measuring:
    """Measures the NAT as often as it is asked to; its socket stays the same one.

    Where a wzp runs on this state directory, its socket is measured: unless --port asks
    for another one, or it does not answer.
    """

    def __init__(self, session: Session, state: State, request: AskDetectNat) -> None:
        self._session = session
        self._report = _once(session.report)
        self._state = state
        before = state.preferred_relay
        self._request = structs.replace(request, preferred_relay=before)
        self._stack = AsyncExitStack()
        self._endpoint: Endpoint | None = None

    async def __aenter__(self) -> Self:
        identity = str(self._state.keypair.identity)
        self._report(Hello(id=identity, version=__version__))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def measure(self) -> DetectedNat:
        """Measure once.

        Raises:
            ControlBusy: The running wzp measures for somebody else.
            KeyChanged: A relay shows another key than the pinned one.
        """
        found = None
        if self._session.settings.port is None:
            patience_s = 2 * self._request.timeout_s
            found = await self._asked(self._request, DetectedNat, patience_s)
        found = found or await self._through_own()
        if found.preferred_relay not in (None, self._request.preferred_relay):
            self._state.preferred_relay = found.preferred_relay
        return found

    async def with_lifetime(
        self, found: DetectedNat, silences_s: Sequence[float]
    ) -> DetectedNat:
        """Return the document with how long a mapping lasts in silence.

        Ctrl-C, once, ends the waiting: what is known by then is told.

        Args:
            found: What was measured before.
            silences_s: Those to try, the shortest first.

        Raises:
            ControlBusy: The running wzp does so for somebody else.
            KeyChanged: A relay shows another key than the pinned one.
        """
        relays = [each.name for each in self._request.servers if each.kind == "relay"]
        if found.mapping == found.filtering == "none":
            return found  # nobody translates or filters: nobody forgets
        if not relays:
            self._report(_NOBODY_HELPS)
            return found
        request = AskLifetime(
            relays=relays,
            silences_s=list(silences_s),
            relay_token=self._request.relay_token,
        )
        known = await self._until_interrupted(request)
        if not (known.lived_s or known.lost_s):
            if known.next_s is None:  # not interrupted: nothing was tried
                self._report(_NOBODY_HELPS)
            return found
        return structs.replace(
            found, mapping_lifetime_s=known.lived_s, mapping_lost_s=known.lost_s
        )

    async def _until_interrupted(self, request: AskLifetime) -> MappingAged:
        known = MappingAged(lived_s=0, lost_s=None, next_s=None)

        def report(event: Event) -> None:
            nonlocal known
            if isinstance(event, MappingAged):
                known = event
            self._report(event)

        async with task_group() as group:
            aging = group.create_task(self._age(request, report))
            with on_signal("SIGINT", lambda: _cancel(aging), once=True):
                await asyncio.wait([aging])
        return known

    async def _age(self, request: AskLifetime, report: Report) -> None:
        found = None
        if self._session.settings.port is None:
            patience_s = max(request.silences_s) + LIFETIME_PATIENCE_S
            found = await self._asked(request, MappingAged, patience_s, report)
        if found is None:
            endpoint, pins = await self._own_endpoint(), self._state.known_relays
            await lifetime_measured(endpoint, pins, request, report)

    async def _asked(
        self,
        request: Request,
        kind: type[T],
        patience_s: float,
        report: Report | None = None,
    ) -> T | None:
        """Return what the running wzp finds; None where it can't, or none runs."""
        report = report or self._report
        try:
            return await asked_running(
                *(self._state, request, kind, report), patience_s=patience_s
            )
        except (ControlSilent, ControlUnknown, RemoteProtocolError) as error:
            why = "the wzp that runs on this state directory can't measure"
            message = f"{why}: {error}" if str(error) else why
            self._report(Warned(code=error.code, message=message))
            return None

    async def _through_own(self) -> DetectedNat:
        report, pins = self._report, self._state.known_relays
        endpoint = await self._own_endpoint()
        return await measured(endpoint, pins, self._request, report)

    async def _own_endpoint(self) -> Endpoint:
        if self._endpoint is None:
            opening = endpoint_of(self._session, self._state)
            self._endpoint = await self._stack.enter_async_context(opening)
        return self._endpoint
