import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.doctor.conftest import MakePatient
from wzp_cli.cli.doctor import files
from wzp_cli.cli.doctor.patient import Patient
from wzp_cli.cli.options import Everywhere
from wzp_cli.cli.settings import Settings, resolve

ROOT_USER = sys.platform != "win32" and os.geteuid() == 0


def rereading(patient: Patient, reread: Callable[[], Settings]) -> Patient:
    return replace(patient, session=replace(patient.session, reread=reread))


def test_config(patient: MakePatient, tmp_path: Path) -> None:
    place = tmp_path / "config.toml"
    found = rereading(
        patient(config_path=place), lambda: resolve(Everywhere(config=place), {})
    )
    assert files.check_config(found).status == "failed"
    place.write_text("relai = 'x'\n")
    wrong = files.check_config(found)
    assert "did you mean 'relay'" in wrong.message
    place.write_text("relay = 'x'\n")
    assert files.check_config(found).status == "ok"


def test_state_is_made_and_written(patient: MakePatient) -> None:
    found = patient()
    assert files.check_state(found).status == "ok"
    assert [each.name for each in found.directory.iterdir()] == []


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
def test_state_that_others_can_write(patient: MakePatient) -> None:
    found = patient()
    found.directory.mkdir()
    found.directory.chmod(0o777)
    wrong = files.check_state(found)
    assert wrong.status == "failed"
    assert wrong.fix is not None
    assert "chmod 700" in wrong.fix


def test_state_below_a_file(patient: MakePatient, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = patient(state_dir=tmp_path / "file" / "wzp")
    assert files.check_state(found).status == "failed"
    assert files.check_disk(found).status == "ok"
    assert files.check_clock(found).status == "ok"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
def test_a_disk_without_room(
    patient: MakePatient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert files.check_disk(patient()).status == "ok"
    monkeypatch.setattr(files, "DOCTOR_LOW_DISK_BYTES", 1 << 80)
    found = files.check_disk(patient())
    assert found.status == "warning"
    assert found.fix is not None
    assert "du -xh" in found.fix


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
def test_identity(patient: MakePatient) -> None:
    found = patient()
    assert files.check_state(found).status == "ok"
    assert files.check_identity(found).status == "ok"
    key = found.directory / "identity.key"
    key.chmod(0o644)
    wrong = files.check_identity(patient())
    assert wrong.status == "failed"
    assert wrong.fix == f"Run: chmod 600 {key}"
    key.chmod(0o600)
    key.write_text("nothing")
    assert "holds no Ed25519 key" in files.check_identity(patient()).message


def test_lists(patient: MakePatient) -> None:
    found = patient()
    files.check_state(found)
    assert files.check_lists(found).status == "ok"
    (found.directory / "known_relays").write_text("relay.example:4433 nobody\n")
    wrong = files.check_lists(found)
    assert wrong.status == "failed"
    assert "Line 1 of" in wrong.message


def test_clock(patient: MakePatient) -> None:
    found = patient()
    files.check_state(found)
    (found.directory / "port").write_text("4711\n")
    now_s = time.time()  # noqa: TID251 - the date itself
    assert files.check_clock(found, now_s).status == "ok"
    wrong = files.check_clock(found, now_s - 3600)
    assert wrong.status == "warning"
    assert "60 min behind" in wrong.message
    assert wrong.fix == "sudo timedatectl set-ntp true"
