"""`wzp report`: the diagnosis as one file, to be kept or sent."""

import os
import secrets
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import typer

from wzp_cli.cli.command import Outcome, Session, command, command_app
from wzp_cli.cli.options import PublicStunOption, RelayOption, StunOption
from wzp_cli.errors import EnvironmentFault, UsageError

if TYPE_CHECKING:
    from wzp_cli.cli.nat.document import DetectedNat

__all__ = ["WrittenReport", "app", "report"]


class WrittenReport(msgspec.Struct, frozen=True, kw_only=True):
    """Where the report is. `redacted`: addresses in it are masked."""

    path: str
    format: Literal["html", "json"]
    redacted: bool
    verdict: str
    summary: str


app = command_app()


@command(app, "report", result=WrittenReport, answers=True)
async def report(
    session: Session,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="F.html|F.json", help="Where to."),
    ],
    relay: RelayOption = None,
    stun: StunOption = None,
    portmap: Annotated[
        bool, typer.Option("--portmap", help="Ask the router if it maps ports, too.")
    ] = False,
    public_stun: PublicStunOption = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="REPORT.json", help="Measure nothing, tell this report."
        ),
    ] = None,
    redact: Annotated[
        bool, typer.Option("--redact/--no-redact", help="Mask addresses and names.")
    ] = True,
) -> Outcome:
    """Write the diagnosis to one file: a page to look at, or JSON."""
    from wzp_cli.cli.nat.redact import redacted
    from wzp_cli.cli.nat.reports import read_report

    kind = _kind(output)
    _check_folder(output)  # told now, not once all was measured
    if source is None:
        settings = session.settings.with_servers(relay=relay, stun=stun)
        session = replace(session, settings=settings)
        found = await _measured(session, portmap, public_stun)
    else:
        found = read_report(source)
    if redact:
        found = redacted(found)
    _write(output, _content(found, kind, redact))
    told = WrittenReport(
        path=os.fsencode(output).decode("utf-8", "replace"),
        format=kind,
        redacted=redact,
        verdict=found.verdict,
        summary=found.summary,
    )
    return Outcome(told, f"{found.summary}\nwritten to: {told.path}")


def _kind(output: Path) -> Literal["html", "json"]:
    match output.suffix.lower():
        case ".html" | ".htm":
            return "html"
        case ".json":
            return "json"
    raise UsageError(f"-o {output}: end it in .html or .json")


def _check_folder(output: Path) -> None:
    if not output.parent.is_dir():
        raise EnvironmentFault(f"{output} can't be written: no such folder")


async def _measured(
    session: Session, portmap: bool, public_stun: bool | None
) -> "DetectedNat":
    from wzp_cli.cli.compose import own_state
    from wzp_cli.cli.control.measuring import Measuring, measurement

    request = measurement(session.settings, portmap=portmap, public_stun=public_stun)
    async with Measuring(session, own_state(session), request) as measuring:
        return await measuring.measure()


def _content(found: "DetectedNat", kind: str, masked: bool) -> bytes:
    from wzp_cli import __version__
    from wzp_cli.cli.nat.page import html_page
    from wzp_cli.cli.output.document import Document, schema_name, timestamp

    when = timestamp(datetime.now(UTC))
    if kind == "html":
        return html_page(found, when=when, masked=masked).encode()
    document = Document(
        schema=schema_name("detect-nat"),
        wzp=__version__,
        ts=when,
        ok=True,
        elapsed_ms=0.0,
        result=found,
        warnings=[],
        error=None,
    )
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _write(path: Path, content: bytes) -> None:
    """Make `path` hold `content`: all of it, or what was there before.

    Raises:
        EnvironmentFault: It can't be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        why = error.strerror or str(error)
        raise EnvironmentFault(f"{path} can't be written: {why}") from error
