"""Each command line that the documents show is one that wzp takes.

Its words are read, and it is not run: what runs are the recipes (test_recipes.py).
"""

import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from typer._click.exceptions import MissingParameter, NoSuchOption

from wzp_cli.cli.app import app
from wzp_cli.cli.command import Job

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

BLOCK = re.compile(r"(?:^ {4}.*\n)+", re.MULTILINE)
COMMAND = re.compile(r"^ {4}(?:\$ )?wzp (.+)$", re.MULTILINE)
PROMPTED = re.compile(r"^ {4}\$ wzp (.+)$", re.MULTILINE)
INLINE = re.compile(r"`wzp ([a-z][^`]*)`")
ENDS = {"|", "||", "&&", "&", ";", ">", "<", ">/dev/null", "2>", "#"}
ANYTHING = ("COMMAND", "SHELL", "...", "[", "|", "EVENT=CMD", "init|")
"""Words of a line that stands for many."""


def examples(page: Path) -> Iterator[str]:
    """Yield the command lines of a page, after `wzp`; not what they print."""
    text = page.read_text("utf-8").replace("\\\n", " ")
    for block in BLOCK.findall(text):
        shown = PROMPTED if "    $ " in block else COMMAND
        yield from shown.findall(block)


def words_of(line: str) -> list[str]:
    """Return the words of the first command of a line, as a shell would."""
    words: list[str] = []
    for word in shlex.split(line, comments=True):
        if word in ENDS:
            break
        words.append(word.rstrip(";"))
    return words


EXAMPLES = sorted({(page.name, line) for page in PAGES for line in examples(page)})
MENTIONS = sorted(
    {
        (page.name, line)
        for page in PAGES
        for line in INLINE.findall(page.read_text("utf-8"))
    }
)


def taken(line: str) -> bool:
    """Return whether wzp takes the words of a line; those that stand for many, too."""
    words = words_of(line)
    if any(part in word for word in words for part in ANYTHING):
        return True
    return isinstance(app(words, prog_name="wzp", standalone_mode=False), Job | int)


@pytest.mark.parametrize(("page", "line"), EXAMPLES)
def test_wzp_takes_what_the_documents_show(page: str, line: str) -> None:
    assert taken(line)


@pytest.mark.parametrize(("page", "line"), MENTIONS)
def test_wzp_knows_what_the_documents_mention(page: str, line: str) -> None:
    """Of a command that is only spoken of, PEER and the like may be left out."""
    with suppress(MissingParameter):
        assert taken(line)


def test_there_are_examples_and_wrong_ones_are_found() -> None:
    assert len(EXAMPLES) > 80
    assert words_of("a 'b c' --x  # why") == ["a", "b c", "--x"]
    assert words_of("a b | jq .") == ["a", "b"]
    with pytest.raises(NoSuchOption):
        taken("listen --nonsense")
    with pytest.raises(MissingParameter):
        taken("call")
