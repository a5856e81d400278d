import asyncio
import sys

import pytest

from tests.cli.doctor.conftest import MakePatient
from wzp_cli.adapters.disk.config import Config
from wzp_cli.adapters.sound_card.devices import SoundDevice
from wzp_cli.adapters.voice import cleaning
from wzp_cli.cli.doctor import sound

HEADSET = SoundDevice(
    index=0,
    name="Headset",
    driver="ALSA",
    inputs=1,
    outputs=0,
    default_input=True,
    default_output=False,
)
CHECKS = (sound.check_portaudio, sound.check_microphone, sound.check_speaker)


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> list[SoundDevice]:
    """The devices that PortAudio lists; a machine of the laboratory has none."""
    devices: list[SoundDevice] = []
    monkeypatch.setattr(sound, "_devices", lambda: devices)
    return devices


def test_without_need_nothing_is_tried(patient: MakePatient) -> None:
    config = Config(source="tone", sink="null")
    for found in (patient(sound=False), patient(said=config)):
        assert {check(found).status for check in CHECKS} == {"skipped"}
        assert sound.check_echo(found).status == "skipped"
        assert asyncio.run(sound.check_voice(found)).status == "skipped"


def test_no_devices(patient: MakePatient, plugged: list[SoundDevice]) -> None:
    found = sound.check_microphone(patient())
    assert (found.status, found.check) == ("failed", "microphone")
    assert found.fix is not None
    assert "--in tone" in found.fix
    assert sound.check_portaudio(patient()).status == "ok"


def test_a_microphone_and_no_speaker(
    patient: MakePatient, plugged: list[SoundDevice]
) -> None:
    plugged.append(HEADSET)
    assert sound.check_microphone(patient()).message == "Headset (ALSA)"
    assert sound.check_speaker(patient()).status == "failed"
    other = patient(said=Config(source="mic:USB"))
    assert "'USB'" in sound.check_microphone(other).message


def test_no_portaudio(patient: MakePatient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    real = __import__

    def refuse(name: str, *rest: object) -> object:
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return real(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("builtins.__import__", refuse)
    found = sound.check_portaudio(patient())
    assert (found.status, found.message) == ("failed", "PortAudio is missing.")
    assert found.fix == "sudo apt install libportaudio2"
    assert sound.check_microphone(patient()).status == "skipped"
    assert sound.check_speaker(patient()).status == "skipped"


def test_echo(patient: MakePatient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaning, "can_clean", lambda: True)
    assert sound.check_echo(patient()).status == "ok"
    monkeypatch.setattr(cleaning, "can_clean", lambda: False)
    found = sound.check_echo(patient())
    assert found.status == "note"
    assert found.fix is not None
    assert "pywebrtc-audio" in found.fix
