"""One plain sentence for each event: what a person reads on standard error.

Names from strangers are cleaned before they become events; here they are only text,
never markup.
"""

from collections.abc import Callable
from typing import Any

from wzp_cli import events
from wzp_cli.cli.command import Outcome
from wzp_cli.cli.output.channels import say
from wzp_cli.cli.output.failure import is_stop, problem, sentence

__all__ = ["PersonVoice", "event_sentence"]


class PersonVoice:
    """Talks on standard error while the command works; the answer goes to `write`.

    `quiet` leaves only the answer and errors.
    """

    def __init__(self, write: Callable[[bytes], None], *, quiet: bool) -> None:
        self._write = write
        self._quiet = quiet

    def report(self, event: events.Event) -> None:
        """Say one sentence, if `event` deserves one."""
        line = event_sentence(event)
        if line is not None and not self._quiet:
            say(line)

    def close(self, outcome: Outcome | None, error: BaseException | None) -> None:
        """Say the answer, then what went wrong."""
        if outcome is not None and outcome.text:
            self._write(outcome.text.encode(errors="backslashreplace") + b"\n")
        if error is not None and not is_stop(error):
            told = problem(error)
            say(f"wzp: {sentence(told.message, told.hint)}")


def event_sentence(event: events.Event) -> str | None:
    """Return what to say about `event`; None where it is of interest to scripts only.

    `Hello` and `Ended` frame a stream, and `Stats` and `Candidate` are too many to be
    read: a live view shows them.
    """
    say = _SENTENCES.get(type(event))
    return None if say is None else say(event)


def _bound(event: events.Bound) -> str:
    return (
        f"Using UDP port {event.port} on {', '.join(event.addresses) or 'no address'}."
    )


def _reflexive(event: events.Reflexive) -> str:
    verb = "changed to" if event.changed else "is"
    return f"From outside, our address {verb} {event.address} (seen by {event.via})."


def _registered(event: events.Registered) -> str:
    reach = "others can call us through it" if event.published else "only calling out"
    return f"Registered at relay {event.relay}; {reach}."


def _ready(event: events.Ready) -> str:
    return f"Ready for calls. To be called: wzp call {event.ticket}"


def _incoming(event: events.Incoming) -> str:
    name = f'"{event.name}" (not verified), ' if event.name else ""
    way = "directly" if event.via == "direct" else "through the relay"
    return f"Incoming call from {name}{event.peer}, {way}."


def _ringing(event: events.Ringing) -> str:
    return f"Ringing at {event.peer}."


def _answered(event: events.Answered) -> str:
    took = "" if event.setup_ms is None else f" after {event.setup_ms:.0f} ms"
    return f"{event.peer} answered{took}."


def _path_tried(event: events.PathTried) -> str:
    if event.answered:
        return f"{event.address} answered after {event.elapsed_ms:.0f} ms."
    why = f": {event.reason}" if event.reason else ""
    return f"{event.address} did not answer {event.checks} checks{why}."


def _path_selected(event: events.PathSelected) -> str:
    return f"Talking {_way(event.path, event.remote)}{_rtt(event.rtt_ms)}."


def _path_changed(event: events.PathChanged) -> str:
    way = _way(event.path, event.remote)
    return f"Now talking {way}{_rtt(event.rtt_ms)}: {event.reason}."


def _media_started(event: events.MediaStarted) -> str:
    return f"First sound {event.first_audio_ms:.0f} ms after the answer."


def _hangup(event: events.Hangup) -> str:
    by = {"local": "we hung up", "peer": "the peer hung up", "network": "it was lost"}
    return f"The call is over: {by[event.by]} ({event.reason})."


def _relay_ready(event: events.RelayReady) -> str:
    where = ", ".join(event.addresses) or f"UDP port {event.port}"
    return f"Relay {event.id} serves at {where}. To use it: --relay HOST:{event.port}"


def _relay_stats(event: events.RelayStats) -> str:
    dropped = sum(event.dropped.values())
    return (
        f"{event.links} connected, {event.published} can be called, "
        f"{event.channels} channels; {event.forwarded_packets} packets passed on, "
        f"{dropped} dropped."
    )


def _warned(event: events.Warned) -> str:
    return sentence(f"Warning: {event.message}", None)


def _failed(event: events.Failed) -> str:
    return f"wzp: {sentence(event.message, event.hint)}"


def _way(path: str, remote: str) -> str:
    return f"directly with {remote}" if path == "direct" else f"through relay {remote}"


def _rtt(rtt_ms: float | None) -> str:
    return "" if rtt_ms is None else f", round trip {rtt_ms:.0f} ms"


_SENTENCES: dict[type[events.Event], Callable[[Any], str]] = {
    events.Answered: _answered,
    events.Bound: _bound,
    events.Failed: _failed,
    events.Hangup: _hangup,
    events.Incoming: _incoming,
    events.MediaStarted: _media_started,
    events.PathChanged: _path_changed,
    events.PathSelected: _path_selected,
    events.PathTried: _path_tried,
    events.Ready: _ready,
    events.Reflexive: _reflexive,
    events.Registered: _registered,
    events.RelayReady: _relay_ready,
    events.RelayStats: _relay_stats,
    events.Ringing: _ringing,
    events.Warned: _warned,
}
