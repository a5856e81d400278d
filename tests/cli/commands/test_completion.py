import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.test_schema import fits
from tests.support.processes import Processes
from tests.support.requirements import require

HERE = Path(__file__).parents[3]


def test_each_shell_has_a_script(processes: Processes) -> None:
    ada = processes.user("ada")
    for shell in ("bash", "zsh", "fish", "pwsh"):
        answer = ada.ask("completion", shell)
        fits(answer.document, "completion.json")
        assert "_WZP_COMPLETE" in answer.result["script"]
        assert f"wzp completion {shell}" in answer.result["install"]
    refused = ada.ask("completion", "tcsh", expect=2)
    fits(refused.document, "completion.json")


@pytest.fixture
def bash(tmp_path: Path) -> Callable[[str], list[str]]:
    """What bash offers behind some words, by the script itself."""
    program = shutil.which("bash")
    if program is None:
        require("bash", "there is no bash")
    wzp = tmp_path / "wzp"
    wzp.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m wzp_cli "$@"\n')
    wzp.chmod(0o755)

    def complete(words: str) -> list[str]:
        line = words.split(" ")
        script = (
            f'eval "$(wzp completion bash)"; COMP_WORDS=({words}); '
            f"COMP_CWORD={len(line) - 1}; _wzp_completion wzp; "
            "printf '%s\\n' \"${COMPREPLY[@]}\""
        )
        ran = subprocess.run(
            [program, "-c", script],
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(HERE)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stderr == ""
        return ran.stdout.split()

    return complete


def test_bash_completes_commands_flags_and_values(
    bash: Callable[[str], list[str]],
) -> None:
    assert {"demo", "doctor", "detect-nat", "devices"} <= set(bash("wzp d"))
    assert "--relay" in bash("wzp call --rel")
    assert bash("wzp listen --auto-answer ") == ["contacts", "all", "off"]
