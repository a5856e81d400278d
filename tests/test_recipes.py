"""Each block of bash in docs/ runs as it stands, with jq, a relay and a friend."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import Processes
from tests.support.requirements import require

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RECIPES = [
    pytest.param(match[1], id=f"{page.name}-{number}")
    for page in sorted((ROOT / "docs").glob("*.md"))
    for number, match in enumerate(BLOCK.finditer(page.read_text("utf-8")), 1)
]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a recipe: `wzp`, `$RELAY`, and a `$FRIEND` who answers."""
    for name in ("bash", "jq"):
        if shutil.which(name) is None:
            require(name, f"there is no {name}")
    directory = tmp_path_factory.mktemp("stage")
    wzp = directory / "bin" / "wzp"
    wzp.parent.mkdir()
    wzp.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m wzp_cli "$@"\n')
    wzp.chmod(0o755)
    quiet = {"WZP_PUBLIC_STUN": "false", "WZP_PORTMAP": "false"}
    with Processes(directory) as processes:
        relay = processes.relay()
        friend = processes.user("friend", WZP_RELAY=relay, **quiet)
        words = ("--auto-answer", "all", "--in", "tone", "--out", "null")
        ready = friend.start("listen", *words).wait_for("ready")
        yield {
            "PATH": f"{wzp.parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "LANG": "C.UTF-8",
            "RELAY": relay,
            "FRIEND": ready["ticket"],
            **quiet,
        }


@pytest.mark.parametrize("recipe", RECIPES)
def test_it_runs_as_it_stands(
    recipe: str, stage: dict[str, str], tmp_path: Path
) -> None:
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", recipe],
        cwd=tmp_path,
        env={**stage, "HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, (ran.stdout, ran.stderr)
    assert ran.stdout.strip(), ran.stderr
    assert "null" not in ran.stdout.replace("--out null", ""), ran.stdout


def test_there_are_recipes() -> None:
    assert len(RECIPES) >= 15


LINK = re.compile(r"\]\(([^)#:]+)(?:#([^)]+))?\)")


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=str
)
def test_links_lead_somewhere(page: Path) -> None:
    for path, anchor in LINK.findall(page.read_text("utf-8")):
        target = page.parent / path
        assert target.exists(), path
        if anchor and target.suffix == ".md":
            headings = re.findall(r"^#+ (.*)$", target.read_text("utf-8"), re.M)
            assert anchor in set(map(_anchor, headings)), f"{path}#{anchor}"


def _anchor(heading: str) -> str:
    """Return the anchor that a heading gets."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
