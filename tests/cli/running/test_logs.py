import io
import json
import logging
from pathlib import Path

import pytest

from wzp_cli.cli.running.logs import JsonLines, start_logging
from wzp_cli.cli.settings import Settings
from wzp_cli.errors import EnvironmentFault


def test_the_log_goes_to_a_file_as_json(tmp_path: Path) -> None:
    path = tmp_path / "log"
    start_logging(Settings(log_file=path, log_format="json", log_level="info"))
    logging.getLogger("wzp.test").info("one %s", "two")
    logging.getLogger("wzp.test").debug("not kept")
    (line,) = path.read_text().splitlines()
    read = json.loads(line)
    assert (read["level"], read["message"]) == ("info", "one two")
    assert read["logger"] == "wzp.test"


def test_the_log_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging(Settings())
    logging.getLogger("wzp.test").warning("look")
    assert capsys.readouterr().err.endswith("WARNING wzp.test: look\n")


def test_the_log_follows_standard_error_where_it_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start_logging(Settings())
    elsewhere = io.StringIO()
    monkeypatch.setattr("sys.stderr", elsewhere)
    logging.getLogger("wzp.test").warning("look")
    assert elsewhere.getvalue().endswith("WARNING wzp.test: look\n")


def test_a_traceback_is_part_of_its_line() -> None:
    try:
        raise ValueError("x")
    except ValueError as error:
        about = (ValueError, error, error.__traceback__)
    record = logging.LogRecord("n", logging.ERROR, "p", 1, "bad", (), about)
    assert "ValueError: x" in json.loads(JsonLines().format(record))["traceback"]


def test_a_place_that_takes_no_log_is_told(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="--log-file"):
        start_logging(Settings(log_file=tmp_path / "no" / "log"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_ends_the_log_with_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    start_logging(Settings(log_file=Path("/dev/full")))
    for _ in range(2):
        logging.getLogger("wzp.test").warning("look")
    said = "Warning: --log-file takes no more: No space left on device\n"
    assert capsys.readouterr().err == said
