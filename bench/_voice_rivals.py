"""Who calls beside wzp: libwebrtc (PyPI's wrtc), aiortc, Debian's baresip.

The two from PyPI go into an environment of the bench's own, made when it is asked for:
nothing of it is a dependency of wzp.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

NAMES = ("libwebrtc", "aiortc", "baresip")
_VENV = Path("build/voice-rivals").absolute()
PYTHON = _VENV / "bin" / "python"
_PACKAGES = {"libwebrtc": "wrtc", "aiortc": "aiortc"}


def why_not(name: str) -> str | None:
    """Install what a rival needs; say what keeps it from running, None if nothing."""
    if name == "baresip":
        if shutil.which("baresip") is None:
            return "not there; Debian: apt-get install baresip-core"
        return None
    if not PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", str(_VENV)], check=True)
    package = _PACKAGES[name]
    words = [str(PYTHON), "-m", "pip", "install", "-q", package, "aiortc"]
    if not _installed(package):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"pip could not install {package}: {done.stderr.strip()[-200:]}"
    return None


def versions(names: Iterable[str]) -> dict[str, str]:
    """Return which version of each is measured; `why_not` has installed them."""
    return {name: _version(name) for name in names}


def _version(name: str) -> str:
    if name == "baresip":
        words = ["dpkg-query", "-W", "-f=${Version}", "baresip-core"]
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout
    return _installed(_PACKAGES[name]) or "unknown"


def _installed(package: str) -> str | None:
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    done = subprocess.run(
        [str(PYTHON), "-c", code], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else None
