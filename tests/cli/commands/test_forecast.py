import json
from pathlib import Path

import msgspec
import pytest

from tests.cli.nat.samples import BLOCKED, HOME, PHONE, SEQUENTIAL
from tests.cli.test_schema import fits
from wzp_cli.cli.app import run
from wzp_cli.cli.nat.document import DetectedNat


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """A folder with reports of well-known networks."""
    samples = {"home": HOME, "phone": PHONE, "old": SEQUENTIAL, "hotel": BLOCKED}
    for name, document in samples.items():
        write(tmp_path / f"{name}.json", document)
    return tmp_path


def write(path: Path, document: DetectedNat) -> None:
    path.write_bytes(b'{"result":%s}' % msgspec.json.encode(document))


@pytest.mark.parametrize(
    ("ours", "theirs", "outcome", "required"),
    [
        ("home", "phone", "search", 0),
        ("home", "old", "direct", 0),
        ("phone", "old", "relay", 3),
        ("home", "hotel", "relay", 3),
    ],
)
def test_one_document(
    ours: str,
    theirs: str,
    outcome: str,
    required: int,
    reports: Path,
    environ: dict[str, str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    words = ["forecast", *(str(reports / f"{name}.json") for name in (ours, theirs))]
    assert run([*words, "--json"], environ) == 0
    document = json.loads(capfd.readouterr().out)
    fits(document, "forecast.json")
    assert document["result"]["outcome"] == outcome

    assert run([*words, "--json", "--require", "direct"], environ) == required
    document = json.loads(capfd.readouterr().out)
    fits(document, "forecast.json")
    assert document["ok"] is (required == 0)

    assert run(words, environ) == 0
    said = capfd.readouterr().out
    assert said.startswith("This pair: ")
    assert all(len(line) <= 80 for line in said.splitlines())


@pytest.mark.parametrize("bad", ["none.json", "wzp:x"])
def test_what_is_no_report(
    bad: str,
    reports: Path,
    environ: dict[str, str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    words = ["forecast", str(reports / "home.json"), bad, "--json"]
    assert run(words, environ) == 2
    document = json.loads(capfd.readouterr().out)
    fits(document, "forecast.json")
    assert "wzp forecast --help" in document["error"]["hint"]
