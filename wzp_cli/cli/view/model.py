"""What the screen knows: a value that events change, and nothing else does.

    model = after(model, event, at)

No terminal, no clock, no task. Whatever a stranger wrote comes cleaned in the events
(`protocol/names/text.py`) and is shown as literal text.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Literal, NamedTuple

from wzp_cli import events
from wzp_cli.cli.output.sentences import event_sentence
from wzp_cli.defaults.program import SCREEN_HISTORY_S, SCREEN_NEWS, SCREEN_PAST_CALLS
from wzp_cli.protocol.media.quality import mouth_to_ear_ms

__all__ = [
    "At",
    "Call",
    "Model",
    "Page",
    "Past",
    "Phase",
    "Second",
    "Sounds",
    "Who",
    "after",
    "idle",
    "levels",
    "turned_to",
]

Phase = Literal["starting", "listening", "calling", "incoming", "talking", "over"]
Page = Literal["call", "path", "devices", "help"]


class At(NamedTuple):
    """A moment: seconds of a clock that only goes forward, time of day, weekday."""

    s: float
    clock: str = ""
    day: str = ""

    @property
    def long(self) -> str:
        """For what is read days later."""
        return f"{self.day} {self.clock}".strip()


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody, as far as we know them.

    Attributes:
        short: The first characters of the identity, which the link has proved.
        contact: The name that we gave them; None: they are no contact.
        verified: Whether words were compared; None: nobody has kept that.
    """

    short: str
    contact: str | None = None
    verified: bool | None = None

    @property
    def title(self) -> str:
        """What they are called here. A stranger's own word for it does not count."""
        return self.contact or self.short

    @property
    def standing(self) -> str:
        """How far they are known, in words."""
        if self.contact is None:
            return "not one of your contacts"
        words = {True: "contact, verified", False: "contact, not verified"}
        return "contact" if self.verified is None else words[self.verified]


@dataclass(frozen=True, slots=True)
class Second:
    """One second of a call, as it was measured."""

    loss_pct: float
    delay_ms: float


@dataclass(frozen=True, slots=True)
class Sounds:
    """What makes and plays the sound, in the words of the command line."""

    source: str = ""
    sink: str = ""
    cleaning: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One call, from the first ring to the end.

    Attributes:
        who: The peer; None: not known yet.
        called: What they call themselves: cleaned, not verified.
        namesake: A contact who is called so, too, and has another key.
        since: When it began to ring, or to be called.
        rings: A device of the peer's rings.
        answered_s, ended_s: When, on the clock of `At`.
        via, remote, why: The path that sound takes, and the reason.
        seconds: What was measured, the newest last.
        trail: What was done to find a path, with the time of day.
    """

    since: At
    who: Who | None = None
    called: str = ""
    namesake: str | None = None
    rings: bool = False
    answered_s: float | None = None
    ended_s: float | None = None
    via: events.PathName | None = None
    remote: str = ""
    why: str = ""
    rtt_ms: float | None = None
    mos: float | None = None
    peer_mos: float | None = None
    seconds: tuple[Second, ...] = ()
    trail: tuple[str, ...] = ()
    muted: bool = False
    push_to_talk: bool = False
    held: bool = False
    held_by_peer: bool = False
    recorded: str | None = None
    end: str = ""
    verdict: str = ""

    def lasted_s(self, now_s: float) -> float:
        """Return how long they have talked."""
        if self.answered_s is None:
            return 0.0
        return (now_s if self.ended_s is None else self.ended_s) - self.answered_s


class Past(NamedTuple):
    """A call that is over, or was missed: when, and a line about it."""

    clock: str
    line: str
    missed: bool


@dataclass(frozen=True, slots=True)
class Model:
    """All that the screen shows.

    Attributes:
        command: The words after `wzp`.
        know: Finds out who an identity is.
        target: Whom we call, as the user named them.
        answers: Whose calls are taken without asking, in words.
        is_elsewhere: Whether the call is in the listener's process, not in ours.
        said_dbfs, heard_dbfs: How loud both sides are now; None is silence.
        news: What happened, the newest last, with the time of day.
        warnings: What a person should still read when the screen is gone.
    """

    command: str
    know: Callable[[str], Who] = Who
    target: str = ""
    answers: str = ""
    is_elsewhere: bool = False
    sounds: Sounds = field(default_factory=Sounds)
    phase: Phase = "starting"
    page: Page = "call"
    port: int | None = None
    reflexive: str = ""
    mapped: str = ""
    relay: str = ""
    relay_up: bool = False
    ticket: str = ""
    call: Call | None = None
    said_dbfs: float | None = None
    heard_dbfs: float | None = None
    past: tuple[Past, ...] = ()
    news: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()


def levels(model: Model, said: float | None, heard: float | None) -> Model:
    """Return the model with both sides as loud as they are now, in dBFS."""
    return replace(model, said_dbfs=said, heard_dbfs=heard)


def idle(model: Model) -> Model:
    """Return the model of a listener whose own call came to nothing."""
    if model.command == "listen" and model.phase == "calling":
        return replace(model, phase="listening", call=None)
    return model


def turned_to(model: Model, page: Page) -> Model:
    """Return the model with another page open; the same again closes it."""
    return replace(model, page="call" if model.page == page else page)


def after(model: Model, event: events.Event, at: At) -> Model:
    """Return what the screen knows once `event` has happened."""
    model = _noted(model, event, at)
    match event:
        case events.Bound(port=port):
            return replace(model, port=port)
        case events.Reflexive(address=address):
            return replace(model, reflexive=address)
        case events.PortMapped(address=address):
            return replace(model, mapped=address or "")
        case events.Registered(relay=relay):
            model = replace(model, relay=relay, relay_up=True)
            return _called(model, at)
        case events.Warned(code="relay_lost"):
            return replace(model, relay_up=False)
        case events.Ready(ticket=ticket):
            return replace(model, ticket=ticket, phase="listening")
        case events.Missed():
            line = f"{_named(model, event)}: {_MISSED[event.reason]}"
            return _remembered(model, Past(at.long, line, missed=True))
        case events.Incoming():
            who = model.know(event.peer)
            call = Call(at, who, event.name, event.namesake, via=event.via)
            return replace(model, phase="incoming", page="call", call=call)
        case events.Calling(peer=peer):
            return _placed(model, peer, at)
        case events.Hangup():
            return _over(model, event, at)
        case events.Judged(sentence=sentence):
            return _judged(model, sentence, at)
    if model.call is None and model.command == "call":
        model = _called(model, at)
    if model.call is None:
        return model
    phase, call = _in_call(model, model.call, event, at)
    return replace(model, phase=phase, call=call)


def _called(model: Model, at: At) -> Model:
    """A call of ours begins with the first thing that is done for it."""
    if model.command != "call" or model.call is not None:
        return model
    return replace(model, phase="calling", call=Call(since=at))


def _placed(model: Model, peer: str, at: At) -> Model:
    """A listener calls, because `wzp call` asked it to: an identity or an address."""
    call = Call(since=at)
    if peer.startswith("wzp1"):
        call = replace(call, who=model.know(peer))
    return replace(model, phase="calling", page="call", target=peer, call=call)


def _in_call(
    model: Model, call: Call, event: events.Event, at: At
) -> tuple[Phase, Call]:
    """Return the phase and the call after an event that only a call has."""
    match event:
        case events.Ringing(peer=peer):
            return "calling", replace(call, who=model.know(peer), rings=True)
        case events.Answered(peer=peer):
            call = replace(call, who=model.know(peer), answered_s=at.s)
            return "talking", replace(call, via=None)
        case events.PathSelected(path=path, remote=remote):
            why = _FIRST[path]
            call = replace(call, via=path, remote=remote, why=why, rtt_ms=event.rtt_ms)
        case events.PathChanged(path=path, remote=remote, reason=reason):
            call = replace(call, via=path, remote=remote, why=reason)
            call = replace(call, rtt_ms=event.rtt_ms)
        case events.PathPlanned(strategy=strategy, reason=reason):
            call = _planned(call, strategy, reason)
        case events.PathSearched(found=False, reason=reason):
            call = _planned(call, "relay", reason or "the search found no direct path")
        case events.Muted(muted=muted, push_to_talk=push_to_talk):
            call = replace(call, muted=muted, push_to_talk=push_to_talk)
        case events.Held(held=held, by="local"):
            call = replace(call, held=held)
        case events.Held(held=held):
            call = replace(call, held_by_peer=held)
        case events.Recorded(path=recorded):
            call = replace(call, recorded=recorded)
        case events.Stats():
            call = _measured(call, event)
    if isinstance(event, _TRAIL):
        sentence = event_sentence(event)
        line = f"{at.clock}  {sentence}"
        if sentence is not None:
            call = replace(call, trail=(*call.trail, line)[-SCREEN_NEWS:])
    return model.phase, call


def _planned(call: Call, strategy: str, reason: str | None) -> Call:
    """Return the call with the reason for the relay, while it is the relay."""
    if call.via == "direct":
        return call
    if strategy == "relay":
        return replace(call, why=f"no direct path can be found: {reason}")
    return replace(call, why=_LOOKING.get(strategy, call.why))


def _measured(call: Call, stats: events.Stats) -> Call:
    delay_ms = mouth_to_ear_ms(stats.rtt_ms, stats.buffer_ms)
    second = Second(stats.loss_pct, delay_ms)
    heard = stats.heard_by_peer
    return replace(
        call,
        rtt_ms=stats.rtt_ms,
        mos=stats.mos_est,
        peer_mos=None if heard is None else heard.mos_est,
        seconds=(*call.seconds, second)[-SCREEN_HISTORY_S:],
    )


def _over(model: Model, event: events.Hangup, at: At) -> Model:
    """Return the model after a call, talked in or not."""
    quiet: Phase = "listening" if model.command == "listen" else "over"
    if model.call is None:
        return model
    call = replace(model.call, ended_s=at.s, end=event_sentence(event) or "")
    model = replace(model, phase=quiet, call=call, said_dbfs=None, heard_dbfs=None)
    if call.answered_s is None and event.by == "local" and event.reason == "declined":
        line = f"{_title(call)}: declined"
        return _remembered(model, Past(call.since.long, line, missed=False))
    return model


def _judged(model: Model, sentence: str, at: At) -> Model:
    """Return the model with the call that has ended among the past ones."""
    if model.call is None:
        return model
    call = replace(model.call, verdict=sentence)
    way = {"direct": "directly", "relay": "through the relay", None: "without sound"}
    line = f"{_title(call)}: {minutes(call.lasted_s(at.s))} {way[call.via]}. {sentence}"
    model = replace(model, call=call, news=())
    return _remembered(model, Past(call.since.long, line, missed=False))


def _remembered(model: Model, past: Past) -> Model:
    return replace(model, past=(*model.past, past)[-SCREEN_PAST_CALLS:])


def _noted(model: Model, event: events.Event, at: At) -> Model:
    """Return the model with the sentence about `event`, if it deserves one."""
    sentence = None if isinstance(event, _SHOWN) else event_sentence(event)
    if sentence is None or (model.news and model.news[-1][1] == sentence):
        return model
    news = (*model.news, (at.clock, sentence))[-SCREEN_NEWS:]
    if isinstance(event, events.Warned) and sentence not in model.warnings:
        warnings = (*model.warnings, sentence)[-SCREEN_NEWS:]
        model = replace(model, warnings=warnings)
    return replace(model, news=news)


def minutes(seconds: float) -> str:
    """Return a length of time as people read it: 00:42, 1:02:03."""
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    head = f"{hours}:" if hours else ""
    return f"{head}{rest // 60:02}:{rest % 60:02}"


def _title(call: Call) -> str:
    return "somebody" if call.who is None else call.who.title


def _named(model: Model, event: events.Missed) -> str:
    who = model.know(event.peer)
    called = (
        f' (calls themselves "{event.name}")' if event.name and not who.contact else ""
    )
    return f"{who.title}{called}"


_FIRST: Final = {
    "relay": "it works at once; a direct path is being looked for",
    "direct": "nothing is in between",
}
_LOOKING: Final = {
    "prediction": "a direct path is being searched, by predicting ports",
    "mutual-prediction": "a direct path is being searched, by predicting ports",
    "search": "a direct path is being searched: that takes up to 12 s",
}
_MISSED: Final = {
    "busy": "you were in another call",
    "timeout": "nobody answered",
    "withdrawn": "gave up",
}
_TRAIL: Final = (
    events.PathChanged,
    events.PathPlanned,
    events.PathSearched,
    events.PathSelected,
    events.PathTried,
    events.PortMapped,
)
_SHOWN: Final = (  # the screen has a place of their own for them
    events.Ready,
    events.Bound,
    events.Incoming,
    events.Muted,
    events.PathTried,
    events.PortMapped,
    events.Missed,
)
