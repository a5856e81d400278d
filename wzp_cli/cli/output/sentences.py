"""One plain sentence for each event: what a person reads on standard error.

Names from strangers are cleaned before they become events; here they are only text,
never markup. Identities are long: where one does not tell who is who, its first
characters stand for it, as `wzp id show` has them.
"""

import shutil
import sys
import textwrap
from collections.abc import Callable
from datetime import datetime
from typing import Any

from wzp_cli import events
from wzp_cli.cli.command import Outcome
from wzp_cli.cli.output.channels import say
from wzp_cli.cli.output.failure import is_stop, problem, sentence
from wzp_cli.errors import WzpError
from wzp_cli.protocol.messages.peer import ANSWERED_ELSEWHERE
from wzp_cli.protocol.names.identity import Identity

__all__ = ["PersonVoice", "event_sentence", "folded", "tell"]


class PersonVoice:
    """Talks on standard error while the command works; the answer goes to `write`.

    `quiet` leaves only the answer and errors, `verbose` adds the details, which are
    more where it `answers`: what it has told on the way stands in its answer, too.
    """

    def __init__(
        self,
        write: Callable[[bytes], None],
        *,
        quiet: bool,
        verbose: bool = False,
        answers: bool = False,
    ) -> None:
        self._write = write
        self._quiet = quiet
        details = (*_DETAILS, *_ON_THE_WAY) if answers else _DETAILS
        self._silent = () if verbose else details
        self._said: str | None = None

    def report(self, event: events.Event) -> None:
        """Say one sentence, if `event` deserves one; nothing twice in a row."""
        line = event_sentence(event)
        answer = isinstance(event, events.NatDetected)
        if line is None or (self._quiet and not answer) or type(event) in self._silent:
            return
        if line == self._said and not answer and not isinstance(event, events.Incoming):
            return
        self._said = line
        if answer:  # what was asked for, not talk about it
            when = datetime.now().astimezone().strftime("%H:%M:%S")
            self._write(f"{when} {line}\n".encode(errors="backslashreplace"))
            return
        tell(str(line))

    def close(self, outcome: Outcome | None, error: BaseException | None) -> None:
        """Say the answer, then what went wrong."""
        if outcome is not None and outcome.text:
            self._write(outcome.text.encode(errors="backslashreplace") + b"\n")
        if error is not None and not is_stop(error):
            told = problem(error)
            tell(f"wzp: {sentence(told.message, told.hint)}")


def folded(text: str, columns: int) -> str:
    """Return `text` with no word cut; indented lines, to be copied, stay whole."""
    fold = textwrap.TextWrapper(
        columns,
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    lines = text.split("\n")
    return "\n".join(ln if ln.startswith(" ") else fold.fill(ln) for ln in lines)


def tell(text: str) -> None:
    """Say it: to a terminal in lines that fit, to a file in whole ones."""
    if sys.stderr.isatty():
        text = folded(text, shutil.get_terminal_size().columns)
    say(text)


def event_sentence(event: events.Event) -> str | None:
    """Return what to say about `event`; None where it is of interest to scripts only.

    `Hello` and `Ended` frame a stream, and `Stats`, `Level` and `Candidate` are too
    many to be read: a live view shows them.
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
    reach = "; others can call us through it" if event.published else ""
    way = (
        " through TCP, since UDP does not get there" if event.transport == "tcp" else ""
    )
    return f"Registered at relay {event.relay}{way}{reach}."


def _lan_announced(event: events.LanAnnounced) -> str:
    facts = [f"as {event.name}"] if event.name else []
    facts.append(f"at {', '.join(event.addresses)}")
    return f"Others on this LAN see us by `wzp lan`: {', '.join(facts)}."


def _ready(event: events.Ready) -> str:
    if "?" not in event.ticket:  # it says who, not where
        return "Ready for calls."
    return f"Ready for calls. To be called:\n  wzp call '{event.ticket}'"


def _port_mapped(event: events.PortMapped) -> str:
    if event.address is None:
        return f"No port of the router's for us: {event.reason}."
    useless = f", of no use: {event.reason}" if event.reason else ""
    protocol = "" if event.protocol is None else f" ({_PROTOCOLS[event.protocol]})"
    return f"The router sends {event.address} on to us{protocol}{useless}."


def _incoming(event: events.Incoming) -> str:
    name = f' from "{event.name}" (not verified)' if event.name else ""
    if event.namesake is not None:
        name = f' from "{event.name}" (NOT the key of your contact {event.namesake})'
    if event.contact is not None:
        verified = "verified" if event.verified else "not verified"
        name = f" from {event.contact}, a contact ({verified})"
    way = "directly" if event.via == "direct" else "through the relay"
    return f"Incoming call{name}, {way}, by:\n  {event.peer}"


def _missed(event: events.Missed) -> str:
    name = f' from "{event.name}" (not verified)' if event.name else ""
    why = {
        "busy": "another call was under way",
        "timeout": "nobody answered",
        "withdrawn": "the caller gave up",
    }
    return f"Missed call{name}, {why[event.reason]}, by:\n  {event.peer}"


def _calling(event: events.Calling) -> str:
    return f"Calling {_short(event.peer)}."


def _ringing(event: events.Ringing) -> str:
    return f"Ringing at {_short(event.peer)}."


def _answered(event: events.Answered) -> str:
    took = "" if event.setup_ms is None else f" after {event.setup_ms:.0f} ms"
    who = _short(event.peer)
    if event.contact is not None:
        verified = "verified" if event.verified else "not verified"
        who = f"{event.contact} ({verified})"
    return f"{who} answered{took}."


def _pinged(event: events.Pinged) -> str:
    if event.rtt_ms is None:
        return f"Ping {event.number}: no answer ({_way(event.path, event.remote)})."
    way = _way(event.path, event.remote)
    return f"Ping {event.number}: {event.rtt_ms:.0f} ms {way}."


def _nat_detected(event: events.NatDetected) -> str:
    changed = f" (new: {', '.join(event.changed)})" if event.changed else ""
    return f"{event.summary}{changed}"


def _mapping_aged(event: events.MappingAged) -> str:
    if event.lost_s is not None:
        least = f"at least {event.lived_s:g} s, but " if event.lived_s else ""
        return f"A silent mapping lasts {least}less than {event.lost_s:g} s."
    following = "" if event.next_s is None else f"; next: {event.next_s:g} s"
    if event.lived_s:
        return f"A silent mapping lasts at least {event.lived_s:g} s{following}."
    return (
        "Finding out how long a silent mapping lasts takes minutes (Ctrl-C: tell what "
        f"is known by then){following}."
    )


def _path_tried(event: events.PathTried) -> str:
    if event.answered:
        return f"Tried {event.address}: an answer after {event.elapsed_ms:.0f} ms."
    why = event.reason or "in vain"
    return f"Tried {event.address} {event.checks} times: {why}."


def _path_planned(event: events.PathPlanned) -> str | None:
    match event.strategy:
        case "relay":
            return f"No direct path can be found, the relay is used: {event.reason}."
        case "checks":
            return None  # the usual way; how it ends is told
        case "search":
            return "Searching for a direct path; that takes up to 12 s."
        case _:
            return "Searching for a direct path, by predicting ports."


def _path_searched(event: events.PathSearched) -> str:
    took = f"{event.packets} packets, {event.elapsed_ms / 1000:.1f} s"
    if event.found:
        return f"The search has found a direct path ({took})."
    return f"The search has found no direct path: {event.reason or took}."


def _path_selected(event: events.PathSelected) -> str:
    return f"Talking {_way(event.path, event.remote)}{_rtt(event.rtt_ms)}."


def _path_changed(event: events.PathChanged) -> str:
    way = _way(event.path, event.remote)
    return f"Now talking {way}{_rtt(event.rtt_ms)}: {event.reason}."


def _media_started(event: events.MediaStarted) -> str:
    return f"First sound {event.first_audio_ms:.0f} ms after the answer."


def _recorded(event: events.Recorded) -> str:
    return f"The call is recorded: {event.path}"


def _muted(event: events.Muted) -> str:
    if event.push_to_talk:
        return "Nobody presses: we are not heard." if event.muted else "We are heard."
    return "Muted: we are not heard." if event.muted else "No longer muted."


def _held(event: events.Held) -> str:
    if event.by == "peer":
        return "The peer has put us on hold." if event.held else "The peer is back."
    return "The call is on hold." if event.held else "The call goes on."


def _hangup(event: events.Hangup) -> str:
    if (event.by, event.reason) == ("peer", ANSWERED_ELSEWHERE):
        return "The call was answered on another device."
    by = {"local": "we hung up", "peer": "the peer hung up", "network": "it was lost"}
    why = "" if event.reason == "hung up" else f" ({event.reason})"
    return f"The call is over: {by[event.by]}{why}."


def _judged(event: events.Judged) -> str:
    return event.sentence


def _relay_ready(event: events.RelayReady) -> str:
    where = event.addresses or [f"HOST:{event.port}"]
    ports = f"UDP port {event.port}"
    if event.tcp_port is not None:
        ports += f" and TCP port {event.tcp_port}"
    lines = [f"Relay {_short(event.id)} serves on {ports}. To use it:"]
    return "\n  --relay ".join(lines + where)


def _relay_stats(event: events.RelayStats) -> str:
    return (
        f"Connected: {event.links}, of them ready for calls: {event.published}; "
        f"open channels: {event.channels}."
    )


def _relay_reloaded(event: events.RelayReloaded) -> str:
    who = "everybody is admitted"
    if event.tokens is not None or event.allowed is not None:
        who = f"{event.tokens or 0} tokens and {event.allowed or 0} identities admit"
    return (
        f"Rules read: {who}, {event.blocked} blocked; clients let go: {event.closed}."
    )


def _relay_draining(event: events.RelayDraining) -> str:
    return (
        f"Stopping: nobody is taken any more, {event.channels} channels may go on"
        f" for {event.within_s:g} s. Again: at once."
    )


def _warned(event: events.Warned) -> str:
    return sentence(f"Warning: {event.message}", None)


def _failed(event: events.Failed) -> str:
    return f"wzp: {sentence(event.message, event.hint)}"


def _way(path: str, remote: str) -> str:
    return f"directly with {remote}" if path == "direct" else f"through relay {remote}"


def _short(identity: str) -> str:
    try:
        return Identity.parse(identity).short
    except WzpError:  # said as it is: to talk never fails
        return identity


def _rtt(rtt_ms: float | None) -> str:
    return "" if rtt_ms is None else f", round trip {rtt_ms:.0f} ms"


_PROTOCOLS = {"pcp": "PCP", "nat-pmp": "NAT-PMP", "upnp": "UPnP"}
_DETAILS = (events.MediaStarted, events.PathTried, events.PortMapped)
_ON_THE_WAY = (events.Bound, events.Reflexive, events.Registered)
_SENTENCES: dict[type[events.Event], Callable[[Any], str | None]] = {
    events.Answered: _answered,
    events.Bound: _bound,
    events.Calling: _calling,
    events.Failed: _failed,
    events.Hangup: _hangup,
    events.Held: _held,
    events.Incoming: _incoming,
    events.Judged: _judged,
    events.MediaStarted: _media_started,
    events.Missed: _missed,
    events.Muted: _muted,
    events.PathChanged: _path_changed,
    events.PathPlanned: _path_planned,
    events.PathSearched: _path_searched,
    events.PathSelected: _path_selected,
    events.PathTried: _path_tried,
    events.MappingAged: _mapping_aged,
    events.NatDetected: _nat_detected,
    events.Pinged: _pinged,
    events.PortMapped: _port_mapped,
    events.LanAnnounced: _lan_announced,
    events.Ready: _ready,
    events.Recorded: _recorded,
    events.Reflexive: _reflexive,
    events.Registered: _registered,
    events.RelayDraining: _relay_draining,
    events.RelayReady: _relay_ready,
    events.RelayReloaded: _relay_reloaded,
    events.RelayStats: _relay_stats,
    events.Ringing: _ringing,
    events.Warned: _warned,
}
