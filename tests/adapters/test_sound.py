import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wzp_cli.adapters.codecs import opus
from wzp_cli.adapters.sound import Sound, check_words, open_codec, open_sound
from wzp_cli.adapters.sound_files.wav import WavSink, WavSource
from wzp_cli.errors import SoundError, UsageError

SOURCES = ["mic", "mic:2", "mic:USB Audio", "tone", "tone:20", "tone:20000"]
SOURCES += ["file:a.wav", r"file:C:\a.wav", "file::", "-", "null"]
SINKS = ["speaker", "speaker:2", "file:b.wav", "-", "null"]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("sink", SINKS)
def test_the_words_of_the_command_line_are_taken(source: str, sink: str) -> None:
    check_words(source, sink)


@pytest.mark.parametrize(
    "word",
    [
        *("", "mike", "speaker", "mic:", "tone:", "tone:a", "tone:19", "tone:20001"),
        *("tone:-5", "tone:4.5", "tone:٤٤٠", "file", "file:", "null:", "null:x", "-:"),
    ],
)
def test_other_sources_are_refused(word: str) -> None:
    with pytest.raises(UsageError, match="--in"):
        check_words(word, "null")


@pytest.mark.parametrize("word", ["", "mic", "tone", "speaker:", "file:", "null:1"])
def test_other_sinks_are_refused(word: str) -> None:
    with pytest.raises(UsageError, match="--out"):
        check_words("null", word)


def test_a_file_is_not_read_and_overwritten_at_once() -> None:
    with pytest.raises(UsageError, match="the same file"):
        check_words("file:a.wav", "file:a.wav")


async def _copy(sound: Sound, frames: int) -> None:
    for _ in range(frames):
        frame = await sound.source.read()
        if frame is None:
            return
        await sound.sink.wanted()
        sound.sink.write(frame)


def test_a_tone_goes_to_a_file_and_from_there_to_another(tmp_path: Path) -> None:
    async def scenario() -> None:
        first, second = f"file:{tmp_path}/a.wav", f"file:{tmp_path}/b.wav"
        async with open_sound("tone:1000", first) as sound:
            assert isinstance(sound.sink, WavSink)
            await _copy(sound, 5)
        async with open_sound(first, second) as sound:
            assert isinstance(sound.source, WavSource)
            await _copy(sound, 100)
            assert sound.failed is None

    asyncio.run(scenario())
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
    assert (tmp_path / "a.wav").stat().st_size == 44 + 5 * 1_920


def test_a_source_is_closed_when_the_sink_does_not_open(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_sound("null", f"file:{tmp_path}/a.wav"):
            pass
        # The file left open would be a ResourceWarning, which fails the test.
        with pytest.raises(SoundError):
            async with open_sound(f"file:{tmp_path}/a.wav", "file:/no/b.wav"):
                pass

    asyncio.run(scenario())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_an_error_at_the_end_of_the_call() -> None:
    async def scenario() -> None:
        async with open_sound("null", "file:/dev/full") as sound:
            await _copy(sound, 3)

    with pytest.raises(SoundError, match="No space left"):
        asyncio.run(scenario())


def test_another_error_is_not_hidden() -> None:
    async def scenario() -> None:
        async with open_sound("null", "null"):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        asyncio.run(scenario())


def test_standard_input_and_output_carry_raw_sound() -> None:
    code = (
        "import asyncio\n"
        "from wzp_cli.adapters.sound import open_sound\n"
        "async def main():\n"
        "    async with open_sound('-', '-') as sound:\n"
        "        while (frame := await sound.source.read()) is not None:\n"
        "            await sound.sink.wanted()\n"
        "            sound.sink.write(frame)\n"
        "asyncio.run(main())"
    )
    spoken = os.urandom(10 * 1_920)
    result = subprocess.run(
        [sys.executable, "-c", code], input=spoken, capture_output=True, check=True
    )
    assert result.stdout == spoken
    assert result.stderr == b""


def test_nothing_heavy_is_loaded_for_plain_sound() -> None:
    code = (
        "import asyncio, sys\n"
        "from wzp_cli.adapters.sound import open_sound\n"
        "async def main():\n"
        "    async with open_sound('tone', 'null') as sound:\n"
        "        await sound.source.read()\n"
        "asyncio.run(main())\n"
        "print({'numpy', 'sounddevice', 'opuslib'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "set()\n"


def test_opus_is_the_codec() -> None:
    codec, notice = open_codec()
    assert (codec.name, notice) == ("opus", None)


def test_without_libopus_g711_speaks_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WZP_OPUS_LIB", "/nonexistent/libopus.so")
    opus._opuslib.cache_clear()
    codec, notice = open_codec()
    assert (codec.name, codec.payload_type) == ("pcmu", 0)
    assert notice
    assert "libopus" in notice
    assert "G.711" in notice
    assert len(codec.decode(codec.encode(bytes(1_920)))) == 1_920
