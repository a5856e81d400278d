"""PortAudio as a library: quiet, and missed with a sentence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def told(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )


def test_what_libraries_print_is_dropped_and_what_wzp_says_is_not() -> None:
    result = told(
        "import os, sys\n"
        "from wzp_cli.adapters.sound_card.portaudio import quiet_stderr\n"
        "say = lambda word: print(word, file=sys.stderr)\n"
        "library = lambda word: os.write(2, word)\n"
        "say('before')\n"
        "with quiet_stderr():\n"
        "    library(b'Expression failed\\n'); say('one')\n"
        "    with quiet_stderr():\n"
        "        library(b'ALSA lib\\n'); say('two')\n"
        "    library(b'and again\\n'); say('three')\n"
        "library(b'after\\n')\n"
        "say('end')\n"
    )
    assert result.stderr.split() == ["before", "one", "two", "three", "after", "end"]


def test_a_process_without_standard_error_works_too() -> None:
    result = told(
        "import os\n"
        "from wzp_cli.adapters.sound_card.portaudio import quiet_stderr\n"
        "os.close(2)\n"
        "with quiet_stderr(): print('in')\n"
        "print('out')\n"
    )
    assert result.stdout.split() == ["in", "out"]


def test_no_descriptor_is_left_behind() -> None:
    from wzp_cli.adapters.sound_card.portaudio import quiet_stderr

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("no /proc here")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with quiet_stderr(), quiet_stderr():
            pass
    assert len(os.listdir("/proc/self/fd")) == before


def test_no_portaudio_says_what_to_install() -> None:
    if sys.platform != "linux":
        pytest.skip("the wheel of sounddevice brings PortAudio along here")
    result = told(
        "import ctypes.util\n"
        "ctypes.util.find_library = lambda name: None\n"
        "from wzp_cli.adapters.sound_card.devices import list_devices\n"
        "from wzp_cli.errors import SoundError\n"
        "try: list_devices()\n"
        "except SoundError as error: print(error)\n"
    )
    assert "libportaudio2" in result.stdout
    assert "--in null" in result.stdout
