"""Reports in datagrams: their bytes, when they are due, what is read out of them."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wzp_cli.defaults.control import (
    REPORT_NEWS_PAUSE_S,
    REPORT_PAUSE_S,
)
from wzp_cli.errors import RemoteProtocolError
from wzp_cli.protocol.media.adaptation.reception import Received, Reception
from wzp_cli.protocol.media.adaptation.report import (
    Report,
    ReportReader,
    ReportWriter,
    decode,
    encode,
)

FRAME_S = 0.020
EXAMPLE = Report(3, 512, 17, 9, 120, 4660, 43981, 305_419_896)


def test_a_report_is_pinned_as_bytes() -> None:
    wire = bytes.fromhex("01 0003 0200 0011 0009 0078 1234 abcd 12345678")
    assert encode(EXAMPLE) == wire
    assert decode(wire) == EXAMPLE


def test_what_a_newer_version_adds_is_skipped() -> None:
    assert decode(encode(EXAMPLE) + b"more") == EXAMPLE


@pytest.mark.parametrize("length", range(19))
def test_a_report_that_is_cut_off_is_refused(length: int) -> None:
    with pytest.raises(RemoteProtocolError):
        decode(encode(EXAMPLE)[:length])


def test_another_flow_is_no_report() -> None:
    with pytest.raises(RemoteProtocolError):
        decode(b"\2" + encode(EXAMPLE)[1:])


@given(st.lists(st.integers(0, 1 << 40), min_size=8, max_size=8))
def test_totals_are_sent_modulo_their_size(numbers: list[int]) -> None:
    told = decode(encode(Report(*numbers)))
    assert told.expected == numbers[1] % 65_536
    assert told.queue_ms == min(numbers[4], 65_535)
    assert told.wire_bytes == numbers[7] % (1 << 32)


# -- when one is due


def reports(until_s: float, lost: range = range(0)) -> list[tuple[float, Report]]:
    """What a receiver reports of a stream, and when."""
    reception = Reception()
    writer, told = ReportWriter(reception), []
    for frame in range(round(until_s / FRAME_S)):
        now = frame * FRAME_S
        if frame not in lost:
            reception.arrived(7, frame, 1, now, 80)
        if (report := writer.due(now)) is not None:
            told.append((now, report))
    return told


def test_there_is_none_before_something_came() -> None:
    assert ReportWriter(Reception()).due(1.0) is None


def test_they_are_quick_at_the_start_and_rare_where_all_is_well() -> None:
    told = [now for now, _ in reports(10)]
    assert told[0] == 0
    assert told[1] - told[0] == pytest.approx(REPORT_NEWS_PAUSE_S)
    assert told[-1] - told[-2] == pytest.approx(REPORT_PAUSE_S)
    assert len(told) < 2 / REPORT_NEWS_PAUSE_S + 8 / REPORT_PAUSE_S + 3


def test_loss_is_told_at_once() -> None:
    at = next(now for now, report in reports(10, range(300, 301)) if report.lost)
    assert at - 300 * FRAME_S <= 0.08 + REPORT_NEWS_PAUSE_S


# -- what is read


def test_what_is_new_is_the_difference_and_a_lost_report_costs_nothing() -> None:
    reader = ReportReader()
    told = [report for _, report in reports(10, range(300, 310))]
    heard = [reader.read(report) for n, report in enumerate(told) if n % 3 == 2]
    whole = [each for each in heard if each is not None]
    assert sum(each.lost for each in whole) == 10
    assert sum(each.gaps for each in whole) == 1
    assert sum(each.expected for each in whole) == pytest.approx(500, abs=40)


def test_how_fast_sound_came_is_known_after_some_moments() -> None:
    reader = ReportReader()
    heard = [reader.read(report) for _, report in reports(3)]
    assert heard[0] is not None
    assert heard[0].carried_bps is None
    last = heard[-1]
    assert last is not None
    assert last.carried_bps == pytest.approx(50 * (78 + 80) * 8, rel=0.02)


def test_an_old_report_is_passed_over() -> None:
    told = [report for _, report in reports(2)]
    reader = ReportReader()
    reader.read(told[5])
    assert reader.read(told[4]) is None
    assert reader.read(told[5]) is None


def test_frames_that_take_longer_than_at_first_are_seen_over_the_wrap() -> None:
    reader = ReportReader()
    transits = [
        reader.read(Report(number, number, transit_ms=transit))
        for number, transit in enumerate((65_500, 65_530, 30, 65_400), 1)
    ]
    assert [each and each.transit_ms for each in transits] == [0, 30, 66, -100]


@given(st.lists(st.lists(st.integers(0, 65_535), min_size=8, max_size=8)))
def test_whatever_a_peer_tells_the_counts_make_sense(story: list[list[int]]) -> None:
    reader = ReportReader()
    for numbers in story:
        received = reader.read(Report(*numbers))
        if received is not None:
            assert 0 <= received.gaps <= received.lost <= received.expected < 65_536


def test_a_day_of_totals_wraps_without_a_jump() -> None:
    dice, reader, total = random.Random(1), ReportReader(), 0
    for number in range(1, 70_000, 10):
        new = dice.randrange(40)
        total += new
        received = reader.read(decode(encode(Report(number, total))))
        assert received is not None
        assert received.expected == new
    assert isinstance(received, Received)
