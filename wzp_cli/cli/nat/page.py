"""The diagnosis as one HTML page: everything inside, no script, nothing fetched."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from wzp_cli import __version__
from wzp_cli.cli.nat.document import DetectedNat
from wzp_cli.cli.nat.picture import picture
from wzp_cli.cli.nat.text import NOT_MEASURED, facts_of, peers_of
from wzp_cli.cli.nat.words import TERMS

__all__ = ["html_page"]

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"

_STYLE: Final = """
:root { --ink: #1b1f24; --paper: #fff; --soft: #5c6670; --edge: #c9d1d9;
  --good: #1a7f37; --poor: #9a6700; --bad: #cf222e; --tint: #f6f8fa; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117;
  --soft: #9da7b1; --edge: #3d444d; --good: #3fb950; --poor: #d29922; --bad: #f85149;
  --tint: #161b22; } }
body { color: var(--ink); background: var(--paper);
  font: 16px/1.5 system-ui, sans-serif;
  max-width: 72rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.7rem; margin: 0 0 .2rem; border-left: .4rem solid var(--edge);
  padding-left: .8rem; }
h1.good { border-color: var(--good); } h1.poor { border-color: var(--poor); }
h1.bad { border-color: var(--bad); }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p.note { color: var(--soft); margin: .2rem 0; font-size: .9rem; }
.path { overflow-x: auto; margin: 1.5rem 0; }
svg { max-width: 100%; height: auto; min-width: 40rem; display: block; margin: auto; }
svg text { fill: var(--ink); text-anchor: middle; font: 13px system-ui, sans-serif; }
svg text.title { font-weight: 600; font-size: 15px; }
svg text.name { font-weight: 600; }
svg text.fact { fill: var(--soft); }
svg text.cross { fill: var(--bad); font-size: 20px; }
svg rect { fill: var(--tint); stroke: var(--edge); stroke-width: 1.5; }
svg rect.good { stroke: var(--good); } svg rect.poor { stroke: var(--poor); }
svg rect.bad { stroke: var(--bad); stroke-dasharray: 5 4; }
svg line { stroke: var(--soft); stroke-width: 1.5; }
svg line.cut { stroke: var(--bad); stroke-dasharray: 5 4; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0;
  border-bottom: 1px solid var(--edge); overflow-wrap: anywhere; }
th { font-weight: 600; width: 16rem; }
td { min-width: 6.5rem; }
td.value { width: 15rem; }
td.meaning { color: var(--soft); font-size: .9rem; }
thead th { color: var(--soft); font-weight: 400; font-size: .9rem; }
.not { color: var(--soft); }
@media (max-width: 42rem) { thead { display: none; }
  tr, th, td, td.value { display: block; width: auto; border: 0; padding: .1rem 0; }
  tr { border-bottom: 1px solid var(--edge); padding: .5rem 0; } }
@media print { body { max-width: none; } }
"""

_CLASSES: Final = {
    "likely": "good",
    "limited": "poor",
    "relay-only": "bad",
    "blocked": "bad",
}


def html_page(document: DetectedNat, *, when: str, masked: bool) -> str:
    """Return the page.

    Args:
        document: What was measured. Every text of it is escaped.
        when: Now, as ISO 8601.
        masked: Whether addresses in it are masked; the page says so.
    """
    verdict = _CLASSES.get(document.verdict, "plain")
    body = [
        f'<h1 class="{verdict}">{escape(document.summary)}</h1>',
        _note(when, document, masked),
        f'<div class="path">{picture(document)}</div>',
        *_pair(document),
        *_peers(document),
        *_list("Why", "ul", [each.text for each in document.reasons]),
        *_list("What would help", "ol", [each.text for each in document.advice]),
        "<h2>What was measured</h2>",
        _table(
            [
                (_capital(name), _value(value), _meaning(name))
                for name, value in _rows(document)
            ]
        ),
        "<h2>Who was asked</h2>",
        _servers(document),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>wzp: {escape(document.summary)}</title>\n"
        f"<style>{_STYLE}</style>\n</head>\n<body>\n" + "\n".join(body) + "\n</body>\n"
        "</html>\n"
    )


def _note(when: str, document: DetectedNat, masked: bool) -> str:
    through = (
        "a socket of its own"
        if document.through == "detect-nat"
        else f"the socket of the running wzp {document.through}"
    )
    said = [f"Written {when} by wzp {__version__}, measured through {through}."]
    if masked:
        said.append("Public addresses and the names of servers are masked.")
    return f'<p class="note">{escape(" ".join(said))}</p>'


def _pair(document: DetectedNat) -> Iterable[str]:
    if document.pair is None:
        return []
    return _list(document.pair.summary, "ul", document.pair.reasons)


def _peers(document: DetectedNat) -> Iterable[str]:
    if all(each.reflexive is None for each in document.servers):
        return []
    rows = [(_capital(name), escape(how)) for name, how in peers_of(document)]
    return ["<h2>How calls go</h2>", _table(rows, ("the peer has", "a call goes"))]


def _rows(document: DetectedNat) -> list[tuple[str, str]]:
    return [row for row in facts_of(document) if row[0] in TERMS]


def _servers(document: DetectedNat) -> str:
    head = ("server", "kind", "sees us at", "round trip")
    rows = [
        (
            escape(each.server),
            escape(f"{each.kind}, public" if each.public else each.kind),
            escape(each.reflexive or each.error or "no answer"),
            "" if each.rtt_ms is None else f"{each.rtt_ms:.1f} ms",
        )
        for each in document.servers
    ]
    return _table(rows, head)


def _list(title: str, tag: str, texts: Sequence[str]) -> list[str]:
    if not texts:
        return []
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return [f"<h2>{escape(title)}</h2>", f"<{tag}>{items}</{tag}>"]


def _capital(text: str) -> str:
    return escape(text[:1].upper() + text[1:])


def _value(text: str) -> str:
    if text == NOT_MEASURED:
        return f'<span class="not">{NOT_MEASURED}</span>'
    return escape(text)


def _meaning(name: str) -> str:
    return escape(TERMS[name])


def _table(rows: Iterable[Sequence[str]], head: Sequence[str] = ()) -> str:
    """Return a table of cells that are escaped already; the first names its row."""
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    kinds = [""] if head else [' class="value"', ' class="meaning"']
    told = [
        f'<tr><th scope="row">{first}</th>'
        + "".join(
            f"<td{kind}>{cell}</td>"
            for cell, kind in zip(others, kinds * len(others), strict=False)
        )
        + "</tr>"
        for first, *others in rows
    ]
    heading = f"<thead><tr>{top}</tr></thead>" if head else ""
    return f"<table>{heading}<tbody>{''.join(told)}</tbody></table>"
