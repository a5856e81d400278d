"""The one document that a one-shot command prints under --json.

{"schema": "wzp.detect-nat/1", "wzp": "0.1.0", "ts": "...", "ok": true,
 "elapsed_ms": 412.0, "result": {...}, "warnings": [], "error": null}
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Generic, TypeVar

import msgspec

from wzp_cli import __version__
from wzp_cli.cli.command import Outcome
from wzp_cli.cli.output.failure import Problem, problem
from wzp_cli.events import Event, Warned

__all__ = [
    "Document",
    "DocumentVoice",
    "Notice",
    "encoded",
    "schema_name",
    "timestamp",
]

Result = TypeVar("Result")


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Something a person may want to know; the command went on."""

    code: str
    message: str


class Document(msgspec.Struct, Generic[Result], frozen=True, kw_only=True):
    """What a one-shot command prints, on success and on failure.

    `result` may stand beside `error`: a measurement that broke a stated requirement.
    """

    schema: str
    wzp: str
    ts: str
    ok: bool
    elapsed_ms: float
    result: Result | None
    warnings: list[Notice]
    error: Problem | None


class DocumentVoice:
    """Says nothing until the end, and then one document."""

    def __init__(
        self, command: str, write: Callable[[bytes], None], started_s: float
    ) -> None:
        self._command = command
        self._write = write
        self._started_s = started_s
        self._warnings: list[Notice] = []

    def report(self, event: Event) -> None:
        """Keep a warning for the document."""
        if isinstance(event, Warned):
            self._warnings.append(Notice(code=event.code, message=event.message))

    def close(self, outcome: Outcome | None, error: BaseException | None) -> None:
        """Print the document."""
        document: Document[object] = Document(
            schema=schema_name(self._command),
            wzp=__version__,
            ts=timestamp(datetime.now(UTC)),
            ok=error is None,
            elapsed_ms=round((time.monotonic() - self._started_s) * 1000, 1),
            result=None if outcome is None else outcome.result,
            warnings=self._warnings,
            error=None if error is None else problem(error),
        )
        self._write(encoded(document))


def schema_name(command: str) -> str:
    """Return the name of a command's document: "id show" is "wzp.id-show/1"."""
    return f"wzp.{command.replace(' ', '-')}/1"


def timestamp(moment: datetime) -> str:
    """Return `moment` (in UTC) as "2026-11-22T16:00:00.123Z"."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


def encoded(value: object) -> bytes:
    """Return one line of JSON, with its line end."""
    return msgspec.json.encode(value) + b"\n"
