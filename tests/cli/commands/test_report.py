import json
from pathlib import Path

import msgspec
import pytest

from tests.cli.nat.samples import PHONE
from tests.cli.test_schema import fits
from tests.support.processes import Processes
from wzp_cli.cli.app import run
from wzp_cli.cli.nat.reports import read_report


@pytest.fixture
def phone(tmp_path: Path) -> str:
    """A report that was kept."""
    path = tmp_path / "phone.json"
    path.write_bytes(b'{"result":%s}' % msgspec.json.encode(PHONE))
    return str(path)


def test_a_page_of_a_measurement(
    processes: Processes, relay: str, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    alice = processes.user("alice", WZP_RELAY=relay)
    answer = alice.ask("report", "-o", str(page))
    fits(answer.document, "report.json")
    assert answer.result["format"] == "html"
    assert answer.result["redacted"] is True
    text = page.read_text("utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert answer.result["summary"] in text
    said = alice.run("report", "-o", str(page), "-q").stdout
    assert said == f"Direct calls: likely\nwritten to: {page}\n"
    assert not list(tmp_path.glob(".page*"))


@pytest.mark.parametrize("redact", [True, False])
def test_json_of_a_report_that_was_kept(
    phone: str,
    redact: bool,
    tmp_path: Path,
    environ: dict[str, str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    kept = tmp_path / "kept.json"
    words = ["report", "--from", phone, "-o", str(kept), "--json"]
    assert run(words if redact else [*words, "--no-redact"], environ) == 0
    fits(json.loads(capfd.readouterr().out), "report.json")
    fits(json.loads(kept.read_text("utf-8")), "detect-nat.json")
    read = read_report(str(kept))
    assert read.verdict == PHONE.verdict
    assert read.reflexive == ("198.51.x.x:1024" if redact else PHONE.reflexive)


@pytest.mark.parametrize(
    ("output", "code", "said"),
    [
        ("page.pdf", 2, "end it in .html or .json"),
        ("none/page.html", 7, "can't be written: no such folder"),
        ("folder.html", 7, "can't be written"),
    ],
)
def test_where_it_can_not_be_written(
    output: str,
    code: int,
    said: str,
    phone: str,
    tmp_path: Path,
    environ: dict[str, str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "folder.html").mkdir()
    words = ["report", "--from", phone, "-o", str(tmp_path / output), "--json"]
    assert run(words, environ) == code
    document = json.loads(capfd.readouterr().out)
    fits(document, "report.json")
    assert said in document["error"]["message"]
    assert not list(tmp_path.glob(".*"))


def test_without_its_folder_nobody_is_asked(
    tmp_path: Path, environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["report", "-o", str(tmp_path / "none" / "a.html"), "--json"]
    assert run(words, environ) == 7  # 2, if it had looked for somebody to ask
    assert "no such folder" in json.loads(capfd.readouterr().out)["error"]["message"]


def test_public_servers_are_not_asked_where_that_is_said(
    tmp_path: Path, environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    del environ["WZP_PUBLIC_STUN"]
    words = ["report", "-o", str(tmp_path / "a.html"), "--no-public-stun", "--json"]
    assert run(words, environ) == 2
    assert "nobody to ask" in json.loads(capfd.readouterr().out)["error"]["message"]


def test_nobody_to_ask(
    tmp_path: Path, environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", "-o", str(tmp_path / "a.html"), "--json"], environ) == 2
    assert "nobody to ask" in json.loads(capfd.readouterr().out)["error"]["message"]
