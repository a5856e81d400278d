"""Which device a word means: a rule over lists; and the list of a real PulseAudio."""

import pytest

from wzp_cli.adapters.sound_card.devices import Direction, SoundDevice, choose
from wzp_cli.errors import SoundError


def device(
    index: int, name: str, *, inputs: int = 1, outputs: int = 1, **more: object
) -> SoundDevice:
    known = {"default_input": False, "default_output": False, "driver": "ALSA", **more}
    return SoundDevice(index=index, name=name, inputs=inputs, outputs=outputs, **known)  # type: ignore[arg-type]


DESK = [
    device(0, "HDA Intel: ALC257 (hw:0,0)"),
    device(1, "HDMI 0", inputs=0),
    device(2, "USB Headset", default_input=True),
    device(3, "USB Headset Two"),
    device(4, "pulse", default_output=True),
]
WINDOWS = [
    device(0, "Headset", driver="MME", default_input=True),
    device(1, "Headset", driver="WASAPI"),
    device(2, "Speakers", driver="WASAPI", inputs=0),
    device(3, "Speakers", driver="DirectSound", inputs=0),
]


@pytest.mark.parametrize(
    ("word", "direction", "index"),
    [
        ("", "microphone", 2),
        ("", "speaker", 4),
        ("0", "speaker", 0),
        ("pulse", "microphone", 4),
        ("hda", "microphone", 0),
        ("usb headset", "speaker", 2),
        ("headset two", "speaker", 3),
        ("hdmi", "speaker", 1),
    ],
)
def test_a_device_by_name_part_or_index(
    word: str, direction: Direction, index: int
) -> None:
    assert choose(word, direction, DESK).index == index


def test_of_several_drivers_the_systems_own_counts() -> None:
    assert choose("Headset", "microphone", WINDOWS).driver == "MME"
    with pytest.raises(SoundError, match=r'2 "Speakers" \(WASAPI\), 3 "Speakers" \(D'):
        choose("Speakers", "speaker", WINDOWS)


@pytest.mark.parametrize(
    ("word", "direction", "words"),
    [
        (
            "headset",
            "speaker",
            'Several speakers fit \'headset\': 2 "USB Headset", 3 "US',
        ),
        ("nosuch", "microphone", "No microphone is called 'nosuch'; there is 0 \"HDA"),
        ("hdmi", "microphone", "No microphone is called 'hdmi'"),
        ("99", "speaker", "No speaker is called '99'"),
    ],
)
def test_what_is_unclear_is_told_with_what_there_is(
    word: str, direction: Direction, words: str
) -> None:
    with pytest.raises(SoundError) as refused:
        choose(word, direction, DESK)
    assert words in str(refused.value)
    assert str(refused.value).endswith(".")


def test_a_machine_without_devices_says_what_to_do_instead() -> None:
    with pytest.raises(SoundError, match=r"no sound device.*--in null"):
        choose("", "speaker", [])
    with pytest.raises(SoundError, match=r"no microphone.*--in null"):
        choose("", "microphone", [DESK[1]])


def test_without_a_default_one_is_suggested() -> None:
    with pytest.raises(SoundError, match=r"chosen no speaker.*--out speaker:0\."):
        choose("", "speaker", DESK[:3])
