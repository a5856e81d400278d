"""How this very system gets what is missing: its package manager, its words."""

import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

__all__ = ["PACKAGES", "Remedies", "remedies_here"]

PACKAGES: Final[Mapping[str, Mapping[str, str]]] = {
    "libopus": {
        "apt": "libopus0",
        "zypper": "libopus0",
        "port": "libopus",
        "": "opus",
    },
    "PortAudio": {"apt": "libportaudio2", "zypper": "libportaudio2", "": "portaudio"},
    "Python 3.11": {
        "apt": "python3 python3-venv",
        "brew": "python@3.13",
        "port": "python313",
        "winget": "Python.Python.3.13",
        "": "python3",
    },
}
"""What a library is called by each package manager; "" by all others."""

_INSTALL: Final = {
    "apt": "sudo apt install",
    "dnf": "sudo dnf install",
    "pacman": "sudo pacman -S",
    "zypper": "sudo zypper install",
    "apk": "doas apk add",
    "xbps": "sudo xbps-install",
    "pkg": "sudo pkg install",
    "brew": "brew install",
    "port": "sudo port install",
    "winget": "winget install",
}

_PROGRAMS: Final = {
    "apt": "apt-get",
    "dnf": "dnf",
    "pacman": "pacman",
    "zypper": "zypper",
    "apk": "apk",
    "xbps": "xbps-install",
    "pkg": "pkg",
}

Which = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Remedies:
    """What to type on this system.

    Attributes:
        manager: Its package manager; "" where none is known.
        add: What adds a Python package to the environment that wzp runs in.
        platform: As `sys.platform`.
    """

    manager: str
    add: str
    platform: str = sys.platform

    @property
    def system(self) -> str:
        """The platform and its package manager."""
        return f"{self.platform}, {self.manager or 'no known package manager'}"

    def install(self, library: str) -> str:
        """Return what installs one of PACKAGES."""
        names = PACKAGES[library]
        package = names.get(self.manager, names[""])
        if not self.manager:
            return f"install {library} (mostly called {package})"
        return f"{_INSTALL[self.manager]} {package}"

    def extra(self, name: str) -> str:
        """Return what adds the packages of an extra of wzp."""
        return " ".join([self.add, *map(shlex.quote, _requirements(name))])

    def set_clock(self) -> str:
        """Return what sets the clock by the network."""
        if self.platform == "win32":
            return "w32tm /resync"
        if self.platform == "darwin":
            return "sudo sntp -sS time.apple.com"
        return "sudo timedatectl set-ntp true"

    def who_holds(self, port: int) -> str:
        """Return what shows the program that has a UDP port."""
        if self.platform == "win32":
            return f"netstat -ano -p udp | findstr :{port}"
        if self.platform == "darwin":
            return f"lsof -nP -iUDP:{port}"
        return f"ss -ulpn 'sport = :{port}'"


def remedies_here() -> Remedies:
    """Return what to type on this machine."""
    manager = _manager(sys.platform, shutil.which)
    add = _adder(Path(sys.prefix), sys.executable, shutil.which)
    return Remedies(manager, add)


def _manager(platform: str, which: Which) -> str:
    if platform == "win32":
        return "winget"
    if platform == "darwin":
        return "port" if which("port") and not which("brew") else "brew"
    found = (name for name, program in _PROGRAMS.items() if which(program))
    return next(found, "")


def _adder(prefix: Path, python: str, which: Which) -> str:
    """Return what adds packages here: as wzp itself was installed."""
    if (prefix / "pipx_metadata.json").exists():
        return "pipx inject wzp"
    if (prefix / "uv-receipt.toml").exists() or not _has_pip(prefix):
        if which("uv"):
            return f"uv pip install -p {shlex.quote(python)}"
        return f"python3 -m pip --python {shlex.quote(python)} install"
    return f"{shlex.quote(python)} -m pip install"


def _has_pip(prefix: Path) -> bool:
    return any(prefix.glob("lib/python3*/site-packages/pip")) or any(
        prefix.glob("Lib/site-packages/pip")
    )


def _requirements(extra: str) -> list[str]:
    """Return what an extra asks for, as its metadata says."""
    try:
        wanted = metadata.requires("wzp") or []
    except metadata.PackageNotFoundError:
        wanted = []
    mine = [each.partition(";") for each in wanted if f'"{extra}"' in _plain(each)]
    return [requirement.strip() for requirement, _, _ in mine] or [f"wzp[{extra}]"]


def _plain(requirement: str) -> str:
    return requirement.partition(";")[2].replace("'", '"')
