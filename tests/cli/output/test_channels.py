import os
import stat
import sys
from pathlib import Path

import pytest

from wzp_cli.cli.output.channels import StandardOutput, open_events, say
from wzp_cli.cli.output.failure import OutputClosed
from wzp_cli.errors import EnvironmentFault, UsageError


def test_bytes_come_out_at_once_and_after_text(
    capfd: pytest.CaptureFixture[str],
) -> None:
    print("text", end=" ")  # noqa: T201
    StandardOutput(_never).write("bytes ü".encode())
    assert capfd.readouterr().out == "text bytes ü"


def test_a_closed_pipe_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[BaseException] = []
    output = StandardOutput(told.append)
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        output.write(b"one")
        output.write(b"two")
        assert stat.S_ISCHR(os.fstat(writing).st_mode), "now it is /dev/null"
    assert [type(error) for error in told] == [OutputClosed]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[BaseException] = []
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        StandardOutput(told.append).write(b"one")
    assert isinstance(told[0], EnvironmentFault)


def test_talk_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    say("[bold]literal[/bold]")
    assert capsys.readouterr().err == "[bold]literal[/bold]\n"


def test_events_go_to_a_file_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "events"
    path.write_text("old")
    with open_events(str(path)) as events:
        events.write(b"x\n")
        assert path.read_bytes() == b"x\n"


def test_events_go_to_an_inherited_descriptor() -> None:
    reading, writing = os.pipe()
    with open_events(f"fd:{writing}") as events:
        events.write(b"x\n")
    os.write(writing, b"still ours")
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == b"x\nstill ours"


@pytest.mark.parametrize("where", ["fd:", "fd:x", "fd:-1", "fd:99999"])
def test_what_is_no_descriptor(where: str) -> None:
    with pytest.raises(UsageError, match="--events"):
        open_events(where)


def test_a_file_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="No such file"):
        open_events(str(tmp_path / "no" / "events"))


def _never(error: BaseException) -> None:
    raise AssertionError(error)
