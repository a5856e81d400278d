"""Small files of lines that people may edit: each line is known by its first word.

"#" starts a comment line. What is written anew keeps its place, and comments theirs. A
line that can't be read is named by its number, and nothing is written over it.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

from wzp_cli.adapters.disk.private_files import exclusive, read_text, replace_file
from wzp_cli.errors import StateUnusable, UsageError

__all__ = ["read_lines", "write_lines", "writing"]

T = TypeVar("T")


def writing(directory: Path) -> AbstractContextManager[None]:
    """Hold the state folder's lock: no other process writes meanwhile."""
    return exclusive(directory / "write.lock")


def read_lines(path: Path, parse: Callable[[str], T]) -> list[T]:
    """Return what the lines of `path` say; [] where there is no file.

    Args:
        path: The file.
        parse: Reads one line; raises ValueError or UsageError where it can't.

    Raises:
        StateUnusable: The file can't be read, a line is damaged, or it says something
            of whom another line tells already.
    """
    values: list[T] = []
    numbers: dict[str, int] = {}
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not _tells(line):
            continue
        try:
            values.append(parse(line))
        except (ValueError, UsageError) as error:
            raise StateUnusable(
                f"Line {number} of {path} is damaged: correct or delete it."
            ) from error
        before = numbers.setdefault(line.split()[0].lower(), number)
        if before != number:
            raise StateUnusable(
                f"Line {number} of {path} is about the same as line {before}:"
                " delete one of them."
            )
    return values


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Make `lines` what `path` says: changed in place, new ones last.

    The caller holds `writing`, and has read the file.

    Raises:
        StateUnusable: It can't be written; what was there stays.
    """
    wanted = {line.split()[0].lower(): line for line in lines}
    kept = []
    before = read_text(path).split("\n")
    for line in before if before[-1] else before[:-1]:
        if not _tells(line):
            kept.append(line)
        elif (anew := wanted.pop(line.split()[0].lower(), None)) is not None:
            kept.append(anew)
    text = "".join(f"{line}\n" for line in [*kept, *wanted.values()])
    replace_file(path, text.encode("utf-8"))


def _tells(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")
