from pathlib import Path

from tests.cli.doctor.conftest import MakePatient
from wzp_cli.adapters.disk.state import default_state_directory


def test_the_state_directory_is_not_made_by_looking(
    patient: MakePatient, tmp_path: Path
) -> None:
    found = patient()
    assert found.directory == tmp_path / "state"
    assert found.state.directory == found.directory
    assert not found.directory.exists()
    assert patient(state_dir=None).directory == default_state_directory()
