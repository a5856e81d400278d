import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.test_schema import fits
from tests.support.processes import Processes, User
from tests.support.pulse import Pulse
from wzp_cli.cli.app import run
from wzp_cli.cli.commands.devices import meter

NOISE = random.Random(1).randbytes(96_000 * 10)


@pytest.fixture
def pulse(tmp_path: Path) -> Iterator[Pulse]:
    with Pulse(tmp_path) as pulse:
        yield pulse


@pytest.fixture
def ada(pulse: Pulse, tmp_path: Path) -> Iterator[User]:
    """Somebody whose microphone hears what is played into the sink "mic"."""
    with Processes(tmp_path) as processes:
        ada = processes.user("ada")
        ada.environment.update(
            {
                name: value
                for name, value in pulse.environment.items()
                if name.startswith(("PULSE_", "XDG_RUNTIME"))
            }
        )
        yield ada


@pytest.mark.pulse
def test_the_devices_are_listed(ada: User) -> None:
    answer = ada.ask("devices")
    fits(answer.document, "devices.json")
    names = [device["name"] for device in answer.result["devices"]]
    assert {"pulse", "default"} <= set(names)
    assert answer.result["test"] is None
    ran = ada.run("devices")
    assert "pulse  (ALSA; microphone, speaker)" in ran.stdout
    assert ran.stderr == ""


@pytest.mark.pulse
def test_the_microphone_is_heard_and_played_again(pulse: Pulse, ada: User) -> None:
    with pulse.playing("mic", NOISE):
        answer = ada.ask(
            "devices", "--test", "--duration", "1s", "--no-noise-suppression"
        )
    fits(answer.document, "devices.json")
    test = answer.result["test"]
    assert (test["heard_ms"], test["played_ms"]) == (1000, 1000)
    assert test["level_dbfs"] > -30


@pytest.mark.pulse
def test_digital_silence_is_told(ada: User) -> None:
    answer = ada.ask("devices", "--test", "--duration", "500ms", expect=7)
    fits(answer.document, "devices.json")
    assert answer.document["error"]["code"] == "sound"
    assert answer.result["test"]["level_dbfs"] is None
    ran = ada.run("devices", "--test", "--duration", "200ms", expect=7)
    assert "Say something" in ran.stderr
    assert "heard nothing at all" in ran.stdout
    assert "\r" not in ran.stderr, "no meter without a terminal"


@pytest.mark.pulse
def test_a_person_at_a_terminal_sees_the_level(ada: User) -> None:
    terminal = ada.at_terminal("devices", "--test", "--in", "tone", "--duration", "1s")
    terminal.wait_for("Say something")
    terminal.wait_for("] -21 dB")
    terminal.wait_for("Now the speaker plays")
    terminal.wait_for("both work")
    assert terminal.wait_end() == 0


@pytest.mark.pulse
def test_an_unknown_device_is_told_with_what_there_is(ada: User) -> None:
    answer = ada.ask("devices", "--test", "--in", "mic:nosuch", expect=7)
    assert 'there is 0 "pulse"' in answer.document["error"]["message"]


def test_options_of_the_test_without_it(environ: dict[str, str]) -> None:
    assert run(["devices", "--in", "mic"], environ) == 2


@pytest.mark.parametrize(
    ("level_dbfs", "bar"),
    [(0.0, 40), (-30.0, 20), (-60.0, 0), (-90.0, 0), (None, 0)],
)
def test_the_meter(level_dbfs: float | None, bar: int) -> None:
    drawn = meter(level_dbfs)
    assert drawn.count("#") == bar
    assert drawn[41] == "]"
