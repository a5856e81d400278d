import io
import sys
from pathlib import Path

import pytest

from tests.cli.doctor.conftest import MakePatient
from wzp_cli.adapters.codecs import opus
from wzp_cli.cli.doctor import machine


def test_python(patient: MakePatient) -> None:
    assert machine.check_python(patient()).status == "ok"
    old = machine.check_python(patient(), (3, 10, 9))
    assert (old.status, old.fix) == ("failed", "sudo apt install python3 python3-venv")
    assert "3.10.9 is too old" in old.message


def test_packages(patient: MakePatient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.check_packages(patient()).status == "ok"
    monkeypatch.setattr(machine, "PACKAGES", ("msgspec", "no_such_package.part"))
    found = machine.check_packages(patient())
    assert found.status == "failed"
    assert found.message.startswith("no_such_package does not load")
    assert found.fix == "pip install --force-reinstall no_such_package"


def test_load(patient: MakePatient) -> None:
    assert machine.check_load(patient(), 0.1).status == "ok"
    busy = machine.check_load(patient(), 10_000.0)
    assert busy.status == "warning"
    assert busy.message.startswith("10000.0 programs want")
    assert machine.check_load(patient()).check == "load"


def test_terminal(patient: MakePatient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "utf-8"))
    assert machine.check_terminal(patient()).status == "ok"
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "ascii"))
    found = machine.check_terminal(patient())
    assert (found.status, found.fix) == ("warning", "export LANG=C.UTF-8")


def test_libopus_is_used_and_compared(patient: MakePatient) -> None:
    found = machine.check_libopus(patient())
    assert found.status == "ok"
    assert "(0.9" in found.message or "(1.0" in found.message


def test_libopus_is_missing(
    patient: MakePatient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WZP_OPUS_LIB", str(tmp_path / "none.so"))
    found = machine.check_libopus(patient())
    assert (found.status, found.fix) == ("warning", "sudo apt install libopus0")


def test_libopus_that_garbles_is_found(
    patient: MakePatient, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = opus.OpusCodec.decode
    monkeypatch.setattr(
        opus.OpusCodec, "decode", lambda self, packet: real(self, packet)[::-1]
    )
    found = machine.check_libopus(patient())
    assert found.status == "warning"
    assert "gives other sound than it got" in found.message
