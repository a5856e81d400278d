"""The sound card, through PortAudio: `--in mic[:dev]`, `--out speaker[:dev]`.

PortAudio calls us from a thread of its own each 10 ms. There, blocks are only moved:

    microphone -> take() -> a bounded queue -> CardSource.read()   20 ms
    speaker    <- give() <- a bounded queue <- CardSink.write()    20 ms

Both queues drop the oldest block when they are full, because old sound is worth least,
and count it. When both sides are wanted there is one full-duplex stream, so that both
run on one clock. `sounddevice` is imported late: the import starts PortAudio.
"""

import asyncio
import contextlib
import os
import sys
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from wzp_cli.adapters.pace import Pace
from wzp_cli.defaults import (
    MEDIA_CLOCK_HZ,
    MEDIA_FRAME_BYTES,
    SOUND_BLOCK_SAMPLES,
    SOUND_MIC_QUEUE_BLOCKS,
    SOUND_SPEAKER_LOW_BLOCKS,
    SOUND_SPEAKER_QUEUE_BLOCKS,
    SOUND_STALL_MAX_S,
    SOUND_SWITCH_INTERVAL_S,
)
from wzp_cli.errors import SoundError

__all__ = ["CardSink", "CardSource", "SoundDevice", "list_devices", "open_card"]

_BLOCK_BYTES: Final = 2 * SOUND_BLOCK_SAMPLES
_FRAME_BLOCKS: Final = MEDIA_FRAME_BYTES // _BLOCK_BYTES
_SILENCE: Final = bytes(_BLOCK_BYTES)
_INSTEAD: Final = "Without a sound card use --in file:P, --in null, --out null."
_STOPPED: Final = "The sound device stopped. Plug it in again, or choose another."

_portaudio_lock: Final = threading.Lock()  # PortAudio opens and closes one at a time
_open_streams: Final[list[Any]] = []


@dataclass(frozen=True, kw_only=True)
class SoundDevice:
    """One device as PortAudio lists it; `index` or `name` go behind `mic:`."""

    index: int
    name: str
    inputs: int
    outputs: int
    default_input: bool
    default_output: bool


class _Bell:
    """Wakes the event loop from PortAudio's thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake whoever waits (any thread)."""
        self._loop.call_soon_threadsafe(self._rung.set)

    async def wait(self) -> None:
        """Return at the next ring; TimeoutError when the device has gone silent."""
        self._rung.clear()
        async with asyncio.timeout(SOUND_STALL_MAX_S):
            await self._rung.wait()


class CardSource:
    """The microphone. `read` returns None after the device has stopped.

    Attributes:
        dropped: Blocks of 10 ms that nobody fetched in time.
        xruns: Times the device itself lost sound.
        failed: Why it stopped, or None.
    """

    def __init__(self) -> None:
        self._bell = _Bell()
        self._blocks: deque[bytes] = deque(maxlen=SOUND_MIC_QUEUE_BLOCKS)
        self.dropped = 0
        self.xruns = 0
        self.failed: SoundError | None = None

    async def read(self) -> bytes | None:
        """Return the next 20 ms that were heard."""
        while len(self._blocks) < _FRAME_BLOCKS:
            if self.failed:
                return None
            try:
                await self._bell.wait()
            except TimeoutError:
                self.fail(SoundError(_STOPPED))
        return b"".join(self._blocks.popleft() for _ in range(_FRAME_BLOCKS))

    def take(self, heard: Any, overflow: bool) -> None:
        """Take a block from the device (PortAudio's thread)."""
        self.xruns += overflow
        self.dropped += len(self._blocks) == SOUND_MIC_QUEUE_BLOCKS
        self._blocks.append(bytes(heard))
        if len(self._blocks) >= _FRAME_BLOCKS:
            self._bell.ring()

    def fail(self, error: SoundError) -> None:
        """The device has stopped (any thread)."""
        self.failed = self.failed or error
        self._bell.ring()


class CardSink:
    """The speaker. After the device has stopped it keeps the pace, without sound.

    Attributes:
        dropped: Blocks of 10 ms written when the device wanted none.
        xruns: Times the device itself had nothing to play.
        failed: Why it stopped, or None.
    """

    def __init__(self) -> None:
        self._bell = _Bell()
        self._blocks: deque[bytes] = deque(maxlen=SOUND_SPEAKER_QUEUE_BLOCKS)
        self._asked = False
        self._pace = Pace()
        self.dropped = 0
        self.xruns = 0
        self.failed: SoundError | None = None

    async def wanted(self) -> None:
        """Return when at most `SOUND_SPEAKER_LOW_BLOCKS` are left to play.

        Whoever asks again without having written waits for the device's next block.
        """
        while not self.failed and (
            self._asked or len(self._blocks) > SOUND_SPEAKER_LOW_BLOCKS
        ):
            try:
                await self._bell.wait()
            except TimeoutError:
                self.fail(SoundError(_STOPPED))
            self._asked = False
        self._asked = True
        if self.failed:
            await self._pace.beat()

    def write(self, pcm: bytes) -> None:
        """Queue 20 ms for the device."""
        self._asked = False
        if self.failed:
            return
        for start in range(0, MEDIA_FRAME_BYTES, _BLOCK_BYTES):
            self.dropped += len(self._blocks) == SOUND_SPEAKER_QUEUE_BLOCKS
            self._blocks.append(pcm[start : start + _BLOCK_BYTES])

    def give(self, played: Any, underflow: bool) -> None:
        """Give a block to the device (PortAudio's thread)."""
        self.xruns += underflow
        played[:] = self._blocks.popleft() if self._blocks else _SILENCE
        if len(self._blocks) <= SOUND_SPEAKER_LOW_BLOCKS:
            self._bell.ring()

    def fail(self, error: SoundError) -> None:
        """The device has stopped (any thread)."""
        self.failed = self.failed or error
        self._bell.ring()


@contextlib.asynccontextmanager
async def open_card(
    *, mic: str | None = None, speaker: str | None = None
) -> AsyncIterator[tuple[CardSource | None, CardSink | None]]:
    """Open the microphone, the speaker, or both as one full-duplex stream.

    Args:
        mic: An index or part of a name, "" for the default, None for no microphone.
        speaker: The same for the speaker.

    Raises:
        SoundError: No PortAudio, no such device, or it does not open.
    """
    if mic is None and speaker is None:
        yield None, None
        return
    source = CardSource() if mic is not None else None
    sink = CardSink() if speaker is not None else None
    streams: list[Any] = []
    closing = False

    def finished() -> None:  # PortAudio's thread; also after our own abort
        if not closing:
            for side in (source, sink):
                if side:
                    side.fail(SoundError(_STOPPED))

    interval_s = sys.getswitchinterval()
    try:
        # Opening takes 100 ms and more, in which the calls' packets must go on.
        await asyncio.to_thread(
            _start, streams, _Sides(mic, speaker, source, sink), finished
        )
        # The callback waits for the interpreter's lock: let others hold it less long.
        sys.setswitchinterval(SOUND_SWITCH_INTERVAL_S)
        yield source, sink
    finally:
        closing = True
        sys.setswitchinterval(interval_s)
        await asyncio.to_thread(_stop, streams)


def list_devices() -> list[SoundDevice]:
    """Return all sound devices; [] on a machine without any.

    Raises:
        SoundError: There is no PortAudio.
    """
    with _portaudio_lock, _quiet_stderr():
        sd = _sounddevice()
        default_input, default_output = sd.default.device[0], sd.default.device[1]
        return [
            SoundDevice(
                index=info["index"],
                name=info["name"],
                inputs=info["max_input_channels"],
                outputs=info["max_output_channels"],
                default_input=info["index"] == default_input,
                default_output=info["index"] == default_output,
            )
            for info in sd.query_devices()
        ]


@dataclass(frozen=True)
class _Sides:
    """What to open: the words for the devices, and who gets their sound."""

    mic: str | None
    speaker: str | None
    source: CardSource | None
    sink: CardSink | None


def _start(streams: list[Any], sides: _Sides, finished: Callable[[], None]) -> None:
    """Open and start what is wanted; `streams` holds what has to be closed."""
    with _portaudio_lock, _quiet_stderr():
        sd = _sounddevice()
        options = {
            "samplerate": MEDIA_CLOCK_HZ,
            "channels": 1,
            "dtype": "int16",
            "blocksize": SOUND_BLOCK_SAMPLES,
            "latency": "low",
            "finished_callback": finished,
        }
        try:
            streams.extend(_streams(sd, sides, options))
            _open_streams.extend(streams)
            for stream in streams:
                stream.start()
        except (sd.PortAudioError, ValueError) as error:
            raise SoundError(_refusal(sd, error)) from error


def _refusal(sd: ModuleType, error: Exception) -> str:
    if not sd.query_devices():
        return f"This machine has no sound device. {_INSTEAD}"
    reason = str(error.args[0]).rstrip(".")
    return (
        f"The sound device does not open: {reason}. "
        f"`wzp devices` lists them. {_INSTEAD}"
    )


def _streams(sd: ModuleType, sides: _Sides, options: dict[str, Any]) -> list[Any]:
    """Return one stream for what is wanted, or two where one is refused."""
    source, sink = sides.source, sides.sink
    mic, speaker = _device(sides.mic), _device(sides.speaker)
    if source and sink:
        both = _both(source, sink)
        with contextlib.suppress(sd.PortAudioError):  # two devices of different kinds
            return [sd.RawStream(device=(mic, speaker), callback=both, **options)]
    opened = []
    if source:
        hear = _hear(source)
        opened.append(sd.RawInputStream(device=mic, callback=hear, **options))
    if sink:
        play = _play(sink)
        opened.append(sd.RawOutputStream(device=speaker, callback=play, **options))
    return opened


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


def _stop(streams: list[Any]) -> None:
    """Stop and close the streams, at once: nobody waits for the last 30 ms."""
    with _portaudio_lock, _quiet_stderr():
        for stream in streams:
            stream.abort(ignore_errors=True)
            stream.close(ignore_errors=True)
            _open_streams.remove(stream)


def _device(word: str | None) -> int | str | None:
    """Return what PortAudio calls a device: an index, a name, None for the default."""
    if word and word.isdecimal():
        return int(word)
    return word or None


def _sounddevice() -> ModuleType:
    """Import sounddevice; when it already is, look for devices plugged in since."""
    again = "sounddevice" in sys.modules
    try:
        import sounddevice
    except OSError as error:
        raise SoundError(
            "PortAudio is missing. Install libportaudio2 (Debian) or portaudio "
            f"(Homebrew). {_INSTEAD}"
        ) from error
    module: ModuleType = sounddevice
    if again and not _open_streams:
        sounddevice._terminate()
        sounddevice._initialize()
    return module


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Keep what ALSA and PortAudio print themselves off standard error."""
    with contextlib.ExitStack() as stack:
        try:
            kept = os.dup(2)
        except OSError:  # there is no standard error
            yield
            return
        stack.callback(os.close, kept)
        stack.callback(os.dup2, kept, 2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        yield
