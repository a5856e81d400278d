import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from tests.support.virtual_time import run
from wzp_cli import errors
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.program import CONTROL_MAX_EVENTS_WAITING, CONTROL_REQUEST_S
from wzp_cli.errors import (
    ConnectionLost,
    ControlBusy,
    ControlEnded,
    ControlError,
    ControlSilent,
    ControlUnknown,
    RemoteProtocolError,
    WzpError,
)
from wzp_cli.events import Event, Report, Warned
from wzp_cli.protocol.messages import control
from wzp_cli.services.control import Verbs, ask, serve


class Found(msgspec.Struct, frozen=True):
    number: int


class Pipe:
    """One end of a connection in memory; fits `ports.ControlChannel`."""

    def __init__(self) -> None:
        self.lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.other: Pipe = self
        self.gone = asyncio.Event()

    async def receive(self) -> bytes | None:
        return await self.lines.get()

    async def send(self, line: bytes) -> None:
        if self.gone.is_set():
            raise ConnectionLost
        self.other.lines.put_nowait(line.removesuffix(b"\n"))

    async def left(self) -> None:
        await self.gone.wait()

    def leave(self) -> None:
        """The other end sees that we have left."""
        self.other.gone.set()
        self.other.lines.put_nowait(None)


def ignore(event: Event) -> None:
    """Take an event, for nobody."""


def pipe() -> tuple[Pipe, Pipe]:
    here, there = Pipe(), Pipe()
    here.other, there.other = there, here
    return here, there


async def answered(
    verbs: Verbs, request: control.Request, told: list[Event] | None = None
) -> Found:
    here, there = pipe()
    report = ignore if told is None else told.append
    async with task_group() as group:
        serving = group.create_task(serve(there, verbs))
        try:
            return await ask(here, request, Found, report)
        finally:
            here.leave()
            await serving


def verb(work: Callable[[Report], Awaitable[Found]]) -> Verbs:
    async def status(request: control.AskStatus, report: Report) -> Found:
        return await work(report)

    return {control.AskStatus: status}


def test_events_come_in_order_and_then_the_result() -> None:
    said = [Warned(code=str(number), message="") for number in range(5)]

    async def work(report: Report) -> Found:
        for event in said:
            report(event)
            await asyncio.sleep(0)
        return Found(7)

    async def scenario() -> None:
        told: list[Event] = []
        assert await answered(verb(work), control.AskStatus(), told) == Found(7)
        assert told == said

    run(scenario())


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ControlBusy(), ControlBusy),
        (errors.KeyChanged("r:1 shows another key"), errors.KeyChanged),
    ],
)
def test_an_error_there_is_the_same_here(error: WzpError, kind: type[WzpError]) -> None:
    async def work(report: Report) -> Found:
        error.add_note("Try this.")
        raise error

    async def scenario() -> None:
        await answered(verb(work), control.AskStatus())

    with pytest.raises(kind) as met:
        run(scenario())
    assert str(met.value) == str(error)
    assert met.value.__notes__ == ["Try this."]


def test_a_request_that_is_not_known_is_answered() -> None:
    async def unsupported() -> None:
        with pytest.raises(ControlUnknown):
            await answered({}, control.AskStatus())

    run(unsupported())

    async def newer() -> None:
        here, there = pipe()
        there.lines.put_nowait(b'{"type":"sing"}')
        await serve(there, {})
        assert b'"code":"control_unknown"' in (await here.receive() or b"")

    run(newer())


@pytest.mark.parametrize("line", [b"", b"{}", b"status", b"\xff" * 9])
def test_a_request_that_is_none_is_answered(line: bytes) -> None:
    async def scenario() -> None:
        here, there = pipe()
        there.lines.put_nowait(line)
        await serve(there, {})
        assert b'"code":"remote_protocol"' in (await here.receive() or b"")

    run(scenario())


def test_who_says_nothing_is_left() -> None:
    async def scenario() -> None:
        _, there = pipe()
        began = asyncio.get_running_loop().time()
        await serve(there, {})
        assert asyncio.get_running_loop().time() - began >= CONTROL_REQUEST_S

    run(scenario())


def test_who_leaves_no_longer_wants_it() -> None:
    ended: list[str] = []

    async def work(report: Report) -> Found:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")
        raise AssertionError

    async def scenario() -> None:
        here, there = pipe()
        await here.send(control.encode_request(control.AskStatus()))
        async with task_group() as group:
            serving = group.create_task(serve(there, verb(work)))
            await asyncio.sleep(0.1)
            here.leave()
            await serving

    run(scenario())
    assert ended == ["cancelled"]


def test_work_never_waits_for_a_reader() -> None:
    done, reads = asyncio.Event(), asyncio.Event()
    said: list[bytes] = []

    class Stuck(Pipe):
        async def send(self, line: bytes) -> None:
            await reads.wait()
            said.append(line)

    async def work(report: Report) -> Found:
        for number in range(10_000):
            report(Warned(code=str(number), message=""))
        done.set()
        return Found(0)

    async def scenario() -> None:
        there = Stuck()
        there.lines.put_nowait(b'{"type":"status"}')
        async with task_group() as group:
            serving = group.create_task(serve(there, verb(work)))
            await done.wait()
            reads.set()
            for _ in range(20_000):
                await asyncio.sleep(0)
            serving.cancel()

    run(scenario())
    assert b'"9999"' in said[-2], "the newest event, before the result"
    assert len(said) <= CONTROL_MAX_EVENTS_WAITING + 2, "old ones are dropped"


@pytest.mark.parametrize(
    ("replies", "kind"),
    [
        ([], ControlSilent),
        ([None], ControlEnded),
        ([b'{"type":"event","event":{"event":"new"}}'], ControlSilent),
        ([b'{"type":"event","event":{"event":"new"}}', None], ControlEnded),
        ([b'{"type":"error","code":"newer","message":"no"}'], ControlError),
        ([b'{"type":"result","result":{"letter":1}}'], RemoteProtocolError),
        ([b"nonsense"], RemoteProtocolError),
    ],
)
def test_a_running_wzp_that_misbehaves(
    replies: list[bytes | None], kind: type[WzpError]
) -> None:
    async def scenario() -> None:
        here, _ = pipe()
        for reply in replies:
            here.lines.put_nowait(reply)
        await ask(here, control.AskStatus(), Found, ignore)

    with pytest.raises(kind):
        run(scenario())


def test_one_that_has_gone_meanwhile() -> None:
    async def scenario() -> None:
        here, there = pipe()
        there.leave()
        await ask(here, control.AskStatus(), Found, ignore)

    with pytest.raises(ControlSilent):
        run(scenario())


def test_replies_of_a_newer_version_are_passed_over() -> None:
    async def scenario() -> None:
        here, _ = pipe()
        here.lines.put_nowait(b'{"type":"applause"}')
        here.lines.put_nowait(b'{"type":"result","result":{"number":3,"more":1}}')
        assert await ask(here, control.AskStatus(), Found, ignore) == Found(3)

    run(scenario())
