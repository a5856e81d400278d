import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wzp_cli.protocol.names.text import clean

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("", ""),
        ("Ada Lovelace", "Ada Lovelace"),
        ("  Ada \t\r\n Lovelace ", "Ada Lovelace"),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("\x1b]8;;http://evil\x07click\x1b]8;;\x07", "]8;;http://evilclick]8;;"),
        ("\x9b31mred", "31mred"),
        ("a\x00b\x7fc\x80d", "abcd"),
        ("a\u2028b\u2029c\u0085d", "a b c d"),
        ("\u202eevil\u202c", "evil"),
        ("a\u2066b\u2069c\u200fd\u061ce", "abcde"),
        ("a\u200bb\u200dc\ufeffd\u2060e\u00adf", "abcdef"),
        ("a\U000e0041b", "ab"),  # tag characters
        ("\ud800lone", "lone"),
        ("\ue000private\U0010ffff", "private"),
        ("\u3164\u115f\u2800", ""),  # drawn as nothing
        ("e\u0301", "\u00e9"),  # NFC
        ("e\u200d\u0301", "\u00e9"),
        ("\u0301a", "a"),  # would sit on what stands before
        ("a \u0301b", "a b"),
        ("z" + "\u0335" * 40 + "y", "z" + "\u0335" * 3 + "y"),
        ("שָׁלוֹם", unicodedata.normalize("NFC", "שָׁלוֹם")),
        ("日本語", "日本語"),
        ("[bold]<b>", "[bold]<b>"),
        ("a" * 63 + " b", "a" * 63),
    ],
)
def test_what_a_stranger_wrote(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


def test_at_most_64_characters_are_kept_or_as_many_as_asked() -> None:
    assert clean("a" * 1000) == "a" * 64
    assert clean("abcdef", limit=3) == "abc"


def test_no_character_at_all_brings_what_may_not_be_shown() -> None:
    everything = map(chr, range(sys.maxunicode + 1))
    kept = {clean(character) for character in everything} - {""}
    shown = "".join(kept)
    categories = {unicodedata.category(character) for character in shown}
    assert not {c for c in categories if c.startswith(("C", "Z"))}
    assert shown.isprintable()


@given(ANY_TEXT)
def test_a_second_cleaning_changes_nothing(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert once.isprintable()
    assert len(once) <= 64
    once.encode("utf-8")


@given(st.text(st.sampled_from("ae\u0301\u0323\u0335 \u200d\u1100\u1161\ufb2c\u05bc")))
def test_also_where_marks_combine(text: str) -> None:
    assert clean(clean(text)) == clean(text)
