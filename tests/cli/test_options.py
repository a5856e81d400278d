from pathlib import Path

import pytest

from wzp_cli.cli.options import Everywhere, parse_duration, parse_relay, parse_stun


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("10s", 10.0),
        ("2m", 120.0),
        ("1.5s", 1.5),
        (" 3s ", 3.0),
        ("8h", 28_800.0),
        ("7d", 604_800.0),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "10", "s", "10 s", "-1s", "0s", "0.0ms", "1e3s", "٣s", "1w", "1S", "9" * 99],
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration such as"):
        parse_duration(text)


def test_servers_may_go_without_their_usual_port() -> None:
    assert str(parse_relay("r1.example")) == "r1.example:4433"
    assert str(parse_relay("[2001:db8::1]:99")) == "[2001:db8::1]:99"
    assert str(parse_stun("2001:db8::1")) == "[2001:db8::1]:3478"
    with pytest.raises(ValueError, match="port"):
        parse_relay("r1:0")


def test_later_flags_hold_over_earlier_ones() -> None:
    earlier = Everywhere(json=True, port=5, verbose=1, log_file=Path("a"))
    later = Everywhere(port=0, log_file=Path("b"), quiet=True)
    assert later.over(earlier) == Everywhere(
        json=True, port=0, verbose=1, log_file=Path("b"), quiet=True
    )
