import functools
import importlib.util
import json
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.support.requirements import require
from wzp_cli.cli.app import run
from wzp_cli.cli.schema import DIRECTORY, commands, schemas, written


def fits(value: object, name: str) -> None:
    """Raise where `value` does not fit the shipped schema `name`."""
    validator(name).validate(value)


def validate(value: object, schema: dict[str, Any]) -> None:
    """Raise where `value` does not fit; a key that the schema lacks does not fit."""
    checked(schema).validate(value)


@functools.cache
def validator(name: str) -> Any:
    """Return what checks values by a shipped schema."""
    return checked(shipped(name))


def checked(schema: dict[str, Any]) -> Any:
    """Return the validator of `schema`, which must be a schema itself."""
    if importlib.util.find_spec("jsonschema") is None:
        require("jsonschema", "the package jsonschema is not installed")
    kind = import_module("jsonschema").Draft202012Validator
    kind.check_schema(schema)
    return kind(closed(schema))


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """Return `schema` with no room for keys that it does not name."""
    schema = deepcopy(schema)
    for part in [schema, *schema["$defs"].values()]:
        if "properties" in part:
            part["additionalProperties"] = False
    return schema


def shipped(name: str) -> dict[str, Any]:
    read = json.loads((DIRECTORY / name).read_text("utf-8"))
    assert isinstance(read, dict)
    return read


def test_the_shipped_schemas_are_those_of_the_types() -> None:
    made = {name: written(schema) for name, schema in schemas().items()}
    there = {path.name: path.read_bytes() for path in DIRECTORY.glob("*.json")}
    assert there == made, "run: python -m wzp_cli.cli.schema"


def test_each_command_is_found() -> None:
    names = [command.name for command in commands()]
    assert {"id show", "id new"} <= set(names)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("words", "name", "exit_code"),
    [
        (["id", "show"], "id-show.json", 0),
        (["id", "new"], "id-new.json", 0),
        (["id", "show", "--state-dir", "/dev/null"], "id-show.json", 7),
        (["id", "new", "--port", "x"], "id-new.json", 2),
        (["nonsense"], "usage.json", 2),
    ],
)
def test_documents_fit_their_schemas(
    words: list[str],
    name: str,
    exit_code: int,
    environ: dict[str, str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert run([*words, "--json"], environ) == exit_code
    fits(json.loads(capfd.readouterr().out), name)


@pytest.mark.usefixtures("with_probe")
@pytest.mark.parametrize(
    "words",
    [
        ["probe", "answer"],
        ["probe", "fail", "RelayUnreachable"],
        ["probe", "fail", "Bug"],
        ["probe", "watch", "--on"],
    ],
)
def test_lines_of_events_fit_their_schema(
    words: list[str], environ: dict[str, str], tmp_path: Path
) -> None:
    run([*words, "--events", str(tmp_path / "events")], environ)
    lines = (tmp_path / "events").read_text().splitlines()
    assert len(lines) > 1
    for line in lines:
        fits(json.loads(line), "events.json")
