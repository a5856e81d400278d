"""The JSON Schemas of all that commands print under --json, made from the types.

`python -m wzp_cli.cli.schema` writes them to `schemas/`: one file for each document,
and `events.json` for one line of an event stream.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from wzp_cli import events
from wzp_cli.cli.app import COMMANDS
from wzp_cli.cli.command import Command, declared
from wzp_cli.cli.output.document import Document, schema_name
from wzp_cli.cli.output.event_stream import ENVELOPE_VERSION

__all__ = ["DIRECTORY", "commands", "main", "schemas", "written"]

DIRECTORY = Path(__file__).with_name("schemas")

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = "#/$defs/{name}"
_ENVELOPE: dict[str, Any] = {
    "v": {"const": ENVELOPE_VERSION},
    "ts": {"type": "string", "format": "date-time"},
    "seq": {"type": "integer", "minimum": 0},
    "t_ms": {"type": "number", "minimum": 0},
}


def commands() -> list[Command]:
    """Return all commands, in the order of `wzp --help`; imports their modules."""
    apps = [import_module(module).app for module in COMMANDS.values()]
    callbacks = [
        info.callback
        for app in apps
        for info in (app.registered_callback, *app.registered_commands)
        if info is not None
    ]
    found = [declared(callback) for callback in callbacks]
    return [command for command in found if command is not None]


def schemas() -> dict[str, dict[str, Any]]:
    """Return each schema under its file name."""
    documents = [command for command in commands() if command.result is not None]
    named = {f"{command.name.replace(' ', '-')}.json": command for command in documents}
    made = {name: _document(command) for name, command in named.items()}
    made = {"events.json": _events(), "usage.json": _refusal(), **made}
    return {name: _tidy(schema) for name, schema in made.items()}


def main() -> None:
    """Write the schemas, and take away those of commands that are gone."""
    made = schemas()
    for path in DIRECTORY.glob("*.json"):
        if path.name not in made:
            path.unlink()
    for name, schema in made.items():
        (DIRECTORY / name).write_bytes(written(schema))


def written(schema: dict[str, Any]) -> bytes:
    """Return the bytes of a schema's file."""
    return msgspec.json.format(msgspec.json.encode(schema), indent=2) + b"\n"


def _document(command: Command) -> dict[str, Any]:
    return _finished(Document[command.result], command.name)  # type: ignore[name-defined]


def _refusal() -> dict[str, Any]:
    """Return the schema of the document where no command could be made out."""
    return _finished(Document[None], "usage")


def _finished(kind: Any, command: str) -> dict[str, Any]:
    (reference,), components = msgspec.json.schema_components(
        [kind], ref_template=_REFERENCE
    )
    top = components.pop(reference["$ref"].rpartition("/")[2])
    top["properties"]["schema"] = {"const": schema_name(command)}
    top["properties"]["ts"] = _ENVELOPE["ts"]
    top["title"] = f"wzp {command} --json"
    return {"$schema": _DIALECT, **top, "$defs": components}


def _events() -> dict[str, Any]:
    kinds = [kind for kind in vars(events).values() if _is_event(kind)]
    references, components = msgspec.json.schema_components(
        kinds, ref_template=_REFERENCE
    )
    for reference in references:
        kind = components[reference["$ref"].rpartition("/")[2]]
        kind["properties"] = {**_ENVELOPE, **kind["properties"]}
        kind["required"] = [*_ENVELOPE, *kind["required"]]
    title = "one line of wzp's event streams (--json, --events)"
    top = {"$schema": _DIALECT, "title": title, "anyOf": references}
    return {**top, "$defs": components}


def _tidy(part: Any) -> Any:
    """Return `part` with docstrings as plain paragraphs."""
    if isinstance(part, list):
        return [_tidy(each) for each in part]
    if not isinstance(part, dict):
        return part
    tidy = {key: _tidy(value) for key, value in part.items()}
    if isinstance(tidy.get("description"), str):
        tidy["description"] = " ".join(tidy["description"].split())
    return tidy


def _is_event(kind: object) -> bool:
    is_class = isinstance(kind, type) and issubclass(kind, events.Event)
    return is_class and kind is not events.Event


if __name__ == "__main__":
    main()
