"""The path from this machine to the internet, drawn as SVG from a report."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, Literal

from wzp_cli.cli.nat.document import AskedServer, DetectedNat, diagnosis_of
from wzp_cli.cli.nat.words import milliseconds
from wzp_cli.protocol.nat.diagnosis import carrier_hop

__all__ = ["picture"]

State = Literal["plain", "good", "poor", "bad"]

_BOX_WIDTH: Final = 172
_GAP: Final = 52
_LINE: Final = 19
_TOP: Final = 16
_SERVER_HEIGHT: Final = 52
_MOST_SERVERS: Final = 8
_MOST_CHARACTERS: Final = 22
_MOST_CHARACTERS_BOLD: Final = 19
_WAY_Y: Final = 96


@dataclass(frozen=True, slots=True)
class _Box:
    """One station on the way."""

    title: str
    lines: Sequence[str]
    state: State = "plain"
    cut: bool = False  # nothing comes through behind it


def picture(document: DetectedNat) -> str:
    """Return the SVG: this machine, the NATs on the way, the internet, who was asked.

    Everything that was measured is text and escaped; its colours are the page's.
    """
    boxes = list(_boxes(document))
    servers = _by_host(document.servers)[:_MOST_SERVERS]
    left = len(boxes) * (_BOX_WIDTH + _GAP)
    width = left + _BOX_WIDTH + 2
    height = max(2 * _WAY_Y, 2 * _TOP + len(servers) * _SERVER_HEIGHT)
    middle = height // 2
    parts = [
        *_lines(boxes, middle),
        *(
            part
            for number, box in enumerate(boxes)
            for part in _drawn(box, number * (_BOX_WIDTH + _GAP) + 1, middle)
        ),
        *_servers(servers, left, middle, height),
    ]
    label = "The way from this machine to the internet"
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{label}">{"".join(parts)}</svg>'
    )


def _boxes(document: DetectedNat) -> Iterator[_Box]:
    blocked = bool(document.udp_blocked)
    own = [address for address in document.local if not address.startswith("[")]
    more = len(document.local) - 1
    lines = [*(own or document.local)[:1], *([f"and {more} more"] if more > 0 else [])]
    no_nat = document.mapping == "none" or document.nat_layers == 0
    yield _Box("This machine", lines, cut=blocked and no_nat)
    if not no_nat:
        yield from _nats(document, blocked)
    seen = [document.reflexive, document.reflexive_v6]
    addresses = [address for address in seen if address is not None]
    state: State = "bad" if blocked or not addresses else "good"
    yield _Box("Internet", addresses or ["nobody answered"], state)


def _nats(document: DetectedNat, blocked: bool) -> Iterator[_Box]:
    known = diagnosis_of(document)
    hops = list(document.hops or [])
    several = (document.nat_layers or 1) > 1
    behind = bool(document.carrier_nat) or several
    facts = _behaviour(document)
    first = [hops[0] or "(silent)"] if hops else []
    offers = _offers(document)
    yield _Box(
        "Router" if document.nat_layers or document.hops else "NAT or router",
        [*first, *(facts if not behind else []), *offers],
        "plain" if behind else _state(document),
        cut=blocked,
    )
    if behind:
        at = carrier_hop(known)
        where = [hops[at - 1] or "(silent)"] if at is not None else []
        title = "Provider's NAT" if document.carrier_nat else "Second NAT"
        yield _Box(title, [*where, *facts], _state(document))


def _behaviour(document: DetectedNat) -> list[str]:
    told = []
    if document.mapping != "unknown":
        easy = document.mapping == "endpoint-independent"
        told.append("one address for all" if easy else "another for each")
    if document.filtering != "unknown":
        lets_in = {
            "endpoint-independent": "lets everybody in",
            "address-dependent": "lets known hosts in",
            "address-and-port-dependent": "lets peers back in",
        }
        told.append(lets_in.get(document.filtering, "filters"))
    if document.allocation in ("sequential", "random"):
        at = {"sequential": "ports in sequence", "random": "ports at random"}
        told.append(at[document.allocation])
    return told


def _offers(document: DetectedNat) -> list[str]:
    said = document.port_mapping
    names = {"PCP": said.pcp, "NAT-PMP": said.nat_pmp, "UPnP": said.upnp}
    offered = [name for name, answer in names.items() if answer]
    if offered:
        return [f"ports by {offered[0]}"]
    return ["gives no ports"] if False in names.values() else []


def _state(document: DetectedNat) -> State:
    states: dict[str, State] = {
        "likely": "good",
        "limited": "poor",
        "relay-only": "bad",
        "blocked": "bad",
    }
    return states.get(document.verdict, "plain")


# --- Drawing --------------------------------------------------------------------


def _drawn(box: _Box, x: int, middle: int) -> Iterator[str]:
    height = _LINE * (len(box.lines) + 1) + 18
    y = middle - height // 2
    yield _rectangle(x, y, _BOX_WIDTH, height, box.state)
    yield _text(x + _BOX_WIDTH // 2, y + _LINE + 3, box.title, "title")
    for number, line in enumerate(box.lines, 2):
        yield _text(x + _BOX_WIDTH // 2, y + _LINE * number + 4, line, "fact")


def _lines(boxes: Sequence[_Box], middle: int) -> Iterator[str]:
    for number, box in enumerate(boxes[:-1]):
        x = number * (_BOX_WIDTH + _GAP) + 1 + _BOX_WIDTH
        yield _line(x, middle, x + _GAP, middle, "cut" if box.cut else "way")
        if box.cut:
            yield _text(x + _GAP // 2, middle + 6, "\N{MULTIPLICATION X}", "cross")


def _servers(
    servers: Sequence[AskedServer], left: int, middle: int, height: int
) -> Iterator[str]:
    top = (height - len(servers) * _SERVER_HEIGHT) // 2
    for number, each in enumerate(servers):
        y = top + number * _SERVER_HEIGHT
        centre = y + _SERVER_HEIGHT // 2
        answered = each.reflexive is not None
        way = "way" if answered else "cut"
        yield _line(left - _GAP + 1, middle, left + 1, centre, way)
        state: State = "plain" if answered else "bad"
        yield _rectangle(left + 1, y + 3, _BOX_WIDTH, _SERVER_HEIGHT - 6, state)
        yield _text(left + _BOX_WIDTH // 2, centre - 4, each.server, "name")
        yield _text(left + _BOX_WIDTH // 2, centre + 14, _answer(each), "fact")


def _by_host(servers: Sequence[AskedServer]) -> list[AskedServer]:
    """Return one for each host: a relay is asked at several of its ports."""
    hosts: dict[str, AskedServer] = {}
    for each in servers:
        host = each.server.rpartition(":")[0]
        if host not in hosts or hosts[host].reflexive is None:
            hosts[host] = each
    return list(hosts.values())


def _answer(asked: AskedServer) -> str:
    kind = {"stun": "STUN"}.get(asked.kind, asked.kind)
    if asked.reflexive is None:
        return f"{kind}, no answer"
    return kind if asked.rtt_ms is None else f"{kind}, {milliseconds(asked.rtt_ms)}"


def _rectangle(x: int, y: int, width: int, height: int, state: State) -> str:
    return (
        f'<rect class="{state}" x="{x}" y="{y}" width="{width}" height="{height}" '
        'rx="8"/>'
    )


def _line(x1: int, y1: int, x2: int, y2: int, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>'


def _text(x: int, y: int, text: str, kind: str) -> str:
    """Return one line of text; what is too long is cut, and whole under the pointer."""
    most = _MOST_CHARACTERS_BOLD if kind == "name" else _MOST_CHARACTERS
    short = text if len(text) <= most else f"{text[: most - 1]}\N{HORIZONTAL ELLIPSIS}"
    whole = f"<title>{escape(text)}</title>" if short != text else ""
    return f'<text class="{kind}" x="{x}" y="{y}">{whole}{escape(short)}</text>'
