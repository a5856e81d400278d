#!/usr/bin/env python3
"""Work on wzp: make .venv on first use, then run one thing in it. Stdlib only.

The first two need wzp's own packages; the others all that it is developed with.

python3 dev.py demo            a call on this machine (wzp demo)
python3 dev.py wzp ...         wzp itself
python3 dev.py test ...        pytest
python3 dev.py lint            ruff check, ruff format --check, import-linter
python3 dev.py types           mypy
python3 dev.py lab ...         a laboratory of NATs (Linux, root)
python3 dev.py bench NAME ...  one of bench/
python3 dev.py attack ...      the attacks of docs/security.md; with the rules, without
python3 dev.py fuzz NAME ...   one of fuzz/, until a million inputs
python3 dev.py build           wheel, sdist, manual page and completions into dist/
python3 dev.py lock            requirements.lock anew
"""

import hashlib
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent
VENV = ROOT / ".venv"
WINDOWS = os.name == "nt"
BIN = VENV / ("Scripts" if WINDOWS else "bin")
PYTHON = BIN / ("python.exe" if WINDOWS else "python")
STAMP = VENV / "wzp-stamp"

NEEDS_COMPILER = ("pesq",)  # tests that use these skip where they can't be built

VERBS = {
    "demo": [["-m", "wzp_cli", "demo"]],
    "wzp": [["-m", "wzp_cli"]],
    "test": [["-m", "pytest"]],
    "lint": [
        ["-m", "ruff", "check"],
        ["-m", "ruff", "format", "--check"],
        ["-c", "from importlinter.cli import lint_imports_command as run; run()"],
    ],
    "types": [["-m", "mypy"]],
    "lab": [["-m", "tests.netlab"]],
    "bench": [["-m", "bench"]],
    "attack": [["-m", "attacks"]],
    "fuzz": [["-m", "fuzz"]],
    "build": [["-m", "release.build"]],
    "lock": [["-m", "release.lock"]],
}


def main(words):
    """Run the verb that `words` start with; return its exit code."""
    verb, rest = (words[0], words[1:]) if words else ("", [])
    if verb in ("-h", "--help", "help"):
        sys.stdout.write(__doc__)
        return 0
    if verb not in VERBS:
        sys.stderr.write(__doc__)
        return 2
    commands = [list(command) for command in VERBS[verb]]
    if verb == "bench":
        if not rest:
            names = sorted(path.stem for path in (ROOT / "bench").glob("[!_]*.py"))
            sys.exit("dev.py bench NAME; there are: " + (" ".join(names) or "none"))
        commands, rest = [["-m", "bench." + rest[0]]], rest[1:]
    set_up(develops=verb not in ("demo", "wzp"))
    if verb == "fuzz":
        add_fuzzer()
    return run_all([[str(PYTHON), *command, *rest] for command in commands])


def run_all(commands):
    """Run all `commands`, also after one that fails; return the first bad exit code."""
    os.chdir(ROOT)
    if len(commands) == 1 and not WINDOWS:
        os.execv(commands[0][0], commands[0])  # signals then reach the command itself
    codes = [subprocess.call(command) for command in commands]
    return next((code for code in codes if code), 0)


def set_up(develops):
    """Make .venv what pyproject.toml asks for: wzp alone, or all to develop it."""
    if sys.version_info < (3, 11):  # noqa: UP036  whoever runs this may have less
        sys.exit("wzp needs Python 3.11 or newer; this is " + sys.version.split()[0])
    project = (ROOT / "pyproject.toml").read_bytes()
    wanted = hashlib.sha256(project + sys.version.encode()).hexdigest()
    stamp = STAMP.read_text().split() if PYTHON.exists() and STAMP.exists() else []
    found = stamp[1:] if stamp[:1] == [wanted] else []
    if "develops" in found or (found and not develops):
        return
    sys.stderr.write("dev.py: setting up .venv; the first time takes a minute.\n")
    install = installer()
    needed, compiled = development_packages() if develops else ([], [])
    if run([*install, "-e", str(ROOT), *needed]):
        sys.exit("dev.py: installing failed; what went wrong stands above.")
    for package in compiled:
        if run([*install, package], capture_output=True):
            sys.stderr.write(
                f"dev.py: {package} could not be built (no C compiler?);"
                " going on without it, tests that use it are skipped.\n"
            )
    STAMP.write_text(wanted + (" develops" if develops else " calls"))


def add_fuzzer():
    """Install pyproject.toml's group fuzz, if it is not there; no test needs it."""
    missing = run([PYTHON, "-c", "import atheris"], capture_output=True)
    if missing and run([*installer(), *group("fuzz")]):
        sys.exit("dev.py: atheris could not be installed: it has no build for here.")


def installer():
    """Make .venv and return the command that installs packages into it."""
    if uv := shutil.which("uv"):
        if not PYTHON.exists() and run([uv, "venv", "-q", "-p", sys.executable, VENV]):
            sys.exit("dev.py: uv could not make .venv.")
        return [uv, "pip", "install", "-q", "-p", str(PYTHON)]
    options = ["install", "-qq", "--disable-pip-version-check"]
    if not run([sys.executable, "-m", "pip", "--version"], capture_output=True):
        # This pip installs there, too: a second one in .venv takes 6 s to make.
        if not PYTHON.exists() and run(
            [sys.executable, "-m", "venv", "--without-pip", VENV]
        ):
            sys.exit("dev.py: python's venv module could not make .venv.")
        return [sys.executable, "-m", "pip", "--python", str(PYTHON), *options]
    if not (importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv")):
        sys.exit(
            "This Python can neither make virtual environments nor install packages:"
            " install uv, or python3-venv (Debian: sudo apt install python3-venv)."
        )
    if run([PYTHON, "-m", "pip", "--version"], capture_output=True) and run(
        [sys.executable, "-m", "venv", VENV]
    ):
        sys.exit("dev.py: python's venv module could not make .venv.")
    return [str(PYTHON), "-m", "pip", *options]


def run(command, **options):
    """Return the exit code of `command`; 127 where there is no such program."""
    try:
        return subprocess.run([str(word) for word in command], **options).returncode
    except FileNotFoundError:
        return 127


def development_packages():
    """Return pyproject.toml's dev group: what must be there, what needs a compiler.

    Read by hand, since pip knows --group only from 25.1 on.
    """
    packages = group("dev")
    compiled = [each for each in packages if each.startswith(NEEDS_COMPILER)]
    return [each for each in packages if each not in compiled], compiled


def group(name):
    """Return the packages of one of pyproject.toml's dependency groups."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return project["dependency-groups"][name]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
