"""`wzp forecast`: how a call between two sides will go, by their reports."""

from typing import Annotated, Literal

import typer

from wzp_cli.cli.command import Outcome, Session, command, command_app
from wzp_cli.cli.nat.document import diagnosis_of
from wzp_cli.cli.nat.pair import ForecastPair, forecast_pair_document
from wzp_cli.cli.nat.reports import read_report
from wzp_cli.cli.nat.text import pair_text, terminal_columns
from wzp_cli.errors import RequirementNotMet

__all__ = ["app", "forecast", "unmet_by_pair"]

app = command_app()

_ReportArgument = Annotated[
    str, typer.Argument(metavar="REPORT.json", help="Of `wzp detect-nat --json`.")
]


@command(app, "forecast", result=ForecastPair)
def forecast(
    session: Session,
    ours: _ReportArgument,
    theirs: _ReportArgument,
    require: Annotated[
        Literal["direct"] | None,
        typer.Option("--require", help="Exit 3 if it will hardly be so."),
    ] = None,
) -> Outcome:
    """Say if a call between two sides goes direct, how, and after how long."""
    ours_known = diagnosis_of(read_report(ours))
    pair = forecast_pair_document(ours_known, diagnosis_of(read_report(theirs)))
    error = None if require is None else unmet_by_pair(pair)
    return Outcome(pair, pair_text(pair, terminal_columns()), error)


def unmet_by_pair(pair: ForecastPair) -> RequirementNotMet | None:
    """Return what to say where a pair will not be direct, or only now and then."""
    if pair.outcome in ("direct", "search"):
        return None
    return RequirementNotMet(pair.summary)
