"""What a running wzp does for the user's other commands, and how those ask it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from wzp_cli import errors
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.program import (
    CONTROL_MAX_EVENTS_WAITING,
    CONTROL_REPLY_S,
    CONTROL_REQUEST_S,
)
from wzp_cli.errors import (
    ConnectionLost,
    ControlEnded,
    ControlSilent,
    ControlUnknown,
    WzpError,
)
from wzp_cli.events import Event, Report
from wzp_cli.ports import ControlChannel
from wzp_cli.protocol.messages import control

__all__ = ["Verb", "Verbs", "ask", "serve"]

Verb = Callable[[Any, Report], Awaitable[Any]]
"""Does what a request asks, reports what happens, returns what was found."""

Verbs = Mapping[type[Any], Verb]
T = TypeVar("T")


# --- The running process --------------------------------------------------------


async def serve(channel: ControlChannel, verbs: Verbs) -> None:
    """Answer one request, unless its asker leaves first.

    Raises:
        ConnectionLost: Nobody takes the answer.
        RemoteProtocolError: What came is no line.
    """
    try:
        async with asyncio.timeout(CONTROL_REQUEST_S):
            line = await channel.receive()
    except TimeoutError:
        return
    if line is None:
        return
    async with task_group() as group:
        tasks = [
            group.create_task(_answer(channel, line, verbs)),
            group.create_task(channel.left()),
        ]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()


async def _answer(channel: ControlChannel, line: bytes, verbs: Verbs) -> None:
    try:
        request = control.decode_request(line)
        verb = verbs.get(type(request))
        if verb is None:
            raise ControlUnknown
        found = await _told_beside(channel, verb, request)
    except ConnectionLost:
        raise
    except WzpError as error:
        await channel.send(control.encode_reply(_refusal(error)))
    else:
        await channel.send(control.encode_reply(control.result_of(found)))


async def _told_beside(channel: ControlChannel, verb: Verb, request: Any) -> Any:
    """Do the work; its events are sent beside it, which never waits for their reader.

    A full queue drops its oldest event: old news is worth least.
    """
    waiting: asyncio.Queue[Event | None] = asyncio.Queue(CONTROL_MAX_EVENTS_WAITING)

    def report(event: Event | None) -> None:
        if waiting.full():
            waiting.get_nowait()
        waiting.put_nowait(event)

    async def tell() -> None:
        while (event := await waiting.get()) is not None:
            await channel.send(control.encode_reply(control.told(event)))

    async with task_group() as group:
        group.create_task(tell())
        try:
            return await verb(request, report)
        finally:
            report(None)


def _refusal(error: WzpError) -> control.Refusal:
    return control.Refusal(
        code=error.code,
        message=str(error),
        hint=" ".join(getattr(error, "__notes__", ())) or None,
        exit=error.exit_code,
    )


# --- Who asks it ----------------------------------------------------------------


async def ask(
    channel: ControlChannel,
    request: control.Request,
    kind: type[T],
    report: Report,
    *,
    patience_s: float | None = CONTROL_REPLY_S,
) -> T:
    """Return what the running wzp finds, and report what it tells meanwhile.

    Args:
        channel: To it.
        request: What to do.
        kind: Of what it finds.
        report: Takes its events.
        patience_s: How long it may be silent after its first reply; None: for ever.

    Raises:
        ControlSilent: It does not answer.
        ControlEnded: It left in between.
        ControlUnknown, ControlBusy: It can't do that, or not now.
        RemoteProtocolError: It answers what this version does not understand.
        WzpError: What went wrong there.
    """
    try:
        await channel.send(control.encode_request(request))
    except ConnectionLost as error:
        raise ControlSilent from error
    line = await _next(channel, CONTROL_REPLY_S)
    while True:
        match control.decode_reply(line):
            case control.Told() as told:
                event = control.decode_event(told)
                if event is not None:
                    report(event)
            case control.Result() as result:
                return control.read_result(result, kind)
            case control.Refusal() as refusal:
                raise _error(refusal)
        line = await _next(channel, patience_s)


async def _next(channel: ControlChannel, patience_s: float | None) -> bytes:
    try:
        async with asyncio.timeout(patience_s):
            line = await channel.receive()
    except TimeoutError as error:
        raise ControlSilent from error
    if line is None:
        raise ControlEnded
    return line


def _error(refusal: control.Refusal) -> WzpError:
    """Return the error that was met there, as the same kind here."""
    kinds = [getattr(errors, name) for name in errors.__all__]
    kind: type[WzpError] = next(
        (kind for kind in kinds if kind.code == refusal.code), errors.ControlError
    )
    error = kind(refusal.message) if refusal.message else kind()
    if refusal.hint:
        error.add_note(refusal.hint)
    return error
