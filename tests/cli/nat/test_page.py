import re
from html.parser import HTMLParser

import msgspec
import pytest

from tests.cli.nat.samples import HOME, PHONE, SAMPLES
from wzp_cli.cli.nat.document import DetectedNat, diagnosis_of
from wzp_cli.cli.nat.page import html_page
from wzp_cli.cli.nat.pair import forecast_pair_document

change = msgspec.structs.replace
WHEN = "2026-11-24T16:00:00.000Z"
VOID = {"meta", "rect", "line"}


class Page(HTMLParser):
    """Reads a page, and sees that what is opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def page(document: DetectedNat, *, masked: bool = False) -> Page:
    return Page(html_page(document, when=WHEN, masked=masked))


@pytest.mark.parametrize("document", SAMPLES.values(), ids=SAMPLES)
def test_it_says_what_was_found(document: DetectedNat) -> None:
    words = page(document).words
    assert document.summary in words
    for text in (told.text for told in document.reasons):
        assert text in words
    for text in (told.text for told in document.advice):
        assert text in words
    for asked in document.servers:
        assert asked.server in words
    assert "None" not in " ".join(words)


@pytest.mark.parametrize("document", SAMPLES.values(), ids=SAMPLES)
def test_it_fetches_nothing_and_runs_nothing(document: DetectedNat) -> None:
    text = html_page(document, when=WHEN, masked=False)
    found = Page(text)
    assert not set(found.tags) & {"script", "img", "link", "iframe", "a", "object"}
    names = {name for name, _ in found.attributes}
    assert not names & {"src", "href", "style", "onload", "onclick", "xlink:href"}
    assert not re.search(r"https?:|url\(|@import", text)
    assert "default-src 'none'" in text


def test_everything_is_escaped() -> None:
    evil = "</style><script>alert('1')</script><img src=x onerror=y>&amp;\""
    odd = change(
        HOME,
        summary=evil,
        reflexive=evil,
        mapping=evil,
        hops=[evil],
        preferred_relay=evil,
        through=evil,
        reasons=[change(HOME.reasons[0], text=evil)],
        advice=[change(HOME.advice[0], text=evil)],
        servers=[change(HOME.servers[0], server=evil, kind=evil)],
    )
    found = page(odd)
    assert not set(found.tags) & {"script", "img"}
    assert found.words.count(evil) >= 5


def test_it_says_whether_it_is_masked() -> None:
    assert "masked" in " ".join(page(HOME, masked=True).words)
    assert "masked" not in " ".join(page(HOME).words)


def test_the_forecast_for_a_pair_is_told_too() -> None:
    pair = forecast_pair_document(diagnosis_of(HOME), diagnosis_of(PHONE))
    words = page(change(HOME, pair=pair)).words
    assert pair.summary in words
    assert pair.reasons[0] in words
