import re

import pytest
from msgspec.structs import replace

from tests.cli.nat.samples import BLOCKED, HOME, MAPPED, PHONE, SAMPLES, SEQUENTIAL
from wzp_cli.cli.nat.document import DetectedNat, diagnosis_of
from wzp_cli.cli.nat.pair import forecast_pair_document
from wzp_cli.cli.nat.text import (
    NOT_MEASURED,
    diagnosis_text,
    line_of,
    pair_text,
    terminal_columns,
    wrapped,
)
from wzp_cli.cli.nat.words import TERMS

HOME_TEXT = """\
Direct calls: likely
  reflexive address: 203.0.113.7:41822
  mapping:           endpoint-independent
  filtering:         address-and-port-dependent
  port preservation: yes
  allocation:        preserving
  NATs in a row:     1
  carrier NAT:       no
  hops:              192.168.88.1, 203.0.113.1
  hairpinning:       no
  poisonable:        no
  UDP:               works

With a peer that has:
  no NAT, or a full cone:       direct, 0.2 s
  a restricted cone:            direct, 0.2 s
  a port-restricted NAT:        direct, 0.2 s
  a symmetric NAT, in sequence: direct, by predicting ports, 0.6 s
  a symmetric NAT, at random:   direct, after a search, 2.5 s (up to 7.7 s)

Why:
  - The NAT gives this socket one address for all destinations, so a peer can be
    told where to send.
  - It lets in only the very addresses that were written to: both sides have to
    send first, which wzp sees to.

What would help with a peer that has a symmetric NAT, in sequence or worse, the
most first:
  1. Turn on PCP, NAT-PMP or UPnP on the router at 192.168.88.1: calls then have
     a port that everybody reaches. --portmap shows whether it works.
  2. Turn on IPv6 in the router, or ask the provider for it: peers who have it
     are then reached without NAT.

Asked:
  r1.example:4433 sees 203.0.113.7:41822 (21 ms)
  r2.example:4433: no answer from 198.51.100.9:4433
  stun.example.net:3478 (public) sees 203.0.113.7:41822 (41 ms)"""

HOME_TEXT_40 = """\
Direct calls: likely
  reflexive address: 203.0.113.7:41822
  mapping: endpoint-independent
  filtering: address-and-port-dependent
  port preservation: yes
  allocation: preserving
  NATs in a row: 1
  carrier NAT: no
  hops: 192.168.88.1, 203.0.113.1
  hairpinning: no
  poisonable: no
  UDP: works

With a peer that has:
  no NAT, or a full cone: direct, 0.2 s
  a restricted cone: direct, 0.2 s
  a port-restricted NAT: direct, 0.2 s
  a symmetric NAT, in sequence:
    direct, by predicting ports, 0.6 s
  a symmetric NAT, at random:
    direct, after a search, 2.5 s (up to
    7.7 s)
"""


PAIR_TEXT = """\
This pair: direct after 2.5 s, by a search
  - One side's NAT draws ports at random: it opens many sockets, and the other
    looks for one of them.
  - Measured with 80 ms between the peers: 99 of 100 calls went direct, half of
    them within 2.5 s of the answer, 95 % within 7.7 s.
  - A call starts over the relay at once, whatever comes of it."""


def test_at_80_columns() -> None:
    assert diagnosis_text(HOME, 80) == HOME_TEXT


def test_at_40_columns() -> None:
    assert diagnosis_text(HOME, 40).startswith(HOME_TEXT_40)


@pytest.mark.parametrize("columns", [1, 24, 40, 59, 60, 80, 100, 300])
@pytest.mark.parametrize("explain", [False, True])
@pytest.mark.parametrize("document", SAMPLES.values(), ids=SAMPLES)
def test_everything_fits(document: DetectedNat, columns: int, explain: bool) -> None:
    text = diagnosis_text(document, columns, explain=explain, all_rows=explain)
    lines = text.splitlines()
    assert lines[0] == document.summary or columns < len(document.summary)
    for line in lines:
        one_word = len(line.split()) == 1 or re.match(r"  +(- |\d\. )?\S+$", line)
        assert len(line) <= max(columns, 24) or one_word, line
        assert line == line.rstrip()
    assert text.isprintable() or all(line.isprintable() for line in lines)
    assert "None" not in text
    assert "unknown" not in text or document is BLOCKED or "unknown" in lines[0]


def test_what_was_not_measured_is_left_out_or_said() -> None:
    brief = diagnosis_text(BLOCKED, 80)
    assert NOT_MEASURED not in brief
    assert "With a peer" not in brief
    full = diagnosis_text(BLOCKED, 80, explain=True, all_rows=True)
    assert f"  mapping:           {NOT_MEASURED}" in full
    for term, meaning in TERMS.items():
        assert f"  {term} (" in full
        assert meaning.split()[-1] in full


def test_every_row_that_needs_it_is_explained() -> None:
    full = diagnosis_text(MAPPED, 80, all_rows=True)
    names = re.findall(r"^  ([^:]+): ", full.partition("\n\n")[0], re.MULTILINE)
    assert set(names) - set(TERMS) == {"socket"}


def test_the_values() -> None:
    told = diagnosis_text(MAPPED, 100)
    for row in (
        "  port mapping:      PCP, NAT-PMP",
        "  IPv6:              [2001:db8::7]:41822, filtering address-and-port-depen",
        "  path MTU:          1500 bytes",
        "  mapping lifetime:  120 s at least",
        "  preferred relay:   r1.example:4433",
    ):
        assert row in told
    between = replace(MAPPED, mapping_lifetime_s=25.0, mapping_lost_s=40.0)
    assert "lifetime:  between 25 and 40 s" in diagnosis_text(between, 80)
    short = replace(MAPPED, mapping_lifetime_s=0.0, mapping_lost_s=8.0)
    assert "lifetime:  below 8 s" in diagnosis_text(short, 80)
    phone = diagnosis_text(PHONE, 80)
    assert (
        "  hops:              192.168.1.1, 100.64.0.1, (silent), 203.0.113.1" in phone
    )
    assert "behind the router (hop 2)" in phone
    assert "a public IPv4 address: its carrier NAT (hop 2)" in phone
    sequential = diagnosis_text(SEQUENTIAL, 80)
    assert "  allocation:        sequential, +2 each time" in sequential
    assert "none (for UPnP, install wzp[upnp])" in sequential


def test_a_pair() -> None:
    pair = forecast_pair_document(diagnosis_of(HOME), diagnosis_of(PHONE))
    assert pair_text(pair, 80) == PAIR_TEXT


def test_one_line() -> None:
    assert line_of(HOME) == (
        "Direct calls: likely; 203.0.113.7:41822; mapping endpoint-independent"
    )
    assert "no answer" in line_of(BLOCKED)


def test_a_long_word_stays_whole() -> None:
    assert wrapped("a " + "b" * 30, 10, "  ") == ["  a", "  " + "b" * 30]


def test_a_number_stays_with_its_unit() -> None:
    assert wrapped("it is 1500 bytes long", 15) == ["it is", "1500 bytes long"]
    assert wrapped("half in 2.5 s.", 12) == ["half in", "2.5 s."]
    assert wrapped("of 100 calls", 8) == ["of 100", "calls"]


def test_how_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    for columns, expected in (("40", 40), ("120", 100), ("0", 80)):
        monkeypatch.setenv("COLUMNS", columns)
        assert terminal_columns() == expected
