"""A release's files: what is in them, and that two builds give the same bytes."""

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import BytesParser
from pathlib import Path

import pytest

from wzp_cli import __version__

ROOT = Path(__file__).parents[2]
EPOCH_S = "1764000000"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
NOT_SOURCE = shutil.ignore_patterns(
    ".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "dist", "node_modules"
)


def built_from_a_copy(source: Path, umask: int) -> Path:
    """Copy the tree to `source`, build there as its user would, return its dist/."""
    shutil.copytree(ROOT, source, ignore=NOT_SOURCE)
    for path in source.rglob("*"):
        path.chmod((0o777 if path.is_dir() else 0o666) & ~umask)
    subprocess.run(
        [sys.executable, "-m", "release.build"],
        cwd=source,
        env={"SOURCE_DATE_EPOCH": EPOCH_S, "PATH": "", "PYTHONPATH": str(source)},
        check=True,
        capture_output=True,
        umask=umask,
    )
    return source / "dist"


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_from_a_copy(tmp_path_factory.mktemp("build") / "one", 0o022)


def test_two_builds_have_the_same_bytes(dist: Path, tmp_path: Path) -> None:
    other = built_from_a_copy(tmp_path / "elsewhere" / "two", 0o077)
    assert (dist / "SHA256SUMS").read_text() == (other / "SHA256SUMS").read_text()


def test_the_sums_are_those_of_the_files(dist: Path) -> None:
    lines = (dist / "SHA256SUMS").read_text().splitlines()
    names = {line.split("  ")[1] for line in lines}
    assert names == {
        f"wzp-{__version__}-py3-none-any.whl",
        f"wzp-{__version__}.tar.gz",
        *("wzp.1", "wzp.bash", "wzp.zsh", "wzp.fish"),
    }
    for line in lines:
        checksum, name = line.split("  ")
        assert hashlib.sha256((dist / name).read_bytes()).hexdigest() == checksum


def test_the_wheel_has_the_package_and_nothing_else(dist: Path) -> None:
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
        metadata = BytesParser().parsebytes(
            wheel.read(f"wzp-{__version__}.dist-info/METADATA")
        )
        scripts = wheel.read(f"wzp-{__version__}.dist-info/entry_points.txt").decode()
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"wzp_cli", f"wzp-{__version__}.dist-info"}
    assert "wzp_cli/py.typed" in names
    schemas = {path.name for path in (ROOT / "wzp_cli/cli/schemas").glob("*.json")}
    assert {f"wzp_cli/cli/schemas/{name}" for name in schemas} <= names
    assert not [name for name in names if "test" in Path(name).name]
    assert "wzp = wzp_cli.cli.app:main" in scripts
    assert metadata["Version"] == __version__ == PROJECT["version"]
    assert set(metadata.get_all("Provides-Extra", [])) == {
        name for name in PROJECT["optional-dependencies"]
    }


def test_the_extra_all_is_all_of_them() -> None:
    extras = dict(PROJECT["optional-dependencies"])
    (all_,) = extras.pop("all")
    assert all_ == f"wzp[{','.join(sorted(extras))}]"


def test_the_sdist_can_be_tested_and_built(dist: Path) -> None:
    with tarfile.open(next(dist.glob("*.tar.gz"))) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md", "requirements.lock"):
        assert name in names
    assert {
        "tests/test_house.py",
        "docs/usage.md",
        "dev.py",
        "release/build.py",
    } <= names
    assert not [name for name in names if name.startswith((".git/", ".venv", "dist"))]
