"""What the checks' tests start from."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from wzp_cli.adapters.disk.config import Config
from wzp_cli.cli.command import Session
from wzp_cli.cli.doctor.patient import Patient
from wzp_cli.cli.doctor.remedies import Remedies
from wzp_cli.cli.settings import Settings

__all__ = ["MakePatient"]

MakePatient = Callable[..., Patient]


@pytest.fixture
def patient(tmp_path: Path, environ: dict[str, str]) -> MakePatient:
    """Makes a patient on a Debian, with a state directory of its own."""

    def make(
        *, sound: bool = True, said: Config | None = None, **settings: object
    ) -> Patient:
        base = Settings(state_dir=tmp_path / "state", said=said or Config())
        session = Session(
            replace(base, **settings),  # type: ignore[arg-type]
            lambda event: None,
        )
        return Patient(session, Remedies("apt", "pip install", "linux"), sound)

    return make
