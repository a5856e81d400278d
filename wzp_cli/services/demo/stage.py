"""`wzp demo`: real calls between three endpoints on this machine, listened to.

    caller ---- over the relay ----> listener      the first call stays there
    caller ------- directly -------> listener      the second one goes direct

Nothing stands in for a part: relay, registration, ringing, QUIC, RTP, codec and jitter
buffer are those of every call. What was said is compared with what was heard, and what
the relay passed on is searched for sound.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass, field

from wzp_cli.address import Address, HostPort
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.media import MEDIA_FRAME_MS
from wzp_cli.defaults.program import (
    DEMO_CALL_MARGIN_S,
    DEMO_PAUSE_FRAMES,
    DEMO_RELAYED_MAX_FRAMES,
    DEMO_SOUND_MAX_FRAMES,
)
from wzp_cli.endpoint.endpoint import Endpoint
from wzp_cli.errors import WzpError
from wzp_cli.events import Event, Incoming, Report, Warned
from wzp_cli.ports import (
    FrameSink,
    FrameSource,
    Interface,
    OpenCodec,
    OpenSound,
    Sound,
)
from wzp_cli.protocol.media.babble import babble
from wzp_cli.protocol.media.likeness import compare
from wzp_cli.services.calls.call import CallSettings, call_identity
from wzp_cli.services.calls.listen import ListenSettings, listen
from wzp_cli.services.calls.talk import CallOutcome
from wzp_cli.services.demo.report import (
    DemoCall,
    DemoReport,
    path_problems,
    sound_problems,
)
from wzp_cli.services.demo.tape import Ear, KeepingCodec, Mouth, Tape, Words, delay_ms
from wzp_cli.services.relays.registration import Registration, register

__all__ = ["DemoParts", "Trio", "demo"]


@dataclass(frozen=True, slots=True)
class Trio:
    """Who takes part, with one socket each."""

    relay: Endpoint
    listener: Endpoint
    caller: Endpoint


@dataclass(frozen=True, slots=True)
class DemoParts:
    """What the demo needs from outside.

    Attributes:
        run_relay: Serves on the relay's endpoint until cancelled.
        relay: Where the others reach it.
        open_silence: Silence in, nothing out; its beat is the pace of what is said.
        open_words: What to say in place of our own sound (its source).
        open_heard: Where the sound of the direct call goes (its sink).
        open_codec: Called for each side of each call.
    """

    run_relay: Callable[[Endpoint], Awaitable[None]]
    relay: HostPort
    open_silence: OpenSound
    open_words: OpenSound | None
    open_heard: OpenSound
    open_codec: OpenCodec


async def demo(trio: Trio, parts: DemoParts, report: Report) -> DemoReport:
    """Call over the relay, then directly; return what was shown, also where it failed.

    Args:
        trio: Three endpoints that reach each other.
        parts: What stands around them.
        report: Takes Warned.
    """
    stage = _Stage(trio, parts, report)
    try:
        await stage.play()
    except WzpError as error:
        stage.problems.append(f"the calls could not be made: {_told(error)}")
    return stage.judge()


@dataclass(frozen=True, slots=True)
class _Recording:
    """A call that is over: how each side saw it, what was said, what was heard."""

    caller: CallOutcome
    listener: CallOutcome
    said: Tape
    heard: Tape

    def measure(self) -> DemoCall:
        """Compare; a tenth of a second of work for each call of the demo's own."""
        likeness = compare(self.said.sound, self.heard.sound)
        late_ms = delay_ms(likeness.matches, self.said, self.heard)
        return DemoCall(
            path=self.caller.path,
            remote=self.caller.remote,
            setup_ms=self.caller.setup_ms,
            first_audio_ms=self.listener.first_audio_ms,
            time_to_direct_ms=self.caller.time_to_direct_ms,
            why_not_direct=self.caller.why_not_direct,
            correlation=round(likeness.correlation, 3) if likeness.matches else None,
            delay_ms=None if late_ms is None else round(late_ms, 1),
            sent=self.caller.frames.sent,
            received=self.listener.frames.received,
            concealed=self.listener.frames.concealed,
        )


@dataclass(frozen=True, slots=True)
class _Script:
    """How one call goes."""

    name: str
    direct: bool
    open_heard: OpenSound
    max_frames: int

    @property
    def timeout_s(self) -> float:
        frames = self.max_frames + 2 * DEMO_PAUSE_FRAMES
        return frames * MEDIA_FRAME_MS / 1000 + DEMO_CALL_MARGIN_S


@dataclass
class _Stage:
    trio: Trio
    parts: DemoParts
    report: Report
    problems: list[str] = field(default_factory=list)
    codec: KeepingCodec | None = None
    home: Address | None = None
    over_relay: _Recording | None = None
    direct: _Recording | None = None

    def __post_init__(self) -> None:
        self._own_words = babble()
        self._overheard: list[bytes] = []
        self._ear: OpenSound = self.parts.open_silence
        self._taken: asyncio.Queue[CallOutcome | None] = asyncio.Queue()

    async def play(self) -> None:
        """Make both calls.

        Raises:
            WzpError: They could not even begin.
        """
        trio = self.trio
        async with task_group() as group:
            relaying = group.create_task(self._run_relay())
            async with (
                self._registered(trio.listener, publishes=True) as home,
                self._registered(trio.caller, publishes=False) as away,
            ):
                self.home = home.reflexive
                listening = group.create_task(self._listen(home))
                await self._make_calls(away)
                listening.cancel()
            relaying.cancel()

    def judge(self) -> DemoReport:
        """Return the report, with everything that did not hold."""
        over_relay = self.over_relay.measure() if self.over_relay else None
        direct = self.direct.measure() if self.direct else None
        listener = None if self.home is None else str(self.home)
        seen = self._relay_saw_sound() if over_relay else None
        if over_relay:
            self.problems += sound_problems("over the relay", over_relay)
        if direct:
            self.problems += path_problems(direct, listener)
            self.problems += sound_problems("directly", direct)
        if seen:
            self.problems.append("the relay could read sound that it passed on")
        return DemoReport(
            codec=self.codec.name if self.codec else None,
            listener=listener,
            over_relay=over_relay,
            direct=direct,
            relay_datagrams=len(self._overheard),
            relay_read_sound=seen,
            problems=self.problems,
        )

    # -- the three

    async def _run_relay(self) -> None:
        await self.parts.run_relay(self.trio.relay)

    def _registered(
        self, endpoint: Endpoint, *, publishes: bool
    ) -> AbstractAsyncContextManager[Registration]:
        return register(
            endpoint, self.parts.relay, _Pins(), _ignore, publishes=publishes
        )

    async def _listen(self, home: Registration) -> None:
        await listen(
            self.trio.listener,
            home,
            ListenSettings(
                strangers_dial=False,
                auto_answer="all",
                on_outcome=self._taken.put_nowait,
            ),
            _nobody,
            lambda: self._ear(),
            self.parts.open_codec,
            _no_interfaces,
            self._heard_from_listener,
        )

    def _heard_from_listener(self, event: Event) -> None:
        """Keep what went wrong there; the codec's notice comes from the caller."""
        if isinstance(event, Warned) and event.code != "codec":
            self.problems.append(f"at the listener, {event.message}")
            self._taken.put_nowait(None)

    # -- the calls

    async def _make_calls(self, away: Registration) -> None:
        silence, heard = self.parts.open_silence, self.parts.open_heard
        relayed = _Script("over the relay", False, silence, DEMO_RELAYED_MAX_FRAMES)
        with self._overhear():
            self.over_relay = await self._call(away, relayed)
        direct = _Script("directly", True, heard, DEMO_SOUND_MAX_FRAMES)
        self.direct = await self._call(away, direct)

    async def _call(self, away: Registration, script: _Script) -> _Recording | None:
        caller = self.trio.caller
        said, heard = Tape(caller.now), Tape(caller.now)
        self._ear = lambda: _open_ear(script.open_heard, heard)
        try:
            async with asyncio.timeout(script.timeout_s):
                outcome = await call_identity(
                    caller,
                    away,
                    self.trio.listener.identity,
                    CallSettings(direct=script.direct),
                    lambda: self._open_mouth(script, said),
                    self._open_codec,
                    _no_interfaces,
                    _ignore,
                )
                taken = await self._taken.get()
        except TimeoutError:
            self.problems.append(f"the call {script.name} did not end in time")
            return None
        except WzpError as error:
            self.problems.append(f"the call {script.name} failed: {_told(error)}")
            return None
        return None if taken is None else _Recording(outcome, taken, said, heard)

    def _open_codec(self, name: str | None) -> tuple[KeepingCodec, str | None]:
        """Open the caller's codec; keep the first call's, which the relay carries."""
        codec, notice = self.parts.open_codec(name)
        keeping = KeepingCodec(codec)
        if self.codec is None:
            self.codec = keeping
            if notice is not None:
                self.report(Warned(code="codec", message=notice))
        return keeping, None

    @asynccontextmanager
    async def _open_mouth(self, script: _Script, tape: Tape) -> AsyncIterator[Sound]:
        async with self.parts.open_silence() as silence, self._open_words() as words:
            mouth = Mouth(silence.source, words, script.max_frames, tape)
            yield _Ends(mouth, silence.sink, silence)

    @asynccontextmanager
    async def _open_words(self) -> AsyncIterator[FrameSource]:
        if self.parts.open_words is None:
            yield Words(self._own_words)
            return
        async with self.parts.open_words() as sound:
            yield sound.source

    # -- the relay

    @contextmanager
    def _overhear(self) -> Iterator[None]:
        """Keep what the relay passes on meanwhile. It serves: we are registered."""
        relay = self.trio.relay
        forward = relay.forward
        assert forward is not None

        def keep(frame: bytes, source: Address) -> tuple[bytes, Address] | None:
            self._overheard.append(frame)
            return forward(frame, source)

        relay.forward = keep
        try:
            yield
        finally:
            relay.forward = forward

    def _relay_saw_sound(self) -> bool:
        """Return whether any packet of the first call's sound passed as it was."""
        packets = self.codec.packets if self.codec else []
        passed = b"".join(self._overheard)
        return any(packet in passed for packet in packets)


@dataclass(frozen=True)
class _Ends:
    """A call's open ends, of which one is listened to."""

    source: FrameSource
    sink: FrameSink
    inner: Sound

    @property
    def failed(self) -> WzpError | None:
        return self.inner.failed


@asynccontextmanager
async def _open_ear(open_heard: OpenSound, tape: Tape) -> AsyncIterator[Sound]:
    async with open_heard() as sound:
        yield _Ends(sound.source, Ear(sound.sink, tape), sound)


class _Pins:
    """Relays met before: none, and nothing outlives the demo."""

    def pinned(self, relay: str) -> bytes | None:
        return None

    def pin(self, relay: str, key: bytes) -> None:
        pass

    def tcp_port(self, relay: str) -> int | None:
        return None

    def note_tcp_port(self, relay: str, port: int) -> None:
        pass


def _told(error: WzpError) -> str:
    """Return what kind of error it is, and its own words."""
    kind = (type(error).__doc__ or error.code).partition(".")[0]
    words = kind[:1].lower() + kind[1:]
    return f"{words} ({error})" if str(error) else words


def _ignore(event: Event) -> None:
    """Each side's own story is not the demo's."""


def _no_interfaces() -> tuple[Interface, ...]:
    """The address that the relay sees is enough: all three are on one machine."""
    return ()


async def _nobody(incoming: Incoming) -> bool:
    return False  # nobody is asked: every call is answered
