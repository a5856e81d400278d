import sys

import pytest

from wzp_cli.adapters.qr_code import drawn_qr_code
from wzp_cli.errors import EnvironmentFault, UsageError

IDENTITY = "wzp:wzp17556x3o5cc5gwifri7ltiarfxropdjeh5oz4dm327oecngo2kpg47ay"


def modules(drawn: str) -> list[list[bool]]:
    """Return what is dark, row by row, the quiet zone left out."""
    rows = []
    for line in drawn.split("\n"):
        rows.append([character in " \u2584" for character in line])
        rows.append([character in " \u2580" for character in line])
    return [row[2:-2] for row in rows[2:]]


def test_it_fits_a_terminal_and_has_the_marks_of_a_qr_code() -> None:
    drawn = drawn_qr_code(IDENTITY)
    lines = drawn.split("\n")
    assert {len(line) for line in lines} == {37}
    assert len(lines) <= 24
    assert set(drawn) <= set(" \u2580\u2584\u2588\n")
    dark = modules(drawn)
    ring = [True] + [False] * 5 + [True]
    finder = [[True] * 7, ring, *[[True, False, True, True, True, False, True]] * 3]
    for row, wanted in enumerate(finder):  # ISO/IEC 18004, the finder pattern
        assert dark[row][:7] == wanted == dark[row][-7:]


def test_a_ticket_with_a_relay_fits_eighty_columns() -> None:
    ticket = f"{IDENTITY}?relay=relay-1.somewhere.example:4433&exp=1796156498&sig="
    lines = drawn_qr_code(ticket + "A" * 86).split("\n")
    assert len(lines[0]) <= 80


def test_what_is_too_long_is_told() -> None:
    with pytest.raises(UsageError, match="80 is most"):
        drawn_qr_code("a" * 600)


def test_without_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "segno", None)
    with pytest.raises(EnvironmentFault, match=r"pip install 'wzp\[qr\]'"):
        drawn_qr_code(IDENTITY)
