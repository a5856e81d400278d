"""A sound card for a call: `--in mic[:dev]`, `--out speaker[:dev]`, kept alive.

When both sides are wanted there is one full-duplex stream, so that both run on one
clock. A device that goes away does not end the call: its sides are silent, and each
second the devices are listed anew until it, or another default one, can be opened.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from wzp_cli.adapters.sound_card.devices import SoundDevice, choose, devices_of
from wzp_cli.adapters.sound_card.portaudio import (
    INSTEAD,
    open_streams,
    portaudio,
    quiet_stderr,
)
from wzp_cli.adapters.sound_card.sides import CardSink, CardSource, Played
from wzp_cli.concurrency import task_group
from wzp_cli.defaults.media import MEDIA_CLOCK_HZ
from wzp_cli.defaults.sound import (
    SOUND_BLOCK_SAMPLES,
    SOUND_RESCAN_S,
    SOUND_SWITCH_INTERVAL_S,
)
from wzp_cli.errors import SoundError
from wzp_cli.events import Report, Warned

__all__ = ["Card", "open_card"]

_GONE = "the sound device is gone: the call goes on in silence until it is back"


@contextlib.asynccontextmanager
async def open_card(
    *,
    mic: str | None = None,
    speaker: str | None = None,
    report: Report = lambda event: None,
) -> AsyncIterator["Card"]:
    """Open the microphone, the speaker, or both as one full-duplex stream.

    Args:
        mic: An index or part of a name, "" for the default, None for no microphone.
        speaker: The same for the speaker.
        report: Told when the device goes away, and when it is back.

    Raises:
        SoundError: No PortAudio, no such device, or it does not open.
    """
    card = Card(_Words(mic, speaker), report)
    if mic is None and speaker is None:
        yield card
        return
    interval_s = sys.getswitchinterval()
    with quiet_stderr():
        try:
            await card.open()
            # The callback waits for the interpreter's lock: let others hold it for
            # less long.
            sys.setswitchinterval(SOUND_SWITCH_INTERVAL_S)
            async with task_group() as group:
                keeping = group.create_task(card.keep())
                try:
                    yield card
                finally:
                    keeping.cancel()
        finally:
            sys.setswitchinterval(interval_s)
            await asyncio.to_thread(card.close)


@dataclass(frozen=True)
class _Words:
    """What the user calls the devices; None for none, "" for the default."""

    mic: str | None
    speaker: str | None


@dataclass
class _Opening:
    """Streams opened at one time. Callbacks of an earlier one count no more."""

    streams: list[Any] = field(default_factory=list)
    over: bool = False


class Card:
    """A microphone, a speaker, or both.

    Attributes:
        source: The microphone, or None.
        sink: The speaker, or None.
        played: What the speaker plays while the microphone hears.
    """

    def __init__(self, words: _Words, report: Report) -> None:
        self._words = words
        self._report = report
        self._loop = asyncio.get_running_loop()
        self._gone = asyncio.Event()
        self._opening = _Opening(over=True)
        self._closed = False
        self.played = Played()
        duplex = words.mic is not None and words.speaker is not None
        played = self.played.add if duplex else lambda block: None
        stalled = self._gone.set
        self.source = None if words.mic is None else CardSource(stalled)
        self.sink = None if words.speaker is None else CardSink(stalled, played)

    async def open(self) -> None:
        """Open what is wanted; SoundError where it can't be."""
        # This takes 100 ms and more, in which the calls' packets must go on.
        await asyncio.to_thread(self._start)

    async def keep(self) -> None:
        """Open the device again, whenever it has gone away; until cancelled."""
        while True:
            await self._gone.wait()
            for side in (self.source, self.sink):
                if side is not None:
                    side.go()
            self._report(Warned(code="device_lost", message=_GONE))
            await asyncio.to_thread(self._stop)
            self._gone.clear()
            while self._opening.over:
                await asyncio.sleep(SOUND_RESCAN_S)
                with contextlib.suppress(SoundError):
                    await self.open()
            self._report(Warned(code="device_back", message=self._back()))

    def close(self) -> None:
        """Stop and close the streams, for good; an opening under way opens nothing."""
        self._closed = True
        self._stop()

    def _stop(self) -> None:
        """Stop and close, at once: nobody waits for the last 30 ms (a thread)."""
        self._opening.over = True
        with contextlib.suppress(SoundError), portaudio():
            self._opening.over = True
            _discard(self._opening)

    def _back(self) -> str:
        names = dict.fromkeys((self._words.mic, self._words.speaker))
        which = ", ".join(filter(None, names))
        return f"the sound device is back: {which}" if which else "there is sound again"

    def _start(self) -> None:
        """Open and start what is wanted (a thread)."""
        with portaudio() as sd:
            if self._closed:
                return
            mic, speaker = self._chosen(devices_of(sd))
            opening = self._opening = _Opening()
            try:
                self._open_streams(sd, opening, mic, speaker)
                self.begin()
                for stream in opening.streams:
                    stream.start()
            except (sd.PortAudioError, ValueError) as error:
                opening.over = True
                _discard(opening)
                raise SoundError(_refusal(error)) from error
        # An index may be another device's after the next search: keep the names.
        self._words = _Words(
            _name(self._words.mic, mic), _name(self._words.speaker, speaker)
        )

    def _chosen(
        self, devices: list[SoundDevice]
    ) -> tuple[SoundDevice | None, SoundDevice | None]:
        mic, speaker = self._words.mic, self._words.speaker
        return (
            None if mic is None else choose(mic, "microphone", devices),
            None if speaker is None else choose(speaker, "speaker", devices),
        )

    def begin(self) -> None:
        """Forget what was heard, and what was left to play."""
        self.played.clear()
        for side in (self.source, self.sink):
            if side is not None:
                side.come()

    def _open_streams(
        self,
        sd: ModuleType,
        opening: _Opening,
        mic: SoundDevice | None,
        speaker: SoundDevice | None,
    ) -> None:
        """Open one stream for what is wanted, or two where one is refused."""

        def finished() -> None:  # PortAudio's thread; also after our own abort
            if not opening.over:
                self._loop.call_soon_threadsafe(self._gone.set)

        def add(kind: Any, device: Any, callback: Callable[..., None]) -> None:
            opening.streams.append(
                kind(
                    device=device,
                    callback=callback,
                    samplerate=MEDIA_CLOCK_HZ,
                    channels=1,
                    dtype="int16",
                    blocksize=SOUND_BLOCK_SAMPLES,
                    latency="low",
                    finished_callback=finished,
                )
            )
            open_streams.append(opening.streams[-1])

        if self.source and self.sink and mic and speaker:
            both = _both(self.source, self.sink)
            with contextlib.suppress(sd.PortAudioError):  # devices of different kinds
                add(sd.RawStream, (mic.index, speaker.index), both)
                return
        if self.source and mic:
            add(sd.RawInputStream, mic.index, _hear(self.source))
        if self.sink and speaker:
            add(sd.RawOutputStream, speaker.index, _play(self.sink))


def _discard(opening: _Opening) -> None:
    for stream in opening.streams:
        stream.abort(ignore_errors=True)
        stream.close(ignore_errors=True)
        open_streams.remove(stream)
    opening.streams.clear()


def _refusal(error: Exception) -> str:
    reason = str(error.args[0]).rstrip(".")
    return (
        f"The sound device does not open: {reason}. `wzp devices` lists them. {INSTEAD}"
    )


def _name(word: str | None, device: SoundDevice | None) -> str | None:
    """Return how to find the device again: the default stays the default."""
    return device.name if word and device else word


def _both(source: CardSource, sink: CardSink) -> Callable[..., None]:
    def move(heard: Any, played: Any, _frames: int, _time: Any, status: Any) -> None:
        sink.give(played, status.output_underflow)
        source.take(heard, status.input_overflow)

    return move


def _hear(source: CardSource) -> Callable[..., None]:
    def move(heard: Any, _frames: int, _time: Any, status: Any) -> None:
        source.take(heard, status.input_overflow)

    return move


def _play(sink: CardSink) -> Callable[..., None]:
    def move(played: Any, _frames: int, _time: Any, status: Any) -> None:
        sink.give(played, status.output_underflow)

    return move
