"""Sound files: frames of 20 ms come out, or a sentence; whatever the header promises.

The first byte says whether the file is as it is, or a header of right shape with
numbers of the fuzzer's in front of its sound.
"""

import asyncio
import struct
from pathlib import Path

from fuzz._folder import new_folder
from fuzz._script import Script
from wzp_cli.adapters.sound_files.decoded import open_file
from wzp_cli.adapters.sound_files.wav import WavSource, wav_header
from wzp_cli.defaults.media import MEDIA_FRAME_BYTES
from wzp_cli.errors import SoundError

__all__ = ["MAX_BYTES", "SEEDS", "one"]

MAX_BYTES = 600
_FOLDER = new_folder()
_FILE = Path(_FOLDER.name) / "sound"
_MOST_FRAMES = 400
_RATES_HZ = (48_000, 8000, 44_100, 96_000, 1, 0, 192_000, 7999, 22_050)
_LOOP = asyncio.new_event_loop()
"""Not run: what makes a beat asks for one."""

_SOUND = bytes(range(64)) * 2
_LIST = b"LIST\4\0\0\0abcddata"

SEEDS = (
    b"\0" + wav_header(len(_SOUND)) + _SOUND,
    b"\0" + wav_header(len(_SOUND), 2).replace(b"data", _LIST) + _SOUND,
    b"\6fLaC" + bytes(40),
    b"\6OggS" + bytes(60),
    bytes([1, 0, 0, 1, 2]) + _SOUND,
    bytes([1, 0, 1, 2, 1]) + _SOUND,
    bytes([1, 0, 2, 1, 3]) + _SOUND,
    bytes([1, 0, 3, 6, 4]) + _SOUND,
    bytes([1, 0, 6, 1, 5]) + _SOUND,
)


def one(data: bytes) -> None:
    """Read one file to its end."""
    script = Script(data)
    how = script.byte()
    content = _composed(script) if how % 2 else script.rest()
    _FILE.write_bytes(content)
    asyncio._set_running_loop(_LOOP)
    try:
        # libsndfile is slow, and fuzzed by others: now and then is enough.
        source = open_file(str(_FILE)) if how % 8 == 6 else WavSource(str(_FILE))
    except SoundError as error:
        assert str(_FILE) in str(error)
        return
    finally:
        asyncio._set_running_loop(None)
    try:
        for number, frame in enumerate(source._frames):
            assert len(frame) == MEDIA_FRAME_BYTES
            if number > _MOST_FRAMES:
                break
    except source._broken:
        pass
    finally:
        source.close()


def _composed(script: Script) -> bytes:
    tag, rate_hz = script.pick((1, 0xFFFE, 3, 85)), script.pick(_RATES_HZ)
    channels, width = script.byte() % 8, script.byte() % 8
    sound = script.rest()
    head = struct.pack(
        "<HHIIHH",
        *(tag, channels, rate_hz, rate_hz * channels * width % (1 << 32)),
        *(channels * width, 8 * width),
    )
    body = b"WAVEfmt " + struct.pack("<I", len(head)) + head
    body += b"data" + struct.pack("<I", len(sound)) + sound
    return b"RIFF" + struct.pack("<I", len(body)) + body
