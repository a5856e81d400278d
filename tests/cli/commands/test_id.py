import json
import stat
from pathlib import Path

import pytest

from wzp_cli.adapters.state import open_state
from wzp_cli.cli.app import run


def test_show_makes_the_identity_once(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["id", "show", "--state-dir", str(tmp_path / "mine"), "--json"]
    assert run(words, environ) == 0
    first = json.loads(capfd.readouterr().out)["result"]
    assert run(words, environ) == 0
    assert json.loads(capfd.readouterr().out)["result"] == first
    assert first["state_dir"] == str(tmp_path / "mine")
    identity = open_state(tmp_path / "mine").keypair.identity
    assert (first["id"], first["short"]) == (str(identity), identity.short)


def test_show_for_a_person(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["id", "show"], environ) == 0
    out, err = capfd.readouterr()
    assert err == ""
    identity = open_state().keypair.identity
    assert out.split() == [
        "identity:", str(identity), "short:", identity.short,
        "state", "directory:", str(Path(environ["XDG_STATE_HOME"]) / "wzp"),
    ]  # fmt: skip


def test_new_keeps_the_key_before(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["id", "new", "--json"], environ) == 0
    first = json.loads(capfd.readouterr().out)["result"]
    assert first["previous_key"] is None
    assert run(["id", "new", "--json"], environ) == 0
    second = json.loads(capfd.readouterr().out)["result"]
    assert second["id"] != first["id"]
    kept = Path(second["previous_key"])
    assert first["short"] in kept.name
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert run(["id", "new"], environ) == 0
    assert f"identity-{second['short']}.key" in capfd.readouterr().out


def test_a_state_directory_that_cannot_be_used(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    words = ["id", "show", "--state-dir", str(tmp_path / "file"), "--json"]
    assert run(words, environ) == 7
    assert json.loads(capfd.readouterr().out)["error"]["code"] == "state"
