"""Running a command whose words are read: settings, output, signals, exit code."""

import traceback
from collections.abc import Coroutine, Mapping
from inspect import iscoroutine
from typing import Any, cast

from wzp_cli.cli.command import Command, Job, Outcome, Session
from wzp_cli.cli.output.channels import say
from wzp_cli.cli.output.failure import EXIT_INTERNAL, exit_code
from wzp_cli.cli.output.speech import Speech
from wzp_cli.cli.running.logs import start_logging
from wzp_cli.cli.running.stop import Stop, run_async, sigterm_stops
from wzp_cli.cli.settings import Settings, is_on, resolve, resolve_flags
from wzp_cli.errors import ConfigError, UsageError

__all__ = ["execute", "refuse"]


def execute(job: Job, environ: Mapping[str, str]) -> int:
    """Run `job` and return the exit code; by then every error has been told."""
    stop = Stop()
    speech = Speech(
        job.command.name,
        json=job.command.always_json or is_on(job.everywhere.json, environ, "WZP_JSON"),
        stream=job.command.streams(job.arguments),
        quiet=is_on(job.everywhere.quiet, environ, "WZP_QUIET"),
        verbose=job.everywhere.verbose > 0,
        answers=job.command.answers,
        closed=stop.request,
    )
    with sigterm_stops(stop):
        try:
            outcome = _work(job, environ, speech, stop)
            return speech.close(outcome, None if outcome is None else outcome.error)
        except BaseException as error:
            stop.is_over()
            if isinstance(error, UsageError):
                error.add_note(f"See `wzp {job.command.name} --help`.")
            _show_traceback(error, environ, verbose=job.everywhere.verbose > 0)
            return speech.close(None, error)


def refuse(
    command: Command | None,
    error: BaseException,
    *,
    json: bool,
    environ: Mapping[str, str],
) -> int:
    """Tell an error that came before the run, in the form that `command` uses."""
    stop = Stop()
    speech = Speech(
        "usage" if command is None else command.name,
        json=(command is not None and command.always_json)
        or is_on(json, environ, "WZP_JSON"),
        stream=command is not None and command.stream is True,
        quiet=False,
        closed=stop.request,
    )
    stop.is_over()
    _show_traceback(error, environ, verbose=False)
    return speech.close(None, error)


def _work(
    job: Job, environ: Mapping[str, str], speech: Speech, stop: Stop
) -> Outcome | None:
    events = job.everywhere.events or environ.get("WZP_EVENTS")
    if events:
        speech.also_to(events)
    settings = _settings(job, environ)
    start_logging(settings)
    session = Session(
        settings,
        speech.report,
        reread=lambda: resolve(job.everywhere, environ),
        lend=speech.lend,
    )
    outcome = job.command.run(session, **job.arguments)
    if iscoroutine(outcome):
        work = cast(Coroutine[Any, Any, Outcome | None], outcome)
        return run_async(work, stop)
    return cast(Outcome | None, outcome)


def _settings(job: Job, environ: Mapping[str, str]) -> Settings:
    try:
        return resolve(job.everywhere, environ)
    except ConfigError:
        if not job.command.mends:
            raise
        return resolve_flags(job.everywhere, environ)


def _show_traceback(
    error: BaseException, environ: Mapping[str, str], *, verbose: bool
) -> None:
    """Show where a bug is, to who wants to know; with WZP_DEBUG=1 any error."""
    is_bug = exit_code(error) == EXIT_INTERNAL
    if (verbose and is_bug) or is_on(None, environ, "WZP_DEBUG"):
        say("".join(traceback.format_exception(error)).rstrip())
