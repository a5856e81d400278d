"""The recipes of docs/usage.md run as they stand: bash, jq, and a listener."""

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.processes import Processes, User
from tests.support.requirements import require

USAGE = (Path(__file__).parents[2] / "docs/usage.md").read_text("utf-8")
_, _, REST = USAGE.partition("\n## Recipes for a second terminal and for scripts\n")
SECTION = REST.partition("\n## ")[0]
RECIPES: list[str] = re.findall(r"(?:^    .+\n)+", SECTION, re.MULTILINE)
SILENCE = ("--in", "null", "--out", "null")


def recipe(words: str) -> str:
    """Return the recipe with these words in it."""
    (found,) = [text for text in RECIPES if words in text]
    return found


@pytest.fixture
def shims(tmp_path: Path) -> Path:
    """A folder with `wzp` as installed, and a `sleep` that is in a hurry."""
    if shutil.which("jq") is None or shutil.which("bash") is None:
        require("jq", "jq or bash is not installed")
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, words in {
        "wzp": f'exec {sys.executable} -m wzp_cli "$@"',
        "sleep": "exec /bin/sleep 0.2",
    }.items():
        (folder / name).write_text(f"#!/bin/sh\n{words}\n")
        (folder / name).chmod(0o755)
    return folder


def bash(
    processes: Processes, user: User, shims: Path, text: str
) -> "subprocess.Popen[bytes]":
    """Start a recipe, as the user would."""
    path = f"{shims}:{user.environment['PATH']}"
    return processes.popen(
        ["bash", "-o", "pipefail", "-c", text],
        env={**user.environment, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def said(process: "subprocess.Popen[bytes]") -> Sequence[str]:
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    return out.decode().splitlines()


def test_who_waits_answers_and_hangs_up(
    processes: Processes, relay: str, shims: Path
) -> None:
    bob = processes.user("bob", WZP_RELAY=relay)
    alice = processes.user("alice", WZP_RELAY=relay)
    bob.start("listen", *SILENCE).wait_for("ready")
    status = "".join(ln for ln in recipe("toggle").splitlines(True) if "status" in ln)
    assert said(bash(processes, bob, shims, status)) == ["no call"]

    waiting = bash(processes, bob, shims, recipe("--until incoming"))
    bar = bash(processes, bob, shims, recipe("--unbuffered"))
    assert bar.stdout is not None
    assert bar.stdout.readline() == b"hello\n", "it follows"
    while waiting.poll() is None:  # until it follows, a call may come too early
        calling = alice.start("call", bob.id, *SILENCE, "--ring-timeout", "5s")
        calling.wait_end()
    assert calling.all("hangup")[0]["by"] == "peer"
    assert said(waiting)[0].startswith(f"Answered {alice.id}")
    shown = [bar.stdout.readline() for _ in range(3)]
    assert b"incoming\n" in shown
    missed = said(bash(processes, bob, shims, status))
    assert missed[0] == "no call"
    assert all(alice.id in line for line in missed[1:])


def test_a_call_through_the_listener_tells_its_path(
    processes: Processes, relay: str, shims: Path
) -> None:
    bob = processes.user("bob", WZP_RELAY=relay)
    alice = processes.user("alice", WZP_RELAY=relay)
    alice.start("listen", *SILENCE).wait_for("ready")
    bob.start("listen", "--auto-answer", "all", *SILENCE).wait_for("ready")
    text = recipe("call bob").replace("bob", bob.id).replace("30s", "1s")
    assert said(bash(processes, alice, shims, text)) == ["direct"]


def test_every_recipe_is_tried_here() -> None:
    words = ("toggle", "--until incoming", "--unbuffered", "call bob")
    assert sorted(map(recipe, words)) == sorted(RECIPES)
