import io
import json
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from tests.cli.nat.samples import HOME, PHONE
from wzp_cli.cli.nat.reports import MAX_REPORT_BYTES, read_report
from wzp_cli.errors import UsageError

RESULT = msgspec.json.encode(HOME)
DOCUMENT = (
    b'{"schema":"wzp.detect-nat/1","ok":true,"result":%s,"error":null}\n' % RESULT
)


def written(tmp_path: Path, content: bytes) -> str:
    path = tmp_path / "report.json"
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize(
    "content",
    [
        RESULT,
        DOCUMENT,
        json.dumps(json.loads(DOCUMENT), indent=2).encode(),
        b'{"event":"hello"}\n{"event":"nat.detected","result":%s}\n{"event":"end"}\n'
        % RESULT,
    ],
)
def test_reports_of_all_kinds(tmp_path: Path, content: bytes) -> None:
    assert read_report(written(tmp_path, content)) == HOME


def test_the_last_of_a_stream_counts(tmp_path: Path) -> None:
    lines = [b'{"result":%s}' % msgspec.json.encode(each) for each in (HOME, PHONE)]
    assert read_report(written(tmp_path, b"\n".join(lines))) == PHONE


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = SimpleNamespace(buffer=io.BytesIO(DOCUMENT))
    monkeypatch.setattr("sys.stdin", stdin)
    assert read_report("-") == HOME


def test_reports_of_other_versions(tmp_path: Path) -> None:
    """What is new is passed over, what was not there yet has its default."""
    said = json.loads(RESULT) | {"mapping": "quantum", "flavour": "new"}
    for name in ("advice", "reasons", "pair", "through", "path_mtu_bytes"):
        del said[name]
    read = read_report(written(tmp_path, json.dumps(said).encode()))
    assert read.mapping == "quantum"
    assert read.advice == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff\xfe\x00",
        b'{"result":null}',
        b'{"result":{"mapping":"none"}}',
        b"[" * 100_000,
        b"\n" * 1000,
        b" " * (MAX_REPORT_BYTES + 1),
    ],
)
def test_what_is_no_report(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UsageError, match="no report"):
        read_report(written(tmp_path, content))


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_report(str(tmp_path / "none"))
    with pytest.raises(UsageError, match="Is a directory"):
        read_report(str(tmp_path))


def test_a_ticket_tells_no_nat() -> None:
    with pytest.raises(UsageError, match="not what their NAT does"):
        read_report("wzp:wzp17556x3o5cc5g")
