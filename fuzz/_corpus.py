"""The inputs that are worth keeping: corpus/NAME.txt, base64, one a line, sorted."""

import base64
import hashlib
import importlib
from collections.abc import Callable, Iterable
from pathlib import Path

__all__ = [
    "MAX_TARGET_BYTES",
    "inputs_of",
    "longest",
    "names",
    "pack",
    "read",
    "target",
    "unpack",
]

_HERE = Path(__file__).parent
MAX_TARGET_BYTES = 16_000
"""The most that one file holds, so that all of them stay below 300 KiB."""


def names() -> list[str]:
    """Return the names of all targets."""
    return sorted(path.stem for path in _HERE.glob("[!_]*.py"))


def target(name: str) -> Callable[[bytes], None]:
    """Return what takes the inputs of a target."""
    one: Callable[[bytes], None] = importlib.import_module(f"fuzz.{name}").one
    return one


def longest(name: str) -> int:
    """Return how long the inputs of a target get; 0: as long as libFuzzer likes."""
    return int(getattr(importlib.import_module(f"fuzz.{name}"), "MAX_BYTES", 0))


def read(name: str) -> list[bytes]:
    """Return the kept inputs of a target."""
    path = _HERE / "corpus" / f"{name}.txt"
    lines = path.read_text("ascii").split() if path.exists() else []
    return [base64.b64decode(line) for line in lines]


def inputs_of(name: str) -> list[bytes]:
    """Return the seeds of a target, and what is kept of it."""
    seeds: Iterable[bytes] = importlib.import_module(f"fuzz.{name}").SEEDS
    return [*seeds, *read(name)]


def pack(name: str, folder: Path) -> int:
    """Keep the inputs that are files in `folder`, the smallest first; return how many.

    Those that do not fit into MAX_TARGET_BYTES are left out, and those above a
    target's own `MOST_KEPT`, where each takes long.
    """
    most = getattr(importlib.import_module(f"fuzz.{name}"), "MOST_KEPT", 1000)
    inputs = sorted((path.read_bytes() for path in folder.iterdir()), key=len)
    kept: list[str] = []
    size = 0
    for each in inputs:
        line = base64.b64encode(each).decode("ascii") + "\n"
        fits = size + len(line) <= MAX_TARGET_BYTES and len(kept) < most
        if each and fits:
            kept.append(line)
            size += len(line)
    (_HERE / "corpus").mkdir(exist_ok=True)
    (_HERE / "corpus" / f"{name}.txt").write_text("".join(sorted(kept)), "ascii")
    return len(kept)


def unpack(name: str, folder: Path) -> None:
    """Write a target's seeds and kept inputs as files, named by their digests."""
    folder.mkdir(parents=True, exist_ok=True)
    for each in inputs_of(name):
        (folder / hashlib.sha1(each).hexdigest()).write_bytes(each)
