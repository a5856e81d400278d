"""What stays in the scrollback when the screen is gone."""

from wzp_cli.cli.view.model import Call, Model, minutes

__all__ = ["summary"]


def summary(model: Model) -> list[str]:
    """Return the lines: the calls that were, those that were missed, the warnings."""
    if model.command == "call":
        lines = [] if model.call is None else _of_call(model.call)
    else:
        lines = [
            f"{past.clock}  {'Missed: ' if past.missed else ''}{past.line}"
            for past in model.past
        ]
    return [*lines, *model.warnings]


def _of_call(call: Call) -> list[str]:
    """Return who it was, how long, by which way; how it ended and sounded."""
    if call.answered_s is None or call.who is None:
        return []
    lasted = minutes(call.lasted_s(call.answered_s))
    by = {"direct": ", directly with ", "relay": ", through relay "}
    way = "" if call.via is None else f"{by[call.via]}{call.remote}"
    first = f"Call with {call.who.title} ({call.who.standing}): {lasted}{way}."
    return [line for line in (first, call.end, call.verdict) if line]
