"""A running command as the user's other commands see it: told about, and measured.

    session, watch = watched(session, "listen")
    ...
    async with steered(watch, state, endpoint, switchboard): ...

Each other command on the same state directory can then ask it (`asking.py`).
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType

import msgspec

from wzp_cli import __version__
from wzp_cli.adapters.control_socket import open_control, transport
from wzp_cli.adapters.disk.state import State
from wzp_cli.adapters.port_mapping.keeper import ask_router
from wzp_cli.adapters.tcp_look import TcpLook
from wzp_cli.address import HostPort
from wzp_cli.cli.command import Session
from wzp_cli.cli.compose import find_interfaces
from wzp_cli.cli.nat.document import DetectedNat, detected
from wzp_cli.cli.output.document import timestamp
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.program import CONTROL_MAX_FOLLOWERS
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.errors import ControlBusy, RemoteProtocolError
from wzp_cli.events import Bound, Event, Hello, MappingAged, Report
from wzp_cli.ports import ControlChannel, RelayPins
from wzp_cli.protocol.messages.control import (
    AskAnswer,
    AskDetectNat,
    AskEvents,
    AskHangUp,
    AskHold,
    AskLifetime,
    AskMute,
    AskStatus,
    AskTalk,
    CallSteered,
)
from wzp_cli.protocol.traversal.standing import Standing, after
from wzp_cli.services.calls.switchboard import Line, LineState, Switchboard
from wzp_cli.services.control import Verbs, serve
from wzp_cli.services.detect_nat import DetectSettings, Server, detect_nat
from wzp_cli.services.diagnosis.lifetime import LifetimeSettings, measure_lifetime

__all__ = [
    "Watch",
    "lifetime_measured",
    "measured",
    "steered",
    "watched",
]


class Watch:
    """What a command is doing, by its own events.

    Attributes:
        standing: So far.
    """

    def __init__(self, command: str) -> None:
        self.standing = Standing(
            command=command,
            pid=os.getpid(),
            version=__version__,
            since=timestamp(datetime.now(UTC)),
        )
        self._followers: list[Report] = []
        self._call_since_s = 0.0

    def report(self, event: Event) -> None:
        """Take one event."""
        before = self.standing.call
        self.standing = after(self.standing, event, timestamp(datetime.now(UTC)))
        call = self.standing.call
        if call is not None and (before is None or before.since != call.since):
            self._call_since_s = time.monotonic()
        for follower in tuple(self._followers):
            follower(event)

    def told(self) -> Standing:
        """Return where things stand now, with how long the call has lasted."""
        if self.standing.call is None:
            return self.standing
        lasted_s = round(time.monotonic() - self._call_since_s, 1)
        call = msgspec.structs.replace(self.standing.call, lasted_s=lasted_s)
        return msgspec.structs.replace(self.standing, call=call)

    @contextmanager
    def followed(self, report: Report) -> Iterator[None]:
        """Tell `report` every event while the block runs.

        Raises:
            ControlBusy: Too many follow.
        """
        if len(self._followers) >= CONTROL_MAX_FOLLOWERS:
            raise ControlBusy("too many follow the events already")
        self._followers.append(report)
        try:
            yield
        finally:
            self._followers.remove(report)


def watched(session: Session, command: str) -> tuple[Session, Watch]:
    """Return a session whose events are also kept for who asks."""
    watch, report = Watch(command), session.report

    def both(event: Event) -> None:
        watch.report(event)
        report(event)

    return replace(session, report=both), watch


@asynccontextmanager
async def steered(
    watch: Watch,
    state: State,
    endpoint: Endpoint,
    switchboard: Switchboard | None = None,
    more: Verbs = MappingProxyType({}),
) -> AsyncIterator[bool]:
    """Answer the user's other commands while the block runs; yield whether we do.

    Where another process on this state directory does so already, it goes on to.
    `switchboard` has the call that orders are for; `more` is what it does besides.

    Raises:
        StateUnusable: The control socket can't be made.
    """
    board = switchboard or Switchboard()
    steering = _Steering(watch, state.known_relays, endpoint, board, more)
    async with open_control(transport(state.directory), steering.serve) as ours:
        yield ours


class _Steering:
    def __init__(
        self,
        watch: Watch,
        pins: RelayPins,
        endpoint: Endpoint,
        switchboard: Switchboard,
        more: Verbs,
    ) -> None:
        self._watch = watch
        self._pins = pins
        self._endpoint = endpoint
        self._switchboard = switchboard
        self._more = more
        self._measuring = asyncio.Lock()
        self._aging = asyncio.Lock()

    async def serve(self, channel: ControlChannel) -> None:
        verbs: Verbs = {
            AskStatus: self._status,
            AskDetectNat: self._detect_nat,
            AskEvents: self._events,
            AskLifetime: self._lifetime,
            AskAnswer: self._answer,
            AskHangUp: self._hang_up,
            AskMute: self._mute,
            AskHold: self._hold,
            AskTalk: self._talk,
            **self._more,
        }
        await serve(channel, verbs)

    async def _status(self, request: AskStatus, report: Report) -> Standing:
        return self._watch.told()

    async def _detect_nat(self, request: AskDetectNat, report: Report) -> DetectedNat:
        if self._measuring.locked():  # two at once would be each other's evidence
            raise ControlBusy
        async with self._measuring:
            hosts = [each.host for each in find_interfaces()]
            report(Bound(port=self._endpoint.local.port, addresses=hosts))
            found = await measured(self._endpoint, self._pins, request, report)
        return msgspec.structs.replace(found, through=self._watch.standing.command)

    async def _lifetime(self, request: AskLifetime, report: Report) -> MappingAged:
        """Measure silences; the sockets that are silent meanwhile disturb nobody."""
        if self._aging.locked():  # its probes would use up what a relay grants
            raise ControlBusy
        async with self._aging:
            return await lifetime_measured(self._endpoint, self._pins, request, report)

    async def _events(self, request: AskEvents, report: Report) -> None:
        now = self._watch.standing
        with self._watch.followed(report):
            report(Hello(id=now.id, version=now.version))
            await asyncio.Event().wait()

    # -- orders for the call under way

    async def _answer(self, request: AskAnswer, report: Report) -> CallSteered:
        return _steered(self._switchboard.answer(), "ringing")

    async def _hang_up(self, request: AskHangUp, report: Report) -> CallSteered:
        line = self._switchboard.line
        before: LineState = "talking" if line is None else line.state
        return _steered(self._switchboard.hang_up(), before)

    async def _mute(self, request: AskMute, report: Report) -> CallSteered:
        return _steered(self._switchboard.mute(request.on), "talking")

    async def _hold(self, request: AskHold, report: Report) -> CallSteered:
        return _steered(self._switchboard.hold(request.on), "talking")

    async def _talk(self, request: AskTalk, report: Report) -> CallSteered:
        return _steered(self._switchboard.talk(request.on), "talking")


def _steered(line: Line, state: LineState) -> CallSteered:
    controls = line.controls
    return CallSteered(
        peer=line.peer,
        name=line.name,
        state=state,
        muted=controls is not None and controls.muted,
        held=controls is not None and controls.held,
        push_to_talk=controls is not None and controls.pushes_to_talk,
    )


async def measured(
    endpoint: Endpoint, pins: RelayPins, request: AskDetectNat, report: Report
) -> DetectedNat:
    """Measure the NAT in front of `endpoint`.

    Raises:
        KeyChanged: A relay shows another key than the pinned one.
        RemoteProtocolError: A server's name is none.
    """
    servers = [Server(_parsed(each.name), each.kind) for each in request.servers]
    async with task_group() as group:
        asking = group.create_task(ask_router()) if request.portmap else None
        found = await detect_nat(
            endpoint,
            servers,
            pins,
            find_interfaces,
            report,
            DetectSettings(
                public_stun=tuple(map(_parsed, request.public_stun)),
                look=TcpLook.on_the_web() if request.public_stun else TcpLook(),
                relay_token=request.relay_token,
                preferred_relay=request.preferred_relay,
                timeout_s=request.timeout_s,
            ),
        )
        router = None if asking is None else await asking
    return detected(found, router)


async def lifetime_measured(
    endpoint: Endpoint, pins: RelayPins, request: AskLifetime, report: Report
) -> MappingAged:
    """Measure how long a mapping lasts.

    Raises:
        KeyChanged: A relay shows another key than the pinned one.
        RemoteProtocolError: A relay's name is none.
    """
    relays = [_parsed(each) for each in request.relays]
    settings = LifetimeSettings(request.silences_s, request.relay_token)
    return await measure_lifetime(endpoint, relays, pins, report, settings)


def _parsed(name: str) -> HostPort:
    try:
        return HostPort.parse_relay(name)
    except ValueError as error:
        raise RemoteProtocolError(str(error)) from error
