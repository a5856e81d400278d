import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.requirements import broken_requirement, required

ROOT = Path(__file__).parents[2]

SKIPPING = """
import pytest
from tests.support.requirements import require

def test_by_name():
    require("pesq", "no compiler")

@pytest.mark.netlab
def test_by_marker():
    pytest.skip("no namespaces")

def test_for_another_reason():
    pytest.skip("not today")
"""

SKIPPED_MODULE = """
import pytest
pytest.skip("pesq: no compiler", allow_module_level=True)
"""


def test_the_names_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WZP_TESTS_REQUIRE", "netlab,,pulse")
    assert required() == {"netlab", "pulse"}
    assert broken_requirement(["netlab"], "Skipped: anything") == "netlab"
    assert broken_requirement([], "Skipped: pulse: no daemon") == "pulse"
    assert broken_requirement(["parametrize"], "Skipped: pesq: none") is None
    monkeypatch.delenv("WZP_TESTS_REQUIRE")
    assert broken_requirement(["netlab"], "netlab: no root") is None


@pytest.mark.parametrize(
    ("names", "outcome"),
    [("", "4 skipped"), ("pesq,netlab", "2 failed, 1 skipped, 1 error")],
)
def test_what_is_required_fails_where_it_would_be_skipped(
    names: str, outcome: str, tmp_path: Path
) -> None:
    (tmp_path / "test_it.py").write_text(SKIPPING)
    (tmp_path / "test_module.py").write_text(SKIPPED_MODULE)
    options = ["-q", "-p", "no:cacheprovider", "--continue-on-collection-errors"]
    options += ["-p", "tests.conftest"]
    plugin = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *plugin, str(tmp_path)],
        cwd=ROOT,
        env={"WZP_TESTS_REQUIRE": names, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert outcome in ran.stdout
    assert ran.returncode == (1 if names else 0)
