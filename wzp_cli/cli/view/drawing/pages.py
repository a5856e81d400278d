"""What stands on each page of the screen, as blocks of lines.

Everything that is not ours to word (names, addresses, reasons) is added as literal
text: markup in it means nothing.
"""

import textwrap
from dataclasses import dataclass, field
from typing import Final

from rich.text import Text

from wzp_cli.cli.view.drawing.meters import Glyphs, delays, level_bar, losses
from wzp_cli.cli.view.model import At, Call, Model, minutes
from wzp_cli.defaults.program import SCREEN_LEVEL_FLOOR_DBFS
from wzp_cli.protocol.media.quality import grade

__all__ = ["Block", "page"]


@dataclass(frozen=True)
class Block:
    """Lines that stand, or go, together.

    Attributes:
        rank: 0 stays; of the others the highest goes first where there is no room.
        is_paragraph: To be copied: begins at the left edge, wrapped by the terminal.
    """

    lines: list[Text] = field(default_factory=lambda: [Text()])
    rank: int = 0
    is_paragraph: bool = False


_LABEL_CELLS: Final = 10
_VALUE_CELLS: Final = 9
_NEWS_LINES: Final = 4
_GAP: Final = 9
_GRADE_STYLES: Final = {
    "good": "green",
    "fair": "green",
    "poor": "yellow",
    "bad": "red",
}


def page(model: Model, width: int, at: At, glyphs: Glyphs) -> list[Block]:
    """Return the page that is open."""
    match model.page:
        case "help":
            return _help(model)
        case "devices":
            return _devices(model, width)
        case "path":
            return _path_details(model, width)
    match model.phase, model.call:
        case "talking", Call() as call:
            return _talking(model, call, width, at, glyphs)
        case "incoming", Call() as call:
            return _incoming(model, call, width, at)
        case "listening", _:
            return _listening(model, width, glyphs)
        case _, Call() as call:
            return _calling(model, call, width, at)
    return [_gap(), Block([Text("Starting")]), *_news(model, width)]


# -- in a call


def _talking(
    model: Model, call: Call, width: int, at: At, glyphs: Glyphs
) -> list[Block]:
    return [
        _gap(),
        Block([_title_line(call, minutes(call.lasted_s(at.s)), width)]),
        Block(_standing_lines(call), 4),
        _gap(),
        Block([_path_line(call, glyphs)]),
        Block([_labelled("", Text(call.why, "dim"))], 5),
        _gap(8),
        Block(_meter_lines(model, call, width, glyphs), 1),
        _gap(8),
        Block([_sound_line(call)], 2),
        Block(_history_lines(call, width, glyphs), 3),
        _gap(8),
        Block([_state_line(call)]),
        _gap(7),
        *_news(model, width),
    ]


def _title_line(call: Call, timer: str, width: int) -> Text:
    title = Text("somebody" if call.who is None else call.who.title)
    title.truncate(max(1, width - len(timer) - 1), overflow="ellipsis")
    title.append(" " * max(1, width - title.cell_len - len(timer)))
    return Text(f"{title.plain}{timer}", "bold")


def _standing_lines(call: Call) -> list[Text]:
    """Return who the peer is, as far as it is known, and proved."""
    if call.who is None:
        return []
    known = call.who.standing
    style = "green" if call.who.verified else "" if call.who.contact else "yellow"
    first = Text.assemble((known, style))
    if call.who.contact:
        first.append(f"  {call.who.short}", "dim")
    own = []
    if call.called and call.called != call.who.contact:
        own = [Text(f'calls themselves "{call.called}" (not verified)', "dim")]
    if call.namesake:
        own.append(Text(f"NOT the key of your contact {call.namesake}", "bold red"))
    return [first, *own]


def _path_line(call: Call, glyphs: Glyphs) -> Text:
    if call.via is None:
        return _labelled("path", Text("being opened", "dim"))
    is_direct = call.via == "direct"
    way = f" directly with {call.remote}" if is_direct else f" through {call.remote}"
    dot = (glyphs.dot, "green") if is_direct else (glyphs.ring, "yellow")
    text = Text.assemble(dot, way)
    if call.rtt_ms is not None:
        text.append(f" {glyphs.dash} round trip {call.rtt_ms:.0f} ms", "dim")
    return _labelled("path", text)


def _meter_lines(model: Model, call: Call, width: int, glyphs: Glyphs) -> list[Text]:
    contact = None if call.who is None else call.who.contact
    return [
        _meter("you", model.said_dbfs, width, glyphs),
        _meter(contact or "peer", model.heard_dbfs, width, glyphs),
    ]


def _meter(label: str, dbfs: float | None, width: int, glyphs: Glyphs) -> Text:
    is_silent = dbfs is None or dbfs < SCREEN_LEVEL_FLOOR_DBFS
    value = "silent" if is_silent else f"{dbfs:.0f} dB"
    bar = level_bar(dbfs, _bar_cells(width), glyphs)
    return _labelled(label, bar.append(f"{value:>{_VALUE_CELLS}}", "dim"))


def _sound_line(call: Call) -> Text:
    """Return how it sounds here, and there."""
    text = Text.assemble(("nothing heard yet", "dim"))
    if call.mos is not None:
        word = grade(call.mos)
        text = Text.assemble((word, f"bold {_GRADE_STYLES[word]}"))
    if call.peer_mos is not None:
        text.append(f"   they hear us: {grade(call.peer_mos)}", "dim")
    if call.recorded is not None:
        text.append(f"   recorded: {call.recorded}", "red")
    return _labelled("sound", text)


def _history_lines(call: Call, width: int, glyphs: Glyphs) -> list[Text]:
    cells = _bar_cells(width)
    loss = losses([each.loss_pct for each in call.seconds], cells, glyphs)
    delay = delays([each.delay_ms for each in call.seconds], cells, glyphs)
    last = call.seconds[-1] if call.seconds else None
    now = (
        ("", "")
        if last is None
        else (f"{last.loss_pct:.1f} %", f"{last.delay_ms:.0f} ms")
    )
    return [
        _labelled("loss", loss.append(f"{now[0]:>{_VALUE_CELLS}}", "dim")),
        _labelled("delay", delay.append(f"{now[1]:>{_VALUE_CELLS}}", "dim")),
    ]


def _state_line(call: Call) -> Text:
    """Return whether both are heard: in words, and loud where they are not."""
    if call.held or call.held_by_peer:
        by = "you" if not call.held_by_peer else "both" if call.held else "the peer"
        return _badge(f"on hold by {by}", "nobody is heard until it is resumed")
    if call.push_to_talk and call.muted:
        return _badge("push to talk", "hold space to be heard; m: open microphone")
    if call.push_to_talk:
        return _labelled("state", Text("you are heard while you hold space", "green"))
    if call.muted:
        return _badge("muted", "you are not heard")
    return _labelled("state", Text("both sides are heard", "dim"))


def _badge(word: str, meaning: str) -> Text:
    text = Text.assemble((f" {word.upper()} ", "bold reverse"), f" {meaning}")
    return _labelled("state", text)


# -- before a call, and between calls


def _incoming(model: Model, call: Call, width: int, at: At) -> list[Block]:
    timer = f"rings {minutes(at.s - call.since.s)}"
    title = _title_line(call, timer, width)
    way = "directly" if call.via == "direct" else "through the relay"
    return [
        _gap(),
        Block([Text("Incoming call", "bold green")]),
        _gap(),
        Block([title]),
        Block(_standing_lines(call), 1),
        Block([Text(f"calls {way}", "dim")], 3),
        _gap(),
        Block(
            [Text.assemble(("y", "bold"), " answer     ", ("n", "bold"), " decline")]
        ),
        _gap(7),
        *_news(model, width),
    ]


def _calling(model: Model, call: Call, width: int, at: At) -> list[Block]:
    name = model.target if call.who is None else call.who.title
    doing = "Ringing at" if call.rings else "Calling"
    if model.phase == "over":
        doing = "The call is over:"
    timer = minutes(at.s - call.since.s)
    title = Text.assemble(f"{doing} ", (name, "bold"))
    title.truncate(max(1, width - len(timer) - 1), overflow="ellipsis")
    title.append(" " * max(1, width - title.cell_len - len(timer)))
    return [
        _gap(),
        Block([title.append(timer)]),
        Block(_standing_lines(call), 1),
        _gap(),
        *_news(model, width),
    ]


def _listening(model: Model, width: int, glyphs: Glyphs) -> list[Block]:
    address = model.mapped or model.reflexive
    rows = [_relay_line(model, glyphs)]
    if address:
        rows.append(_labelled("address", Text(f"{address} from outside")))
    if model.port is not None:
        rows.append(_labelled("port", Text(f"UDP {model.port}")))
    if model.answers:
        rows.append(_labelled("answers", Text(model.answers)))
    return [
        _gap(),
        Block([Text("Listening for calls", "bold")]),
        _gap(8),
        Block(rows, 1),
        _gap(8),
        *_ticket(model),
        *_past(model, width),
        *_news(model, width),
    ]


def _relay_line(model: Model, glyphs: Glyphs) -> Text:
    if not model.relay:
        return _labelled("relay", Text("none: callers dial this machine", "yellow"))
    if model.relay_up:
        text = Text.assemble((glyphs.dot, "green"), f" registered at {model.relay}")
        return _labelled("relay", text)
    text = Text.assemble(
        (glyphs.ring, "yellow"), f" {model.relay} is lost; trying again"
    )
    return _labelled("relay", text)


def _ticket(model: Model) -> list[Block]:
    if not model.ticket:
        return []
    return [
        Block([Text("To be called, send this line:", "dim")], 5),
        Block([Text(f"wzp call '{model.ticket}'")], 4, is_paragraph=True),
        _gap(8),
    ]


def _past(model: Model, width: int) -> list[Block]:
    """Return the calls before, one a line, the newest first; the missed ones marked."""
    if not model.past:
        return []
    head = Block([Text("Calls", "bold")], 3)
    rows = []
    for rank, past in enumerate(reversed(model.past)):
        missed = [("missed ", "bold yellow")] if past.missed else []
        text = Text.assemble((f"{past.clock}  ", "dim"), *missed, past.line)
        text.truncate(width, overflow="ellipsis")
        rows.append(Block([text], min(3 + rank, 6)))
    return [head, *rows, _gap(8)]


# -- the other pages


def _path_details(model: Model, width: int) -> list[Block]:
    call = model.call
    facts = [("from outside", model.reflexive), ("router's port", model.mapped)]
    if call is not None and call.via is not None:
        by = "direct" if call.via == "direct" else "by relay"
        facts = [("now", f"{by}, {call.remote}"), ("because", call.why), *facts]
    rows = [_wide(label, value) for label, value in facts if value]
    trail = [] if call is None else [*_wrapped(call.trail, width)]
    tried = [_gap(5), Block([Text("What was done to find it", "bold")], 3)]
    return [
        _gap(),
        Block([Text("The path that sound takes", "bold")]),
        _gap(5),
        Block(rows or [Text("no call yet", "dim")]),
        *(tried if trail else []),
        *[Block([line], 2) for line in trail],
    ]


def _devices(model: Model, width: int) -> list[Block]:
    sounds = model.sounds
    facts = [
        ("in", sounds.source),
        ("out", sounds.sink),
        ("cleaning", sounds.cleaning),
    ]
    said = [_labelled(label, Text(value)) for label, value in facts if value]
    hint = "Others: wzp devices lists them; --in and --out choose."
    return [
        _gap(),
        Block([Text("Sound", "bold")]),
        _gap(),
        Block(said),
        _gap(),
        Block([Text(line, "dim") for line in textwrap.wrap(hint, width)], 2),
    ]


_HELP: Final = (
    ("m", "mute, or no longer; ends push to talk"),
    ("h", "hold: nobody hears anybody; the other side is told"),
    ("space", "push to talk: you are heard as long as you hold it"),
    ("p", "the path: direct or by relay, why, and what was tried"),
    ("d", "the sound devices in use"),
    ("q", "hang up; between calls: stop"),
    ("Ctrl-Z", "to the shell; the call can't go on there: fg soon"),
    ("Ctrl-C", "hang up and leave"),
)


_LEFT_ALONE: Final = "to the shell; wzp listen goes on with the call: you are heard"


def _help(model: Model) -> list[Block]:
    keys = dict(_HELP) | ({"Ctrl-Z": _LEFT_ALONE} if model.is_elsewhere else {})
    rows = [Block([_labelled(key, Text(what), "bold")]) for key, what in keys.items()]
    levels = "Levels: 0 dB is as loud as it can be; speech is around -25 dB."
    return [
        _gap(),
        Block([Text("Keys", "bold")]),
        _gap(4),
        *rows,
        _gap(5),
        Block([Text(levels, "dim")], 3),
        Block(
            [Text("Loss and delay: a bar a second, the newest on the right.", "dim")], 3
        ),
    ]


# -- pieces


def _gap(rank: int = _GAP) -> Block:
    return Block(rank=rank)


def _news(model: Model, width: int) -> list[Block]:
    """Return the last things that happened, the oldest first; it goes first."""
    rows = []
    newest = model.news[-_NEWS_LINES:]
    for age, (clock, sentence) in enumerate(reversed(newest)):
        text = Text(f"{clock}  {' '.join(sentence.split())}", "dim")
        text.truncate(width, overflow="ellipsis")
        rows.append(Block([text], 6 + min(age, 1)))
    return rows[::-1]


def _labelled(label: str, value: Text, style: str = "dim") -> Text:
    head = Text(label)
    head.truncate(_LABEL_CELLS - 1, overflow="ellipsis")
    head.append(" " * (_LABEL_CELLS - head.cell_len))
    return Text.assemble((head.plain, style), value)


def _wide(label: str, value: str) -> Text:
    return Text.assemble((f"{label:<15}", "dim"), value)


def _wrapped(rows: tuple[str, ...], width: int) -> list[Text]:
    indent = " " * _LABEL_CELLS
    folded = [textwrap.wrap(row, width, subsequent_indent=indent) for row in rows]
    return [Text(line, "dim") for lines in folded for line in lines]


def _bar_cells(width: int) -> int:
    return max(1, width - _LABEL_CELLS - _VALUE_CELLS)
