"""`python3 dev.py lock`: requirements.lock anew, for all systems, each file by hash.

    pip install --require-hashes -r requirements.lock
    pip install --no-deps dist/*.whl

No address of a registry is written down: pip uses whichever it is set up with.
"""

import subprocess
import sys
from pathlib import Path

__all__ = ["COMMAND", "LOCK", "main"]

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"

COMMAND = (
    *("uv", "pip", "compile", "--universal", "--generate-hashes", "--all-extras"),
    *("--no-emit-index-url", "--no-annotate", "--quiet"),
    *("--custom-compile-command", "python3 dev.py lock"),
    *("pyproject.toml", "--output-file", LOCK.name),
)


def main() -> None:
    """Write the file."""
    command = [sys.executable, "-m", *COMMAND, *sys.argv[1:]]
    sys.exit(subprocess.run(command, cwd=ROOT).returncode)


if __name__ == "__main__":
    main()
