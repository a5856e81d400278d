"""Words of strangers: whatever comes, one short line that is safe to print."""

import unicodedata

from fuzz._script import Script
from wzp_cli.protocol.names.text import clean

__all__ = ["SEEDS", "one"]

SEEDS = (
    b"\x40Alice",
    b"\x08" + "e\u0301\u0302\u0303\u0304 \u202eeurt\u2066\x1b[31m".encode(),
    b"\x40" + "\u1100\u1161\u11a8 \uac00 \u0915\u094d\u0937".encode(),
    b"\xc8[bold]x[/bold]\r\n\x00\x7f\xc2\x85",
)


def one(data: bytes) -> None:
    """Clean one text."""
    script = Script(data)
    limit = script.byte()
    text = script.rest().decode("utf-8", "surrogateescape")
    line = clean(text, limit)
    assert len(line) <= limit
    assert line == line.strip()
    assert "  " not in line
    for character in line:
        assert character == " " or unicodedata.category(character)[0] not in "CZ"
    line.encode("utf-8")  # no lone surrogates
    assert clean(line, limit) == line, "cleaning twice is no different"
