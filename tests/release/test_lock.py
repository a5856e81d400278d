"""requirements.lock holds what pyproject.toml asks for, by hash, and no address."""

import re
import tomllib
from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from release.lock import LOCK, ROOT

TEXT = LOCK.read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def wanted() -> Iterator[Requirement]:
    """Yield what wzp and all of its extras ask for."""
    extras = PROJECT["optional-dependencies"].values()
    texts = [*PROJECT["dependencies"], *(text for extra in extras for text in extra)]
    yield from (need for need in map(Requirement, texts) if need.name != "wzp")


def locked() -> dict[str, set[str]]:
    """Return each package's versions: several where systems differ."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", TEXT, re.MULTILINE):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


@pytest.mark.parametrize("need", list(wanted()), ids=str)
def test_each_requirement_is_locked(need: Requirement) -> None:
    versions = locked().get(canonicalize_name(need.name), set())
    again = "run: python3 dev.py lock"
    assert versions, again
    assert all(need.specifier.contains(version) for version in versions), again


def test_each_package_has_hashes() -> None:
    blocks = re.split(r"^(?=[A-Za-z0-9])", TEXT, flags=re.MULTILINE)[1:]
    assert len(blocks) == sum(map(len, locked().values()))
    for block in blocks:
        assert "--hash=sha256:" in block, block


def test_no_address_is_in_it() -> None:
    assert "://" not in TEXT
    assert "index" not in TEXT
