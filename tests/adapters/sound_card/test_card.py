"""The sound card against a real PulseAudio, whose loudspeaker is its microphone."""

import array
import asyncio
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.pulse import Pulse, need_sound
from tests.support.requirements import require
from tests.support.speech import speech
from wzp_cli.adapters import sound as sound_module
from wzp_cli.adapters.sound import Sound, Treatment, open_sound
from wzp_cli.adapters.sound_card.devices import list_devices
from wzp_cli.adapters.sound_files.pace import ToneSource
from wzp_cli.adapters.voice.cleaning import Cleaning, can_clean
from wzp_cli.errors import SoundError
from wzp_cli.events import Event, Warned
from wzp_cli.protocol.media.level import level

__all__ = [
    "_devices",
    "_echoed_dbfs",
    "_loopback",
    "_lost_and_found",
    "_one_way",
    "_refused",
    "_warned",
]

ROOT = Path(__file__).parents[3]
_LOUD = 31
_PATIENCE_S = 30.0


def _loud(frame: bytes) -> bool:
    return max(map(abs, array.array("h", frame))) > 1_000


async def _play(sound: Sound, silent: int = 0) -> None:
    """Write silence, then a tone, at the device's pace; until cancelled."""
    tone = ToneSource()
    for n in itertools.count():
        frame = await tone.read() if n >= silent else bytes(1_920)
        await sound.sink.wanted()
        sound.sink.write(frame)


async def _heard(sound: Sound, silent: int = 0) -> int:
    """Play until `_LOUD` loud frames were heard; return how many quiet ones were."""
    loud = quiet = 0
    async with asyncio.timeout(_PATIENCE_S), asyncio.TaskGroup() as tasks:
        playing = tasks.create_task(_play(sound, silent))
        while loud < _LOUD:
            frame = await sound.source.read()
            heard = frame is not None and _loud(frame)
            loud, quiet = loud + heard, quiet + (not heard)
        playing.cancel()
    return quiet


async def _loopback() -> dict[str, Any]:
    async with open_sound("mic", "speaker") as sound:
        quiet = await _heard(sound, silent=25)
    return {"quiet": quiet, "failed": str(sound.failed)}


async def _one_way(source: str, sink: str) -> str:
    async with open_sound(source, sink) as sound, asyncio.TaskGroup() as tasks:
        playing = tasks.create_task(_play(sound))
        for _ in range(75):
            await sound.source.read()
        playing.cancel()
    return str(sound.failed)


def _say(word: str) -> None:
    """Tell the test, in the other process, that its moment has come."""
    sys.stdout.write(json.dumps(word) + "\n")
    sys.stdout.flush()


class _Watch:
    """Passes warnings on to the test, and waits for them."""

    def __init__(self) -> None:
        self.codes: list[str] = []
        self.came = asyncio.Event()

    def report(self, event: Event) -> None:
        assert isinstance(event, Warned)
        self.codes.append(event.code)
        _say(event.code)
        self.came.set()

    async def told(self, code: str) -> None:
        while code not in self.codes:
            self.came.clear()
            await self.came.wait()


async def _lost_and_found(speaker: str) -> list[int]:
    """Return how many quiet frames were heard among loud ones: before, and after."""
    watch = _Watch()
    async with open_sound("mic", speaker, report=watch.report) as sound:

        async def hear() -> None:
            while True:
                await sound.source.read()

        before = await _heard(sound)
        _say("ready")
        async with asyncio.TaskGroup() as tasks:  # goes on while nothing is there
            both = [tasks.create_task(_play(sound)), tasks.create_task(hear())]
            await watch.told("device_lost")
            await watch.told("device_back")
            for task in both:
                task.cancel()
        return [before, await _heard(sound)]


async def _echoed_dbfs(*, cancels: bool) -> list[float]:
    """Return how loud speech is that the speaker plays, and the microphone hears."""
    cleaning = Cleaning(echo=cancels, noise=False, gain=False)
    spoken = np.repeat(speech(8.0), 3).tobytes()
    heard: list[bytes] = []
    async with open_sound("mic", "speaker", Treatment(cleaning=cleaning)) as sound:

        async def hear() -> None:
            while (frame := await sound.source.read()) is not None:
                heard.append(frame)

        async with asyncio.TaskGroup() as tasks:
            hearing = tasks.create_task(hear())
            for at in range(0, len(spoken) - 1_919, 1_920):
                await sound.sink.wanted()
                sound.sink.write(spoken[at : at + 1_920])
            hearing.cancel()
    settled = b"".join(heard[150:])
    return [level(settled).mean_dbfs or -99.0]


async def _warned(*, installed: bool, echo: bool) -> list[str]:
    """Return the codes of what is warned of when both sides are opened."""
    vars(sound_module)["can_clean"] = lambda: installed
    told: list[str] = []

    def report(event: Event) -> None:
        assert isinstance(event, Warned)
        told.append(event.code)

    treatment = Treatment(cleaning=Cleaning(echo=echo))
    async with open_sound("mic", "speaker", treatment, report):
        return told


async def _refused(source: str, sink: str) -> str:
    try:
        async with open_sound(source, sink):
            return "it opened"
    except SoundError as error:
        return str(error)


def _devices() -> list[str]:
    return [device.name for device in list_devices()]


def start(environment: dict[str, str], call: str) -> "subprocess.Popen[str]":
    """Run an expression of this module elsewhere."""
    code = f"import asyncio, json\nfrom {__name__} import *\nprint(json.dumps({call}))"
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def in_process(environment: dict[str, str], call: str) -> Any:
    """Return the value of an expression; nothing else may have been printed."""
    with start(environment, call) as process:
        told, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert errors == ""
    return json.loads(told)


@pytest.fixture
def pulse(tmp_path: Path) -> Iterator[Pulse]:
    with Pulse(tmp_path, "spk") as pulse:
        pulse.environment["PULSE_SOURCE"] = "spk.monitor"
        yield pulse


@pytest.mark.pulse
def test_the_microphone_hears_the_speaker(pulse: Pulse) -> None:
    result = in_process(pulse.environment, "asyncio.run(_loopback())")
    assert result["failed"] == "None"
    assert result["quiet"] >= 25, "the tone is heard after the silence"
    assert result["quiet"] <= 44, "and most of it"


@pytest.mark.pulse
@pytest.mark.parametrize(
    ("source", "sink"),
    [("mic", "null"), ("null", "speaker"), ("mic:pulse", "speaker:0")],
)
def test_one_way_and_named_devices_open_too(
    pulse: Pulse, source: str, sink: str
) -> None:
    call = f"asyncio.run(_one_way({source!r}, {sink!r}))"
    assert in_process(pulse.environment, call) == "None"


@pytest.mark.pulse
@pytest.mark.parametrize("speaker", ["speaker", "speaker:0"])
@pytest.mark.parametrize("what", ["the device", "the server"])
def test_a_device_that_goes_and_comes_back_is_used_again(
    pulse: Pulse, what: str, speaker: str
) -> None:
    call = f"asyncio.run(_lost_and_found({speaker!r}))"
    with start(pulse.environment, call) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said = [json.loads(process.stdout.readline())]
        pulse.unplug("spk") if what == "the device" else pulse.stop()
        said.append(json.loads(process.stdout.readline()))
        pulse.plug("spk") if what == "the device" else pulse.start()
        *told, (before, after) = map(json.loads, process.stdout)
        assert process.stderr.read() == "", "ALSA and PortAudio are kept quiet"
    assert [*said, *told] == ["ready", "device_lost", "device_back"]
    assert before <= 19
    assert after <= 19


@pytest.mark.pulse
def test_what_the_speaker_plays_is_taken_out_of_what_the_microphone_hears(
    pulse: Pulse,
) -> None:
    if not can_clean():
        require("audio", "the extra audio is not installed")
    call = "asyncio.run(_echoed_dbfs(cancels={}))"
    (before,) = in_process(pulse.environment, call.format(False))
    (after,) = in_process(pulse.environment, call.format(True))
    print(f"ERLE on a real stream {before - after:.1f} dB")  # noqa: T201
    assert before > -40
    assert before - after > 15


@pytest.mark.pulse
@pytest.mark.parametrize(
    ("installed", "echo", "codes"),
    [(True, True, []), (False, True, ["echo"]), (False, False, [])],
)
def test_a_speaker_without_echo_cancellation_is_warned_of(
    pulse: Pulse, installed: bool, echo: bool, codes: list[str]
) -> None:
    call = f"asyncio.run(_warned(installed={installed}, echo={echo}))"
    assert in_process(pulse.environment, call) == codes


@pytest.mark.pulse
def test_an_unknown_device_is_told_with_those_that_there_are(pulse: Pulse) -> None:
    message = in_process(
        pulse.environment, "asyncio.run(_refused('mic:nosuch', 'null'))"
    )
    assert message.startswith("No microphone is called 'nosuch'; there is 0 \"pulse\"")


@pytest.mark.pulse
def test_the_card_opens_again_after_a_call(pulse: Pulse) -> None:
    call = "[asyncio.run(_refused('mic', 'speaker')) for _ in range(2)] + _devices()"
    result = in_process(pulse.environment, call)
    assert result[:2] == ["it opened"] * 2
    assert "default" in result


@pytest.mark.pulse
def test_no_device_says_what_to_do_instead(tmp_path: Path) -> None:
    need_sound()
    env = {**os.environ, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    if in_process(env, "_devices()"):
        pytest.skip("this machine has a sound card")
    message = in_process(env, "asyncio.run(_refused('mic', 'speaker'))")
    assert "no sound device" in message
    assert "--in null" in message
