"""What is heard: 20 ms for each beat of the sink, out of the jitter buffer.

    jitter buffer -> codec -> one pitch period more or less -> what is left -> the sink
           ^                                                        |
           '---------------- asked while less than 20 ms -----------'

The play clock is counted in samples: a frame that was made shorter lets the next one be
asked for earlier, and so on, while the sink takes 20 ms each time.
"""

from typing import Final

from wzp_cli.defaults.media import MEDIA_FRAME_BYTES
from wzp_cli.ports import Codec
from wzp_cli.protocol.media.playout.jitter import (
    Conceal,
    Correction,
    Frame,
    JitterBuffer,
    Pause,
    Wait,
)

__all__ = ["Playback"]

_SAMPLE_BYTES: Final = 2
_SILENCE: Final = bytes(MEDIA_FRAME_BYTES)


class Playback:
    """The heard side of one call."""

    def __init__(self, jitter: JitterBuffer, codec: Codec) -> None:
        """Play what `jitter` holds, decoded by `codec`."""
        self._jitter = jitter
        self._codec = codec
        self._left = b""
        self._before = _SILENCE  # the frame before, as it was decoded

    def next(self, now: float) -> bytes:
        """Return the next 20 ms to play: int16, 960 samples, mono, 48 kHz."""
        sound = self._left
        while len(sound) < MEDIA_FRAME_BYTES:
            sound += self._more(now, len(sound))
        self._left = sound[MEDIA_FRAME_BYTES:]
        return sound[:MEDIA_FRAME_BYTES]

    def rest(self) -> bytes:
        """Return what is left of the frames so far, filled up to 20 ms; b"" if none."""
        left, self._left = self._left, b""
        return left + _SILENCE[len(left) :] if left else b""

    def _more(self, now: float, left_bytes: int) -> bytes:
        """Return what follows; `left_bytes` are still to be played before it."""
        match self._jitter.pop(now, left_bytes // _SAMPLE_BYTES):
            case Frame(payload=payload, correction=correction):
                pcm = self._codec.decode(payload)
            case Conceal() | Pause():
                pcm, correction = self._codec.conceal(), None
            case Wait():
                self._before = _SILENCE
                return _SILENCE[left_bytes:]
        before, self._before = self._before, pcm
        return self._corrected(before, pcm, correction) if correction else pcm

    def _corrected(self, before: bytes, pcm: bytes, correction: Correction) -> bytes:
        """Return a frame, shorter or longer by a pitch period where that is unheard."""
        # Imported here: it needs numpy, and most beats need no correction. A process
        # that may open no more files plays on without.
        try:
            from wzp_cli.protocol.media.playout.stretch import lengthen, shorten
        except (ImportError, OSError):
            return pcm
        change = shorten if correction.samples > 0 else lengthen
        most, least = abs(correction.samples), correction.least_likeness
        changed = change(before, pcm, most, least)
        self._jitter.corrected((len(pcm) - len(changed)) // _SAMPLE_BYTES)
        return changed
