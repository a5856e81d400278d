"""Draw the transition tables in the pages of docs/: run me, or let a test compare.

A page holds a machine between `<!-- NAME: drawn from its table -->` and
`<!-- /NAME -->`.
"""

import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Any

from wzp_cli import protocol

__all__ = ["MACHINES", "Machine", "drawn", "main"]

DOCS = Path(__file__).parent


@dataclass(frozen=True)
class Machine:
    """A table of a state machine, and the page that shows it.

    `transitions` has, for each state, the state that each input leads to.
    """

    name: str
    page: str
    transitions: Mapping[Any, Mapping[Any, Any]]


def _machines() -> Iterator[Machine]:
    """Yield the machine of each module of protocol/ that has a table."""
    for found in pkgutil.walk_packages(protocol.__path__, f"{protocol.__name__}."):
        transitions = getattr(import_module(found.name), "TRANSITIONS", None)
        if transitions is not None:
            name = found.name.removeprefix(f"{protocol.__name__}.")
            yield Machine(name, "protocol.md", transitions)


MACHINES = tuple(_machines())
"""All machines that are drawn: a new table has to find its place in the page."""


def drawn(text: str, machine: Machine) -> str:
    """Return `text` of a page with the drawing of `machine` made anew.

    Raises:
        ValueError: The page has no marks for this machine.
    """
    begin = f"<!-- {machine.name}: drawn from its table -->\n"
    end = f"<!-- /{machine.name} -->"
    head, found, rest = text.partition(begin)
    _, closed, tail = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{machine.page} has no place for {machine.name}: {begin}")
    rows = "".join(
        f"    {_word(state)} --> {_word(target)}: {_word(cause)}\n"
        for state, moves in machine.transitions.items()
        for cause, target in moves.items()
    )
    return f"{head}{begin}```mermaid\nstateDiagram-v2\n{rows}```\n{end}{tail}"


def main() -> None:
    """Draw all machines in their pages."""
    for machine in MACHINES:
        page = DOCS / machine.page
        page.write_text(drawn(page.read_text("utf-8"), machine), "utf-8")


def _word(value: object) -> str:
    if isinstance(value, Enum):
        return value.name.lower()
    return getattr(value, "__name__", str(value))


if __name__ == "__main__":
    main()
