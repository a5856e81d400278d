"""Packets for the codecs: whatever they hold, 20 ms of sound come out."""

from fuzz._script import Script
from wzp_cli.adapters.codecs.g711 import G711Codec
from wzp_cli.adapters.codecs.opus import open_opus
from wzp_cli.defaults.media import MEDIA_FRAME_BYTES
from wzp_cli.ports import Codec

__all__ = ["MAX_BYTES", "SEEDS", "one"]

MAX_BYTES = 100
_CODECS: tuple[Codec, ...] = (open_opus(), G711Codec())
_TONE = bytes(range(256)) * 7 + bytes(128)
_OPUS = _CODECS[0].encode(_TONE)

SEEDS = (
    bytes([0, len(_OPUS)]) + _OPUS,
    bytes([0, 1, 0xF8, 0, 0, 1, 0xF8]),
    bytes([1, 160]) + _CODECS[1].encode(_TONE),
    bytes([1, 0, 1, 3]) + b"abc",
)


def one(data: bytes) -> None:
    """Decode, or conceal, some packets in a row."""
    script = Script(data)
    codec = script.pick(_CODECS)
    while script.goes_on:
        packet = script.chunk()
        pcm = codec.decode(packet) if packet else codec.conceal()
        assert len(pcm) == MEDIA_FRAME_BYTES
