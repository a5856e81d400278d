"""Calls of our own: made here, or through the `listen` on this state directory.

Through it, so that address and port stay the one: `placed_through_running` asks, a
`CallPlacer` is what the listener does then. The sound is the listener's, but for what
the caller said.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from msgspec import structs

from wzp_cli import __version__
from wzp_cli.adapters.control_socket import LineChannel, connect_control, transport
from wzp_cli.adapters.disk.state import State
from wzp_cli.adapters.sound import open_codec
from wzp_cli.address import HostPort
from wzp_cli.cli import compose
from wzp_cli.cli.command import Session
from wzp_cli.cli.control.asking import asked_running
from wzp_cli.cli.control.pinging import Pinger
from wzp_cli.cli.options import SoundFlags
from wzp_cli.cli.peers import Peer, find_other, met, named_relay
from wzp_cli.cli.settings import ring_timeout_s
from wzp_cli.cli.sound import SoundWords, keep_open, recorder, ring_back
from wzp_cli.cli.view.levels import Levels
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.program import CONTROL_REPLY_S, SCREEN_TICK_S
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.errors import (
    CallUnderWay,
    CallWithdrawn,
    ControlEnded,
    ControlSilent,
    ControlUnknown,
    PeerError,
    WzpError,
)
from wzp_cli.events import (
    Bound,
    Calling,
    Ended,
    Event,
    Hangup,
    Hello,
    Loudness,
    Report,
    Warned,
)
from wzp_cli.ports import OpenSound, PortMapping
from wzp_cli.protocol.messages.control import (
    AskCall,
    AskHangUp,
    AskPing,
    CallSteered,
    HowItSounds,
)
from wzp_cli.services.calls.call import CallSettings, call_address, call_identity
from wzp_cli.services.calls.switchboard import Line, Switchboard
from wzp_cli.services.calls.talk import CallOutcome
from wzp_cli.services.control import ask
from wzp_cli.services.relays.registration import Registration

__all__ = [
    "CallPlacer",
    "call_request",
    "make_call",
    "placed_through_running",
    "running",
]


async def make_call(
    session: Session,
    endpoint: Endpoint,
    target: Peer,
    way: compose.Way,
    settings: CallSettings,
    sound: OpenSound,
) -> CallOutcome:
    """Call along the way that was found. Raises as `services.call` does."""
    find, report = compose.find_interfaces, session.report
    if isinstance(way, list):
        identity = target.identity
        return await call_address(
            endpoint, way, identity, settings, sound, open_codec, find, report
        )
    identity, registration = way
    return await call_identity(
        endpoint, registration, identity, settings, sound, open_codec, find, report
    )


# --- Who asks -------------------------------------------------------------------


def call_request(
    session: Session,
    peer: str,
    relay: Sequence[HostPort] | None,
    sound: SoundFlags,
    record: str | None,
) -> AskCall | None:
    """Return what to ask a running listener; None: it takes a process of its own.

    That is so where the caller's own standard input or output is the sound, or where
    another port is wanted.
    """
    said = session.settings.said
    both = {
        name: getattr(said, name) if value is None else value
        for name, value in asdict(sound).items()
    }
    if "-" in (both["source"], both["sink"]) or session.settings.port is not None:
        return None
    for name in ("source", "sink"):
        both[name] = _absolute(both[name])
    return AskCall(
        peer=peer,
        relay=tuple(map(str, relay or ())),
        sound=HowItSounds(**both),
        record=None if record is None else str(Path(record).absolute()),
    )


def _absolute(word: str | None) -> str | None:
    """Return `file:PATH` as it is named from everywhere."""
    if word is None or not word.startswith("file:"):
        return word
    return f"file:{Path(word.removeprefix('file:')).absolute()}"


@asynccontextmanager
async def running(state: State) -> AsyncIterator[LineChannel | None]:
    """Connect to the listener on this state directory; None where none runs."""
    async with connect_control(transport(state.directory)) as channel:
        yield channel


async def placed_through_running(
    session: Session, state: State, channel: LineChannel, request: AskCall
) -> Ended | None:
    """Have the running listener call, and tell what happens; cancelling hangs up.

    Returns:
        What the call was; None where the listener can't call for others.

    Raises:
        CallUnderWay: It is in a call.
        WzpError: Why there was no call, or how it broke off.
    """

    async def follow() -> Ended | WzpError:
        try:
            return await ask(channel, request, Ended, session.report, patience_s=None)
        except WzpError as error:
            return error

    session.report(Hello(id=str(state.keypair.identity), version=__version__))
    async with task_group() as group:
        following = group.create_task(follow())
        try:
            await asyncio.wait([following])
        except asyncio.CancelledError:
            await _hang_up(state, following)
            raise
    found = following.result()
    if isinstance(found, ControlUnknown | ControlSilent) and not isinstance(
        found, ControlEnded
    ):
        why = "the wzp that runs on this state directory can't call for us"
        session.report(Warned(code=found.code, message=why))
        return None
    if isinstance(found, WzpError):
        raise found
    return found


async def _hang_up(state: State, following: "asyncio.Task[Ended | WzpError]") -> None:
    """Have the call hung up, and hear how it ended."""
    with suppress(WzpError):
        await asked_running(state, AskHangUp(), CallSteered, lambda event: None)
    await asyncio.wait([following], timeout=CONTROL_REPLY_S)


# --- The listener ---------------------------------------------------------------


@dataclass
class CallPlacer:
    """Makes the calls that other commands ask a listener for.

    Attributes:
        sound: The listener's own flags.
        ring: Its --ring.
        registration, mapping: What the listener has, once it has.
    """

    session: Session
    state: State
    endpoint: Endpoint
    switchboard: Switchboard
    sound: SoundFlags
    ring: bool | None = None
    registration: Registration | None = None
    mapping: PortMapping | None = None

    async def place(self, request: AskCall, report: Report) -> Ended:
        """Make one call; tell of it, here and to who asked.

        Raises:
            UsageError: The request names no peer, relay or sound.
            CallUnderWay: There is a call already.
            WzpError: As `make_call`; CallWithdrawn, ConnectionLost.
        """
        hung_up = False

        def both(event: Event) -> None:
            nonlocal hung_up
            hung_up = hung_up or isinstance(event, Hangup)
            self.session.report(event)
            report(event)

        hosts = [each.host for each in compose.find_interfaces()]
        report(Bound(port=self.endpoint.local.port, addresses=hosts))
        session = replace(self.session, report=both)
        target = await met(find_other(request.peer, self.state), self.state)
        shown = request.peer if target.identity is None else str(target.identity)
        began = False

        async def make(line: Line) -> CallOutcome:
            nonlocal began
            began = True
            both(Calling(peer=shown))
            return await self._make(session, target, request, line, report)

        try:
            outcome = await self.switchboard.places(shown, target.identity, make)
        except BaseException as error:
            if began and not hung_up:  # who asked is told by the error itself
                self.session.report(_unanswered(error))
            raise
        compose.connection_kept(outcome)
        return compose.ended(outcome)

    async def ping(self, request: AskPing, report: Report) -> Ended:
        """Ping whom another command names, beside a call with somebody else.

        Not with them: a relay keeps one channel for two links, which is the call's.

        Raises:
            CallUnderWay: It is with them.
            WzpError: As `Pinger.ping`.
        """
        target = await met(find_other(request.peer, self.state), self.state)
        line = self.switchboard.line
        if line is not None and line.peer == str(target.identity):
            raise CallUnderWay("a call with them is under way: wzp status tells of it")
        have = self.registration, self.mapping
        pinger = Pinger(self.session, self.state, self.endpoint, *have)
        return await pinger.ping(target, request, report)

    async def _make(
        self,
        session: Session,
        target: Peer,
        request: AskCall,
        line: Line,
        report: Report,
    ) -> CallOutcome:
        said = {k: v for k, v in structs.asdict(request.sound).items() if v is not None}
        words = SoundWords.choose(session, replace(self.sound, **said))
        ring = self.ring if request.ring is None else request.ring
        record_to = recorder(request.record, session.report, numbered=False)
        levels = Levels()
        if request.levels:
            record_to = levels.beside(record_to)
        settings = CallSettings(
            name=session.settings.said.name or "",
            direct=session.settings.said.privacy != "always-relay",
            policy=self.state.policies(),
            port_mapping=self.mapping,
            ring_timeout_s=ring_timeout_s(session.settings, request.ring_timeout_s),
            duration_s=request.duration_s,
            on_outcome=lambda outcome: session.report(compose.ended(outcome)),
            on_controls=line.talks,
            accept=line.crossing,
            open_recording=record_to,
        )
        relays = [named_relay(name) for name in request.relay]
        async with (
            keep_open(words, session.report) as sound,
            compose.way_to(
                session, self.state, self.endpoint, target, relays, self.registration
            ) as way,
            _levels_told(levels if request.levels else None, line, report),
        ):
            tone = ring_back(session, words, ring, sound)
            settings = replace(settings, play_tone=tone)
            return await make_call(session, self.endpoint, target, way, settings, sound)


@asynccontextmanager
async def _levels_told(
    levels: Levels | None, line: Line, report: Report
) -> AsyncIterator[None]:
    """Tell who shows the call how loud it is, while the block runs; None: nobody."""
    async with task_group() as group:
        telling = group.create_task(_tell_levels(levels, line, report))
        try:
            yield
        finally:
            telling.cancel()


async def _tell_levels(levels: Levels | None, line: Line, report: Report) -> None:
    while levels is not None:
        await asyncio.sleep(SCREEN_TICK_S)
        if line.state == "talking":
            said, heard = levels.said_dbfs, levels.heard_dbfs
            report(Loudness(said_dbfs=said, heard_dbfs=heard))


def _unanswered(error: BaseException) -> Hangup:
    """Return how a call ended that came to nothing."""
    if isinstance(error, PeerError):
        return Hangup(reason=error.code, by="peer")
    if isinstance(error, WzpError) and not isinstance(error, CallWithdrawn):
        return Hangup(reason=error.code, by="network")
    return Hangup(reason="withdrawn", by="local")
