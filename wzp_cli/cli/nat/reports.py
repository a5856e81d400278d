"""Reports of `wzp detect-nat --json`, read back from files."""

import sys
from pathlib import Path

import msgspec

from wzp_cli.cli.nat.document import DetectedNat
from wzp_cli.errors import UsageError

__all__ = ["MAX_REPORT_BYTES", "read_report"]

MAX_REPORT_BYTES = 1_048_576


class _Carrier(msgspec.Struct):
    """A document, or a line of a stream: what has a result."""

    result: DetectedNat


def read_report(where: str) -> DetectedNat:
    """Return the report in a file; "-" is standard input.

    A document is taken, a bare `result`, and a stream of `--every`: its last report.

    Raises:
        UsageError: The file can't be read, or holds no report.
    """
    if where.startswith("wzp:"):
        raise UsageError(
            "a ticket says where somebody is, not what their NAT does. Ask them for "
            "`wzp detect-nat --json > report.json`, or measure the way: wzp ping PEER."
        )
    content = _read(where)
    for line in [content, *reversed(content.splitlines())]:
        for read in (_of_carrier, _of_result):
            report = read(line)
            if report is not None:
                return report
    named = "standard input" if where == "-" else where
    raise UsageError(f"{named} is no report of `wzp detect-nat --json`")


def _read(where: str) -> bytes:
    try:
        if where == "-":
            content = sys.stdin.buffer.read(MAX_REPORT_BYTES + 1)
        else:
            with Path(where).open("rb") as file:
                content = file.read(MAX_REPORT_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{where}: {error.strerror or error}") from error
    if len(content) > MAX_REPORT_BYTES:
        raise UsageError(f"{where} is no report: it is too long")
    return content


def _of_carrier(text: bytes) -> DetectedNat | None:
    try:
        return msgspec.json.decode(text, type=_Carrier).result
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _of_result(text: bytes) -> DetectedNat | None:
    try:
        return msgspec.json.decode(text, type=DetectedNat)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
