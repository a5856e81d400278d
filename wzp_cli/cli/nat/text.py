"""The diagnosis as a person reads it: the verdict first, then why, then what helps.

Plain characters in any number of columns: for a terminal, a pipe, a mail.
"""

import re
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from wzp_cli.cli.nat.document import AskedServer, DetectedNat, ToldAdvice, diagnosis_of
from wzp_cli.cli.nat.pair import ForecastPair
from wzp_cli.cli.nat.words import PEER_NAMES, TERMS, going, milliseconds
from wzp_cli.protocol.nat.diagnosis import offers_a_port
from wzp_cli.protocol.nat.forecast import PEERS
from wzp_cli.protocol.nat.pair import kinds_forecast

__all__ = [
    "NOT_MEASURED",
    "diagnosis_text",
    "facts_of",
    "line_of",
    "pair_text",
    "peers_of",
    "rows",
    "terminal_columns",
    "wrapped",
]

NOT_MEASURED = "not measured"
_NAME_COLUMNS = 21
_NARROW_COLUMNS = 60
_LEAST_COLUMNS = 24
_MOST_COLUMNS = 100  # longer lines are hard to read

_UNIT = re.compile(r"(?<=\d) (?=(ms|s|bytes|%)(?!\w))")
_NO_BREAK = "\N{NO-BREAK SPACE}"

Row = tuple[str, str]


def diagnosis_text(
    document: DetectedNat,
    columns: int,
    *,
    explain: bool = False,
    all_rows: bool = False,
) -> str:
    """Return the diagnosis.

    Args:
        document: What was measured.
        columns: How wide a line may be; a word that is longer stays whole.
        explain: Say what each term means, also of what was not measured.
        all_rows: Have a row for what was not measured, too.
    """
    columns = max(columns, _LEAST_COLUMNS)
    facts = facts_of(document)
    shown = [row for row in facts if all_rows or row[1] != NOT_MEASURED]
    lines = [*wrapped(document.summary, columns), *rows(shown, columns)]
    if document.pair is not None:
        lines += ["", pair_text(document.pair, columns)]
    if document.servers and any(each.reflexive for each in document.servers):
        lines += ["", "With a peer that has:", *rows(peers_of(document), columns)]
    if document.reasons:
        lines += ["", "Why:", *_bullets((r.text for r in document.reasons), columns)]
    if document.advice:
        lines += ["", *_advice(document.advice, columns)]
    lines += ["", "Asked:", *_servers(document.servers, columns)]
    if explain:
        lines += ["", "What the words mean:", *_terms(facts, columns)]
    return "\n".join(lines)


def terminal_columns() -> int:
    """Return how wide lines may be: the terminal's columns, or 80 in a pipe."""
    return min(shutil.get_terminal_size((80, 24)).columns, _MOST_COLUMNS)


def pair_text(pair: ForecastPair, columns: int) -> str:
    """Return the forecast for a pair: the verdict, then why."""
    columns = max(columns, _LEAST_COLUMNS)
    lines = [*wrapped(pair.summary, columns), *_bullets(pair.reasons, columns)]
    return "\n".join(lines)


def line_of(document: DetectedNat) -> str:
    """Return the diagnosis in one line, for a log."""
    where = document.reflexive or document.reflexive_v6 or "no answer"
    return f"{document.summary}; {where}; mapping {document.mapping}"


def facts_of(document: DetectedNat) -> list[Row]:
    """Return what was measured as rows of a table, in the words of RFC 4787."""
    return [
        ("reflexive address", document.reflexive or document.reflexive_v6 or "unknown"),
        ("mapping", _known(document.mapping)),
        ("filtering", _known(document.filtering)),
        ("port preservation", _yes_no(document.port_preserving)),
        ("allocation", _allocation(document)),
        ("NATs in a row", _count(document.nat_layers)),
        ("carrier NAT", _yes_no(document.carrier_nat)),
        ("hops", _hops(document.hops)),
        ("hairpinning", _yes_no(document.hairpinning)),
        ("poisonable", _yes_no(document.accepts_unsolicited_input)),
        ("port mapping", _port_mapping(document)),
        ("IPv6", _ipv6(document)),
        ("path MTU", _unit(document.path_mtu_bytes, "bytes")),
        ("mapping lifetime", _lifetime(document)),
        ("preferred relay", document.preferred_relay or NOT_MEASURED),
        ("UDP", _yes_no(document.udp_blocked, "blocked", "works")),
        ("captive portal", _yes_no(document.captive_portal)),
        ("socket", _socket(document)),
    ]


def peers_of(document: DetectedNat) -> list[Row]:
    """Return how a call with each kind of peer will go."""
    facts = diagnosis_of(document).facts
    told = []
    for name, kind in PEERS.items():
        pair = kinds_forecast(facts, kind)
        told.append((PEER_NAMES[name], going(pair.outcome, pair.measured)))
    return told


# --- Layout ---------------------------------------------------------------------


def rows(table: Iterable[Row], columns: int) -> Iterator[str]:
    """Yield a table of two columns; where there is little room, the second below."""
    told = list(table)
    width = max((len(name) for name, _ in told), default=0) + len("  : ")
    width = max(width, _NAME_COLUMNS)
    for name, value in told:
        if columns < _NARROW_COLUMNS and len(f"  {name}: {value}") <= columns:
            yield f"  {name}: {value}"
        elif columns < _NARROW_COLUMNS:
            yield from wrapped(f"{name}:", columns, "  ")
            yield from wrapped(value, columns, "    ")
        else:
            first = f"  {name + ':':<{width - 2}}"
            yield from wrapped(value, columns, first, " " * width)


def wrapped(
    text: str, columns: int, first: str = "", others: str | None = None
) -> list[str]:
    """Return lines with no word cut, nor a number from its unit.

    `first`, `others`: what they begin with.
    """
    lines = textwrap.wrap(
        _UNIT.sub(_NO_BREAK, text),
        columns,
        initial_indent=first,
        subsequent_indent=first if others is None else others,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_NO_BREAK, " ") for line in lines]


def _advice(advice: list[ToldAdvice], columns: int) -> Iterator[str]:
    """Yield what would help; with whom, once where it is always the same."""
    helped = {tuple(each.helps) for each in advice if each.helps}
    alike = len(helped) == 1
    head = f"What would help{_with(helped.pop()) if alike else ''}"
    yield from wrapped(f"{head}{', the most first' if advice[1:] else ''}:", columns)
    texts = (
        each.text
        if alike or not each.helps
        else f"{each.text} Helps{_with(each.helps)}."
        for each in advice
    )
    yield from _numbered(texts, columns)


def _with(helps: Sequence[str]) -> str:
    if len(helps) == len(PEERS):
        return " with every peer"
    if len(helps) > 1 and list(PEERS)[-len(helps) :] == list(helps):
        return f" with a peer that has {PEER_NAMES[helps[0]]} or worse"
    return f" with a peer that has {' or '.join(PEER_NAMES[name] for name in helps)}"


def _bullets(texts: Iterable[str], columns: int) -> Iterator[str]:
    for text in texts:
        yield from wrapped(text, columns, "  - ", "    ")


def _numbered(texts: Iterable[str], columns: int) -> Iterator[str]:
    for number, text in enumerate(texts, 1):
        yield from wrapped(text, columns, f"  {number}. ", "     ")


def _servers(servers: Iterable[AskedServer], columns: int) -> Iterator[str]:
    for each in servers:
        yield from wrapped(_server(each), columns, "  ", "    ")


def _terms(facts: Iterable[Row], columns: int) -> Iterator[str]:
    for name, value in facts:
        if name in TERMS:
            yield from wrapped(
                f"{name} ({value}): {TERMS[name]}", columns, "  ", "    "
            )


# --- Values ---------------------------------------------------------------------


def _known(word: str) -> str:
    return NOT_MEASURED if word == "unknown" else word


def _yes_no(value: bool | None, yes: str = "yes", no: str = "no") -> str:
    return NOT_MEASURED if value is None else yes if value else no


def _count(value: int | None) -> str:
    return NOT_MEASURED if value is None else str(value) if value else "none"


def _unit(value: float | None, unit: str) -> str:
    return NOT_MEASURED if value is None else f"{value:g} {unit}"


def _lifetime(document: DetectedNat) -> str:
    lived_s, lost_s = document.mapping_lifetime_s, document.mapping_lost_s
    if lost_s is None:
        return _unit(lived_s, "s at least")
    return f"between {lived_s:g} and {lost_s:g} s" if lived_s else f"below {lost_s:g} s"


def _allocation(document: DetectedNat) -> str:
    if document.port_delta is None:
        return _known(document.allocation)
    return f"{document.allocation}, {document.port_delta:+d} each time"


def _hops(hops: list[str | None] | None) -> str:
    if hops is None:
        return NOT_MEASURED
    return ", ".join(hop or "(silent)" for hop in hops) or "none"


def _port_mapping(document: DetectedNat) -> str:
    said = document.port_mapping
    answers = {"PCP": said.pcp, "NAT-PMP": said.nat_pmp, "UPnP": said.upnp}
    if offers_a_port(diagnosis_of(document).router) is None:
        return NOT_MEASURED
    offered = ", ".join(name for name, answer in answers.items() if answer)
    if said.upnp is None:
        return f"{offered or 'none'} (for UPnP, install wzp[upnp])"
    return offered or "none"


def _ipv6(document: DetectedNat) -> str:
    if document.ipv6 is None:
        return document.reflexive_v6 or NOT_MEASURED
    if not document.ipv6:
        return "no"
    lets_in = _known(document.filtering_v6)
    where = document.reflexive_v6 or "yes"
    return where if lets_in == NOT_MEASURED else f"{where}, filtering {lets_in}"


def _socket(document: DetectedNat) -> str:
    if document.through == "detect-nat":
        return NOT_MEASURED
    return f"that of the running wzp {document.through}"


def _server(asked: AskedServer) -> str:
    public = " (public)" if asked.public else ""
    if asked.error is not None or asked.reflexive is None:
        return f"{asked.server}{public}: {asked.error or 'no answer'}"
    took = "" if asked.rtt_ms is None else f" ({milliseconds(asked.rtt_ms)})"
    return f"{asked.server}{public} sees {asked.reflexive}{took}"
