import json
import re
import time
from datetime import UTC, datetime

import msgspec

from wzp_cli import __version__
from wzp_cli.cli.command import Outcome
from wzp_cli.cli.output.document import (
    Document,
    DocumentVoice,
    Notice,
    encoded,
    schema_name,
    timestamp,
)
from wzp_cli.errors import PeerBusy
from wzp_cli.events import Bound, Warned


def said(outcome: Outcome | None, error: BaseException | None) -> Document[object]:
    written: list[bytes] = []
    voice = DocumentVoice("id show", written.append, time.monotonic())
    voice.report(Bound(port=1, addresses=[]))
    voice.report(Warned(code="old", message="m"))
    assert written == []
    voice.close(outcome, error)
    (line,) = written
    return msgspec.json.decode(line, type=Document[object])


def test_a_result_is_one_document() -> None:
    document = said(Outcome({"a": 1}, "a is 1"), None)
    assert (document.schema, document.wzp) == ("wzp.id-show/1", __version__)
    assert (document.ok, document.result, document.error) == (True, {"a": 1}, None)
    assert document.warnings == [Notice(code="old", message="m")]
    assert document.elapsed_ms >= 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", document.ts)


def test_an_error_is_one_document() -> None:
    document = said(None, PeerBusy())
    assert (document.ok, document.result) == (False, None)
    assert document.error is not None
    assert document.error.exit == 5


def test_an_interruption_is_one_document() -> None:
    error = said(None, KeyboardInterrupt()).error
    assert error is not None
    assert (error.code, error.exit) == ("interrupted", 130)


def test_names_and_times() -> None:
    assert schema_name("detect-nat") == "wzp.detect-nat/1"
    moment = datetime(2026, 11, 22, 16, 0, 0, 123_999, tzinfo=UTC)
    assert timestamp(moment) == "2026-11-22T16:00:00.123Z"


def test_one_value_is_one_line() -> None:
    line = encoded({"a": "x\ny"})
    assert line.count(b"\n") == 1
    assert json.loads(line) == {"a": "x\ny"}
