"""Which sound devices there are, and which one a user means by a name or an index."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Final, Literal

from wzp_cli.adapters.sound_card.portaudio import INSTEAD, portaudio
from wzp_cli.errors import SoundError

__all__ = ["Direction", "SoundDevice", "choose", "devices_of", "list_devices"]

Direction = Literal["microphone", "speaker"]

_WORDS: Final[dict[Direction, str]] = {
    "microphone": "--in mic",
    "speaker": "--out speaker",
}


@dataclass(frozen=True, kw_only=True)
class SoundDevice:
    """One device as PortAudio lists it; `index` or `name` go behind `mic:`.

    Attributes:
        driver: The system's interface to it (ALSA, Core Audio, WASAPI ...); some
            systems list a device once for each.
        inputs, outputs: Channels; 0 where it is no microphone, or no speaker.
    """

    index: int
    name: str
    driver: str
    inputs: int
    outputs: int
    default_input: bool
    default_output: bool

    def can_be(self, direction: Direction) -> bool:
        """Return whether it is one."""
        return (self.inputs if direction == "microphone" else self.outputs) > 0

    def is_default(self, direction: Direction) -> bool:
        """Return whether it is the system's own choice."""
        if direction == "microphone":
            return self.default_input
        return self.default_output


def list_devices() -> list[SoundDevice]:
    """Return all sound devices; [] on a machine without any.

    Raises:
        SoundError: There is no PortAudio.
    """
    with portaudio() as sd:
        return devices_of(sd)


def devices_of(sd: ModuleType) -> list[SoundDevice]:
    """Return what PortAudio lists (see `portaudio`)."""
    drivers = [api["name"] for api in sd.query_hostapis()]
    default_input, default_output = sd.default.device[0], sd.default.device[1]
    return [
        SoundDevice(
            index=info["index"],
            name=info["name"],
            driver=drivers[info["hostapi"]],
            inputs=info["max_input_channels"],
            outputs=info["max_output_channels"],
            default_input=info["index"] == default_input,
            default_output=info["index"] == default_output,
        )
        for info in sd.query_devices()
    ]


def choose(
    word: str, direction: Direction, devices: Sequence[SoundDevice]
) -> SoundDevice:
    """Return the device that a user means.

    Args:
        word: An index, a name or part of one, "" for the system's own choice. A whole
            name counts before a part; of several with that name, the default's driver.
        direction: What it is wanted for.
        devices: What there is.

    Raises:
        SoundError: None, or several; the sentence lists them.
    """
    if not devices:
        raise SoundError(f"This machine has no sound device. {INSTEAD}")
    able = [device for device in devices if device.can_be(direction)]
    found = _named(word, direction, able)
    if len(found) == 1:
        return found[0]
    raise SoundError(_refusal(word, direction, found, able))


def _named(
    word: str, direction: Direction, able: Sequence[SoundDevice]
) -> list[SoundDevice]:
    if not word:
        return [device for device in able if device.is_default(direction)]
    if word.isascii() and word.isdecimal():
        return [device for device in able if device.index == int(word)]
    wanted = word.casefold()
    exact = [device for device in able if device.name.casefold() == wanted]
    drivers = {each.driver for each in able if each.is_default(direction)}
    usual = [device for device in exact if device.driver in drivers]
    part = [device for device in able if wanted in device.name.casefold()]
    return next(filter(None, (usual, exact, part)), [])


def _refusal(
    word: str,
    direction: Direction,
    found: Sequence[SoundDevice],
    able: Sequence[SoundDevice],
) -> str:
    if not able:
        return f"This machine has no {direction}. {INSTEAD}"
    if found:
        listed = _listed(found)
        return f"Several {direction}s fit {word!r}: {listed}. Say more, or the index."
    if not word:
        example = f"{_WORDS[direction]}:{able[0].index}"
        listed = _listed(able)
        return (
            f"The system has chosen no {direction}; there is {listed}. Say {example}."
        )
    return f"No {direction} is called {word!r}; there is {_listed(able)}."


def _listed(devices: Sequence[SoundDevice]) -> str:
    names = [device.name for device in devices]
    return ", ".join(
        f'{device.index} "{device.name}"'
        + (f" ({device.driver})" if names.count(device.name) > 1 else "")
        for device in devices
    )
