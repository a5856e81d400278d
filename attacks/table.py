"""Tables of 80 columns: what was tried, and what came of it."""

import textwrap
from collections.abc import Iterable, Sequence

from attacks.catalogue import Rule

__all__ = ["COLUMNS", "counted", "folded", "head", "row"]

COLUMNS = 80
_RULE, _BY, _WORD, _SECONDS = 2, 11, 9, 6
_WORDS = COLUMNS - _RULE - _BY - _WORD - _SECONDS - 4


def row(rule: int, by: str, words: str, word: str, seconds: float | None) -> str:
    """Return one row; long words fold in their column."""
    first, *more = textwrap.wrap(words, _WORDS) or [""]
    time = "" if seconds is None else f"{seconds:.1f}"
    cells = (
        f"{rule:>{_RULE}}",
        f"{by:<{_BY}}",
        f"{first:<{_WORDS}}",
        f"{word:<{_WORD}}",
        f"{time:>{_SECONDS}}",
    )
    indent = " " * (_RULE + _BY + 2)
    return "\n".join([" ".join(cells), *(indent + line for line in more)])


def head(titles: Sequence[str]) -> str:
    """Return the head of a table: rule, by, what, outcome, seconds."""
    rule, by, words, word, seconds = titles
    return "\n".join(
        [
            f"{rule:>{_RULE}} {by:<{_BY}} {words:<{_WORDS}} {word:<{_WORD}}"
            f" {seconds:>{_SECONDS}}",
            "-" * COLUMNS,
        ]
    )


def counted(rules: Sequence[Rule]) -> list[str]:
    """Return the rows of docs/security.md: rule, attacks, tests, ways out of it."""
    counts = [
        (len(rule.attacks), len(_tests(rule)), len(rule.weakenings)) for rule in rules
    ]
    names = [f"{rule.number} {rule.title}" for rule in rules]
    sums = tuple(sum(column) for column in zip(*counts, strict=True))
    rows = zip([*names, "**all**"], [*counts, sums], strict=True)
    return [f"| {name} | {' | '.join(map(str, numbers))} |" for name, numbers in rows]


def _tests(rule: Rule) -> set[str]:
    return {test for attack in rule.attacks for test in attack.tests}


def folded(lines: Iterable[str]) -> str:
    """Return lines that are too long in several."""
    fold = textwrap.TextWrapper(COLUMNS, subsequent_indent="    ")
    return "\n".join(fold.fill(line) for line in lines)
