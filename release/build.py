"""`python3 dev.py build`: all files of a release into dist/, the same bytes each time.

    wzp-X-py3-none-any.whl, wzp-X.tar.gz   by hatchling
    wzp.1                                  the manual page
    wzp.bash, wzp.zsh, wzp.fish            completions
    SHA256SUMS                             of all of them

Dates are those of the last commit, or SOURCE_DATE_EPOCH.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from release.man_page import man_page
from wzp_cli.cli.app import COMPLETES

__all__ = ["build", "main"]

ROOT = Path(__file__).parents[1]
_SHELLS = ("bash", "zsh", "fish")


def main() -> None:
    """Build into dist/, or the folder that is named."""
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist"
    for path in build(directory, _epoch_s()):
        sys.stdout.write(f"{path}\n")


def build(directory: Path, epoch_s: int) -> list[Path]:
    """Build all files of a release; what was in `directory` goes.

    Args:
        directory: Where to.
        epoch_s: The date of all that is made, in seconds since 1970.
    """
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch_s)}
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(directory)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=sys.stderr)
    date = datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%d")
    (directory / "wzp.1").write_bytes(man_page(date).encode())
    for shell in _SHELLS:
        (directory / f"wzp.{shell}").write_bytes(_completion(shell).encode())
    files = sorted(directory.iterdir())
    sums = (f"{_sha256(path)}  {path.name}\n" for path in files)
    (directory / "SHA256SUMS").write_bytes("".join(sums).encode())
    return [*files, directory / "SHA256SUMS"]


def _completion(shell: str) -> str:
    from typer._completion_shared import get_completion_script

    script = get_completion_script(prog_name="wzp", complete_var=COMPLETES, shell=shell)
    return f"{script}\n"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _epoch_s() -> int:
    """Return SOURCE_DATE_EPOCH, or when the last commit was made."""
    if said := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(said)
    command = ["git", "log", "-1", "--format=%ct"]
    return int(
        subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    )


if __name__ == "__main__":
    main()
