"""The sound card against a real PulseAudio, whose loudspeaker is its microphone.

What needs PortAudio runs in a process of its own: PortAudio reads the environment once,
when it starts.
"""

import array
import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from ctypes.util import find_library
from pathlib import Path
from typing import Any

import pytest

from wzp_cli.adapters import sound_card
from wzp_cli.adapters.pace import ToneSource
from wzp_cli.adapters.sound import Sound, open_sound
from wzp_cli.adapters.sound_card import CardSink, CardSource, list_devices
from wzp_cli.errors import SoundError
from wzp_cli.ports import FrameSink, FrameSource

BLOCK = bytes(960)


# --- Without a device -----------------------------------------------------------


def block(n: int) -> bytes:
    return bytes([n]) * 960


def test_two_blocks_make_a_frame() -> None:
    async def scenario() -> None:
        source = CardSource()
        port: FrameSource = source
        async with asyncio.TaskGroup() as tasks:
            frame = tasks.create_task(port.read())
            await asyncio.sleep(0)
            source.take(block(1), False)
            source.take(block(2), False)
        assert frame.result() == block(1) + block(2)

    asyncio.run(scenario())


def test_a_microphone_nobody_reads_loses_the_oldest() -> None:
    async def scenario() -> None:
        source = CardSource()
        for n in range(30):
            source.take(block(n), n == 7)
        assert (source.dropped, source.xruns) == (10, 1)
        assert await source.read() == block(10) + block(11)

    asyncio.run(scenario())


def test_the_speaker_wants_more_when_one_block_is_left() -> None:
    async def scenario() -> None:
        sink = CardSink()
        port: FrameSink = sink
        played = bytearray(960)
        await port.wanted()
        port.write(block(1) + block(2))
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(port.wanted())
            await asyncio.sleep(0)
            assert not asked.done()
            sink.give(memoryview(played), False)
        assert played == block(1)
        port.write(block(3) + block(4))
        for n in (2, 3, 4, 0):
            sink.give(memoryview(played), False)
            assert played == block(n)

    asyncio.run(scenario())


def test_asking_without_writing_waits_for_the_device() -> None:
    async def scenario() -> None:
        sink = CardSink()
        await sink.wanted()
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(sink.wanted())
            await asyncio.sleep(0)
            assert not asked.done()
            sink.give(memoryview(bytearray(960)), True)
        assert sink.xruns == 1

    asyncio.run(scenario())


def test_too_much_for_the_speaker_drops_the_oldest() -> None:
    async def scenario() -> None:
        sink = CardSink()
        for n in range(7):
            sink.write(2 * block(n))
        assert sink.dropped == 4
        played = bytearray(960)
        sink.give(memoryview(played), False)
        assert played == block(2)

    asyncio.run(scenario())


def test_a_device_that_falls_silent_counts_as_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        source, sink = CardSource(), CardSink()
        assert await source.read() is None
        sink.write(2 * BLOCK)
        await sink.wanted()
        assert isinstance(Sound(source, sink).failed, SoundError)
        assert isinstance(sink.failed, SoundError)

    monkeypatch.setattr(sound_card, "SOUND_STALL_MAX_S", 0)
    asyncio.run(scenario())


# --- With PortAudio, in a process of its own ------------------------------------


def _loud(frame: bytes) -> bool:
    return max(map(abs, array.array("h", frame))) > 1_000


async def _play(sound: Sound, frames: int) -> None:
    """Write silence, then a tone, at the device's pace."""
    tone = ToneSource()
    for n in range(frames):
        frame = await tone.read() if n >= 25 else bytes(1_920)
        await sound.sink.wanted()
        sound.sink.write(frame)


async def _hear(sound: Sound, frames: int) -> list[bool]:
    heard = []
    for _ in range(frames):
        frame = await sound.source.read()
        if frame is None:
            break
        heard.append(_loud(frame))
    return heard


async def _loopback(source: str, sink: str) -> dict[str, Any]:
    async with open_sound(source, sink) as sound, asyncio.TaskGroup() as tasks:
        tasks.create_task(_play(sound, 75))
        heard = tasks.create_task(_hear(sound, 75))
    return {
        "loud": sum(heard.result()),
        "first": heard.result().index(True) if any(heard.result()) else None,
        "failed": str(sound.failed),
    }


async def _loss(pulse_pid: int) -> dict[str, Any]:
    heard: list[bool] = []
    try:
        async with open_sound("mic", "speaker") as sound:
            await _play(sound, 10)
            os.kill(pulse_pid, signal.SIGKILL)
            heard = await _hear(sound, 500)
            await _play(sound, 10)  # the pace goes on
            assert sound.failed
    except SoundError as error:
        return {"frames": len(heard), "error": str(error)}
    return {"error": None}


async def _refused(source: str, sink: str) -> str:
    try:
        async with open_sound(source, sink):
            return "it opened"
    except SoundError as error:
        return str(error)


def _devices() -> list[str]:
    return [device.name for device in list_devices()]


def in_process(env: dict[str, str], call: str) -> Any:
    """Run an expression of this module elsewhere; its value, and no other output."""
    code = (
        f"import asyncio, json\nfrom {__name__} import *\n"
        f"from {__name__} import _loopback, _loss, _refused, _devices\n"
        f"print(json.dumps({call}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=env,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    if "_loss" not in call:  # PortAudio itself speaks when its server dies
        assert result.stderr == ""
    return json.loads(result.stdout)


def _need(*programs: str) -> None:
    missing = [program for program in programs if not shutil.which(program)]
    if not find_library("portaudio"):
        missing.append("libportaudio2")
    if missing and "pulse" in os.environ.get("WZP_TESTS_REQUIRE", "").split(","):
        pytest.fail(f"missing: {', '.join(missing)}")
    if missing:
        pytest.skip(f"missing: {', '.join(missing)}")


class Pulse:
    """A PulseAudio of our own with one null sink, and the environment to reach it."""

    def __init__(self, home: Path) -> None:
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith("PULSE_")},
            **{"HOME": str(home), "XDG_RUNTIME_DIR": str(home)},
            **{"PULSE_SINK": "spk", "PULSE_SOURCE": "spk.monitor"},
        }
        # Without norewinds=1 the null sink starts with 1.7 s of silence.
        null_sink = "module-null-sink sink_name=spk rate=48000 channels=1 norewinds=1"
        command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1"]
        command += ["-L", "module-native-protocol-unix", "-L", null_sink]
        self.process = subprocess.Popen(
            command, env=self.env, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )

    def answers(self) -> bool:
        done = subprocess.run(["pactl", "info"], env=self.env, capture_output=True)
        return done.returncode == 0

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def pulse(tmp_path: Path) -> Iterator[Pulse]:
    _need("pulseaudio", "pactl")
    server = Pulse(tmp_path)
    try:
        while not server.answers():
            assert server.process.poll() is None, "PulseAudio ended"
        yield server
    finally:
        server.stop()


@pytest.mark.pulse
def test_the_microphone_hears_the_speaker(pulse: Pulse) -> None:
    result = in_process(pulse.env, "asyncio.run(_loopback('mic', 'speaker'))")
    assert result["failed"] == "None"
    assert result["loud"] > 30
    assert result["first"] >= 25


@pytest.mark.pulse
@pytest.mark.parametrize(
    ("source", "sink"),
    [("mic", "null"), ("null", "speaker"), ("mic:pulse", "speaker:0")],
)
def test_one_way_and_named_devices_open_too(
    pulse: Pulse, source: str, sink: str
) -> None:
    result = in_process(pulse.env, f"asyncio.run(_loopback({source!r}, {sink!r}))")
    assert result["failed"] == "None"


@pytest.mark.pulse
def test_a_lost_device_ends_the_source_and_is_told(pulse: Pulse) -> None:
    result = in_process(pulse.env, f"asyncio.run(_loss({pulse.process.pid}))")
    assert "device stopped" in result["error"]
    assert result["frames"] < 500


@pytest.mark.pulse
def test_an_unknown_device_is_a_sound_error(pulse: Pulse) -> None:
    message = in_process(pulse.env, "asyncio.run(_refused('mic:nosuch', 'null'))")
    assert "nosuch" in message
    assert "wzp devices" in message
    message = in_process(pulse.env, "asyncio.run(_refused('null', 'speaker:99'))")
    assert "99" in message


@pytest.mark.pulse
def test_the_card_opens_again_after_a_call(pulse: Pulse) -> None:
    call = "[asyncio.run(_refused('mic', 'speaker')) for _ in range(2)] + _devices()"
    result = in_process(pulse.env, call)
    assert result[:2] == ["it opened"] * 2
    assert "default" in result


@pytest.mark.pulse
def test_no_device_says_what_to_do_instead(tmp_path: Path) -> None:
    _need()
    env = {**os.environ, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    if in_process(env, "_devices()"):
        pytest.skip("this machine has a sound card")
    message = in_process(env, "asyncio.run(_refused('mic', 'speaker'))")
    assert "no sound device" in message
    assert "--in null" in message


def test_no_portaudio_says_what_to_install() -> None:
    code = (
        "import ctypes.util, asyncio\n"
        "ctypes.util.find_library = lambda name: None\n"
        f"from {__name__} import _refused\n"
        "print(asyncio.run(_refused('mic', 'null')))"
    )
    if sys.platform != "linux":
        pytest.skip("the wheel of sounddevice brings PortAudio along here")
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "libportaudio2" in result.stdout
    assert "--in null" in result.stdout
