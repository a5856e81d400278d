from pathlib import Path

import pytest

from wzp_cli.cli.doctor import remedies
from wzp_cli.cli.doctor.remedies import PACKAGES, Remedies, remedies_here


@pytest.mark.parametrize(
    ("manager", "opus", "portaudio"),
    [
        ("apt", "sudo apt install libopus0", "sudo apt install libportaudio2"),
        ("dnf", "sudo dnf install opus", "sudo dnf install portaudio"),
        ("pacman", "sudo pacman -S opus", "sudo pacman -S portaudio"),
        ("brew", "brew install opus", "brew install portaudio"),
        ("port", "sudo port install libopus", "sudo port install portaudio"),
        ("", "install libopus (mostly called opus)", "install PortAudio"),
    ],
)
def test_each_package_manager_has_its_words(
    manager: str, opus: str, portaudio: str
) -> None:
    here = Remedies(manager, "pip install")
    assert here.install("libopus") == opus
    assert here.install("PortAudio").startswith(portaudio)
    assert all(here.install(library) for library in PACKAGES)


@pytest.mark.parametrize(
    ("platform", "programs", "manager"),
    [
        ("linux", {"apt-get"}, "apt"),
        ("linux", {"dnf"}, "dnf"),
        ("linux", {"apk"}, "apk"),
        ("linux", set[str](), ""),
        ("darwin", {"port"}, "port"),
        ("darwin", {"port", "brew"}, "brew"),
        ("darwin", set[str](), "brew"),
        ("win32", set[str](), "winget"),
    ],
)
def test_the_package_manager_is_the_one_that_is_there(
    platform: str, programs: set[str], manager: str
) -> None:
    def which(name: str) -> str | None:
        return name if name in programs else None

    assert remedies._manager(platform, which) == manager


def test_packages_are_added_as_wzp_was_installed(tmp_path: Path) -> None:
    def nothing(name: str) -> None:
        return None

    def uv(name: str) -> str | None:
        return name if name == "uv" else None

    python = "/x/bin/python"
    pip = "python3 -m pip --python /x/bin/python install"
    assert remedies._adder(tmp_path, python, nothing) == pip
    assert remedies._adder(tmp_path, python, uv) == f"uv pip install -p {python}"
    (tmp_path / "lib/python3.11/site-packages/pip").mkdir(parents=True)
    assert remedies._adder(tmp_path, python, uv) == f"{python} -m pip install"
    (tmp_path / "pipx_metadata.json").touch()
    assert remedies._adder(tmp_path, python, uv) == "pipx inject wzp"


def test_an_extra_is_named_by_what_it_asks_for() -> None:
    words = Remedies("apt", "pip install").extra("audio")
    assert words.startswith("pip install 'pywebrtc-audio")


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_each_system_has_words_for_clock_and_port(platform: str) -> None:
    here = Remedies("", "pip install", platform)
    assert here.set_clock()
    assert "4711" in here.who_holds(4711)


def test_this_machine() -> None:
    here = remedies_here()
    assert here.system.startswith(here.platform)
