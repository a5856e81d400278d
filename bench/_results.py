"""Runs kept in a file by label, row and number, so that a bench can go on later."""

import json
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol


class Named(Protocol):
    """A row of a table."""

    @property
    def name(self) -> str:
        """What it is called in the file."""


class Results:
    """Lines in a file, by row and number."""

    def __init__(self, path: Path, label: str) -> None:
        self._path, self._label, self._lock = path, label, threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text().splitlines() if path.exists() else []
        every = [json.loads(line) for line in lines]
        self._runs = {(r["row"], r["number"]): r for r in every if r["label"] == label}

    def has(self, row: Named, number: int) -> bool:
        """Whether this run is there already."""
        return (row.name, number) in self._runs

    def add(self, row: Named, number: int, run: dict[str, object]) -> None:
        """Keep a run."""
        line = {"label": self._label, "row": row.name, "number": number, **run}
        with self._lock, self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")
            self._runs[row.name, number] = line

    def of(self, row: Named) -> list[dict]:
        """Return the runs of a row."""
        return [run for (name, _), run in self._runs.items() if name == row.name]


def commit() -> str:
    """Return the short name of the commit that is checked out."""
    words = ["git", "rev-parse", "--short", "HEAD"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def markdown(lines: Sequence[Sequence[str]], head: Sequence[str], words: int) -> str:
    """Return a table; the first `words` columns are no figures."""
    rule = [*["---"] * words, *["---:"] * (len(head) - words)]
    table = [head, rule, *lines]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in table)
