"""Reports of somebody else's NAT: a forecast, as text and as a page, or a sentence.

The report is JSON off the disk. In the first bytes the fuzzer may also say which fields
of a right one are to be replaced by which values.
"""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec

from fuzz._folder import new_folder
from fuzz._script import Script
from wzp_cli.cli.nat.document import DetectedNat, diagnosis_of, judged
from wzp_cli.cli.nat.page import html_page
from wzp_cli.cli.nat.pair import forecast_pair_document
from wzp_cli.cli.nat.reports import read_report
from wzp_cli.cli.nat.text import diagnosis_text, pair_text
from wzp_cli.errors import UsageError

__all__ = ["MAX_BYTES", "SEEDS", "one"]

MAX_BYTES = 1200
_FOLDER = new_folder()
_FILE = Path(_FOLDER.name) / "report.json"

_RIGHT: dict[str, Any] = {
    "verdict": "likely",
    "summary": "Direct calls: likely",
    "local": ["192.168.1.2:5000"],
    "reflexive": "203.0.113.7:5000",
    "reflexive_v6": None,
    "mapping": "endpoint-independent",
    "filtering": "address-and-port-dependent",
    "port_preserving": True,
    "allocation": "preserving",
    "port_delta": 0,
    "hairpinning": False,
    "udp_blocked": False,
    "carrier_nat": False,
    "nat_layers": 1,
    "hops": ["192.168.1.1", None],
    "accepts_unsolicited_input": False,
    "port_mapping": {"pcp": True, "nat_pmp": None, "upnp": False},
    "mapping_lifetime_s": 120.0,
    "confidence": "high",
    "forecast": {"random": "search"},
    "servers": [
        {
            "server": "r:4433",
            "kind": "relay",
            "reflexive": "203.0.113.7:5000",
            "rtt_ms": 20.5,
            "error": None,
        }
    ],
}
_FIELDS = (*_RIGHT, "ipv6", "filtering_v6", "path_mtu_bytes", "tcp_relay", "through")
_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 7, 2**62, 1e308, -0.5, "", "unknown", "none"),
    *(
        "address-dependent",
        "sequential",
        "random",
        "endpoint-dependent",
        "[bold]\x1b[2J",
    ),
    *("<script>alert(1)</script>", "r:443", "::", "[::1]:9", [], [None], ["10.0.0.1"]),
    *(["10.0.0.1:1", "100.64.0.1", "x"], {}, {"pcp": False}, "a" * 300, "\u202ex"),
)
_PLAIN = msgspec.json.decode(msgspec.json.encode(_RIGHT), type=DetectedNat)

SEEDS = (
    b"\1" + msgspec.json.encode({"result": _RIGHT}),
    b"\1" + msgspec.json.encode(_RIGHT)[:900],
    b"\0\5\11\12\12",
    b"\2\14\1\5\3",
    b"\0\22\27\11\2\17\5",
    b"\3" + msgspec.json.encode(_RIGHT)[:500],
    b"\1[[[[",
)


class _Harmless(HTMLParser):
    """Fails where a page would run or fetch something."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "img", "iframe", "link", "object", "a"), tag
        for name, _ in attrs:
            assert name not in ("src", "href", "onload", "onerror"), name


def one(data: bytes) -> None:
    """Forecast a call with the writer of one report."""
    script = Script(data)
    how = script.byte()
    text = script.rest() if how % 2 else _replaced(script)
    _FILE.write_bytes(text)
    try:
        report = read_report(str(_FILE))
    except UsageError as error:
        assert str(_FILE) in str(error)
        return
    theirs, ours = diagnosis_of(report), diagnosis_of(_PLAIN)
    for pair in ((ours, theirs), (theirs, ours)):
        document = forecast_pair_document(*pair)
        assert document.direct_pct is None or 0 <= document.direct_pct <= 100
        shown = pair_text(document, 80)
        assert "\x1b" not in shown
        assert "\u202e" not in shown
    if how & 2:  # which take long
        _Harmless().feed(html_page(judged(report), when="now", masked=False))
        diagnosis_text(judged(report), 80)


def _replaced(script: Script) -> bytes:
    report = dict(_RIGHT)
    while script.goes_on:
        report[script.pick(_FIELDS)] = script.pick(_VALUES)
    return msgspec.json.encode(report)
