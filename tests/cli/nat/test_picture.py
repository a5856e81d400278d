from xml.etree import ElementTree

import msgspec
import pytest

from tests.cli.nat.samples import BLOCKED, HOME, PHONE, SAMPLES, UNKNOWN
from wzp_cli.cli.nat.document import DetectedNat, judged
from wzp_cli.cli.nat.picture import picture

change = msgspec.structs.replace


def drawn(document: DetectedNat) -> ElementTree.Element:
    return ElementTree.fromstring(picture(document))


def said(document: DetectedNat) -> list[str]:
    return ["".join(text.itertext()) for text in drawn(document).iter("text")]


def titles(document: DetectedNat) -> list[str]:
    texts = drawn(document).iter("text")
    return [text.text or "" for text in texts if text.get("class") == "title"]


def test_the_stations_on_the_way() -> None:
    assert titles(HOME) == ["This machine", "Router", "Internet"]
    assert titles(PHONE) == ["This machine", "Router", "Provider's NAT", "Internet"]
    two = judged(change(HOME, nat_layers=2))
    assert titles(two) == ["This machine", "Router", "Second NAT", "Internet"]
    public = judged(change(HOME, mapping="none", nat_layers=0, hops=[]))
    assert titles(public) == ["This machine", "Internet"]
    assert titles(UNKNOWN) == ["This machine", "NAT or router", "Internet"]


def test_what_was_measured_stands_where_it_was() -> None:
    told = said(HOME)
    for fact in (
        "192.168.88.10:41822",
        "192.168.88.1",
        "one address for all",
        "lets peers back in",
        "203.0.113.7:41822",
        "relay, 21 ms",
        "relay, no answer",
    ):
        assert fact in told
    assert {"100.64.0.1", "ports at random", "ports by UPnP"} <= set(said(PHONE))


def test_what_is_cut_is_crossed_out() -> None:
    classes = [line.get("class") for line in drawn(BLOCKED).iter("line")]
    assert "cut" in classes
    assert "\N{MULTIPLICATION X}" in said(BLOCKED)
    assert "\N{MULTIPLICATION X}" not in said(HOME)


@pytest.mark.parametrize("document", SAMPLES.values(), ids=SAMPLES)
def test_everything_is_inside(document: DetectedNat) -> None:
    svg = drawn(document)
    width, height = int(svg.attrib["width"]), int(svg.attrib["height"])
    for box in svg.iter("rect"):
        x, y, w, h = (int(box.attrib[name]) for name in ("x", "y", "width", "height"))
        assert x >= 0
        assert x + w <= width
        assert y >= 0
        assert y + h <= height


def test_many_servers_and_long_names() -> None:
    many = [
        change(HOME.servers[0], server=f"a-rather-long-name-{number}.example:4433")
        for number in range(40)
    ]
    svg = drawn(change(HOME, servers=many))
    assert int(svg.attrib["height"]) < 600
    names = [t for t in svg.iter("text") if t.get("class") == "name"]
    assert len(names) == 8
    for name in names:
        (whole,) = name.iter("title")
        assert (whole.text or "").startswith("a-rather-long-name-")
        assert len(whole.tail or "") <= 20


def test_a_relay_that_was_asked_at_four_ports_stands_there_once() -> None:
    first, silent, public = HOME.servers
    ports = [change(first, server=f"r1.example:{port}") for port in range(4434, 4437)]
    late = change(silent, server="r2.example:4434", reflexive="203.0.113.7:1")
    svg = drawn(change(HOME, servers=[first, *ports, silent, late, public]))
    names = [t.text for t in svg.iter("text") if t.get("class") == "name"]
    assert names[:2] == ["r1.example:4433", "r2.example:4434"]
    assert len(names) == 3


def test_nothing_becomes_markup() -> None:
    evil = '"><script>alert(1)</script>&'
    asked = change(HOME.servers[0], server=evil)
    odd = change(HOME, servers=[asked], hops=[evil], local=[evil], reflexive=evil)
    svg = drawn(odd)
    assert not list(svg.iter("script"))
    whole = {title.text for title in svg.iter("title")}
    assert evil in whole
