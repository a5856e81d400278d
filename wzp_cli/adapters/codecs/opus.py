"""Opus: every call into libopus goes through this module.

opuslib's own classes have traps (a short frame is read out of bounds, `dtx` does
nothing, the `str()` of an encoding error raises, control calls have no argument types
and crash where variadic arguments are passed differently, as on arm64 macOS). Here the
length of each input is checked first, the argument types are set once, and errors are
told by their number.

libopus is looked for in this order: `WZP_OPUS_LIB` (then nothing else is tried), the
system, Homebrew and MacPorts, the wheel `opuslib-next-bundled`.
"""

import ctypes
import ctypes.util
import functools
import importlib.util
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Final

from wzp_cli.defaults.media import (
    MEDIA_CLOCK_HZ,
    MEDIA_FRAME_BYTES,
    MEDIA_FRAME_SAMPLES,
    OPUS_BITRATE_BPS,
    OPUS_BITRATES_BPS,
    OPUS_COMPLEXITY,
    OPUS_CONCEAL_FRAMES,
    OPUS_EASY_COMPLEXITY,
    OPUS_FADE_FRAMES,
    OPUS_PAYLOAD_TYPE,
    OPUS_RESUME_SAMPLES,
)
from wzp_cli.errors import CodecMissing, LocalProtocolError

__all__ = ["OpusCodec", "find_opus", "open_opus"]

_PREFIXES: Final = ("/opt/homebrew/lib", "/usr/local/lib", "/opt/local/lib")
_SUFFIXES: Final = (".so", ".dylib", ".dll")
_SILENCE: Final = bytes(MEDIA_FRAME_BYTES)
_DTX_BYTES: Final = 2  # RFC 6716 section 2.1.9: "2 bytes or less" need not be sent


def open_opus(
    bitrate_bps: int = OPUS_BITRATE_BPS, complexity: int = OPUS_COMPLEXITY
) -> "OpusCodec":
    """Return an encoder and a decoder for one call.

    Args:
        bitrate_bps: 6000 to 510000; constant, so that packet lengths tell nothing.
        complexity: 0 (cheapest) to 10; at the full bitrate, less is as good.

    Raises:
        CodecMissing: No libopus could be loaded; the message says what was tried.
    """
    return OpusCodec(_opuslib(), bitrate_bps, complexity)


def find_opus() -> str:
    """Return the path or name of the libopus that wzp uses.

    Raises:
        CodecMissing: There is none.
    """
    tried = []
    for place in _places():
        try:
            ctypes.CDLL(place).opus_encoder_create  # noqa: B018 (is it libopus?)
        except (OSError, AttributeError) as error:
            tried.append(f"{place} ({error})")
            continue
        return place
    reason = f" Tried: {'; '.join(tried)}" if tried else ""
    raise CodecMissing(f"{CodecMissing.__doc__}{reason}")


class OpusCodec:
    """Opus for one call, after RFC 6716 and 7587. Use it from one thread only.

    Attributes:
        damaged: Packets so far that could not be decoded and were concealed.
    """

    name = "opus"
    payload_type = OPUS_PAYLOAD_TYPE
    bitrates_bps: tuple[int, ...] = OPUS_BITRATES_BPS

    def __init__(self, opuslib: ModuleType, bitrate_bps: int, complexity: int) -> None:
        self._lib = opuslib
        self._encoder = opuslib.Encoder(MEDIA_CLOCK_HZ, 1, opuslib.APPLICATION_VOIP)
        self._decoder = opuslib.Decoder(MEDIA_CLOCK_HZ, 1)
        self.damaged = 0
        self._lost = 0
        self._resting = False  # the last packet said that the peer is silent
        self._set("complexity", complexity)
        self._complexity = complexity
        self.bitrate_bps = bitrate_bps
        # Lengths that follow the voice reveal words and language (RFC 6562).
        self._set("vbr", 0)
        self._set("dtx", 0)

    @property
    def bitrate_bps(self) -> int:
        """Bits a second of the encoder; may be set at any time."""
        ctl = self._lib.api.ctl.get_bitrate
        state = self._encoder.encoder_state
        return int(self._lib.api.encoder.encoder_ctl(state, ctl))

    @bitrate_bps.setter
    def bitrate_bps(self, bitrate_bps: int) -> None:
        self._set("bitrate", bitrate_bps)
        easy = bitrate_bps >= OPUS_BITRATE_BPS
        most = OPUS_EASY_COMPLEXITY if easy else self._complexity
        self._set("complexity", min(self._complexity, most))

    def encode(self, pcm: bytes) -> bytes:
        """Return the packet for one frame.

        Args:
            pcm: int16, 960 samples (1920 bytes), mono, 48 kHz, 20 ms.

        Raises:
            LocalProtocolError: The frame has another length.
        """
        if len(pcm) != MEDIA_FRAME_BYTES:
            raise LocalProtocolError(f"a frame of {len(pcm)} bytes for the encoder")
        try:
            packet: bytes = self._encoder.encode(pcm, MEDIA_FRAME_SAMPLES)
        except self._lib.OpusError as error:
            raise LocalProtocolError(f"libopus: error {error.code}") from error
        return packet

    def decode(self, packet: bytes) -> bytes:
        """Return the 20 ms of a packet; concealment when it is not 20 ms of Opus."""
        pcm = self._decode(packet) if self._samples(packet) else None
        if pcm is None:
            self.damaged += 1
            return self.conceal()
        lost, self._lost = self._lost, 0
        self._resting = len(packet) <= _DTX_BYTES
        return _ramped(pcm, _gain(lost), 1.0, OPUS_RESUME_SAMPLES)

    def conceal(self) -> bytes:
        """Return 20 ms that continue the last sound, and fade away in a long loss.

        In a pause that the peer announced it is the comfort noise of libopus.
        """
        if self._resting:
            return self._decode(b"") or _SILENCE
        lost, self._lost = self._lost, self._lost + 1
        if lost >= OPUS_CONCEAL_FRAMES:
            return _SILENCE
        # An empty packet is what asks libopus for concealment. Some builds of it would
        # hum on for ever.
        pcm = self._decode(b"") or _SILENCE
        return _ramped(pcm, _gain(lost), _gain(lost + 1), MEDIA_FRAME_SAMPLES)

    def _samples(self, packet: bytes) -> bool:
        """Whether the packet says that it holds 20 ms."""
        if not packet:
            return False
        count = self._lib.api.decoder.libopus_get_nb_samples(
            self._decoder.decoder_state, packet, len(packet)
        )
        return bool(count == MEDIA_FRAME_SAMPLES)

    def _decode(self, packet: bytes) -> bytes | None:
        try:
            pcm: bytes = self._decoder.decode(packet, MEDIA_FRAME_SAMPLES)
        except self._lib.OpusError:
            return None
        return pcm if len(pcm) == MEDIA_FRAME_BYTES else None

    def _set(self, control: str, value: int) -> None:
        request = getattr(self._lib.api.ctl, f"set_{control}")
        try:
            self._lib.api.encoder.encoder_ctl(
                self._encoder.encoder_state, request, value
            )
        except self._lib.OpusError as error:
            raise LocalProtocolError(
                f"libopus: {control} {value}: error {error.code}"
            ) from error


def _gain(lost: int) -> float:
    """Return the gain of concealment after so many lost frames, 1 to 0."""
    return min(1.0, max(0.0, (OPUS_CONCEAL_FRAMES - lost) / OPUS_FADE_FRAMES))


def _ramped(pcm: bytes, first: float, last: float, samples: int) -> bytes:
    """Return `pcm` with a gain that goes from one to another over its first samples."""
    if first == last == 1.0:
        return pcm
    import numpy as np

    gains = np.full(MEDIA_FRAME_SAMPLES, last)
    gains[:samples] = np.linspace(first, last, samples)
    return bytes((np.frombuffer(pcm, "<i2") * gains).astype("<i2"))


@functools.cache
def _opuslib() -> ModuleType:
    """Import opuslib on the library found, and mend its control calls."""
    place = find_opus()
    with _found(place), warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # `is not 0` in opuslib
        import opuslib
        from opuslib.api import ctl, decoder, encoder  # noqa: F401
    encoder.libopus_ctl.argtypes = (encoder.EncoderPointer, ctypes.c_int)
    decoder.libopus_ctl.argtypes = (decoder.DecoderPointer, ctypes.c_int)
    module: ModuleType = opuslib
    return module


@contextmanager
def _found(place: str) -> Iterator[None]:
    """Let opuslib, which asks only `find_library`, find what we found."""
    real = ctypes.util.find_library
    ctypes.util.find_library = lambda name: place if name == "opus" else real(name)
    try:
        yield
    finally:
        ctypes.util.find_library = real


def _places() -> Iterator[str]:
    if named := os.environ.get("WZP_OPUS_LIB"):
        yield named
        return
    for name in ("opus", "libopus-0"):
        if place := ctypes.util.find_library(name):
            yield place
    for prefix in _PREFIXES:
        yield from map(str, Path(prefix).glob("libopus.dylib"))
    yield from _bundled()


def _bundled() -> Iterator[str]:
    """Find the wheel's library without importing the wheel's package."""
    spec = importlib.util.find_spec("opuslib_next")
    if spec and spec.origin:
        for path in sorted((Path(spec.origin).parent / "_native").glob("*opus*")):
            if path.suffix in _SUFFIXES:
                yield str(path)
