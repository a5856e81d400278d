"""The attacks as data: which rule, what is tried, by whom, which tests try it."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["HOSTILE", "ROOT", "Attack", "Rule", "Weakening", "load"]

ROOT = Path(__file__).parents[1]
RULES = Path(__file__).parent / "rules"

HOSTILE = (
    *("stranger", "peer", "relay", "network", "router", "STUN server", "TURN server"),
    *("NATS", "DNS", "LAN", "local user", "web page", "text", "file"),
)
"""Who or what is hostile in an attack: docs/security.md says what each can do."""


@dataclass(frozen=True, slots=True)
class Weakening:
    """A rule taken out.

    Attributes:
        what: What is no longer so, in a few words.
        file: Below the tree's root.
        old: Stands there once.
        new: Stands there instead when the rule is out.
    """

    what: str
    file: str
    old: str
    new: str

    def applied(self, text: str) -> str:
        """Return `text` of the file without the rule.

        Raises:
            ValueError: The code has changed, so that this takes out nothing any more.
        """
        if text.count(self.old) != 1:
            raise ValueError(f'"{self.what}": not once in {self.file}: {self.old!r}')
        return text.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack. `tests` are pytest's node ids, without parameters."""

    rule: int
    by: str
    does: str
    tests: tuple[str, ...]
    without: tuple[Weakening, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of docs/security.md, and the attacks that it answers."""

    number: int
    title: str
    attacks: tuple[Attack, ...]

    @property
    def weakenings(self) -> list[tuple[Attack, Weakening]]:
        """Every way to take it out, and the attack that then succeeds."""
        return [(each, out) for each in self.attacks for out in each.without]


def load(directory: Path = RULES) -> list[Rule]:
    """Return all rules, by number."""
    return [_rule(path) for path in sorted(directory.glob("*.toml"))]


def _rule(path: Path) -> Rule:
    number = int(path.stem.partition("-")[0])
    read = tomllib.loads(path.read_text("utf-8"))
    attacks = tuple(_attack(number, each) for each in read["attack"])
    return Rule(number, read["title"], attacks)


def _attack(rule: int, read: dict[str, Any]) -> Attack:
    return Attack(
        rule,
        read["by"],
        read["does"],
        tuple(read["tests"]),
        tuple(Weakening(**each) for each in read.get("without", ())),
    )
