"""The wheel goes into fresh environments by pip and by uv, and calls work from there.

From the index that pip is set up with: without one, these tests are skipped.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from release.build import build
from release.lock import LOCK
from tests.support.requirements import require

EPOCH_S = 1_764_000_000
PIP = ["-m", "pip", "--disable-pip-version-check"]
_WAIT_S = 300.0

pytestmark = pytest.mark.timeout(600)


def run(*words: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run to the end; no test's environment, no checkout on the path."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("WZP_", "PYTHON"))}
    return subprocess.run(
        [str(word) for word in words],
        cwd="/",
        env={**kept, **variables},
        capture_output=True,
        text=True,
        timeout=_WAIT_S,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel; skips where the index is not reached."""
    there = tmp_path_factory.mktemp("index")
    asked = run(
        sys.executable, *PIP, "download", "-q", "--no-deps", "-d", there, "ifaddr"
    )
    if asked.returncode:
        require("index", f"no index is reached: {asked.stderr.strip()[-200:]}")
    return next(
        path
        for path in build(tmp_path_factory.mktemp("dist") / "dist", EPOCH_S)
        if path.suffix == ".whl"
    )


def works(venv: Path, home: Path) -> None:
    """Calls work from the environment, and it needs nothing outside of it."""
    variables = {"HOME": str(home), "XDG_STATE_HOME": str(home / "state")}
    wzp = venv / ("Scripts" if os.name == "nt" else "bin") / "wzp"
    shown = run(wzp, "demo", "--json", **variables)
    assert shown.returncode == 0, shown.stderr
    document = json.loads(shown.stdout)
    assert document["ok"] is True
    assert document["result"]["problems"] == []
    place = run(
        wzp.with_name("python"), "-c", "import wzp_cli; print(wzp_cli.__file__)"
    )
    assert Path(place.stdout.strip()).is_relative_to(venv)


def test_pip_with_every_file_checked_by_hash(wheel: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    assert run(sys.executable, "-m", "venv", venv).returncode == 0
    python = venv / "bin" / "python"
    steps: list[list[str | Path]] = [
        ["--require-hashes", "-r", LOCK],
        ["--no-deps", wheel],
    ]
    for words in steps:
        installed = run(python, *PIP, "install", "-q", *words)
        assert installed.returncode == 0, installed.stderr
    checked = run(python, *PIP, "check")
    assert checked.returncode == 0, checked.stdout
    works(venv, tmp_path)


def test_pip_alone(wheel: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    assert run(sys.executable, "-m", "venv", venv).returncode == 0
    installed = run(venv / "bin" / "python", *PIP, "install", "-q", wheel)
    assert installed.returncode == 0, installed.stderr
    works(venv, tmp_path)


def test_uv_with_all_extras(wheel: Path, tmp_path: Path) -> None:
    venv, uv = tmp_path / "venv", [sys.executable, "-m", "uv"]
    assert run(*uv, "venv", "-q", "-p", sys.executable, venv).returncode == 0
    python = venv / "bin" / "python"
    installed = run(*uv, "pip", "install", "-q", "-p", python, f"{wheel}[all]")
    assert installed.returncode == 0, installed.stderr
    works(venv, tmp_path)
