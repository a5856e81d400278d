import json
import subprocess
import sys
from pathlib import Path

import pytest

from wzp_cli import __version__
from wzp_cli.cli import app
from wzp_cli.cli.app import COMMANDS, run

HEAVY = {
    "aioice", "aioquic", "cryptography", "numpy", "opuslib", "pydantic", "rich",
    "sounddevice",
}  # fmt: skip
MOST_MODULES = 170


def loaded_by(*words: str) -> set[str]:
    """Return the modules that `wzp WORDS` has loaded when it ends."""
    code = (
        "import os, sys\nfrom wzp_cli.cli.app import run\n"
        f"code = run({list(words)!r}, os.environ)\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)\nsys.exit(code)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return set(ran.stderr.split())


def test_the_version_costs_little() -> None:
    modules = loaded_by("--version")
    assert not HEAVY & {name.partition(".")[0] for name in modules}
    assert len(modules) <= MOST_MODULES


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_loads_nothing_heavy(command: str) -> None:
    modules = loaded_by(*command.split(), "--help")
    assert not HEAVY & {name.partition(".")[0] for name in modules}


def test_wzp_as_a_module() -> None:
    words = [sys.executable, "-m", "wzp_cli", "--version"]
    ran = subprocess.run(words, capture_output=True, text=True, check=True)
    assert ran.stdout == f"wzp {__version__}\n"


def test_no_words_show_what_to_do_next(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run([], environ) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert "\nNext:\n" in err
    assert "wzp --help" in err


def test_help_shows_what_there_is(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"], {}) == 0
    out = capfd.readouterr().out
    assert out.startswith("Usage: wzp ")
    assert all(f"  {name} " in out for name in COMMANDS)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["foo"], "wzp: No such command 'foo'. See `wzp --help`.\n"),
        (["id", "foo"], "wzp: No such command 'foo'. See `wzp id --help`.\n"),
        (
            ["id", "show", "--bar"],
            "wzp: No such option: --bar See `wzp id show --help`.\n",
        ),
        (
            ["id", "show", "--timeout", "3"],
            "wzp: Invalid value for '--timeout': not a duration such as 500ms, 10s or"
            " 2m: '3'. See `wzp id show --help`.\n",
        ),
    ],
)
def test_wrong_words_get_one_sentence(
    words: list[str], sentence: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(words, {}) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.replace("--bar. See", "--bar See") == sentence


@pytest.mark.parametrize(
    ("words", "schema"),
    [
        (["foo", "--json"], "wzp.usage/1"),
        (["--json"], "wzp.usage/1"),
        (["--json", "id", "show", "--port", "x"], "wzp.id-show/1"),
        (["id", "new", "--json", "--port", "70000"], "wzp.id-new/1"),
    ],
)
def test_wrong_words_get_one_document(
    words: list[str], schema: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(words, {}) == 2
    out, err = capfd.readouterr()
    assert err == ""
    document = json.loads(out)
    assert document["schema"] == schema
    assert (document["ok"], document["result"]) == (False, None)
    assert document["error"]["code"] == "usage"
    assert document["error"]["exit"] == 2


@pytest.mark.usefixtures("with_probe")
def test_wrong_words_for_a_stream_get_a_stream(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert run(["probe", "wait", "--nothing", "--json"], {}) == 2
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["hello", "error", "end"]
    assert lines[1]["hint"] == "See `wzp probe wait --help`."


def test_what_stands_after_two_dashes_is_no_flag(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert run(["id", "show", "--", "--json"], {}) == 2
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    "words",
    [
        ["--timeout", "2m", "--port", "7", "probe", "answer"],
        ["probe", "--timeout", "2m", "answer", "--port", "7"],
        ["--timeout", "9s", "probe", "answer", "--port", "7", "--timeout", "2m"],
    ],
)
@pytest.mark.usefixtures("with_probe")
def test_flags_of_every_command_may_stand_anywhere(
    words: list[str], environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run([*words, "--json"], environ) == 0
    result = json.loads(capfd.readouterr().out)["result"]
    assert result == {"relays": [], "timeout_s": 120.0, "port": 7}


def test_a_broken_command_is_an_internal_error(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(app, "COMMANDS", {"broken": "tests.cli.no_such_module"})
    assert run(["broken"], {}) == 70
    err = capfd.readouterr().err
    assert err.startswith("wzp: internal error: ModuleNotFoundError: ")
    assert "Please report" in err
    assert run(["broken"], {"WZP_DEBUG": "1"}) == 70
    assert "Traceback" in capfd.readouterr().err


def test_help_into_a_closed_pipe_is_quiet() -> None:
    here = Path(__file__).parents[2]
    line = f"{sys.executable} -m wzp_cli --help | true"
    ran = subprocess.run(line, shell=True, cwd=here, capture_output=True, check=True)
    assert ran.stderr == b""
