"""A running command as the user's other commands see it: told about, and measured.

    session, watch = watched(session, "listen")
    ...
    async with steered(watch, session, state, endpoint): ...

Each other command on the same state directory can then ask it (`asked_running`).
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from wzp_cli import __version__
from wzp_cli.adapters.control_socket import connect_control, open_control, transport
from wzp_cli.adapters.port_mapping.keeper import ask_router
from wzp_cli.adapters.state import State
from wzp_cli.adapters.tcp_look import TcpLook
from wzp_cli.address import HostPort
from wzp_cli.cli.command import Session
from wzp_cli.cli.compose import find_interfaces
from wzp_cli.cli.nat.document import DetectedNat, detected
from wzp_cli.cli.output.document import timestamp
from wzp_cli.concurrency import task_group
from wzp_cli.defaults import CONTROL_REPLY_S
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.errors import ControlBusy, RemoteProtocolError
from wzp_cli.events import Bound, Event, Report
from wzp_cli.ports import ControlChannel, RelayPins
from wzp_cli.protocol.control_messages import AskDetectNat, AskStatus, Request
from wzp_cli.protocol.standing import Standing, after
from wzp_cli.services.control import Verbs, ask, serve
from wzp_cli.services.detect_nat import DetectSettings, Server, detect_nat

__all__ = ["Watch", "asked_running", "measured", "steered", "watched"]

T = TypeVar("T")


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

    def report(self, event: Event) -> None:
        """Take one event."""
        self.standing = after(self.standing, event)


def watched(session: Session, command: str) -> tuple[Session, Watch]:
    """Return a session whose events are also kept for who asks."""
    watch, report = Watch(command), session.report

    def both(event: Event) -> None:
        watch.report(event)
        report(event)

    return replace(session, report=both), watch


@asynccontextmanager
async def steered(
    watch: Watch, state: State, endpoint: Endpoint
) -> AsyncIterator[None]:
    """Answer the user's other commands while the block runs.

    Where another process on this state directory does so already, it goes on to.

    Raises:
        StateUnusable: The control socket can't be made.
    """
    steering = _Steering(watch, state.known_relays, endpoint)
    async with open_control(transport(state.directory), steering.serve):
        yield


class _Steering:
    def __init__(self, watch: Watch, pins: RelayPins, endpoint: Endpoint) -> None:
        self._watch = watch
        self._pins = pins
        self._endpoint = endpoint
        self._measuring = asyncio.Lock()

    async def serve(self, channel: ControlChannel) -> None:
        verbs: Verbs = {AskStatus: self._status, AskDetectNat: self._detect_nat}
        await serve(channel, verbs)

    async def _status(self, request: AskStatus, report: Report) -> Standing:
        return self._watch.standing

    async def _detect_nat(self, request: AskDetectNat, report: Report) -> DetectedNat:
        if self._measuring.locked():  # two at once would be each other's evidence
            raise ControlBusy
        async with self._measuring:
            hosts = [each.host for each in find_interfaces()]
            report(Bound(port=self._endpoint.local.port, addresses=hosts))
            found = await measured(self._endpoint, self._pins, request, report)
        return msgspec.structs.replace(found, through=self._watch.standing.command)


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


def _parsed(name: str) -> HostPort:
    try:
        return HostPort.parse(name)
    except ValueError as error:
        raise RemoteProtocolError(str(error)) from error


async def asked_running(
    state: State,
    request: Request,
    kind: type[T],
    report: Report,
    *,
    patience_s: float = CONTROL_REPLY_S,
) -> T | None:
    """Return what the wzp that runs on this state directory finds.

    Args:
        state: Ours.
        request: What to do.
        kind: Of what it finds.
        report: Takes its events.
        patience_s: How long it may be silent once it has begun.

    Returns:
        None where none runs.

    Raises:
        ControlSilent, ControlUnknown, ControlBusy: It runs, but does not do it.
        WzpError: What went wrong there.
    """
    async with connect_control(transport(state.directory)) as channel:
        if channel is None:
            return None
        return await ask(channel, request, kind, report, patience_s=patience_s)
