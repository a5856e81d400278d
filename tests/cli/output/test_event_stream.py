import json
from typing import Any

import pytest

from wzp_cli.cli.output.event_stream import EventStream
from wzp_cli.cli.output.failure import Terminated
from wzp_cli.errors import PeerBusy
from wzp_cli.events import Bound, Ended, Event, Hello


def lines(*events: Event, error: BaseException | None = None) -> list[dict[str, Any]]:
    """Return the lines of a stream that starts at 10 s; each is 1.5 s later."""
    written: list[bytes] = []
    times = iter(range(100))
    stream = EventStream(
        written.append, started_s=10.0, clock=lambda: 10.0 + 1.5 * next(times)
    )
    for event in events:
        stream.report(event)
    stream.close(None, error)
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in written)
    return [json.loads(line) for line in written]


HELLO = Hello(id="wzp1me", version="1")
BOUND = Bound(port=4, addresses=[])


def test_the_envelope_comes_first() -> None:
    hello, bound, end = lines(HELLO, BOUND)
    assert list(hello) == ["v", "ts", "seq", "t_ms", "event", "id", "version"]
    assert [line["seq"] for line in (hello, bound, end)] == [0, 1, 2]
    assert [line["t_ms"] for line in (hello, bound, end)] == [0.0, 1500.0, 3000.0]
    assert {line["v"] for line in (hello, bound, end)} == {1}


def test_hello_is_first_also_where_nobody_said_it() -> None:
    assert [line["event"] for line in lines(BOUND)] == ["hello", "bound", "end"]
    assert [line["event"] for line in lines()] == ["hello", "end"]


def test_a_reported_end_is_held_back() -> None:
    written = lines(HELLO, Ended(ok=True, exit=0, peer="wzp1you"), BOUND)
    assert [line["event"] for line in written] == ["hello", "bound", "end"]
    assert (written[-1]["peer"], written[-1]["ok"]) == ("wzp1you", True)


def test_an_error_comes_before_the_end() -> None:
    facts = Ended(ok=True, exit=0, peer="wzp1you")
    _, error, end = lines(HELLO, facts, error=PeerBusy("busy"))
    assert (error["event"], error["code"], error["exit"]) == ("error", "peer_busy", 5)
    assert (end["ok"], end["exit"], end["peer"]) == (False, 5, "wzp1you")


@pytest.mark.parametrize(
    ("error", "code"), [(KeyboardInterrupt(), 130), (Terminated(), 143)]
)
def test_a_signal_is_no_error_but_an_end(error: BaseException, code: int) -> None:
    hello, end = lines(HELLO, error=error)
    assert hello["event"] == "hello"
    assert (end["event"], end["ok"], end["exit"]) == ("end", False, code)
